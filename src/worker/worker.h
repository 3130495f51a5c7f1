/* What a worker process runs: it serves the actions that a loader (Python, native) registers, in
 * the action wire format, on a Unix socket, a TCP address or both. The core knows no interpreter.
 *
 * Life: worker_new -> worker_add_* (one thread; the tables never change afterwards) ->
 * worker_start -> worker_wait -> worker_free. An I/O thread of its own owns all sockets; requests
 * wait in a bounded queue for call threads, which execute them and write the answers.
 *
 * Thread policy: one call thread is awake while calls are short. When jobs wait and none was taken
 * for a millisecond, another thread is woken, up to threads_max. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "worker/nested_stats.h"

struct err;
struct http_request;
struct json_object;
struct worker;
struct worker_action;

#define WORKER_THREADS_DEFAULT 40 /* as many as the original's thread pool */
#define WORKER_THREADS_MAX     256
#define WORKER_ACTIONS_MAX     4096 /* beyond this, something registers in a loop */
#define WORKER_ALIASES_MAX     32
#define WORKER_PARAMS_MAX      128

/* ---- what a loader gives ---- */

/* Hooks around user code of one kind. All may be NULL. thread_begin and thread_end run once in
 * each call thread, before its first call and at its end. enter and leave surround a run of one or
 * several calls (Python: take and give back the GIL); sockets are never touched between them. */
struct worker_loader {
    const char *kind; /* "python" or "native" */
    void *arg;
    void (*thread_begin)(void *arg);
    void (*thread_end)(void *arg);
    void (*enter)(void *arg);
    void (*leave)(void *arg);
};

enum worker_route {
    WORKER_ACTION,     /* POST /FUNC/, /ALIAS/, /GROUP.FUNC/, or a call within the process */
    WORKER_WALKER_RUN, /* POST /walker_run/ */
    WORKER_WAPI,       /* POST /wapi/NAME/ */
    WORKER_ENDPOINT,   /* GET of an exposed path */
};

/* One call as the loader's function sees it. All slices are borrowed until it returns. */
struct worker_call {
    enum worker_route route;
    struct slice name; /* action's full name, walker's name as in the path, or path below a mount */
    struct slice query;           /* without '?' */
    struct slice body;            /* as sent; may be empty */
    struct http_request *request; /* for headers; NULL for a call within the process */
};

/* What the function leaves. Preset: 200, "application/json", empty body, nothing to release. */
struct worker_answer {
    int status;
    const char *content_type; /* static, or lives until release */
    struct slice headers;     /* further lines, each with CRLF; lives until release */
    struct slice body;        /* written from where it lies, no copy */
    struct slice walker;      /* told to the daemon: it ran; lives until release; empty = none */
    bool failed;              /* count as an error though the status is below 400 */
    uint64_t exec_ns;         /* time in the user's function alone; 0 = time around call() */
    uint64_t nested_ns;       /* of that: in calls of other actions; filled by who calls */
    enum worker_place place;  /* of worker_remote_call: where the action ran */
    void (*release)(void *owner); /* between enter and leave, after the answer was written */
    void *owner;
};

/* Runs in a call thread, between the loader's enter and leave; several threads at once. Must not
 * return while an exception of its language is pending. */
typedef void (*worker_call_fn)(void *arg, const struct worker_call *call,
                               struct worker_answer *answer);

/* Figures of one action or walker, without locks. */
struct worker_stat {
    atomic_uint_fast64_t calls;
    atomic_uint_fast64_t errors;
    atomic_uint_fast64_t exec_ns; /* sum */
};

static inline void worker_stat_add(struct worker_stat *stat, uint64_t exec_ns, bool failed)
{
    (void)atomic_fetch_add_explicit(&stat->calls, 1, memory_order_relaxed);
    (void)atomic_fetch_add_explicit(&stat->errors, failed, memory_order_relaxed);
    (void)atomic_fetch_add_explicit(&stat->exec_ns, exec_ns, memory_order_relaxed);
}

/* All texts are copied; the loader is borrowed and lives as long as the worker. */
struct worker_module_def {
    const char *name;          /* as in the spec file: "text" */
    const char *kind;          /* "python-module", "python-file", "native" */
    const char *source;        /* import name or path, as given */
    const char *loaded_module; /* where the functions live: "pkg.text.text"; NULL = source */
    const char *note;          /* what who loaded it should know though it went well; NULL = none */
    double load_ms;            /* import and setup */
    int64_t mem_kb;            /* PSS that loading added */
};

/* params: JSON array, one object a parameter, in signature order:
 *   {"name": "*parts",              stars included, no annotation
 *    "kind": "plain" | "list" | "keyword" | "dict",   x, *x, x after *x, **x
 *    "type": "list[str]",           text of the annotation; "any" when there is none
 *    "required": true,
 *    "default": VALUE,              only when not required and JSON-able
 *    "default_text": "object()",    only when the default is not JSON-able
 *    "schema": {...},               JSON schema for OpenAPI; optional, else made from type
 *    "doc": "..."}                  optional
 * From it the core makes the spec, ?full=1, the ready line and OpenAPI. */
