/* WebSocket (RFC 6455) as a client of the API server speaks it, with the channels of Kubernetes in
 * it: the first byte of a binary message says of which channel the rest is. Used by tunnel.c. Pure,
 * random numbers are arguments. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct buf;

#define WS_PROTOCOL        "v4.channel.k8s.io"
#define WS_KEY_SIZE        25 /* with the zero at its end, as the others */
#define WS_ACCEPT_SIZE     29
#define WS_FRAME_BYTES_MAX (1024 * 1024) /* a node sends what it reads at once: 32 KiB */

/* Sec-WebSocket-Key of 16 random bytes, to key[WS_KEY_SIZE]. */
void ws_key(const uint64_t random[2], char *key);
/* The Sec-WebSocket-Accept that belongs to the key, to accept[WS_ACCEPT_SIZE]. */
void ws_accept(const char *key, char *accept);

/* Appends a binary message of that channel, masked as a client must. 0 or -ENOMEM. */
int ws_put_data(struct buf *out, uint8_t channel, struct slice data, uint32_t mask);

enum ws_control { WS_CLOSE = 8, WS_PING = 9, WS_PONG = 10 };

/* data: at most 125 bytes. */
int ws_put_control(struct buf *out, enum ws_control kind, struct slice data, uint32_t mask);

enum ws_kind { WS_GOT_DATA, WS_GOT_CLOSE, WS_GOT_PING, WS_GOT_PONG };

struct ws_piece { /* data is borrowed from the buffer until the next call */
    enum ws_kind kind;
    uint8_t channel; /* of data */
    struct slice data;
};

struct ws_reader { /* zeroed before use */
    size_t taken;  /* bytes of the last frame, still in the buffer */
    bool within;   /* a message goes on in the next frame */
    bool channel_known;
    uint8_t channel;
};

/* The next frame of in: 1 and a piece, 0 = not all of it is there, -EBADMSG = a server must not
 * send this, or it is over WS_FRAME_BYTES_MAX. */
int ws_next(struct ws_reader *reader, struct buf *in, struct ws_piece *ret_piece);
