/* The life of a worker: built, filled, started, joined. Its end begins in ending.c. */
#include "worker/worker.h"

#include <assert.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "http/server.h"
#include "worker/document.h"
#include "worker/worker_priv.h"

#define END_GRACE_MS 1000 /* for threads to end after the last answer */

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
    ending_done(worker);
    run_ends(worker);
    ending_forget_socket(worker);
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

int worker_cede(struct worker *worker, const char *module, const char *name, struct err *err)
{
    assert(!worker->started);
    return registry_cede(worker->registry, module, name, err);
}

bool worker_is_ceded(const struct worker *worker, const char *module, const char *name)
{
    return registry_is_ceded(worker->registry, module, slice_str(name));
}

int worker_add_walker(struct worker *worker, const struct worker_walker_def *def,
                      struct worker_stat **ret_stat, struct err *err)
{
    assert(!worker->started);
    return registry_add_walker(worker->registry, def, ret_stat, err);
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

int worker_add_endpoint(struct worker *worker, const struct worker_endpoint_def *def,
                        struct err *err)
{
    assert(!worker->started);
    int failed = registry_add_endpoint(worker->registry, def, err);
    if (!failed) {
        note_loader(worker, def->loader);
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
            listen_close_in_children(fd);
            failed = http_server_listen(worker->server, fd, NULL, LISTENER_UNIX, err);
        }
    }
    if (!failed && worker->config.listen) {
        failed = listen_tcp(worker->config.listen, &fd, worker->address, err);
        worker->loopback_only =
            strncmp(worker->address, "127.", 4) == 0 || strncmp(worker->address, "[::1]", 5) == 0;
        if (!failed) {
            listen_close_in_children(fd);
            failed = http_server_listen(worker->server, fd, NULL, LISTENER_TCP, err);
        }
    }
    return failed;
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
    limits.fd_min = LISTEN_SMALL_FDS;
    make_documents(worker);
    worker->loop = loop_new(err);
    if (!worker->loop) {
        return -EMFILE;
    }
    worker->server = http_server_new(worker->loop, &limits, route_handle, worker);
    worker->crew = crew_new(worker->loop, worker->config.threads_max, &crew_operations, worker);
    int failed = open_sockets(worker, err);
    if (!failed) {
        failed = ending_watch(worker, err);
    }
    if (failed) {
        return failed;
    }
    CLEANUP(str_free) char *line = status_ready_line(worker);
    worker->started = true;
    failed = crew_start(worker->crew, err);
    if (!failed) {
        status_notify(worker, slice_str(line));
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
