/* A tunnel's life: the connection to the API server stands (DIALING), it is a WebSocket
 * (UPGRADING), the pod has answered through it (KNOCKING), bytes go both ways (OPEN).
 *
 * What the other end of the Unix socket, http_client, may conclude from how that closes (see
 * http/client.c) holds for a worker that reads the socket itself, and must hold here:
 *
 * - Nothing is read from the Unix socket before OPEN. A node accepts the upgrade before it has
 *   connected to the pod, so only an answer of the pod shows that it is there; hence the knock, a
 * GET of "/". If a tunnel does not come about, the request lies unread, the peer sees ECONNRESET,
 * and the call may go to another replica.
 * - What is unread when the tunnel ends never reached the pod, which therefore holds no complete
 *   request. What was read may have: then the peer sees an orderly end, and the call was lost. */
#include "provider/kubernetes/tunnel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/random.h"
#include "http/message.h"
#include "loop/loop.h"
#include "provider/kubernetes/kube.h"
#include "provider/kubernetes/ws.h"

#define OPEN_MS        15000 /* from accept to the pod's first answer */
#define PING_MS        20000 /* keeps what lies between from forgetting a connection without calls */
#define PIECE_BYTES    (32 * 1024) /* read at once, and a message */
#define ROUNDS_MAX     16          /* pieces in a row before others have a turn */
#define HEAD_BYTES_MAX (32 * 1024) /* of the answer to the upgrade, and to the knock */
#define BODY_BYTES_MAX (256 * 1024)
#define PORT_BYTES     2 /* with which a node begins each channel: the port's number */

enum channel { CHANNEL_DATA, CHANNEL_ERROR, CHANNELS };

struct tunnel {
    struct loop *loop; /* borrowed */
    struct kube_link *link;
    struct loop_watch far;  /* the API server */
    struct loop_watch near; /* the Unix socket; its descriptor is owned */
    enum { TUNNEL_DIALING, TUNNEL_UPGRADING, TUNNEL_KNOCKING, TUNNEL_OPEN } state;
    char *path, *host;
    char key[WS_KEY_SIZE];
    uint64_t random;
    struct http_message
        *answer;                /* to the upgrade, then to the knock; owned; NULL once it is open */
    struct buf in;              /* from the API server, not yet understood */
    struct buf knock;           /* the pod's answer to the knock */
    struct buf to_far, to_near; /* that the socket has not taken */
    struct ws_reader reader;
    unsigned port_bytes[CHANNELS]; /* seen of them */
    bool near_gone;
    struct err err;
    struct loop_timer limit; /* of the opening, then between pings */
    struct loop_timer again; /* more is there to be moved */
    tunnel_ended_fn ended;
    void *arg;
};

static uint32_t mask_of(struct tunnel *tunnel)
{
    return (uint32_t)random_bits(&tunnel->random);
}

/* ---- from the pod ---- */

/* What does not go at once waits in to_near; meanwhile nothing more is read. */
static int give_near(struct tunnel *tunnel, struct slice data)
{
    if (buf_size(&tunnel->to_near) == 0 && data.size > 0) {
        ssize_t sent = send(tunnel->near.fd, data.data, data.size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN) {
            return -errno;
        }
        data = slice_from(data, sent > 0 ? (size_t)sent : 0);
    }
    return buf_append(&tunnel->to_near, data.data, data.size);
}

static int take_knock(struct tunnel *tunnel, struct slice data)
{
    struct http_message *answer = tunnel->answer;
    if (buf_append(&tunnel->knock, data.data, data.size) < 0 || http_message_feed(answer) < 0 ||
        (answer->complete && buf_size(&tunnel->knock) > answer->parsed)) {
        return err_set(&tunnel->err, EPROTO, "what answers in the pod speaks no HTTP");
    }
    if (!answer->complete) {
        return 0;
    }
    if (!answer->keep_alive) {
        return err_set(&tunnel->err, EPROTO, "the pod does not keep a connection open");
    }
    buf_done(&tunnel->knock);
    tunnel->answer = free_null(answer);
    tunnel->state = TUNNEL_OPEN;
    loop_timer_set(tunnel->loop, &tunnel->limit, loop_now_ms(tunnel->loop) + PING_MS);
    return 0;
}

