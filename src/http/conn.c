/* One connection of a server: read a request, hand it over, be answered, go on.
 *
 * Events are edge-triggered and armed once, so a request costs no epoll_ctl. The protocol of
 * ownership is described at enum CONN_* in server_priv.h. */
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "http/server_priv.h"
#include "http/tls.h"

#define LINGER_MS      2000          /* for the peer to read an error before the reset */
#define LATE_MS        1000          /* for the request of a connection accepted while draining */
#define READ_BYTES_MAX (1024 * 1024) /* of one connection before others get a turn */

static void conn_on_event(void *arg, uint32_t events)
{
    struct http_request *conn = arg;
    unsigned note = (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) ? CONN_READABLE : 0;
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
        note |= CONN_GONE;
    }
    unsigned before = atomic_fetch_or(&conn->state, note);
    if (!(before & (CONN_BUSY | CONN_POSTED))) {
        conn_continue(conn);
    }
}

static void conn_on_task(void *arg)
{
    struct http_request *conn = arg;
    (void)atomic_fetch_and(&conn->state, ~(unsigned)CONN_POSTED);
    conn_continue(conn);
}

/* One timer a connection; what it means follows from the state. */
static void conn_on_timer(void *arg)
{
    struct http_request *conn = arg;
    const struct http_limits *limits = &conn->server->limits;
    uint64_t now_ms = loop_now_ms(conn->server->loop);
    /* Of a paused server's connections nothing is read: what has not come is not the peer's fault.
     */
    if ((atomic_load(&conn->state) & (CONN_BUSY | CONN_POSTED)) || conn->is_held) {
        loop_timer_set(conn->server->loop, &conn->timer, now_ms + limits->idle_timeout_ms);
        return;
    }
    uint64_t due_ms = conn->active_ms + limits->idle_timeout_ms;
    if (conn->lingering) {
        due_ms = conn->active_ms + LINGER_MS;
    } else if (buf_size(&conn->out) > 0) {
        due_ms = conn->active_ms + limits->write_timeout_ms;
    } else if (conn->begun_ms > 0 || conn->handshaking) {
        due_ms = (conn->begun_ms ? conn->begun_ms : conn->active_ms) + limits->request_timeout_ms +
                 1000 * buf_size(&conn->in) / limits->body_bytes_per_s;
    } else if (conn->late) {
        due_ms = conn->active_ms + LATE_MS;
    }
    if (now_ms < due_ms) {
        loop_timer_set(conn->server->loop, &conn->timer, due_ms);
        return;
    }
    if (conn->begun_ms > 0 && !conn->lingering && buf_size(&conn->out) == 0) {
        conn->closing = true;
        conn->lingering = true;
        atomic_fetch_or(&conn->state, CONN_BUSY | CONN_DISPATCHING);
        http_respond_detail(conn, 408, "the request did not arrive in time");
        (void)atomic_fetch_and(&conn->state, ~(unsigned)CONN_DISPATCHING);
        conn_continue(conn);
        return;
    }
    conn_close(conn);
}

void conn_open(struct http_server *server, int fd, const struct http_listener *listener,
               const union http_peer *peer)
{
    struct http_request *conn = xcalloc(1, sizeof(*conn));
    conn->server = server;
    conn->stream.fd = fd;
    conn->listener_kind = listener->kind;
    conn->peer = *peer;
    conn->active_ms = loop_now_ms(server->loop);
    conn->late = server->draining;
    conn->watch = (struct loop_watch){fd, conn_on_event, conn};
    conn->timer = (struct loop_timer){.fn = conn_on_timer, .arg = conn};
    conn->task = (struct loop_task){.fn = conn_on_task, .arg = conn};
    http_message_init(&conn->message, HTTP_REQUEST, &conn->in, server->limits.head_bytes_max,
                      server->limits.body_bytes_max);
    conn->next = server->connections;
    if (conn->next) {
        conn->next->previous = conn;
    }
    server->connections = conn;
    server->connection_count++;

    int domain = AF_UNSPEC, one = 1;
    socklen_t domain_size = sizeof(domain);
    (void)getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &domain_size);
    conn->stream.local = domain == AF_UNIX;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)); /* fails on a Unix socket */
    if (listener->tls) {
        conn->stream.tls = tls_session_accept(listener->tls, fd);
        conn->handshaking = true;
        if (!conn->stream.tls) {
            conn_close(conn);
            return;
        }
    }
    if (loop_watch(server->loop, &conn->watch, stream_events(&conn->stream, false)) < 0) {
        conn_close(conn);
        return;
    }
    uint64_t wait_ms = conn->late ? LATE_MS : server->limits.request_timeout_ms;
    loop_timer_set(server->loop, &conn->timer, conn->active_ms + wait_ms);
}

