/* What the files of control/ share. modules.c: what is wanted; slots.c: where it lies; instances.c:
 * what runs; turn.c: one turn; publish.c: the snapshot; server.c: servers of others; views.c: JSON.
 */
#pragma once

#include "action/target.h"
#include "base/json.h"
#include "control/control.h"
#include "control/decide.h"
#include "control/phases.h"
#include "loop/loop.h"
#include "measure/action_stats.h"
#include "provider/provider.h"

#define BACKOFF_MS_MIN 500 /* before a failed start is repeated; doubles each time */
#define BACKOFF_MS_MAX 60000
#define STABLE_MS      60000 /* after so long a failure counts as the first again */
#define MOVES_KEPT     64    /* the latest ones, for the status */

#define CONTROL_WALKERS_MAX 512 /* with figures of their own; further ones share a row */

#define MODULE_HAS_WALKERS                                                                         \
    "has walkers, which run in the runtime worker; put its actions into a module of their own to " \
    "place them remote"

struct http_client;

/* What is to be saved of a module as soon as that is possible, as bits. */
enum unsaved {
    UNSAVED_LOAD = 1,   /* what a load that failed has left, and where */
    UNSAVED_KEPT = 2,   /* where a policy has settled it; the leader's */
    UNSAVED_LEARNT = 4, /* what its load taught; the leader's */
};

/* One action of a module; its figures stay when the module moves. */
struct action_entry {
    char *name;
    struct action_stats stats[2];   /* by place: module, remote */
    struct action_entry *counts_as; /* itself; of an alias the action, as its worker counts it */
    uint64_t timeout_ms;
    bool idempotent;
    bool hidden; /* unloaded by name */
    bool live;   /* in the module's latest info */
};

struct module {
    char *name;
    char *kind;
    char *source;
    char *loaded_by;
    struct json_object *config;
    struct json_object *ctx;
    struct former *former; /* owned; what serves while a load of something else is tried, or NULL */
    enum place wanted;
    enum place kept; /* where it goes back to while `wanted` is a policy's trial; NONE = no trial */
    bool pinned; /* a person loaded it there while a policy ran: it stays until told otherwise */
    uint32_t revision;
    int64_t position; /* order of loading */
    bool listed;      /* false: unloaded and forgotten, the entry only keeps figures */
    bool asked;       /* was to be loaded once: only then it has a state to show */

    struct json_object *info; /* what its last ready line said; NULL = never loaded */
    bool walkers;
    struct action_entry **actions;
    size_t action_count;

    unsigned unsaved;              /* enum unsaved */
    struct json_object *elsewhere; /* owned; names of it that the runtime worker shall not serve */
    unsigned changes;              /* loads and unloads asked for */

    bool broken;
    bool proven; /* it loaded once: a failure is worth repeating */
    unsigned failures;
    uint64_t retry_ms;
    uint64_t failed_ms; /* the last failure; monotonic */
    char *error;
    unsigned restarts;             /* instances of it that ended unasked */
    struct control_costs costs[2]; /* by place: module, remote */
    bool costs_known[2];
};

struct look;
struct refresh;
struct server; /* somebody else's (server.c) */

struct instance {
    uint32_t id;
    struct control *control; /* borrowed */
    bool runtime;
    bool adopted; /* an earlier daemon started it */
    int64_t generation;
    enum instance_state state;
    enum instance_health health;
    uint64_t since_ms;
    uint64_t start_ms;
    struct pod *pod;            /* owned; NULL for a server, or when the process is gone */
    struct server *server;      /* owned; NULL for a pod */
    struct target_set *targets; /* a reference; NULL until there is one, and while its provider
                                 * tells of none */
    struct seen_loaded *loaded;
    uint32_t loaded_count;
    unsigned timeouts_seen;
    unsigned failures_seen;
    unsigned misses; /* probes in a row without an answer */
    uint64_t probed_ms;
    struct http_client *probe;      /* under way; NULL = none */
    struct json_object *first_info; /* owned; kept over the first probe */
    struct pod_memory memory;
    uint64_t measured_ms;
    struct pod_events events;
    struct look *look;  /* owned; at the calls inside it (local_calls.c) */
    char *trouble;      /* what keeps it from its work, one word; NULL = nothing is known */
    char *trouble_text; /* the same for a person */
};

struct waiter {
    struct waiter *next;
    uint32_t module;
    unsigned change; /* the one it waits for */
    enum place place;
    uint64_t begun_ms;
    uint64_t deadline_ms;
    int verdict; /* once it is taken off the list */
    control_done_fn done;
    void *arg;
};