static int take_data(struct tunnel *tunnel, uint8_t channel, struct slice data)
{
    if (channel >= CHANNELS) {
        return -EBADMSG;
    }
    size_t left = PORT_BYTES - tunnel->port_bytes[channel];
    size_t skipped = data.size < left ? data.size : left;
    tunnel->port_bytes[channel] += (unsigned)skipped;
    data = slice_from(data, skipped);
    if (data.size == 0) {
        return 0;
    }
    if (channel == CHANNEL_ERROR) {
        return err_set(&tunnel->err, ECONNRESET, "%.*s", data.size < 500 ? (int)data.size : 500,
                       data.data);
    }
    return tunnel->state == TUNNEL_OPEN ? give_near(tunnel, data) : take_knock(tunnel, data);
}

static int take_piece(struct tunnel *tunnel, const struct ws_piece *piece)
{
    switch (piece->kind) {
    case WS_GOT_DATA:
        return take_data(tunnel, piece->channel, piece->data);
    case WS_GOT_PING:
        if (buf_size(&tunnel->to_far) > 0) {
            return 0; /* blocked bytes must not move (OpenSSL), and are a sign of life */
        }
        return ws_put_control(&tunnel->to_far, WS_PONG, piece->data, mask_of(tunnel));
    case WS_GOT_PONG:
        return 0;
    case WS_GOT_CLOSE:
        break;
    }
    return -ECONNRESET;
}