void conn_leave(struct http_request *conn)
{
    char byte;
    /* A request may have arrived whose event we have not seen. */
    bool arrived = recv(conn->stream.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
    unsigned before =
        atomic_fetch_or(&conn->state, CONN_LEAVES | (arrived ? (unsigned)CONN_READABLE : 0));
    if (!(before & (CONN_BUSY | CONN_POSTED))) {
        conn_continue(conn); /* closes when it is idle */
    }
}

static void unhold(struct http_request *conn)
{
    struct http_request **at = &conn->server->held;
    while (conn->is_held && *at) {
        if (*at == conn) {
            *at = conn->next_held;
            if (!*at) {
                conn->server->held_last = at;
            }
            break;
        }
        at = &(*at)->next_held;
    }
    conn->is_held = false;
}

void conn_close(struct http_request *conn)
{
    struct http_server *server = conn->server;
    assert(!(atomic_load(&conn->state) & (CONN_BUSY | CONN_POSTED)));
    unhold(conn);
    loop_unwatch(server->loop, &conn->watch);
    loop_timer_clear(server->loop, &conn->timer);
    stream_close(&conn->stream);
    if (conn->next) {
        conn->next->previous = conn->previous;
    }
    if (conn->previous) {
        conn->previous->next = conn->next;
    } else {
        server->connections = conn->next;
    }
    server->connection_count--;
    buf_done(&conn->in);
    buf_done(&conn->out);
    free(conn);
}

/* What was noted belongs to the request before. */
static void forget_note(struct http_request *conn)
{
    conn->start_ns = clock_now_ns();
    conn->note = (struct http_note){0};
}

/* The loop answers by itself; the connection ends after the peer had time to read it. */
static void refuse(struct http_request *conn, int status)
{
    static const struct {
        int status;
        const char *text;
    } texts[] = {{400, "this is no valid HTTP request"},
                 {413, "the body is larger than this server accepts"},
                 {431, "the request line and headers are larger than this server accepts"}};
    const char *text = http_status_text(status);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        text = texts[i].status == status ? texts[i].text : text;
    }
    forget_note(conn);
    conn->closing = true;
    conn->lingering = true;
    atomic_fetch_or(&conn->state, CONN_BUSY | CONN_DISPATCHING);
    http_respond_detail(conn, status, text);
    (void)atomic_fetch_and(&conn->state, ~(unsigned)CONN_DISPATCHING);
}

/* Answered with an error: what still comes is dropped. False when the connection is over. */
static bool linger(struct http_request *conn)
{
    bool drained = false;
    for (size_t total = 0; !drained && total < READ_BYTES_MAX;) {
        buf_consume(&conn->in, buf_size(&conn->in));
        ssize_t got = stream_read(&conn->stream, &conn->in, READ_BYTES_MAX, &drained);
        if (got == 0 || (got < 0 && got != -EAGAIN)) {
            return false;
        }
        total += got > 0 ? (size_t)got : 0;
    }
    return true;
}

/* Hands the complete request over. True when it was answered before the handler returned. */
static bool dispatch(struct http_request *conn)
{
    conn->begun_ms = 0;
    conn->late = false;
    conn->continued = false;
    forget_note(conn);
    atomic_fetch_or(&conn->state, CONN_BUSY | CONN_DISPATCHING);
    conn->server->handler(conn->server->arg, conn);
    unsigned before = atomic_fetch_and(&conn->state, ~(unsigned)CONN_DISPATCHING);
    return !(before & CONN_BUSY);
}

static void send_continue(struct http_request *conn)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    if (conn->continued || !conn->message.head_done || conn->message.complete ||
        http_message_header(&conn->message, "Expect").size == 0) {
        return;
    }
    conn->continued = true;
    (void)stream_write(&conn->stream, (struct slice){text, sizeof(text) - 1}, (struct slice){0});
}

enum step { STEP_AGAIN, STEP_WAIT, STEP_OVER };

