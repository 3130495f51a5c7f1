/* A tunnel's life: the connection to the API server stands (DIALING), it is a WebSocket
 * (UPGRADING), the pod has answered through it (KNOCKING), bytes go both ways (OPEN).
 *
 * What the other end of the Unix socket, http_client, may conclude from how that closes (see
 * http/client.c) holds for a worker that reads the socket itself, and must hold here:
 *
 * - Nothing is read from the Unix socket before OPEN. A node accepts the upgrade before it has
 *   connected to the pod, so only an answer of the pod shows that it is there; hence the knock, a
 *   GET of "/" (tunnel_open.c). If a tunnel does not come about, the request lies unread, the peer
 *   sees ECONNRESET, and the call may go to another replica.
 * - What is unread when the tunnel ends never reached the pod, which therefore holds no complete
 *   request. What was read may have: then the peer sees an orderly end, and the call was lost. */
#include "provider/kubernetes/tunnel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "provider/kubernetes/kube.h"
#include "provider/kubernetes/tunnel_priv.h"

#define OPEN_MS     15000       /* from accept to the pod's first answer */
#define PIECE_BYTES (32 * 1024) /* read at once, and a message */
#define ROUNDS_MAX  16          /* pieces in a row before others have a turn */
#define PORT_BYTES  2           /* with which a node begins each channel: the port's number */

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
    return tunnel->state == TUNNEL_OPEN ? give_near(tunnel, data) : tunnel_take_knock(tunnel, data);
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
        return ws_put_control(&tunnel->to_far, WS_PONG, piece->data, tunnel_mask(tunnel));
    case WS_GOT_PONG:
        return 0;
    case WS_GOT_CLOSE:
        break;
    }
    return -ECONNRESET;
}

static int understand(struct tunnel *tunnel)
{
    if (tunnel->state == TUNNEL_UPGRADING) {
        if (http_message_feed(tunnel->answer) < 0) {
            return err_set(&tunnel->err, EPROTO, "the API server speaks no HTTP");
        }
        int failed = tunnel->answer->complete ? tunnel_take_answer(tunnel) : 0;
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
                       tunnel_mask(tunnel));
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
    loop_timer_set(tunnel->loop, &tunnel->limit, loop_now_ms(tunnel->loop) + TUNNEL_PING_MS);
    if (buf_size(&tunnel->to_far) == 0) { /* else there is traffic enough */
        (void)ws_put_control(&tunnel->to_far, WS_PING, (struct slice){0}, tunnel_mask(tunnel));
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
    tunnel_upgrade(tunnel);
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
