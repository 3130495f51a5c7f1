/* The control thread's view of everything that changes: which modules exist, where each is wanted,
 * and the processes that serve them. Each turn looks at the world (observe), decides (decide.h) and
 * acts; the I/O loops only ever see the snapshots that result.
 *
 * All functions are for the control thread unless they say otherwise. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "action/place.h"

struct auth_table;
struct benchmark;
struct control;
struct err;
struct job_pool;
struct json_object;
struct loop;
struct provider;
struct publisher;
struct store;

struct control_settings {       /* texts are copied */
    uint64_t drain_timeout_ms;  /* calls still under way in an instance that is replaced */
    uint64_t stop_grace_ms;     /* between asking a worker to end and killing it */
    uint64_t call_timeout_ms;   /* of an action that declares none */
    uint64_t probe_interval_ms; /* of a serving instance */
    uint64_t probe_timeout_ms;
    unsigned threads_max;     /* call threads of a worker */
    int64_t memory_max_mb;    /* of a worker that sets none; 0 = no limit */
    const char *policy;       /* until one is set; borrowed; NULL = none */
    int64_t policy_memory_mb; /* for the modules in the runtime worker together; 0 = no limit */
    double policy_phase_s;    /* how long a placement is held before it is judged */
    bool unmeasured;          /* workers keep no figures of the calls inside them */
};

#define CONTROL_SETTINGS_DEFAULT                                                                   \
    ((struct control_settings){.drain_timeout_ms = 60000,                                          \
                               .stop_grace_ms = 10000,                                             \
                               .call_timeout_ms = 60000,                                           \
                               .probe_interval_ms = 10000,                                         \
                               .probe_timeout_ms = 5000,                                           \
                               .threads_max = 40,                                                  \
                               .policy_phase_s = 10})

struct control_parts { /* borrowed for the control's life */
    struct loop *loop;
    struct publisher *publisher;
    struct store *store;
    struct provider *provider;
    struct provider *cluster; /* makes the pods of modules whose action config has objects for one;
                               * NULL = no cluster is configured */
    struct job_pool *jobs;
    struct auth_table *(*auth_ref)(
        struct auth_table *table); /* control knows accounts only by these */
    void (*auth_unref)(struct auth_table *table);
    void (*kick)(void *arg); /* makes the I/O loops look at the new snapshot */
    void *kick_arg;
};

struct control *control_new(const struct control_parts *parts,
                            const struct control_settings *settings);
/* Pods are left running: the next daemon adopts them. The job pool has ended. */
struct control *control_free(struct control *control);

/* Restores modules and places from the store and adopts the pods that still run. */
int control_restore(struct control *control, struct err *err);

/* Takes the first turn, and others from then on. When it returns there is a snapshot, so that the
 * I/O loops know from their first request on who may do what. */
void control_start(struct control *control);

/* A cluster that was configured since the start: modules that are loaded remote from now on may go
 * there. Once. */
void control_set_cluster(struct control *control, struct provider *cluster);

/* Lets those who wait for a load or for figures go on without it: before an orderly end. */
void control_release(struct control *control);

/* Stops all pods; done runs when they are gone or grace_ms is over. */
void control_stop(struct control *control, uint64_t grace_ms, void (*done)(void *arg), void *arg);

/* Any thread: look again soon, an event that concerns a target was counted on it. */
void control_wake(struct control *control);

/* ---- a state that other daemons share ---- */

/* Others changed modules or their places: brings them here, too. Store errors. */
int control_follow(struct control *control, struct err *err);
/* Others chose a policy. Store errors. */
int control_follow_policy(struct control *control, struct err *err);

/* Whether this daemon decides for all: only the leader runs the policy, and saves what it and the
 * loads of modules teach. A control leads until it is told that it does not. */
void control_lead(struct control *control, bool leads);

/* The accounts changed: the next snapshots carry table (this reference is taken over). */
void control_set_auth(struct control *control, struct auth_table *table);

/* fn runs in each turn in which a module has come to another place than where it served before,
 * once calls go there; NULL = nobody asks any more. It must not take a turn. */
void control_on_placement(struct control *control, void (*fn)(void *arg), void *arg);

/* Walker runs that end from now on are added to benchmark (borrowed; NULL = to none any more). Not
 * from within a turn. */