struct worker_action_def {
    const char *module;         /* name of a module added before */
    const char *name;           /* full: "text.split" */
    const char *const *aliases; /* bare names, ended by NULL; may be NULL */
    const char *params;         /* see above */
    const char *doc;            /* may be NULL */
    const char *returns;        /* text of the result's type; may be NULL */
    bool idempotent;     /* a lost call may be sent again; told in ?full=1 and the ready line */
    uint64_t timeout_ms; /* declared limit of a call, told likewise; 0 = none declared */
    const struct worker_loader *loader;
    worker_call_fn call;
    void *arg;
};

/* The note on a module that was given a ctx and has no setup. */
#define WORKER_CTX_UNUSED "it has no setup, so its ctx was not used"

/* ---- the worker ---- */

enum worker_role { WORKER_HOST, WORKER_POD, WORKER_RUNTIME };

struct worker_config {
    const char *name; /* "pod-text-3"; NULL = "host" */
    int64_t generation;
    enum worker_role role;
    const char *socket_path; /* NULL = no Unix socket; a left-over file is replaced */
    const char *listen;      /* "127.0.0.1:8000", "[::1]:80", "0.0.0.0:80"; NULL = none */
    const char *token;       /* asked of TCP clients; NULL = none */
    const char *daemon_path; /* Unix socket of the daemon for nested calls; NULL = none */
    int notify_fd;           /* -1 = none; owned by the worker from worker_new on */
    int lifeline_fd;         /* -1 = none; owned; its end of file ends the worker */
    unsigned threads_max;    /* 0 = WORKER_THREADS_DEFAULT */
    size_t body_bytes_max;   /* 0 = the server's default */
    size_t result_bytes_max; /* 0 = WORKER_RESULT_BYTES_DEFAULT */
    bool verbose;            /* a log line a call */
    bool unmeasured;         /* calls from inside the process are not counted */
};

/* Keeps a runaway result off the wire. */
#define WORKER_RESULT_BYTES_DEFAULT (256UL * 1024 * 1024)

#define WORKER_CONFIG_DEFAULT ((struct worker_config){.notify_fd = -1, .lifeline_fd = -1})

/* Copies config. Marks notify and lifeline close-on-exec and moves them, as all sockets later, to
 * descriptors out of the reach of code that writes to small numbers. NULL and err on failure. Call
 * it before any user code is loaded. */
struct worker *worker_new(const struct worker_config *config, struct err *err);

/* NULL allowed. Only when not started, or after worker_wait returned 0. */
struct worker *worker_free(struct worker *worker);

/* 0, -EEXIST (name taken), -EINVAL, -ENOSPC (a *_MAX reached), with nothing changed. */
int worker_add_module(struct worker *worker, const struct worker_module_def *module,
                      struct err *err);

/* Another module, which may be in another process, serves name (full) instead of module: calls of
 * it from inside this process go to the daemon, and it comes here only when no other module has it.
 * Before worker_add_action. Copies. 0 or -ENOSPC. */
int worker_cede(struct worker *worker, const char *module, const char *name, struct err *err);
bool worker_is_ceded(const struct worker *worker, const char *module, const char *name);

/* A full name that another module has already: the later one serves. A bare name: the first one
 * (both as in the wire format). Twice in one module: -EEXIST. Also -EINVAL (bad name or params;
 * unknown module), -ENOSPC. ret_action (may be NULL): lives as long as the worker. */
int worker_add_action(struct worker *worker, const struct worker_action_def *def,
                      struct worker_action **ret_action, struct err *err);

struct worker_walker_def {
    const char *module; /* name of a module added before */
    const char *name;
    const char *params; /* as an action's; NULL = not told */
    const char *doc;    /* may be NULL */
};

/* Lists a walker; all is copied. The stat is for the loader to fill: the core does not know which
 * walker a body of /walker_run/ names. Errors as worker_add_action. */
int worker_add_walker(struct worker *worker, const struct worker_walker_def *def,
                      struct worker_stat **ret_stat, struct err *err);

/* Serves POST /walker_run/ and POST /wapi/NAME/. Without it they are 404. */
void worker_set_walker_run(struct worker *worker, const struct worker_loader *loader,
                           worker_call_fn call, void *arg);

struct worker_endpoint_def {
    const char *path; /* "/health/"; copied */
    bool prefix;      /* also everything below it (a mount) */
    const struct worker_loader *loader;
    worker_call_fn call;
    void *arg;
};

/* Serves GET of a path. 0 or -EEXIST, -EINVAL, -ENOSPC. */
int worker_add_endpoint(struct worker *worker, const struct worker_endpoint_def *def,
                        struct err *err);

/* Runs fn(arg) once after the last call, last added first: in worker_wait when it returns 0, or in
 * worker_free when the worker was never started. 0 or -ENOSPC. */
int worker_add_end(struct worker *worker, void (*fn)(void *arg), void *arg);

