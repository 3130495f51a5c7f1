/* How a worker ends. A signal handler may only write to a descriptor, and no thread is always the
 * loop's; so SIGTERM, SIGINT and worker_drain write to an eventfd, and whoever holds the loop
 * begins the drain: no further connections, answers for what is in flight, then the threads end. */
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "http/server.h"
#include "worker/worker_priv.h"

#define DRAIN_LOOK_MS 10 /* between two looks whether the last request is done */

static _Atomic int signal_fd = -1; /* of the one worker of this process that has started */
static _Atomic pid_t signal_pid;   /* that process; user code may fork */

void ending_forget_socket(struct worker *worker)
{
    struct stat status;
    if (worker->socket_inode && stat(worker->config.socket_path, &status) == 0 &&
        status.st_ino == worker->socket_inode) {
        (void)unlink(worker->config.socket_path);
    }
    worker->socket_inode = 0;
}

static void on_drain_timer(void *arg)
{
    struct worker *worker = arg;
    uint64_t now_ms = loop_now_ms(worker->loop);
    struct crew_figures figures = crew_figures(worker->crew);
    bool done = figures.running == 0 && figures.waiting == 0 &&
                http_server_connections(worker->server) == 0;
    if (!done && now_ms < worker->drain_deadline_ms) {
        loop_timer_set(worker->loop, &worker->drain_timer, now_ms + DRAIN_LOOK_MS);
        return;
    }
    atomic_store(&worker->late, figures.running > 0);
    crew_stop(worker->crew);
}

static void begin_drain(struct worker *worker)
{
    if (worker->draining) {
        return;
    }
    worker->draining = true;
    ending_forget_socket(worker);
    http_server_drain(worker->server, -1);
    worker->drain_deadline_ms = loop_now_ms(worker->loop) + WORKER_DRAIN_MS;
    on_drain_timer(worker);
}

static void on_signal_fd(void *arg, uint32_t events)
{
    struct worker *worker = arg;
    uint64_t count;
    (void)events;
    (void)!read(worker->signal.fd, &count, sizeof(count));
    begin_drain(worker);
}

static void on_lifeline(void *arg, uint32_t events)
{
    struct worker *worker = arg;
    char dropped[64];
    (void)events;
    ssize_t got = read(worker->lifeline.fd, dropped, sizeof(dropped));
    if (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR))) {
        return;
    }
    int fd = worker->lifeline.fd;
    loop_unwatch(worker->loop, &worker->lifeline);
    (void)fd_close(fd);
    begin_drain(worker);
}

static void raise_drain(void)
{
    int saved = errno;
    uint64_t one = 1;
    int fd = atomic_load(&signal_fd);
    if (fd >= 0) {
        (void)!write(fd, &one, sizeof(one));
    }
    errno = saved;
}

void worker_drain(struct worker *worker)
{
    (void)worker;
    raise_drain();
}

/* Whoever presses Ctrl-C twice does not want to wait for a hanging call. */
static void on_signal(int number)
{
    static volatile sig_atomic_t interrupted;
    if (getpid() != atomic_load(&signal_pid)) {
        /* A child that user code forked (a pool of processes) shares signal_fd and is meant alone:
         * the signal comes again when this handler has returned. */
        (void)signal(number, SIG_DFL);
        (void)raise(number);
        return;
    }
    if (number == SIGINT && interrupted++) {
        _exit(128 + SIGINT);
    }
    raise_drain();
}

static void take_signals(struct worker *worker)
{
    assert(atomic_load(&signal_fd) < 0);
    atomic_store(&signal_pid, getpid());
    atomic_store(&signal_fd, worker->signal.fd);
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    action.sa_handler = SIG_IGN;
    (void)sigaction(SIGPIPE, &action, NULL);
}

int ending_watch(struct worker *worker, struct err *err)
{
    worker->signal =
        (struct loop_watch){eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), on_signal_fd, worker};
    worker->lifeline.fn = on_lifeline;
    worker->lifeline.arg = worker;
    worker->drain_timer = (struct loop_timer){.fn = on_drain_timer, .arg = worker};
    if (worker->signal.fd < 0 || loop_watch(worker->loop, &worker->signal, EPOLLIN) < 0) {
        return err_errno(err, errno, "cannot watch for signals");
    }
    if (worker->lifeline.fd >= 0) {
        int failed = loop_watch(worker->loop, &worker->lifeline, EPOLLIN);
        if (failed) {
            return err_errno(err, -failed, "cannot watch the life line (descriptor %d)",
                             worker->config.lifeline_fd);
        }
    }
    take_signals(worker);
    return 0;
}

void ending_done(struct worker *worker)
{
    if (worker->signal.fd >= 0 && atomic_load(&signal_fd) == worker->signal.fd) {
        atomic_store(&signal_fd, -1);
    }
}