static int knock(struct tunnel *tunnel)
{
    struct buf head = {0};
    buf_printf(&head, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", tunnel->host);
    int failed = ws_put_data(&tunnel->to_far, CHANNEL_DATA, buf_slice(&head), mask_of(tunnel));
    buf_done(&head);
    http_message_init(tunnel->answer, HTTP_RESPONSE, &tunnel->knock, HEAD_BYTES_MAX,
                      BODY_BYTES_MAX);
    tunnel->state = TUNNEL_KNOCKING;
    return failed;
}

/* The API server's answer to the upgrade has come. */
static int take_answer(struct tunnel *tunnel)
{
    struct http_message *answer = tunnel->answer;
    int status = answer->parser.status_code;
    char accept[WS_ACCEPT_SIZE];
    ws_accept(tunnel->key, accept);
    if (status != 101) {
        CLEANUP(json_put) struct json_object *body = NULL;
        (void)json_parse_object(http_message_body(answer), &body, NULL);
        const char *text = json_str(body, "message");
        if (status == 401) {
            kube_link_refused(tunnel->link);
        }
        return err_set(&tunnel->err, status == 403 ? EACCES : EPROTO,
                       "the API server does not forward: status %d%s%.400s", status,
                       text ? ", " : "", text ? text : "");
    }
    if (!slice_eq(http_message_header(answer, "Sec-WebSocket-Accept"), slice_str(accept)) ||
        !slice_eq(http_message_header(answer, "Sec-WebSocket-Protocol"), SLICE(WS_PROTOCOL))) {
        return err_set(&tunnel->err, EPROTO, "the API server speaks no '" WS_PROTOCOL "'");
    }
    http_message_end(answer);
    return knock(tunnel);
}

static int understand(struct tunnel *tunnel)
{
    if (tunnel->state == TUNNEL_UPGRADING) {
        if (http_message_feed(tunnel->answer) < 0) {
            return err_set(&tunnel->err, EPROTO, "the API server speaks no HTTP");
        }
        int failed = tunnel->answer->complete ? take_answer(tunnel) : 0;
        if (failed || tunnel->state == TUNNEL_UPGRADING) {
            return failed;
        }
    }
    struct ws_piece piece;
    int got;
    while ((got = ws_next(&tunnel->reader, &tunnel->in, &piece)) > 0) {
        int failed = take_piece(tunnel, &piece);
        if (failed) {
            return failed;
        }
    }
    buf_shrink(&tunnel->in, PIECE_BYTES * 2);
    return got;
}

/* ---- moving bytes ---- */

static int read_far(struct tunnel *tunnel, bool *ret_moved)
{
    if (tunnel->state == TUNNEL_DIALING || buf_size(&tunnel->to_near) > 0) {
        return 0;
    }
    if (buf_reserve(&tunnel->in, PIECE_BYTES) < 0) {
        return -ENOMEM;
    }
    ssize_t got = kube_link_read(tunnel->link, tunnel->in.data + tunnel->in.end, PIECE_BYTES);
    if (got <= 0) {
        return got == 0 ? -ECONNRESET : got == -EAGAIN ? 0 : (int)got;
    }
    tunnel->in.end += (size_t)got;
    *ret_moved = true;
    return understand(tunnel);
}

static int read_near(struct tunnel *tunnel, bool *ret_moved)
{
    char data[PIECE_BYTES];
    if (tunnel->state != TUNNEL_OPEN || buf_size(&tunnel->to_far) > 0) {
        return 0;
    }
    ssize_t got = recv(tunnel->near.fd, data, sizeof(data), MSG_DONTWAIT);
    if (got < 0) {
        return errno == EAGAIN ? 0 : -errno;
    }
    if (got == 0) {
        return -ECONNRESET; /* nobody is there to get an answer */
    }
    *ret_moved = true;
    return ws_put_data(&tunnel->to_far, CHANNEL_DATA, (struct slice){data, (size_t)got},
                       mask_of(tunnel));
}

static int flush_far(struct tunnel *tunnel)
{
    while (buf_size(&tunnel->to_far) > 0 && tunnel->state != TUNNEL_DIALING) {
        ssize_t put = kube_link_write(tunnel->link, buf_slice(&tunnel->to_far));
        if (put < 0) {
            return put == -EAGAIN ? 0 : (int)put;
        }
        buf_consume(&tunnel->to_far, (size_t)put);
    }
    buf_shrink(&tunnel->to_far, 2 * PIECE_BYTES);
    return 0;
}

static int flush_near(struct tunnel *tunnel)
{
    struct buf waiting = tunnel->to_near;
    if (buf_size(&waiting) == 0) {
        return 0;
    }
    tunnel->to_near = (struct buf){0};
    int failed = give_near(tunnel, buf_slice(&waiting));
    buf_done(&waiting);
    return failed;
}

static void watch_both(struct tunnel *tunnel)
{
    bool far_blocked = buf_size(&tunnel->to_far) > 0, near_blocked = buf_size(&tunnel->to_near) > 0;
    if (tunnel->far.fd >= 0) {
        (void)loop_rewatch(tunnel->loop, &tunnel->far,
                           (near_blocked ? 0 : EPOLLIN) | (far_blocked ? EPOLLOUT : 0));
    }
    bool reads = tunnel->state == TUNNEL_OPEN && !far_blocked;
    (void)loop_rewatch(tunnel->loop, &tunnel->near,
                       (reads ? EPOLLIN : 0) | (near_blocked ? EPOLLOUT : 0));
}

/* The answer that had come whole before the pod closed goes out; a peer that does not take it at
 * once loses it, as it would with a connection of its own that is reset. */
static void end(struct tunnel *tunnel)
{
    const struct err *err = tunnel->err.code ? &tunnel->err : NULL;
    (void)flush_near(tunnel);
    loop_timer_clear(tunnel->loop, &tunnel->limit);
    loop_timer_clear(tunnel->loop, &tunnel->again);
    tunnel->ended(tunnel->arg, tunnel, err);
}

static void move(struct tunnel *tunnel)
{
    int failed = tunnel->near_gone ? -ECONNRESET : 0;
    bool moved = true;
    for (int round = 0; moved && !failed; round++) {
        if (round == ROUNDS_MAX) {
            loop_timer_set(tunnel->loop, &tunnel->again, loop_now_ms(tunnel->loop));
            break;
        }
        moved = false;
        failed = flush_near(tunnel);
        failed = failed ? failed : read_far(tunnel, &moved);
        if (moved && !failed) {
            continue; /* all that the pod has said, before a write may fail */
        }
        failed = failed ? failed : read_near(tunnel, &moved);
        failed = failed ? failed : flush_far(tunnel);
    }
    if (failed) {
        end(tunnel);
        return;
    }
    watch_both(tunnel);
}

static void on_far(void *arg, uint32_t events)
{
    (void)events;
    move(arg);
}

static void on_near(void *arg, uint32_t events)
{
    struct tunnel *tunnel = arg;
    tunnel->near_gone = (events & (EPOLLHUP | EPOLLERR)) != 0;
    move(tunnel);
}

static void on_again(void *arg)
{
    move(arg);
}

static void on_limit(void *arg)
{
    struct tunnel *tunnel = arg;
    if (tunnel->state != TUNNEL_OPEN) {
        static const char *const waits[] = {
            [TUNNEL_DIALING] = "a connection to the API server",
            [TUNNEL_UPGRADING] = "the API server to forward",
            [TUNNEL_KNOCKING] = "the pod to answer",
        };
        (void)err_set(&tunnel->err, ETIMEDOUT, "%d s were not enough for %s", OPEN_MS / 1000,
                      waits[tunnel->state]);
        end(tunnel);
        return;
    }
    loop_timer_set(tunnel->loop, &tunnel->limit, loop_now_ms(tunnel->loop) + PING_MS);
    if (buf_size(&tunnel->to_far) == 0) { /* else there is traffic enough */
        (void)ws_put_control(&tunnel->to_far, WS_PING, (struct slice){0}, mask_of(tunnel));
    }
    move(tunnel);
}

/* ---- its begin and end ---- */

static void on_link(void *arg, const struct err *err)
{
    struct tunnel *tunnel = arg;
    tunnel->far.fd = err ? -1 : kube_link_fd(tunnel->link);
    int failed = err ? -err->code : loop_watch(tunnel->loop, &tunnel->far, EPOLLIN);
    if (failed) {
        tunnel->far.fd = -1;
        tunnel->err = err ? *err : (struct err){.code = -failed};
        end(tunnel);
        return;
    }
    kube_link_head(tunnel->link, tunnel->path, &tunnel->to_far);
    buf_printf(&tunnel->to_far,
               "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
               "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Protocol: " WS_PROTOCOL "\r\n\r\n",
               tunnel->key);
    http_message_init(tunnel->answer, HTTP_RESPONSE, &tunnel->in, HEAD_BYTES_MAX, BODY_BYTES_MAX);
    tunnel->state = TUNNEL_UPGRADING;
    move(tunnel);
}

struct tunnel *tunnel_new(struct loop *loop, struct kube *kube, int fd,
                          const struct tunnel_way *way, tunnel_ended_fn ended, void *arg)
{
    struct tunnel *tunnel = xcalloc(1, sizeof(*tunnel));
    *tunnel = (struct tunnel){.loop = loop,
                              .path = xstrdup(way->path),
                              .host = xstrdup(way->host),
                              .random = way->random,
                              .answer = xcalloc(1, sizeof(*tunnel->answer)),
                              .ended = ended,
                              .arg = arg};
    tunnel->far = (struct loop_watch){.fd = -1, .fn = on_far, .arg = tunnel};
    tunnel->near = (struct loop_watch){.fd = fd, .fn = on_near, .arg = tunnel};
    tunnel->limit = (struct loop_timer){.fn = on_limit, .arg = tunnel};
    tunnel->again = (struct loop_timer){.fn = on_again, .arg = tunnel};
    uint64_t key[2] = {random_bits(&tunnel->random), random_bits(&tunnel->random)};
    ws_key(key, tunnel->key);
    /* No events but the peer's end: it is read when the pod is there. */
    uint64_t limit_ms = loop_watch(loop, &tunnel->near, 0) < 0 ? 0 : OPEN_MS;
    loop_timer_set(loop, &tunnel->limit, loop_now_ms(loop) + limit_ms);
    tunnel->link = kube_link_new(kube, on_link, tunnel);
    return tunnel;
}

struct tunnel *tunnel_free(struct tunnel *tunnel)
{
    if (tunnel) {
        int fd = tunnel->near.fd;
        loop_timer_clear(tunnel->loop, &tunnel->limit);
        loop_timer_clear(tunnel->loop, &tunnel->again);
        loop_unwatch(tunnel->loop, &tunnel->far);
        loop_unwatch(tunnel->loop, &tunnel->near);
        (void)close(fd);
        (void)kube_link_free(tunnel->link);
        buf_done(&tunnel->in);
        buf_done(&tunnel->knock);
        buf_done(&tunnel->to_far);
        buf_done(&tunnel->to_near);
        free(tunnel->answer);
        free(tunnel->path);
        free(tunnel->host);
        free(tunnel);
    }
    return NULL;
}