/* Listens, starts the threads, and when all of that works writes the ready line. 0 or -errno:
 * -EINVAL (bad address), -EADDRINUSE, -EACCES, ... */
int worker_start(struct worker *worker, struct err *err);

/* Writes {"ready": false, ...} to the notify descriptor and closes it. stage: "import", "setup",
 * "actions" or "listen"; traceback and hint may be NULL. */
void worker_report_failure(struct worker *worker, const char *module, const char *stage,
                           const char *error, const char *traceback, const char *hint);

/* Stops accepting, lets requests in flight finish, then worker_wait returns. Any thread, and from
 * a signal handler. SIGTERM and SIGINT (handlers set by worker_start) and the end of the lifeline
 * do the same; a second signal ends the process at once. */
void worker_drain(struct worker *worker);

/* Blocks until drained. 0, or -ETIMEDOUT when calls still ran WORKER_DRAIN_MS after the drain
 * began: then the process must _exit without freeing anything. */
int worker_wait(struct worker *worker);

#define WORKER_DRAIN_MS 30000 /* as long as Kubernetes waits before it kills */

size_t worker_result_bytes_max(const struct worker *worker);

/* The address TCP clients reach ("127.0.0.1:8000"; the real port when 0 was asked); "" without
 * one. Borrowed. After worker_start. */
const char *worker_address(const struct worker *worker);

/* ---- calls from inside the process ---- */

/* By full name, or by bare name or alias; NULL = not here. Any thread after worker_start. */
struct worker_action *worker_action_find(const struct worker *worker, struct slice name);
struct worker_stat *worker_action_stat(struct worker_action *action);
const char *worker_action_name(const struct worker_action *action); /* full */
const struct worker_loader *worker_action_loader(const struct worker_action *action);
const char *worker_action_params(const struct worker_action *action); /* as given, JSON text */

bool worker_is_measured(const struct worker *worker);

/* Counts a call from inside the process for the action and for the walker (as origin_walker
 * tells it). Without locks, and without allocation but for the first of its kind. */
void worker_count_call(struct worker_action *action, struct slice walker, uint64_t exec_ns,
                       uint64_t nested_ns, bool failed);

/* Calls action here and now with a JSON object of arguments, counts it (unless the
 * worker is not measured), and fills answer (preset by this function). The caller has left its own
 * loader (Python: released the GIL); the action's loader is entered and left. The caller ends it
 * with worker_answer_release. */
void worker_action_call(const struct worker *worker, struct worker_action *action,
                        struct slice body, struct worker_answer *answer);
void worker_answer_release(const struct worker_action *action, struct worker_answer *answer);

/* Calls any action through the daemon (POST /actions/NAME), on a connection that the thread keeps.
 * 0 and the reply in answer (its status may be any; release with worker_remote_release), or:
 * -ENOTCONN (no daemon known), -ECONNREFUSED (not sent), -ECONNRESET (sent and lost), -EPROTO
 * (no HTTP), -EMSGSIZE (over the result limit), -ETIMEDOUT. timeout_ms 0 = the daemon's own. The
 * caller has left its loader. */
int worker_remote_call(struct worker *worker, struct slice name, struct slice body,
                       uint64_t timeout_ms, struct worker_answer *answer, struct err *err);
void worker_remote_release(struct worker_answer *answer);

struct worker_wait {
    enum worker_place place;
    uint64_t seen_ns;   /* from before the arguments were encoded until the result was there */
    uint64_t waited_ns; /* with what had to be done first, once for all */
    bool failed;
};

/* Tells that the current call has waited for the action name elsewhere. Counts it (unless the
 * worker is not measured) for the walker, as origin_walker tells it; a failed one, and one of an
 * unknown place, only as waiting. */
void worker_count_remote(struct worker *worker, struct slice name, const struct worker_wait *wait);

/* The calling call thread is about to wait for something else than the processor (a nested call):
 * waiting jobs get another thread at once instead of after a millisecond. */
void worker_thread_waits(struct worker *worker);

/* As that, until the call ends: what it waits for may need call threads of this worker. */
void worker_thread_leaves(struct worker *worker);

/* ---- answers ---- */

/* {"detail": TEXT, "type": TYPE} with that status, owned by the answer. text: any bytes. */
void worker_answer_error(struct worker_answer *answer, int status, const char *type,
                         const char *text);

/* One entry of a 422: {"loc": ["body", field, index], "msg": msg, "type": type}. field NULL: only
 * ["body"]; index -1: none. Call it again for more (only after worker_answer_invalid itself). */
void worker_answer_invalid(struct worker_answer *answer, const char *field, int64_t index,
                           const char *msg, const char *type);

/* ---- figures ---- */

struct worker_memory {
    int64_t pss_kb;      /* proportional set size now */
    int64_t pss_peak_kb; /* highest resident size since the start */
};

/* From /proc/self; -1 for what cannot be read. About 0.2 ms for a large process. */
struct worker_memory worker_memory_read(void);
