#include "provider/kubernetes/ws.h"

#include <errno.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

#define FIN         0x80
#define MASKED      0x80
#define OPCODE      0x0f
#define CONTINUED   0
#define TEXT        1
#define BINARY      2
#define HEAD_MAX    14 /* 2 bytes, 8 of a long size, 4 of the mask */
#define CONTROL_MAX 125

/* RFC 6455, 1.3: what a server appends to the key, to show that it means WebSocket. */
static const char GUID[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

void ws_key(const uint64_t random[2], char *key)
{
    (void)sodium_bin2base64(key, WS_KEY_SIZE, (const unsigned char *)random, 16,
                            sodium_base64_VARIANT_ORIGINAL);
}

void ws_accept(const char *key, char *accept)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    char text[WS_KEY_SIZE + sizeof(GUID)];
    unsigned size = 0;
    int length = snprintf(text, sizeof(text), "%s%s", key, GUID);
    if (EVP_Digest(text, (size_t)length, digest, &size, EVP_sha1(), NULL) != 1) {
        abort(); /* only without memory */
    }
    (void)sodium_bin2base64(accept, WS_ACCEPT_SIZE, digest, size, sodium_base64_VARIANT_ORIGINAL);
}

/* ---- out ---- */

/* first, if there is one, and data are the payload. */
static int put(struct buf *out, uint8_t opcode, const uint8_t *first, struct slice data,
               uint32_t mask)
{
    uint8_t head[HEAD_MAX + 1] = {(uint8_t)(FIN | opcode)};
    size_t payload = data.size + (first ? 1 : 0);
    size_t size = 2;
    unsigned extra = payload <= CONTROL_MAX ? 0 : payload <= UINT16_MAX ? 2 : 8;
    head[1] = (uint8_t)(MASKED | (extra == 0 ? payload : extra == 2 ? 126 : 127));
    for (unsigned i = 0; i < extra; i++) {
        head[size++] = (uint8_t)((uint64_t)payload >> (8 * (extra - 1 - i)));
    }
    uint8_t bytes[4];
    memcpy(bytes, &mask, sizeof(bytes));
    memcpy(head + size, bytes, sizeof(bytes));
    size += sizeof(bytes);
    unsigned turn = 0; /* of the mask */
    if (first) {
        head[size++] = *first ^ bytes[turn++];
    }
    int failed = buf_reserve(out, size + data.size);
    if (failed) {
        return failed;
    }
    memcpy(out->data + out->end, head, size);
    out->end += size;
    for (size_t i = 0; i < data.size; i++) {
        out->data[out->end + i] = (char)((uint8_t)data.data[i] ^ bytes[(turn + i) % 4]);
    }
    out->end += data.size;
    return 0;
}

int ws_put_data(struct buf *out, uint8_t channel, struct slice data, uint32_t mask)
{
    return put(out, BINARY, &channel, data, mask);
}

int ws_put_control(struct buf *out, enum ws_control kind, struct slice data, uint32_t mask)
{
    data.size = data.size < CONTROL_MAX ? data.size : CONTROL_MAX;
    return put(out, (uint8_t)kind, NULL, data, mask);
}

/* ---- in ---- */

struct frame {
    uint8_t opcode;
    bool last; /* of its message */
    struct slice payload;
    size_t size; /* with its head */
};

/* 1, 0 or -EBADMSG as ws_next. */
static int read_frame(struct slice bytes, struct frame *ret)
{
    const uint8_t *head = (const uint8_t *)bytes.data;
    if (bytes.size < 2) {
        return 0;
    }
    bool control = (head[0] & 8) != 0;
    unsigned said = head[1] & 0x7f;
    if ((head[0] & 0x70) || (head[1] & MASKED) || (control && (said > 125 || !(head[0] & FIN)))) {
        return -EBADMSG; /* an extension that nobody asked for; masked; or no whole control frame */
    }
    unsigned extra = said == 126 ? 2 : said == 127 ? 8 : 0;
    if (bytes.size < 2 + (size_t)extra) {
        return 0;
    }
    uint64_t size = extra ? 0 : said;
    for (unsigned i = 0; i < extra; i++) {
        size = size << 8 | head[2 + i];
    }
    if (size > WS_FRAME_BYTES_MAX) {
        return -EBADMSG;
    }
    if (bytes.size < 2 + extra + size) {
        return 0;
    }
    *ret = (struct frame){.opcode = head[0] & OPCODE,
                          .last = (head[0] & FIN) != 0,
                          .payload = {bytes.data + 2 + extra, (size_t)size},
                          .size = 2 + extra + (size_t)size};
    return 1;
}

/* The first byte of a message is its channel, in whichever frame it comes. */
static int take_data(struct ws_reader *reader, const struct frame *frame, struct ws_piece *ret)
{
    if ((frame->opcode == CONTINUED) != reader->within) {
        return -EBADMSG;
    }
    struct slice data = frame->payload;
    if (!reader->within) {
        reader->channel_known = false;
    }
    if (!reader->channel_known && data.size > 0) {
        reader->channel = (uint8_t)data.data[0];
        reader->channel_known = true;
        data = slice_from(data, 1);
    }
    reader->within = !frame->last;
    *ret = (struct ws_piece){.kind = WS_GOT_DATA, .channel = reader->channel, .data = data};
    return 1;
}

int ws_next(struct ws_reader *reader, struct buf *in, struct ws_piece *ret_piece)
{
    struct frame frame;
    buf_consume(in, reader->taken);
    reader->taken = 0;
    int got = read_frame(buf_slice(in), &frame);
    if (got <= 0) {
        return got;
    }
    reader->taken = frame.size;
    switch (frame.opcode) {
    case CONTINUED:
    case TEXT:
    case BINARY:
        return take_data(reader, &frame, ret_piece);
    case WS_CLOSE:
        *ret_piece = (struct ws_piece){.kind = WS_GOT_CLOSE, .data = frame.payload};
        return 1;
    case WS_PING:
        *ret_piece = (struct ws_piece){.kind = WS_GOT_PING, .data = frame.payload};
        return 1;
    case WS_PONG:
        *ret_piece = (struct ws_piece){.kind = WS_GOT_PONG, .data = frame.payload};
        return 1;
    default:
        return -EBADMSG;
    }
}