void control_set_benchmark(struct control *control, struct benchmark *benchmark);

/* ---- modules ---- */

#define CONTROL_NAME_MAX 200 /* bytes of a module's name: it becomes part of file names */

struct control_load {        /* texts are copied; objects are referenced */
    const char *name;        /* NULL = from source, so that no other loaded module has it */
    const char *kind;        /* "python-module", "python-file", "native", "server"; NULL = as known,
                                else from source */
    const char *source;      /* NULL = as known */
    struct json_object *ctx; /* arguments of setup; NULL = as known */
    struct json_object *config; /* the action config's entry; NULL = as known */
    enum place place;           /* PLACE_NONE: only make it known */
    const char *loaded_by;      /* operation */
    bool pin;                   /* no policy may move it */
    bool reload;                /* also when it is loaded there already */
};

/* status 0 or -errno; message tells what went wrong and how to fix it, or what to know though all
 * went well (NULL = nothing). */
typedef void (*control_done_fn)(void *arg, int status, const char *message);

/* Makes the module be served at place. done (may be NULL) runs once it is, or failed, or after
 * timeout_ms (-ETIMEDOUT; the load goes on). Before it returns: -EINVAL, -ENOENT (not known and no
 * source), -ENOSPC (too many), and store errors; done is not called then. */
int control_load(struct control *control, const struct control_load *load, uint64_t timeout_ms,
                 control_done_fn done, void *arg, struct err *err);

/* Takes the module out of service and, when forget, off the list. -ENOENT. Calls are refused at
 * once; a worker that has other modules, too, is replaced later: see control_settle. */
int control_unload(struct control *control, const char *name, bool forget, struct err *err);

/* done runs once the module is where it is wanted and nowhere else (or failed, or after timeout_ms,
 * as in control_load); at once when the name is not known. */
void control_settle(struct control *control, const char *name, uint64_t timeout_ms,
                    control_done_fn done, void *arg);

/* Takes out of service and forgets the modules that loaded_by loaded and keep does not name. */
void control_forget_others(struct control *control, const char *loaded_by,
                           struct json_object *keep);

/* Hides one action; the module goes with its last one. -ENOENT. */
int control_unload_action(struct control *control, const char *action, struct err *err);

/* The module's name that a path, dotted name or URL gives; owned by the caller. */
char *control_name_of(const char *source);
/* "native", "server", "python-file" or "python-module". */
const char *control_kind_of(const char *source);

/* The module that serves action (borrowed name), or NULL. */
const char *control_module_of_action(const struct control *control, const char *action);

/* The module whose own name, import name or loaded name that is; owned by the caller, or NULL. */
char *control_module_by_any_name(const struct control *control, const char *name);

/* What it needs in the runtime worker: declared, else measured; 0 = not known. */
int64_t control_memory_mb(const struct control *control, const char *name);

bool control_is_known(const struct control *control, const char *name);
/* It was to be loaded once, whatever became of it. */
bool control_was_asked(const struct control *control, const char *name);
enum place control_wanted(const struct control *control, const char *name);
/* Whether its config is this one, to the last value. */
bool control_has_config(const struct control *control, const char *name,
                        struct json_object *config);
/* As control_wanted, without what a policy only tries. */
enum place control_kept(const struct control *control, const char *name);
/* Calls reach it at place now. */
bool control_serves(const struct control *control, const char *name, enum place place);
/* Why it does not serve; NULL = no failure. Borrowed until the next turn. */
const char *control_error(const struct control *control, const char *name);

/* What a pod of the module in the cluster would be made of: the part of a pod_spec that is for a
 * pod that is not on this host, borrowed until the next turn. -ENOENT: not known. */
struct pod_spec;
int control_pod_spec(const struct control *control, const char *name, struct pod_spec *ret_spec,
                     struct err *err);

/* ---- figures ---- */

struct figures;

/* False: by the settings no series grows. */
bool control_measures(const struct control *control);

/* All series so far; owned by the caller. What walkers call within their worker is as old as the
 * last look at it (see control_figures_refresh). */
struct figures *control_figures(const struct control *control);

/* Requests so far, and those under way: runs of walkers, and calls of actions from outside. */
struct control_traffic {
    uint64_t calls;
    unsigned in_flight;
};

