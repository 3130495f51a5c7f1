/* What an API server sends over a WebSocket, read whole and byte by byte: the same pieces; and what
 * was sent by us is what a server reads. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "provider/kubernetes/ws.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct verdict {
    unsigned kinds[4];
    unsigned channels;
    struct buf bytes;
    int end;
};

static void put(struct buf *buf, struct slice data)
{
    if (buf_append(buf, data.data, data.size) < 0) {
        abort();
    }
}

static struct verdict read_all(struct slice text, size_t piece)
{
    struct verdict verdict = {0};
    struct ws_reader reader = {0};
    struct buf in = {0};
    int got = 0;
    while (text.size > 0 && got >= 0) {
        size_t taken = text.size < piece ? text.size : piece;
        struct ws_piece found;
        put(&in, (struct slice){text.data, taken});
        text = slice_from(text, taken);
        while ((got = ws_next(&reader, &in, &found)) > 0) {
            verdict.kinds[found.kind]++;
            verdict.channels = verdict.channels * 31 + found.channel;
            put(&verdict.bytes, found.data);
        }
    }
    verdict.end = got;
    buf_done(&in);
    return verdict;
}

static void check_pieces(struct slice text)
{
    struct verdict whole = read_all(text, SIZE_MAX), bytes = read_all(text, 1);
    struct slice a = buf_slice(&whole.bytes), b = buf_slice(&bytes.bytes);
    if (memcmp(whole.kinds, bytes.kinds, sizeof(whole.kinds)) != 0 || whole.end != bytes.end ||
        whole.channels != bytes.channels || !slice_eq(a, b)) {
        abort();
    }
    buf_done(&whole.bytes);
    buf_done(&bytes.bytes);
}

/* A frame of ours, with its mask taken off, as if a server had sent it. */
static void check_own(struct slice data)
{
    struct buf out = {0};
    struct ws_reader reader = {0};
    struct ws_piece piece;
    if (ws_put_data(&out, 1, data, 0) < 0) {
        abort();
    }
    uint8_t *bytes = (uint8_t *)out.data + out.start;
    size_t head = (bytes[1] & 0x7f) < 126 ? 2 : (bytes[1] & 0x7f) == 126 ? 4 : 10;
    bytes[1] &= 0x7f;
    memmove(bytes + 4, bytes, head);
    buf_consume(&out, 4);
    if (ws_next(&reader, &out, &piece) != 1 || piece.kind != WS_GOT_DATA || piece.channel != 1 ||
        !slice_eq(piece.data, data)) {
        abort();
    }
    buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = {(const char *)data, size};
    if (size > 0) {
        check_pieces(text);
        check_own(text);
    }
    return 0;
}
