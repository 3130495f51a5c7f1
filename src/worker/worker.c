/* The life of a worker: built, started, drained, joined. Requests are route.c's.
 *
 * A signal handler may only write to a descriptor, and no thread is always the loop's; so SIGTERM,
 * SIGINT and worker_drain write to an eventfd, and whoever holds the loop begins the drain. */
#include "worker/worker.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "http/server.h"
#include "worker/document.h"
#include "worker/worker_priv.h"

#define DRAIN_LOOK_MS  10   /* between two looks whether the last request is done */
#define NOTIFY_WAIT_MS 5000 /* for the reader of the ready line, before it is given up */
#define END_GRACE_MS   1000 /* for threads to end after the last answer */

static _Atomic int signal_fd = -1; /* of the one worker of this process that has started */
static _Atomic pid_t signal_pid;   /* that process; user code may fork */

static const struct worker_loader no_loader = {.kind = "none"};

/* ---- before it serves ---- */

static char *copy(const char *text)
{
    return text ? xstrdup(text) : NULL;
}

struct worker *worker_new(const struct worker_config *config, struct err *err)
{
    unsigned threads_max = config->threads_max ? config->threads_max : WORKER_THREADS_DEFAULT;
    if (threads_max > WORKER_THREADS_MAX) {
        (void)err_set(err, EINVAL, "%u call threads asked for, at most %d are possible",
                      threads_max, WORKER_THREADS_MAX);
        return NULL;
    }
    if (config->token && !*config->token) {
        (void)err_set(err, EINVAL, "the token is empty: put one into the token file");
        return NULL;
    }
    listen_reserve_small();
    struct worker *worker = xcalloc(1, sizeof(*worker));
    worker->config = *config;
    worker->config.name = xstrdup(config->name ? config->name : "host");
    worker->config.socket_path = copy(config->socket_path);
    worker->config.listen = copy(config->listen);
    worker->config.token = copy(config->token);
    worker->config.daemon_path = copy(config->daemon_path);
    worker->config.threads_max = threads_max;
    worker->rules.verbose = config->verbose;
    worker->rules.result_bytes_max =
        config->result_bytes_max ? config->result_bytes_max : WORKER_RESULT_BYTES_DEFAULT;
    worker->registry = registry_new();
    worker->health_loader = &no_loader;
    worker->notify_fd = listen_move_fd(config->notify_fd);
    worker->lifeline.fd = listen_move_fd(config->lifeline_fd);
    worker->signal.fd = -1;
    return worker;
}

static void forget_socket_file(struct worker *worker)
{
    struct stat status;
    if (worker->socket_inode && stat(worker->config.socket_path, &status) == 0 &&
        status.st_ino == worker->socket_inode) {
        (void)unlink(worker->config.socket_path);
    }
    worker->socket_inode = 0;
}

static void run_ends(struct worker *worker)
{
    while (worker->end_count > 0) {
        worker->end_count--;
        worker->ends[worker->end_count].fn(worker->ends[worker->end_count].arg);
    }
}

struct worker *worker_free(struct worker *worker)
{
    if (!worker) {
        return NULL;
    }
    if (worker->started) {
        atomic_store(&signal_fd, -1);
    }
    run_ends(worker);
    forget_socket_file(worker);
    worker->crew = crew_free(worker->crew);
    worker->server = http_server_free(worker->server);
    worker->loop = loop_free(worker->loop);
    worker->registry = registry_free(worker->registry);
    (void)fd_close(worker->notify_fd);
    (void)fd_close(worker->lifeline.fd);
    (void)fd_close(worker->signal.fd);
    free(worker->spec);
    free(worker->full_spec);
    free(worker->openapi);
    free((char *)(uintptr_t)worker->config.name);
    free((char *)(uintptr_t)worker->config.socket_path);
    free((char *)(uintptr_t)worker->config.listen);
    free((char *)(uintptr_t)worker->config.token);
    free((char *)(uintptr_t)worker->config.daemon_path);
    free(worker);
    return NULL;
}

static void note_loader(struct worker *worker, const struct worker_loader *loader)
{
    size_t count = 0;
    while (worker->rules.loaders[count] && worker->rules.loaders[count] != loader) {
        count++;
    }
    assert(count < WORKER_LOADERS_MAX);
    worker->rules.loaders[count] = loader;
    if (loader->enter) {
        worker->health_loader = loader;
    }
}

int worker_add_module(struct worker *worker, const struct worker_module_def *module,
                      struct err *err)
{
    assert(!worker->started);
    return registry_add_module(worker->registry, module, err);
}

int worker_add_action(struct worker *worker, const struct worker_action_def *def,
                      struct worker_action **ret_action, struct err *err)
{
    assert(!worker->started);
    int failed = registry_add_action(worker->registry, def, ret_action, err);
    if (!failed) {
        note_loader(worker, def->loader);
    }
    return failed;
}

int worker_add_walker(struct worker *worker, const char *module, const char *name,
                      struct worker_stat **ret_stat, struct err *err)
{
    assert(!worker->started);
    return registry_add_walker(worker->registry, module, name, ret_stat, err);
}

void worker_set_walker_run(struct worker *worker, const struct worker_loader *loader,
                           worker_call_fn call, void *arg)
{
    assert(!worker->started);
    worker->walker_run.loader = loader;
    worker->walker_run.call = call;
    worker->walker_run.arg = arg;
    note_loader(worker, loader);
}

