#include "provider/kubernetes/ws.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/test.h"

/* The example of RFC 6455, 1.3. */
static void accepts_the_key_of_the_rfc(void)
{
    char accept[WS_ACCEPT_SIZE];
    ws_accept("dGhlIHNhbXBsZSBub25jZQ==", accept);
    EXPECT_STR(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    uint64_t random[2];
    char key[WS_KEY_SIZE];
    memcpy(random, "the sample nonce", 16);
    ws_key(random, key);
    EXPECT_STR(key, "dGhlIHNhbXBsZSBub25jZQ==");
}

static void expect_bytes(const struct buf *buf, const char *bytes, size_t size)
{
    EXPECT_INT(buf_size(buf), size);
    EXPECT(buf_size(buf) == size && memcmp(buf->data + buf->start, bytes, size) == 0);
}

static void masks_what_it_sends(void)
{
    struct buf out = {0};
    uint32_t mask;
    memcpy(&mask, "\x37\xfa\x21\x3d", 4); /* as in RFC 6455, 5.7 */
    EXPECT_INT(ws_put_control(&out, WS_PING, SLICE("Hello"), mask), 0);
    expect_bytes(&out, "\x89\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11);
    buf_done(&out);
    EXPECT_INT(ws_put_data(&out, 1, SLICE("Hello"), 0), 0);
    expect_bytes(&out, "\x82\x86\0\0\0\0\x01Hello", 12);
    buf_done(&out);
}

static void tells_sizes_in_the_shortest_form(void)
{
    static const struct {
        size_t size; /* of the data: the channel is one byte more */
        size_t head;
        const char *bytes;
    } rows[] = {{124, 6, "\x82\xfd"},
                {125, 8, "\x82\xfe\x00\x7e"},
                {65534, 8, "\x82\xfe\xff\xff"},
                {65535, 14, "\x82\xff\0\0\0\0\0\1\0\0"}};
    static char data[65535];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf out = {0};
        EXPECT_INT(ws_put_data(&out, 0, (struct slice){data, rows[i].size}, 0), 0);
        EXPECT_INT(buf_size(&out), rows[i].head + 1 + rows[i].size);
        EXPECT(memcmp(out.data, rows[i].bytes, rows[i].head - 4) == 0);
        buf_done(&out);
    }
}

/* What comes of bytes given in pieces of that size: "channel:data ", "ping:data ". */
static int read_all(struct slice bytes, size_t piece, char *text, size_t size)
{
    struct ws_reader reader = {0};
    struct buf in = {0};
    size_t used = 0;
    int got = 0;
    text[0] = '\0';
    while (bytes.size > 0 && got >= 0) {
        size_t taken = bytes.size < piece ? bytes.size : piece;
        struct ws_piece found;
        EXPECT_INT(buf_append(&in, bytes.data, taken), 0);
        bytes = slice_from(bytes, taken);
        while ((got = ws_next(&reader, &in, &found)) > 0) {
            static const char *const kinds[] = {"", "close", "ping", "pong"};
            char channel[2] = {(char)('0' + found.channel), '\0'};
            used += (size_t)snprintf(text + used, size - used, "%s:%.*s ",
                                     found.kind == WS_GOT_DATA ? channel : kinds[found.kind],
                                     (int)found.data.size, found.data.data);
        }
    }
    buf_done(&in);
    return got;
}

#define BYTES(literal) ((struct slice){literal, sizeof(literal) - 1})

static void reads_messages_in_any_pieces(void)
{
    static const struct {
        struct slice bytes;
        const char *found;
    } rows[] = {
        {BYTES("\x82\x03\0ab"), "0:ab "},
        {BYTES("\x82\x02\1x\x82\x01\0"), "1:x 0: "},
        {BYTES("\x89\x02hi\x8a\x00\x88\x02\x03\xe8"), "ping:hi pong: close:\x03\xe8 "},
        /* one message in three frames, a ping among them; the first frame is empty */
        {BYTES("\x02\x00\x00\x02\1a\x89\x00\x80\x01"
               "b\x82\x02\0c"),
         "0: 1:a ping: 1:b 0:c "},
        {BYTES("\x82\x7e\x00\x03\0ab"), "0:ab "},
        {BYTES("\x82\x7f\0\0\0\0\0\0\0\x03\0ab"), "0:ab "},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (size_t piece = 1; piece <= rows[i].bytes.size; piece++) {
            char text[200];
            EXPECT_INT(read_all(rows[i].bytes, piece, text, sizeof(text)), 0);
            EXPECT_STR(text, rows[i].found);
        }
    }
}

static void refuses_what_a_server_must_not_send(void)
{
    static const struct slice rows[] = {
        BYTES("\x82\x83\1\2\3\4abc"),          /* masked */
        BYTES("\xc2\x01\0"),                   /* compressed */
        BYTES("\x80\x01"                       /* continues nothing */
              "a"),                            /**/
        BYTES("\x02\x01\0\x82\x01\0"),         /* a message within one */
        BYTES("\x09\x00"),                     /* a ping in parts */
        BYTES("\x89\x7e\x00\x80"),             /* a ping of 128 bytes */
        BYTES("\x83\x00"),                     /* no such frame */
        BYTES("\x82\x7f\0\0\0\0\0\x10\0\x01"), /* a byte too many */
        BYTES("\x82\x7f\xff\0\0\0\0\0\0\0"),   /* and many too many */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[200];
        EXPECT_INT(read_all(rows[i], SIZE_MAX, text, sizeof(text)), -EBADMSG);
    }
}

TEST_MAIN(accepts_the_key_of_the_rfc, masks_what_it_sends, tells_sizes_in_the_shortest_form,
          reads_messages_in_any_pieces, refuses_what_a_server_must_not_send)
