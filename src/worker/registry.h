/* What a worker serves: modules, actions, walkers, endpoints. Filled by one thread before the
 * worker serves, and only read afterwards; the figures are atomic. */
#pragma once

#include "measure/action_stats.h"
#include "worker/name_map.h"
#include "worker/nested_stats.h"
#include "worker/worker.h"

struct json_object;

#define REGISTRY_MODULES_MAX   512
#define REGISTRY_ENDPOINTS_MAX 256
#define REGISTRY_NAME_MAX      256 /* bytes of an action's full name */

struct worker_module {
    char *name;
    char *kind;
    char *source;
    char *loaded_module;
    char *note; /* NULL = none */
    double load_ms;
    int64_t mem_kb;
};

struct worker_action {
    _Alignas(64) struct worker_stat stat; /* a line of its own: written by every call */
    struct action_stats local;            /* calls from inside the process, by walker */
    atomic_int hog;                       /* the call threads' note: it keeps the interpreter */
    char *name;                           /* full */
    const char *bare;                     /* in name: what follows the last dot */
    char *aliases[WORKER_ALIASES_MAX];    /* full: "text.cut" */
    unsigned alias_count;
    char *params;                    /* as given */
    struct json_object *params_json; /* owned; array */
    char *doc;                       /* NULL = none */
    char *returns;                   /* NULL = none */
    bool idempotent;
    uint64_t timeout_ms;
    const struct worker_loader *loader; /* borrowed */
    worker_call_fn call;
    void *arg;
    struct worker_module *module;
};

struct worker_walker {
    struct worker_stat stat;
    char *name;
    struct json_object *params; /* owned; array; NULL = not told */
    char *doc;                  /* NULL = none */
    struct worker_module *module;
};

struct worker_endpoint {
    char *path;
    bool prefix;
    const struct worker_loader *loader; /* borrowed */
    worker_call_fn call;
    void *arg;
};

struct ceded_name {
    char *module;
    char *name; /* full */
};

struct registry {
    struct stats_budget stats_budget;
    struct nested_stats nested; /* calls that left the process */
    struct ceded_name *ceded;   /* names that another module serves */
    size_t ceded_count;
    struct worker_module *modules[REGISTRY_MODULES_MAX];
    size_t module_count;
    struct worker_action *actions[WORKER_ACTIONS_MAX];
    size_t action_count;
    struct worker_walker *walkers[WORKER_ACTIONS_MAX];
    size_t walker_count;
    struct worker_endpoint endpoints[REGISTRY_ENDPOINTS_MAX];
    size_t endpoint_count;
    struct name_map full; /* full names and full aliases: the last one given */
    struct name_map bare; /* without the group: the first one given */
};

struct registry *registry_new(void);
struct registry *registry_free(struct registry *registry); /* NULL allowed */

/* As the functions of worker.h that they stand behind. */
int registry_add_module(struct registry *registry, const struct worker_module_def *def,
                        struct err *err);
int registry_add_action(struct registry *registry, const struct worker_action_def *def,
                        struct worker_action **ret_action, struct err *err);
int registry_cede(struct registry *registry, const char *module, const char *name, struct err *err);
bool registry_is_ceded(const struct registry *registry, const char *module, struct slice name);
int registry_add_walker(struct registry *registry, const struct worker_walker_def *def,
                        struct worker_stat **ret_stat, struct err *err);
int registry_add_endpoint(struct registry *registry, const struct worker_endpoint_def *def,
                          struct err *err);

/* By full or by bare name; NULL = not here. */
struct worker_action *registry_find(const struct registry *registry, struct slice name);

/* The endpoint that serves path, an exact one before the longest prefix; NULL = none. */
const struct worker_endpoint *registry_endpoint(const struct registry *registry, struct slice path);
