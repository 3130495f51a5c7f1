#include "http/server.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "http/server_priv.h"

#define ACCEPTS_A_TURN 64  /* then others get a turn */
#define RETRY_MS       100 /* before accepting again when descriptors ran out */

struct http_server *http_server_new(struct loop *loop, const struct http_limits *limits,
                                    http_handler_fn handler, void *arg)
{
    struct http_server *server = xcalloc(1, sizeof(*server));
    server->loop = loop;
    server->limits = *limits;
    server->handler = handler;
    server->arg = arg;
    server->held_last = &server->held;
    return server;
}

static void stop_listening(struct http_server *server, int kept_kind)
{
    for (unsigned i = 0; i < server->listener_count; i++) {
        struct http_listener *listener = &server->listeners[i];
        if (listener->watch.fd < 0 || listener->kind == kept_kind) {
            continue;
        }
        int fd = listener->watch.fd;
        loop_timer_clear(server->loop, &listener->retry);
        loop_unwatch(server->loop, &listener->watch);
        listener->watch.fd = fd_close(fd);
    }
}

struct http_server *http_server_free(struct http_server *server)
{
    if (server) {
        stop_listening(server, -1);
        while (server->connections) {
            conn_close(server->connections);
        }
        free(server);
    }
    return NULL;
}

/* Descriptors ran out: the listener stays readable, so look away for a moment. */
static void listener_rest(struct http_listener *listener)
{
    (void)loop_rewatch(listener->server->loop, &listener->watch, 0);
    loop_timer_set(listener->server->loop, &listener->retry,
                   loop_now_ms(listener->server->loop) + RETRY_MS);
}

static void listener_on_retry(void *arg)
{
    struct http_listener *listener = arg;
    (void)loop_rewatch(listener->server->loop, &listener->watch, EPOLLIN);
}

/* Small numbers come free when somebody else in this process closes what it never opened. */
static int move_up(int fd, int fd_min)
{
    int moved = fd < fd_min ? fcntl(fd, F_DUPFD_CLOEXEC, fd_min) : -1;
    if (moved < 0) {
        return fd;
    }
    (void)fd_close(fd);
    return moved;
}

/* At most count connections; the number accepted. */
static int accept_some(struct http_listener *listener, int count)
{
    struct http_server *server = listener->server;
    for (int i = 0; i < count; i++) {
        union http_peer peer = {.any.sa_family = AF_UNSPEC};
        socklen_t size = sizeof(peer);
        int fd = accept4(listener->watch.fd, &peer.any, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                listener_rest(listener);
            }
            return i;
        }
        if (server->connection_count >= server->limits.connections_max) {
            (void)fd_close(fd);
            continue;
        }
        conn_open(server, move_up(fd, server->limits.fd_min), listener, &peer);
    }
    return count;
}

static void listener_on_event(void *arg, uint32_t events)
{
    (void)events;
    (void)accept_some(arg, ACCEPTS_A_TURN);
}

int http_server_listen(struct http_server *server, int listen_fd, struct tls_server *tls, int kind,
                       struct err *err)
{
    if (server->listener_count == LISTENERS_MAX) {
        (void)fd_close(listen_fd);
        return err_set(err, ENOSPC, "more than %d listen addresses", LISTENERS_MAX);
    }
    struct http_listener *listener = &server->listeners[server->listener_count];
    *listener = (struct http_listener){
        .server = server,
        .watch = {listen_fd, listener_on_event, listener},
        .retry = {.fn = listener_on_retry, .arg = listener},
        .tls = tls,
        .kind = kind,
    };
    int failed = loop_watch(server->loop, &listener->watch, EPOLLIN);
    if (failed) {
        (void)fd_close(listen_fd);
        return err_errno(err, -failed, "cannot watch a listening socket");
    }
    server->listener_count++;
    return 0;
}

void http_server_drain(struct http_server *server, int kept_kind)
{
    server->draining = true;
    for (unsigned i = 0; i < server->listener_count; i++) {
        struct http_listener *listener = &server->listeners[i];
        if (listener->watch.fd >= 0 && listener->kind != kept_kind) {
            (void)accept_some(listener, (int)server->limits.connections_max);
        }
    }
    stop_listening(server, kept_kind);
    struct http_request *next;
    for (struct http_request *conn = server->connections; conn; conn = next) {
        next = conn->next;
        conn_leave(conn);
    }
}

void http_server_observe(struct http_server *server, http_observe_fn fn, void *arg)
{
    server->observe = fn;
    server->observe_arg = arg;
}

void http_server_pause(struct http_server *server)
{
    server->paused = true;
}

void http_server_resume(struct http_server *server)
{
    server->paused = false;
    while (server->held && !server->paused) {
        struct http_request *conn = server->held;
        server->held = conn->next_held;
        if (!server->held) {
            server->held_last = &server->held;
        }
        conn->is_held = false;
        conn->active_ms = clock_now_ms(); /* the peer's time begins anew */
        if (conn->begun_ms > 0) {
            conn->begun_ms = conn->active_ms;
            loop_timer_set(server->loop, &conn->timer,
                           conn->active_ms + server->limits.request_timeout_ms);
        }
        if (!(atomic_load(&conn->state) & (CONN_BUSY | CONN_POSTED))) {
            conn_continue(conn);
        }
    }
}

unsigned http_server_connections(const struct http_server *server)
{
    return server->connection_count;
}
