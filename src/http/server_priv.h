/* Shared by server.c (listeners, limits of the whole), conn.c (one connection) and response.c. */
#pragma once

#include <netinet/in.h>
#include <stdatomic.h>

#include "http/message.h"
#include "http/server.h"
#include "http/stream.h"
#include "loop/loop.h"

#define LISTENERS_MAX   8     /* a Unix socket, a few addresses */
#define CONN_KEEP_BYTES 65536 /* an idle connection gives back a larger buffer */

struct http_listener {
    struct http_server *server;
    struct loop_watch watch;
    struct loop_timer retry; /* after the process ran out of descriptors */
    struct tls_server *tls;  /* borrowed; NULL = plain */
    int kind;
};

struct http_server {
    struct loop *loop; /* borrowed */
    struct http_limits limits;
    http_handler_fn handler;
    void *arg;
    http_observe_fn observe; /* NULL = nobody */
    void *observe_arg;
    struct http_listener listeners[LISTENERS_MAX];
    unsigned listener_count;
    struct http_request *connections; /* all of them, doubly linked */
    unsigned connection_count;
    struct http_request *held;       /* readable while paused, longest first */
    struct http_request **held_last; /* where the next one is linked */
    bool paused;
    atomic_bool draining; /* read by whoever answers */
};

/* Who may touch a connection is decided by one atomic word. The loop owns it while neither BUSY
 * nor POSTED is set. The loop sets BUSY when it hands the request over; whoever answers clears it,
 * and either leaves the connection idle or sets POSTED in the same step and posts it back. Events
 * that come meanwhile are only noted in the word. */
enum {
    CONN_BUSY = 1,        /* the request is with the handler */
    CONN_POSTED = 2,      /* on its way back to the loop */
    CONN_DISPATCHING = 4, /* the loop is still inside the handler: it goes on by itself */
    CONN_READABLE = 8,    /* noted, not read yet */
    CONN_GONE = 16,       /* the peer closed its side, or all of it */
    CONN_LEAVES = 32,     /* the server drains: back to the loop after the answer */
};

union http_peer {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

struct http_request { /* the connection; it has one request at a time */
    struct http_server *server;
    struct http_request *next;
    struct http_request *previous;
    struct http_request *next_held;
    struct loop_watch watch;
    struct loop_timer timer;
    struct loop_task task;
    struct stream stream;
    atomic_uint state;
    bool handshaking;
    bool closing;   /* after what is in out */
    bool lingering; /* answered with an error: read and drop until the peer has seen it */
    bool is_held;
    bool late;      /* accepted while the server drains, no request seen yet */
    bool continued; /* "100 Continue" was sent for this request */
    int listener_kind;
    union http_peer peer;
    uint64_t active_ms; /* last progress in either direction */
    uint64_t begun_ms;  /* first byte of the request that is being read; 0 = none */
    uint64_t start_ns;  /* handed to the handler */
    struct buf in;
    struct buf out; /* what the socket did not take yet */
    struct http_message message;
    struct http_note note;
};

void conn_open(struct http_server *server, int fd, const struct http_listener *listener,
               const union http_peer *peer);
/* The server drains: the connection ends once what has arrived is answered. */
void conn_leave(struct http_request *conn);
void conn_close(struct http_request *conn);
/* The loop owns the connection: flush, read, hand over. It may be gone afterwards. */
void conn_continue(struct http_request *conn);

#define RESPONSE_HEAD_MAX 512 /* without the handler's own header lines */

/* Writes status line and our headers, without the empty line, to head[RESPONSE_HEAD_MAX]. */
size_t response_head(char *head, const struct http_response *response, bool http_1_0,
                     bool keep_alive);
