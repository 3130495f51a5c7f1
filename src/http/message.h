/* One HTTP/1.1 message in a buffer, parsed as its bytes arrive: a request on a server's connection,
 * a reply on a client's. The syntax is http_parser's; this adds limits, keeps the parts as offsets
 * (the buffer may move) and joins the pieces of a chunked body in place. */
#pragma once

#include <http_parser.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "http/http_limits.h"

struct http_span { /* from buf.start */
    uint32_t offset;
    uint32_t size;
};

struct http_message {
    struct http_parser parser;
    struct buf *in; /* borrowed; not consumed before http_message_end */
    size_t head_bytes_max;
    size_t body_bytes_max;
    size_t parsed; /* bytes of the buffer that the parser has seen */
    size_t body_offset;
    size_t body_size;
    struct http_span url;
    struct http_span names[HTTP_HEADERS_MAX];
    struct http_span values[HTTP_HEADERS_MAX];
    unsigned header_count;
    bool in_value; /* the last header callback was for a value */
    bool head_done;
    bool complete;
    bool keep_alive;
    int status; /* HTTP status that says why a message was refused; 0 = fine */
};

void http_message_init(struct http_message *message, enum http_parser_type type, struct buf *in,
                       size_t head_bytes_max, size_t body_bytes_max);

/* Parses what the buffer holds beyond parsed. 0, or -EBADMSG with message->status set. */
int http_message_feed(struct http_message *message);

/* The peer closed: a reply without a length is complete now. 0, or -EBADMSG when it was cut. */
int http_message_feed_end(struct http_message *message);

/* Drops the message from the buffer; what follows it stays for the next one. */
void http_message_end(struct http_message *message);

struct slice http_message_span(const struct http_message *message, struct http_span span);
struct slice http_message_body(const struct http_message *message);

/* The first header of that name (any case); empty when there is none. */
struct slice http_message_header(const struct http_message *message, const char *name);