struct move {
    char *module;
    enum place from;
    enum place to;
    int64_t at_ms; /* unix time of the shift */
    uint64_t took_ms;
};

struct line;

struct phase_lines { /* of policies' records, that are to be saved: phase_record.c */
    struct line *first;
    struct line *last;
    unsigned count;
    int64_t run; /* of the line that was saved last */
};

struct control_counts { /* since the start; by role: pod, runtime */
    uint64_t starts[2];
    uint64_t start_failures[2];
    uint64_t unexpected_ends[2];
    uint64_t moves[3][3]; /* by place: from, to */
    struct histogram *moving;
    uint64_t moving_ns;
    struct histogram *turning;
    uint64_t turning_ns;
    uint64_t turn_began_ns;
};

struct control {
    struct control_parts parts;
    struct control_settings settings;

    struct module *modules[DECIDE_MODULES_MAX]; /* index = the number used everywhere */
    uint32_t module_count;
    struct module **forgotten; /* whose slots others have now; owned; their figures stay */
    size_t forgotten_count;
    int64_t last_position;

    struct instance *instances[DECIDE_INSTANCES_MAX]; /* in the order of their start */
    uint32_t instance_count;
    uint32_t last_instance_id;
    uint32_t last_target_id;
    int64_t generation;

    unsigned runtime_failures;
    uint64_t runtime_retry_ms;
    uint64_t runtime_failed_ms;
    struct action_stats walker_stats; /* runs, by walker */
    struct stats_budget stats_budget;
    struct outlook *outlooks;  /* owned; who waits for a measurement (outlook.c) */
    struct refresh *refreshes; /* owned; who waits for looks */
    uint64_t last_look;

    struct plan plan;                                /* of this turn */
    struct plan_route published[DECIDE_MODULES_MAX]; /* instance ids, not indices */
    enum place served[DECIDE_MODULES_MAX];           /* at the last publication */
    enum place last_place[DECIDE_MODULES_MAX]; /* where it served last; PLACE_NONE = nowhere yet */
    uint64_t wanted_since_ms[DECIDE_MODULES_MAX];
    struct plan_route published_runtime;
    bool must_publish;    /* something beside the routes changed */
    bool cluster_settled; /* it was told that all that is wanted serves */
    bool placement_moved; /* by the last publication */
    void (*on_placement)(void *arg);
    void *on_placement_arg;

    struct auth_table *auth;     /* a reference */
    struct benchmark *benchmark; /* a reference; NULL = none is active */

    bool leads; /* decides: policies and what is learnt are its own */
    struct phases phases;
    struct thinking thinking;
    struct phase_lines lines;
    uint64_t save_retry_ms;
    unsigned save_failures; /* in a row */

    struct waiter *waiters;
    struct control_counts counts;
    struct move moves[MOVES_KEPT]; /* a ring */
    uint64_t move_count;

    struct loop_timer timer;
    struct loop_task wake_task;
    atomic_bool woken;
    bool turning;
    int64_t started_ms;
    uint64_t started_ns; /* monotonic */
    bool released;       /* an orderly end has begun */

    bool stopping;
    void (*stopped)(void *arg);
    void *stopped_arg;
    uint64_t stop_deadline_ms;
};

/* modules.c */
struct module *module_find(const struct control *control, const char *name, uint32_t *ret_index);
struct module *module_free(struct module *module);
/* Where it is wanted but for what a policy only tries. */
static inline enum place module_place(const struct module *module)
{
    return module->kept != PLACE_NONE ? module->kept : module->wanted;
}
/* Writes the module's record; -errno of the store. */
int module_save(struct control *control, const struct module *module, struct err *err);
int modules_restore(struct control *control, struct err *err);
enum place place_of(const char *text);
/* What was learnt of it, with the actions that were unloaded by name. Owned by the caller. */
struct json_object *module_learnt(const struct module *module);
/* What another daemon stored: JSON texts. Of what it learnt only what is not known here. */
void module_take_config(struct control *control, struct module *module, const char *text);
void module_take_learnt(struct control *control, struct module *module, const char *text);
/* Off the list; the entry keeps its figures. */
void module_forget(struct module *module);
/* It loaded: info is the module's part of a ready line. */
void module_loaded(struct control *control, uint32_t index, struct json_object *info);
/* Its start failed. */
void module_failed(struct control *control, uint32_t index, const char *error, const char *hint);
/* The module as the worker's spec file wants it. Owned by the caller. */
struct json_object *module_spec(const struct module *module, bool remote);
int64_t module_memory_max_mb(const struct control *control, const struct module *module);
bool module_is_native(const struct module *module);
uint64_t backoff_ms(unsigned failures);

