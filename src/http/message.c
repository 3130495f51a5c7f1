#include "http/message.h"

#include <assert.h>
#include <errno.h>

#define BODY_FIRST        (64 * 1024)  /* reserved at once of an announced body; then as it comes */
#define FRAMING_BYTES_MAX (128 * 1024) /* head and chunk framing beyond the body's own limit */

static struct http_message *message_of(struct http_parser *parser)
{
    return parser->data;
}

static int refuse(struct http_message *message, int status)
{
    message->status = status;
    return -1;
}

static size_t offset_of(const struct http_message *message, const char *at)
{
    return (size_t)(at - (message->in->data + message->in->start));
}

/* A part may come in pieces; they lie one after the other in the buffer. */
static void span_grow(struct http_message *message, struct http_span *span, const char *at,
                      size_t size)
{
    if (span->size == 0) {
        span->offset = (uint32_t)offset_of(message, at);
    }
    span->size += (uint32_t)size;
}

/* A part that goes on elsewhere is a folded header value: its span would hold the line end between
 * the pieces, and passed on it would end the head early. RFC 9112 5.2 lets a server refuse it. */
static bool span_is_torn(const struct http_message *message, const struct http_span *span,
                         const char *at)
{
    return span->size > 0 && offset_of(message, at) != span->offset + span->size;
}

static int on_url(struct http_parser *parser, const char *at, size_t size)
{
    span_grow(message_of(parser), &message_of(parser)->url, at, size);
    return 0;
}

static int on_header_field(struct http_parser *parser, const char *at, size_t size)
{
    struct http_message *message = message_of(parser);
    if (message->head_done) {
        return 0; /* trailers of a chunked body are dropped */
    }
    if (message->header_count == 0 || message->in_value) {
        if (message->header_count == HTTP_HEADERS_MAX) {
            return refuse(message, 431);
        }
        unsigned index = message->header_count++;
        message->names[index] = (struct http_span){0};
        message->values[index] = (struct http_span){0};
        message->in_value = false;
    }
    span_grow(message, &message->names[message->header_count - 1], at, size);
    return 0;
}

static int on_header_value(struct http_parser *parser, const char *at, size_t size)
{
    struct http_message *message = message_of(parser);
    if (message->head_done) {
        return 0;
    }
    struct http_span *value = &message->values[message->header_count - 1];
    if (size > 0 && span_is_torn(message, value, at)) {
        return refuse(message, 400);
    }
    message->in_value = true;
    span_grow(message, value, at, size);
    return 0;
}

static int on_headers_complete(struct http_parser *parser)
{
    struct http_message *message = message_of(parser);
    message->head_done = true;
    struct http_span last = message->url;
    if (message->header_count > 0) {
        unsigned index = message->header_count - 1;
        last = message->values[index].size > 0 ? message->values[index] : message->names[index];
    }
    if ((size_t)last.offset + last.size > message->head_bytes_max) {
        return refuse(message, 431);
    }
    if ((parser->flags & F_CONTENTLENGTH) && parser->content_length > message->body_bytes_max) {
        return refuse(message, 413);
    }
    return 0;
}

static int on_body(struct http_parser *parser, const char *at, size_t size)
{
    struct http_message *message = message_of(parser);
    size_t offset = offset_of(message, at);
    if (message->body_size == 0) {
        message->body_offset = offset;
    }
    if (size > message->body_bytes_max - message->body_size) {
        return refuse(message, 413);
    }
    size_t end = message->body_offset + message->body_size;
    if (offset != end) { /* skip the framing between two chunks */
        char *base = message->in->data + message->in->start;
        memmove(base + end, base + offset, size);
    }
    message->body_size += size;
    return 0;
}

static int on_message_complete(struct http_parser *parser)
{
    struct http_message *message = message_of(parser);
    message->complete = true;
    message->keep_alive = http_should_keep_alive(parser) != 0;
    http_parser_pause(parser, 1); /* what follows is the next message */
    return 0;
}

static const struct http_parser_settings settings = {
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

static void begin(struct http_message *message, enum http_parser_type type)
{
    http_parser_init(&message->parser, type);
    message->parser.data = message;
    message->parsed = 0;
    message->body_offset = 0;
    message->body_size = 0;
    message->url = (struct http_span){0};
    message->header_count = 0;
    message->in_value = false;
    message->head_done = false;
    message->complete = false;
    message->keep_alive = false;
    message->status = 0;
}

void http_message_init(struct http_message *message, enum http_parser_type type, struct buf *in,
                       size_t head_bytes_max, size_t body_bytes_max)
{
    message->in = in;
    message->head_bytes_max = head_bytes_max;
    message->body_bytes_max = body_bytes_max;
    begin(message, type);
}

static int parse_failed(struct http_message *message)
{
    if (message->status == 0) {
        enum http_errno code = HTTP_PARSER_ERRNO(&message->parser);
        message->status = code == HPE_HEADER_OVERFLOW ? 431 : 400;
    }
    return -EBADMSG;
}

int http_message_feed(struct http_message *message)
{
    assert(!message->complete);
    size_t size = buf_size(message->in) - message->parsed;
    if (size == 0) {
        return 0;
    }
    const char *data = message->in->data + message->in->start + message->parsed;
    message->parsed += http_parser_execute(&message->parser, &settings, data, size);
    enum http_errno code = HTTP_PARSER_ERRNO(&message->parser);
    if (code != HPE_OK && code != HPE_PAUSED) {
        return parse_failed(message);
    }
    if (!message->head_done && message->parsed > message->head_bytes_max) {
        message->status = 431;
        return -EBADMSG;
    }
    /* Chunks' sizes and extensions lie in the buffer, too, until the message ends. */
    size_t around = message->parsed - message->body_size;
    if (around > message->body_bytes_max && around - message->body_bytes_max > FRAMING_BYTES_MAX) {
        message->status = 413;
        return -EBADMSG;
    }
    if (message->head_done && !message->complete) {
        uint64_t left = message->parser.content_length;
        bool announced = (message->parser.flags & F_CONTENTLENGTH) && left != UINT64_MAX;
        (void)buf_reserve(message->in, announced && left < BODY_FIRST ? (size_t)left : BODY_FIRST);
    }
    return 0;
}

int http_message_feed_end(struct http_message *message)
{
    if (message->complete) {
        return 0;
    }
    (void)http_parser_execute(&message->parser, &settings, "", 0);
    if (!message->complete) {
        return parse_failed(message);
    }
    message->keep_alive = false;
    return 0;
}

void http_message_end(struct http_message *message)
{
    buf_consume(message->in, message->parsed);
    begin(message, (enum http_parser_type)message->parser.type);
}

struct slice http_message_span(const struct http_message *message, struct http_span span)
{
    return (struct slice){message->in->data + message->in->start + span.offset, span.size};
}

struct slice http_message_body(const struct http_message *message)
{
    return (struct slice){message->in->data + message->in->start + message->body_offset,
                          message->body_size};
}

struct slice http_message_header(const struct http_message *message, const char *name)
{
    struct slice wanted = slice_str(name);
    for (unsigned i = 0; i < message->header_count; i++) {
        if (slice_eq_nocase(http_message_span(message, message->names[i]), wanted)) {
            return http_message_span(message, message->values[i]);
        }
    }
    return (struct slice){0};
}
