/* HTTP messages of peers: the first byte says request or reply and how large the pieces are in
 * which the rest arrives. However it is cut, what is understood must be the same, and every part
 * must lie within the bytes that came. */
#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "http/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEAD_MAX 4096
#define BODY_MAX 65536

struct verdict {
    int status; /* 0 = fine so far */
    unsigned messages;
    size_t body_bytes;
    unsigned headers;
};

static void check_parts(const struct http_message *message, size_t came)
{
    size_t held = buf_size(message->in);
    if (message->body_size > BODY_MAX || message->parsed > held || held > came ||
        message->body_offset + message->body_size > held) {
        abort();
    }
    for (unsigned i = 0; i < message->header_count; i++) {
        struct slice value = http_message_span(message, message->values[i]);
        if (message->values[i].offset + value.size > held ||
            (value.size > 0 && memchr(value.data, '\n', value.size))) {
            abort(); /* a line break in a value could be smuggled on */
        }
    }
}

static struct verdict feed(enum http_parser_type type, const uint8_t *data, size_t size,
                           size_t piece)
{
    struct buf in = {0};
    struct http_message message;
    struct verdict verdict = {0};
    http_message_init(&message, type, &in, HEAD_MAX, BODY_MAX);
    for (size_t at = 0; at < size && verdict.status == 0; at += piece) {
        size_t count = size - at < piece ? size - at : piece;
        if (buf_append(&in, data + at, count) < 0) {
            abort();
        }
        while (verdict.status == 0) {
            if (http_message_feed(&message) < 0) {
                verdict.status = message.status;
                break;
            }
            check_parts(&message, at + count);
            if (!message.complete) {
                break;
            }
            verdict.messages++;
            verdict.body_bytes += message.body_size;
            verdict.headers += message.header_count;
            http_message_end(&message);
        }
    }
    buf_done(&in);
    return verdict;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    enum http_parser_type type = data[0] & 1 ? HTTP_RESPONSE : HTTP_REQUEST;
    size_t piece = 1 + data[0] / 2;
    struct verdict whole = feed(type, data + 1, size - 1, size);
    struct verdict pieces = feed(type, data + 1, size - 1, piece);
    /* Limits are met earlier or later depending on the pieces; what went well must agree. */
    if (whole.status == 0 && pieces.status == 0 &&
        (whole.messages != pieces.messages || whole.body_bytes != pieces.body_bytes ||
         whole.headers != pieces.headers)) {
        abort();
    }
    return 0;
}