int worker_add_endpoint(struct worker *worker, const char *path, bool prefix,
                        const struct worker_loader *loader, worker_call_fn call, void *arg,
                        struct err *err)
{
    assert(!worker->started);
    struct worker_endpoint endpoint = {(char *)(uintptr_t)path, prefix, loader, call, arg};
    int failed = registry_add_endpoint(worker->registry, &endpoint, err);
    if (!failed) {
        note_loader(worker, loader);
    }
    return failed;
}

int worker_add_end(struct worker *worker, void (*fn)(void *arg), void *arg)
{
    if (worker->end_count == REGISTRY_MODULES_MAX) {
        return -ENOSPC;
    }
    worker->ends[worker->end_count].fn = fn;
    worker->ends[worker->end_count++].arg = arg;
    return 0;
}

/* ---- what it tells its parent ---- */

static void notify(struct worker *worker, struct slice line)
{
    while (line.size > 0 && worker->notify_fd >= 0) {
        ssize_t put = write(worker->notify_fd, line.data, line.size);
        if (put > 0) {
            line = slice_from(line, (size_t)put);
            continue;
        }
        struct pollfd wait = {.fd = worker->notify_fd, .events = POLLOUT};
        bool full = put < 0 && errno == EAGAIN;
        if (!(put < 0 && errno == EINTR) && !(full && poll(&wait, 1, NOTIFY_WAIT_MS) > 0)) {
            log_warn("ready line not delivered", "error=\"%s\"", strerror(errno));
            break;
        }
    }
    worker->notify_fd = fd_close(worker->notify_fd);
}

void worker_report_failure(struct worker *worker, const char *module, const char *stage,
                           const char *error, const char *traceback, const char *hint)
{
    CLEANUP(json_put) struct json_object *root = json_object_new_object();
    json_set_bool(root, "ready", false);
    json_set_str(root, "module", module);
    json_set_str(root, "stage", stage);
    json_set_str(root, "error", error);
    if (traceback) {
        json_set_str(root, "traceback", traceback);
    }
    if (hint) {
        json_set_str(root, "hint", hint);
    }
    CLEANUP(str_free) char *line = xasprintf("%s\n", json_text(root));
    notify(worker, slice_str(line));
}

/* ---- the end ---- */

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
    forget_socket_file(worker);
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

/* ---- start ---- */

static void on_thread_end(void *arg, struct call_state *state)
{
    const struct worker *worker = arg;
    call_thread_end(&worker->rules, state);
}

static void on_run(void *arg, struct call_state *state, const struct job *job, bool more)
{
    const struct worker *worker = arg;
    call_run(&worker->rules, state, job, more);
}

static void on_rest(void *arg, struct call_state *state)
{
    (void)arg;
    call_rest(state);
}

static void on_room(void *arg)
{
    struct worker *worker = arg;
    http_server_resume(worker->server);
}

static const struct crew_ops crew_operations = {on_thread_end, on_run, on_rest, on_room};

static int open_sockets(struct worker *worker, struct err *err)
{
    int fd, failed = 0;
    if (worker->config.socket_path) {
        failed = listen_unix(worker->config.socket_path, &fd, err);
        struct stat status;
        if (!failed && stat(worker->config.socket_path, &status) == 0) {
            worker->socket_inode = status.st_ino;
        }
        if (!failed) {
            failed = http_server_listen(worker->server, fd, NULL, LISTENER_UNIX, err);
        }
    }
    if (!failed && worker->config.listen) {
        failed = listen_tcp(worker->config.listen, &fd, worker->address, err);
        worker->loopback_only =
            strncmp(worker->address, "127.", 4) == 0 || strncmp(worker->address, "[::1]", 5) == 0;
        if (!failed) {
            failed = http_server_listen(worker->server, fd, NULL, LISTENER_TCP, err);
        }
    }
    return failed;
}

static int watch_fds(struct worker *worker, struct err *err)
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
    return 0;
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

static void make_documents(struct worker *worker)
{
    struct json_object *spec = document_spec(worker->registry);
    struct json_object *full = document_full_spec(worker->registry);
    struct json_object *openapi = document_openapi(worker->registry);
    worker->spec = xstrdup(json_text(spec));
    worker->full_spec = xstrdup(json_text(full));
    worker->openapi = xstrdup(json_text(openapi));
    (void)json_put(spec);
    (void)json_put(full);
    (void)json_put(openapi);
}

int worker_start(struct worker *worker, struct err *err)
{
    assert(!worker->started);
    struct http_limits limits = HTTP_LIMITS_DEFAULT;
    if (worker->config.body_bytes_max) {
        limits.body_bytes_max = worker->config.body_bytes_max;
    }
    make_documents(worker);
    worker->loop = loop_new(err);
    if (!worker->loop) {
        return -EMFILE;
    }
    worker->server = http_server_new(worker->loop, &limits, route_handle, worker);
    worker->crew = crew_new(worker->loop, worker->config.threads_max, &crew_operations, worker);
    int failed = open_sockets(worker, err);
    if (!failed) {
        failed = watch_fds(worker, err);
    }
    if (failed) {
        return failed;
    }
    CLEANUP(str_free) char *line = status_ready_line(worker);
    take_signals(worker);
    worker->started = true;
    failed = crew_start(worker->crew, err);
    if (!failed) {
        notify(worker, slice_str(line));
    }
    return failed;
}

int worker_wait(struct worker *worker)
{
    if (!crew_join(worker->crew, END_GRACE_MS)) {
        atomic_store(&worker->late, true);
    }
    if (atomic_load(&worker->late)) {
        return -ETIMEDOUT;
    }
    run_ends(worker);
    return 0;
}

const char *worker_address(const struct worker *worker)
{
    return worker->address;
}

size_t worker_result_bytes_max(const struct worker *worker)
{
    return worker->rules.result_bytes_max;
}
