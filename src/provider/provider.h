/* What makes pods. A pod is one process with modules loaded: a remote place, or a generation of
 * the runtime worker. One table of functions a provider; all is called in the control thread, and
 * events come through its loop. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct err;
struct json_object;
struct pod;
struct provider;

enum pod_role { POD_RUNTIME, POD_REMOTE };

struct pod_spec {         /* borrowed during start */
    const char *name;     /* unique: "runtime-7", "text-12" */
    const char *log_name; /* "runtime", "text": outlives the pod */
    enum pod_role role;
    int64_t generation;
    bool python;                 /* needs an interpreter; else all modules are native */
    struct json_object *modules; /* array, as in the worker's --spec file */
    unsigned threads_max;
    bool unmeasured;       /* it keeps no figures of the calls inside it */
    int64_t memory_max_mb; /* of the process; 0 = no limit */
};

struct pod_failure {
    const char *module;         /* which one did not load; NULL = not known */
    const char *text;           /* what happened, for a person */
    const char *hint;           /* how to fix it; NULL = none */
    struct json_object *detail; /* what the worker said, with its traceback; may be NULL */
};

/* Exactly one of ready and failed for each start, then exited when the process is gone (after
 * failed: always). All pointers are borrowed until the function returns; info is the worker's
 * ready line. The receiver calls pod_free after exited, never before. */
struct pod_events {
    void (*ready)(void *arg, struct json_object *info);
    void (*failed)(void *arg, const struct pod_failure *failure);
    void (*exited)(void *arg, const char *how, bool expected);
    void *arg;
};

struct pod_memory {
    int64_t pss_kb;
    int64_t peak_kb; /* highest resident size */
};

/* An earlier daemon's pod that still runs: spec and info as they were then. Return the events to
 * adopt it, or NULL to have it stopped. The pod given is the receiver's from then on. */
typedef const struct pod_events *(*pod_adopt_fn)(void *arg, struct pod *pod,
                                                 struct json_object *spec,
                                                 struct json_object *info);

struct provider_ops {
    const char *name;
    struct pod *(*start)(struct provider *provider, const struct pod_spec *spec,
                         const struct pod_events *events, struct err *err);
    void (*adopt)(struct provider *provider, pod_adopt_fn fn, void *arg);
    /* Asks it to end after its calls; kills after grace_ms. exited follows. */
    void (*stop)(struct pod *pod, uint64_t grace_ms);
    int (*measure)(struct pod *pod, struct pod_memory *ret_memory);
    struct pod *(*free_pod)(struct pod *pod);
    struct provider *(*free)(struct provider *provider);
};

struct provider { /* begins each provider's own struct */
    const struct provider_ops *ops;
};

struct pod { /* begins each provider's own struct */
    const struct provider_ops *ops;
    const char *name;
    const char *socket_path; /* where it serves; NULL = not on this host */
    int pid;                 /* 0 = not on this host */
    int64_t started_ms;      /* unix time */
};
