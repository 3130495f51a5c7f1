#include "daemon/io.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "action/target.h"
#include "base/alloc.h"
#include "base/err.h"
#include "control/control.h"
#include "daemon/observer.h"
#include "http/server.h"
#include "loop/loop.h"

struct io {
    struct io_config config;
    struct loop *loop;
    struct http_server *server;
    struct caller *caller;
    pthread_t thread;
    struct loop_task kick;
    struct loop_task drain;
    atomic_bool kicked;
    atomic_bool draining;
    atomic_uint open;         /* connections, told at each turn */
    struct observer observer; /* ends after the server */
};

static void on_request(void *arg, struct http_request *request)
{
    struct io *io = arg;
    if (!io->config.unmeasured) {
        observer_begin(&io->observer, request);
    }
    front_handle(&io->config.front, io->caller, request);
}

static void on_turn(void *arg)
{
    struct io *io = arg;
    caller_turn(io->caller);
    atomic_store_explicit(&io->open, http_server_connections(io->server), memory_order_relaxed);
}

const struct request_stats *io_requests(const struct io *io)
{
    return io->observer.requests;
}

const struct caller *io_caller(const struct io *io)
{
    return io->caller;
}

unsigned io_connections(const struct io *io)
{
    return atomic_load(&io->open);
}

static void on_kick(void *arg)
{
    struct io *io = arg;
    atomic_store(&io->kicked, false); /* the next turn takes the snapshot */
}

void io_kick(struct io *io)
{
    if (!atomic_exchange(&io->kicked, true)) {
        loop_post(io->loop, &io->kick);
    }
}

static void on_drain(void *arg)
{
    struct io *io = arg;
    http_server_drain(io->server, LISTEN_LOCAL); /* calls under way may call others through us */
    atomic_store(&io->open, http_server_connections(io->server));
    atomic_store(&io->draining, true);
}

void io_drain(struct io *io)
{
    loop_post(io->loop, &io->drain);
}

bool io_is_drained(const struct io *io)
{
    return atomic_load(&io->draining) && atomic_load(&io->open) == 0;
}

static void on_trouble(void *arg, struct target *target)
{
    struct io *io = arg;
    (void)target; /* its counters tell */
    control_wake(io->config.control);
}

static void *run(void *arg)
{
    struct io *io = arg;
    loop_run(io->loop);
    return NULL;
}

static int listen_all(struct io *io, struct err *err)
{
    for (unsigned i = 0; i < io->config.listeners->count; i++) {
        const struct listener *listener = &io->config.listeners->items[i];
        int fd = fcntl(listener->fd, F_DUPFD_CLOEXEC, 0);
        if (fd < 0) {
            return err_errno(err, errno, "cannot duplicate a listening socket");
        }
        struct tls_server *tls = listener->kind == LISTEN_LOCAL ? NULL : io->config.tls;
        int failed = http_server_listen(io->server, fd, tls, listener->kind, err);
        if (failed) {
            return failed;
        }
    }
    return 0;
}

static void io_free(struct io *io)
{
    http_server_free(io->server);
    caller_free(io->caller);
    loop_free(io->loop);
    observer_done(&io->observer);
    free(io);
}

struct io *io_start(const struct io_config *config, struct err *err)
{
    struct io *io = xcalloc(1, sizeof(*io));
    io->config = *config;
    io->kick = (struct loop_task){.fn = on_kick, .arg = io};
    io->drain = (struct loop_task){.fn = on_drain, .arg = io};
    io->loop = loop_new(err);
    if (!io->loop) {
        free(io);
        return NULL;
    }
    io->server = http_server_new(io->loop, &config->limits, on_request, io);
    observer_init(&io->observer, config->access_log, config->tracer);
    if (!config->unmeasured) {
        http_server_observe(io->server, observer_answer, &io->observer);
    }
    io->caller = caller_new(io->loop, config->index, config->publisher, &config->calls);
    caller_on_trouble(io->caller, on_trouble, io);
    loop_set_turn(io->loop, on_turn, io);
    if (listen_all(io, err) < 0) {
        io_free(io);
        return NULL;
    }
    sigset_t all, before; /* signals are the control thread's */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&io->thread, NULL, run, io);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed) {
        (void)err_errno(err, failed, "cannot start an I/O thread");
        io_free(io);
        return NULL;
    }
    return io;
}

struct io *io_stop(struct io *io)
{
    if (io) {
        loop_stop(io->loop);
        (void)pthread_join(io->thread, NULL);
        io_free(io);
    }
    return NULL;
}
