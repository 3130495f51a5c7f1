/* What makes pods. A pod serves modules: a remote place, or a generation of the runtime worker. It
 * is a process of this host, or in a cluster any number of replicas. One table of functions a
 * provider; all is called in the control thread, and events come through its loop. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

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

    /* For a pod that is not on this host (POD_REMOTE): the one module that it has. */
    const char *module;
    const char *source;
    struct json_object *config; /* the action config's entry; NULL = none */
    int64_t memory_kb;          /* that it has after loading, as measured; 0 = not known */
};

struct pod_replica {  /* one of those that serve a pod's module alike; borrowed */
    const char *name; /* for a person */
    const struct sockaddr *address;
    socklen_t address_size;
    const char *host; /* Host header */
};

struct pod_failure {
    const char *module;         /* which one did not load; NULL = not known */
    const char *text;           /* what happened, for a person */
    const char *hint;           /* how to fix it; NULL = none */
    struct json_object *detail; /* what the worker said, with its traceback; may be NULL */
};

/* Of a process: exactly one of ready and failed for each start, then exited when the process is
 * gone (after failed: always). All pointers are borrowed until the function returns; info is the
 * worker's ready line. The receiver calls pod_free after exited, never before.
 *
 * Of a pod that is not on this host: replicas each time others answer for it (the first time: ask
 * them what they serve), trouble when something keeps it from its work or, with reason NULL, no
 * longer does; then exited after stop. */
struct pod_events {
    void (*ready)(void *arg, struct json_object *info);
    void (*failed)(void *arg, const struct pod_failure *failure);
    void (*exited)(void *arg, const char *how, bool expected);
    /* replicas[count]; count 0: none answers now, its provider sees to it. */
    void (*replicas)(void *arg, const struct pod_replica *replicas, uint32_t count);
    /* reason: one word as "ImagePullBackOff". stuck: nobody knows that waiting mends it. */
    void (*trouble)(void *arg, const char *reason, const char *text, bool stuck);
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
    bool pods_stay; /* at an orderly end of the daemon, too: the next one finds them by itself */
    struct pod *(*start)(struct provider *provider, const struct pod_spec *spec,
                         const struct pod_events *events, struct err *err);
    void (*adopt)(struct provider *provider, pod_adopt_fn fn, void *arg);
    /* All that is wanted serves: what an earlier daemon left and nobody wants may go. NULL: adopt
     * has seen to it. */
    void (*settled)(struct provider *provider);
    /* Asks it to end after its calls; kills after grace_ms. exited follows. */
    void (*stop)(struct pod *pod, uint64_t grace_ms);
    /* Of pods that several daemons share: only the one that leads makes and ends them. NULL: they
     * are each daemon's own. */
    void (*lead)(struct provider *provider, bool leads);
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
    const char *url;         /* where others reach it; NULL = they do not */
    int pid;                 /* 0 = not on this host */
    int64_t started_ms;      /* unix time */
};