static void note_begin(struct http_request *conn)
{
    if (conn->begun_ms == 0) {
        conn->begun_ms = conn->active_ms;
        loop_timer_set(conn->server->loop, &conn->timer,
                       conn->begun_ms + conn->server->limits.request_timeout_ms);
    }
}

/* Parses what is in the buffer, and reads more as long as the request is not complete. */
static enum step receive(struct http_request *conn)
{
    size_t total = 0;
    for (;;) {
        if (http_message_feed(&conn->message) < 0) {
            refuse(conn, conn->message.status);
            return STEP_AGAIN;
        }
        if (conn->message.complete) {
            return dispatch(conn) ? STEP_AGAIN : STEP_WAIT;
        }
        send_continue(conn);
        if (total >= READ_BYTES_MAX) { /* let others have a turn */
            note_begin(conn);
            (void)atomic_fetch_or(&conn->state, CONN_READABLE | CONN_POSTED);
            loop_post(conn->server->loop, &conn->task);
            return STEP_WAIT;
        }
        if (!(atomic_load(&conn->state) & CONN_READABLE)) {
            if (buf_size(&conn->in) > 0) {
                note_begin(conn);
            } else {
                buf_shrink(&conn->in, CONN_KEEP_BYTES);
            }
            return STEP_WAIT;
        }
        bool drained = false;
        ssize_t got = stream_read(&conn->stream, &conn->in, READ_BYTES_MAX, &drained);
        if (got == 0 || (got < 0 && got != -EAGAIN)) {
            return STEP_OVER;
        }
        /* After the peer's farewell there is no further edge: read until it shows. */
        if (drained && (got == -EAGAIN || !(atomic_load(&conn->state) & CONN_GONE))) {
            (void)atomic_fetch_and(&conn->state, ~(unsigned)CONN_READABLE);
        }
        total += got > 0 ? (size_t)got : 0;
        conn->active_ms = loop_now_ms(conn->server->loop);
    }
}

static enum step handshake(struct http_request *conn)
{
    int failed = tls_session_handshake(conn->stream.tls, NULL);
    if (failed == -EAGAIN) {
        return STEP_WAIT;
    }
    conn->handshaking = false;
    (void)atomic_fetch_or(&conn->state, CONN_READABLE); /* TLS may hold decrypted bytes */
    return failed ? STEP_OVER : STEP_AGAIN;
}

static enum step step(struct http_request *conn)
{
    if (conn->handshaking) {
        return handshake(conn);
    }
    if (buf_size(&conn->out) > 0) {
        size_t before = buf_size(&conn->out);
        int failed = stream_flush(&conn->stream, &conn->out);
        if (failed && failed != -EAGAIN) {
            return STEP_OVER;
        }
        if (buf_size(&conn->out) < before) {
            conn->active_ms = loop_now_ms(conn->server->loop);
        }
        if (conn->stream.local) {
            (void)loop_rewatch(conn->server->loop, &conn->watch,
                               stream_events(&conn->stream, failed != 0));
        }
        if (failed) {
            loop_timer_set(conn->server->loop, &conn->timer,
                           conn->active_ms + conn->server->limits.write_timeout_ms);
            return STEP_WAIT;
        }
        buf_shrink(&conn->out, CONN_KEEP_BYTES);
    }
    if (conn->lingering) {
        (void)shutdown(conn->stream.fd, SHUT_WR);
        loop_timer_set(conn->server->loop, &conn->timer, conn->active_ms + LINGER_MS);
        return linger(conn) ? STEP_WAIT : STEP_OVER;
    }
    if (conn->closing) {
        return STEP_OVER;
    }
    if (conn->message.complete) { /* answered: on to the next one */
        http_message_end(&conn->message);
    }
    if (conn->server->draining && !conn->late && buf_size(&conn->in) == 0 &&
        !(atomic_load(&conn->state) & CONN_READABLE)) {
        return STEP_OVER;
    }
    if (conn->server->paused) {
        if (!conn->is_held) {
            conn->is_held = true;
            conn->next_held = NULL;
            *conn->server->held_last = conn;
            conn->server->held_last = &conn->next_held;
        }
        return STEP_WAIT;
    }
    return receive(conn);
}

void conn_continue(struct http_request *conn)
{
    enum step next;
    do {
        next = step(conn);
    } while (next == STEP_AGAIN);
    if (next == STEP_OVER) {
        conn_close(conn);
    }
}