/* load.c: what the module was before a load that is on trial */
void module_put_former_back(struct module *module);
void module_forget_former(struct module *module);

/* slots.c */
/* A new entry without a source at *ret_index; NULL and err -ENOSPC when there are too many. */
struct module *module_add(struct control *control, const char *name, uint32_t *ret_index,
                          struct err *err);
/* Undoes module_add, before anything else was done with the entry. */
void module_take_back(struct control *control, uint32_t index);
/* At the end. */
void modules_free(struct control *control);
/* save.c: saves that now, or as soon as it is possible. */
void module_save_later(struct control *control, struct module *module, enum unsaved what);
void saves_turn(struct control *control, uint64_t now_ms);

/* names.c */
/* Who serves which name just now: of no use once a module or its actions have changed. */
struct names;
struct names *names_new(const struct control *control);
struct names *names_free(struct names *names); /* NULL allowed */
DEFINE_CLEANUP(struct names *, names_free)
/* Another module that was loaded later serves the name. */
bool names_cover(const struct names *names, const struct module *module, const char *name);
/* Brings what the runtime worker is told up to date. */
void names_review(struct control *control);

/* instances.c */
void instance_start_runtime(struct control *control, const uint32_t *set, uint32_t count);
void instance_start_remote(struct control *control, uint32_t module);
/* Its pod's events are this instance's from now on. */
void instance_listen(struct instance *instance);
void instance_drain(struct instance *instance, uint64_t now_ms);
void instance_stop(struct instance *instance, uint64_t now_ms);
void instance_forget(struct instance *instance);
struct instance *instance_new(struct control *control, bool runtime);
/* Takes over the reference to targets. */
void instance_ready(struct instance *instance, struct target_set *targets,
                    struct json_object *modules);
/* Its only target, of a process on this host or a server; NULL = none yet. Borrowed. */
struct target *instance_target(const struct instance *instance);
/* A number for a new target. */
uint32_t target_id_new(struct control *control);
void instance_failed(struct instance *instance, const char *module, const char *text,
                     const char *hint);
const struct seen_loaded *instance_find(const struct instance *instance, uint32_t module);

/* adopt.c */
void instances_adopt(struct control *control);

/* Lets the cluster take away what an earlier daemon left, once all that is wanted serves. */
void cluster_settle(struct control *control);

/* health.c: probes and memory of what serves. */
void instance_check(struct instance *instance, uint64_t now_ms);
void instance_first_probe(struct instance *instance, struct target *target,
                          struct json_object *modules);

/* replicas.c: pods that are not on this host */
bool instance_is_away(const struct instance *instance); /* it is one of these */
void instance_replicas(void *arg, const struct pod_replica *replicas, uint32_t count);
void instance_trouble(void *arg, const char *reason, const char *text, bool stuck);
/* Asks one of its replicas what it serves, when that is due. */
void instance_ask_if_due(struct instance *instance, uint64_t now_ms);
/* Fills in what a spec has for a pod that is not on this host; borrowed from module. */
void pod_spec_away(const struct module *module, struct pod_spec *spec);
/* Who makes the module's pod; NULL with err when nobody can. */
struct provider *provider_of(const struct control *control, const struct module *module,
                             struct err *err);

/* server.c */
/* {"text.split": ["text", "*rest"]}, an action spec, in the form of a worker's ready line. */
struct json_object *info_of_spec(struct json_object *spec);
struct server *server_start(struct instance *instance, const char *url);
struct server *server_free(struct server *server);

/* figures.c */
/* What the start of a ready instance took goes to its modules, what its memory is now, too. */
void figures_note_start(struct instance *instance);
void figures_note_memory(struct instance *instance);

/* local_calls.c */
struct look *look_new(bool adopted);
struct look *look_free(struct look *look);
/* Reads the instance's figures when that was not done for a while. */
void look_if_due(struct instance *instance, uint64_t now_ms);
/* Reads them a last time and then stops the pod. False = not possible: stop it yourself. */
bool look_and_stop(struct instance *instance, uint64_t grace_ms);
void look_forget(struct instance *instance);
/* Those who still wait go on without the rest, or are forgotten. */
void refreshes_end(struct control *control, bool tell);

/* outlook.c: ends all that wait; tell: with what was measured so far. */
void outlooks_end(struct control *control, bool tell);

/* publish.c */
void control_publish(struct control *control);
bool control_must_publish(const struct control *control);

/* views.c */
const struct instance *instance_by_id(const struct control *control, uint32_t id);
bool action_is_live(const struct control *control, uint32_t module,
                    const struct action_entry *entry);

/* turn.c */
void control_turn(struct control *control);