struct control_traffic control_traffic(const struct control *control);

/* Asks the workers for the calls inside them first: done runs when control_figures has all that
 * ended before this call, at the latest after a second; it may run before this returns. */
void control_figures_refresh(struct control *control, void (*done)(void *arg), void *arg);

struct control_worker {
    const char *name; /* borrowed until the next turn */
    int pid;
    int64_t pss_kb; /* a few seconds old; 0 = not measured yet */
};

/* The workers that are processes of this host, into ret[max]; how many there are. */
size_t control_workers(const struct control *control, struct control_worker *ret, size_t max);
struct exposition;

/* Writes the metrics of actions, walkers, modules, moves, workers and turns. */
void control_expose(const struct control *control, struct exposition *exposition);

/* What having the module at place took when it was last there; 0 = not known. */
struct control_costs {
    double load_ms;      /* import and setup, as the worker tells */
    uint64_t start_ms;   /* from the start of the process to its first answer; 0 = not seen */
    int64_t mem_kb;      /* PSS that loading added */
    int64_t pss_kb;      /* of the pod now or at its end; PLACE_MODULE: as mem_kb */
    int64_t pss_peak_kb; /* highest that was seen; PLACE_MODULE: as mem_kb */
};

/* False = it was never there. */
bool control_costs(const struct control *control, const char *name, enum place place,
                   struct control_costs *ret);

/* ---- policies (policy/policy.h): what chooses the placement when no person does ---- */

/* Runs that policy from now on, and after a restart; what the former one has on trial is undone.
 * params (may be NULL) is referenced. *ret_name: as its row has it. -ENOENT, -EINVAL as policy_new;
 * store errors. */
int control_policy_set(struct control *control, const char *name, struct json_object *params,
                       const char **ret_name, struct err *err);

/* 0 when there is such a policy that takes params (may be NULL), else as control_policy_set. */
int control_policy_check(const char *name, struct json_object *params, struct err *err);

/* {"policy", "params", "state": {"step", "elapsed_s", "settled", "phases", "answer"}}; state is
 * null when nothing runs. */
struct json_object *control_policy_get(const struct control *control);

#define CONTROL_OBSERVERS_MAX 64 /* each holds a copy of all figures */

/* Measures for some seconds (0 = all since the daemon's start) and tells what a policy would be
 * told of it: [problem, measurement], as texts. done owns lines. -EBUSY: CONTROL_OBSERVERS_MAX do.
 */
typedef void (*control_lines_fn)(void *arg, struct json_object *lines);
int control_policy_observe(struct control *control, double seconds, control_lines_fn done,
                           void *arg, struct err *err);

/* What the policy was told and answered in its present (or last) run: [{"at_ms", "told": TEXT,
 * "answer": TEXT}], the first line naming policy, params and seed; of the others the last
 * `limit`, 0 = all. Store errors. */
int control_policy_record(const struct control *control, int64_t limit,
                          struct json_object **ret_record, struct err *err);

/* ---- views; all results are the caller's ---- */

/* The original's action state (mode, module, local, remote) with "message" of ours when it failed;
 * NULL (JSON null) when it never was to be loaded. */
struct json_object *control_action_state(const struct control *control, const char *name);
/* {name: {"mode": ...}} of all that ever were loaded. */
struct json_object *control_action_modes(const struct control *control);
/* Sorted names of the live actions that begin with prefix. */
struct json_object *control_action_names(const struct control *control, const char *prefix);
/* ["pkg.mod"] or, detailed, {"pkg.mod": ["grp.fn"]}. */
struct json_object *control_module_names(const struct control *control, bool detailed);
/* {"local": [FILE], "remote": [URL], "module": [NAME]}: the original's ACTION_SETS. */
struct json_object *control_action_sets(const struct control *control);
/* {"text.split": {"module", "doc", "params": [...], "returns"}}: for OpenAPI. */
struct json_object *control_actions_full(const struct control *control);
/* Modules, instances, moves and the daemon's own figures: what `jsorc status` shows. */
struct json_object *control_status(const struct control *control);
/* [{"name", "params": [...], "doc"}] of the walkers that are loaded, null for what is not known:
 * for OpenAPI. */
struct json_object *control_walkers_full(const struct control *control);
