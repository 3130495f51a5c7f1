/* What to do next so that every module is served where it is wanted, with no call lost on the way.
 *
 * Pure: no I/O, no clock, no memory of its own. It looks only at what is wanted and what is there,
 * so it does not matter how that came about: a move, a crash, a restart of the daemon in the middle
 * of a move are all the same to it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "action/place.h"

#define DECIDE_MODULES_MAX   1024 /* a generated configuration beyond this has gone wrong */
#define DECIDE_INSTANCES_MAX 2048 /* two of each: the old one and its replacement */

struct seen_module {
    enum place wanted;
    uint32_t revision; /* of its source; loading it again raises it */
    bool walkers;      /* known to have walkers */
    bool broken;       /* its last start failed; why is known */
    uint64_t retry_ms; /* not to be started before */
};

enum instance_state { INSTANCE_STARTING, INSTANCE_READY, INSTANCE_DRAINING, INSTANCE_STOPPING };

enum instance_health {
    HEALTH_GOOD,
    HEALTH_WORN, /* answers, but shall be replaced: a call in it hangs, it outgrew its memory */
    HEALTH_HUNG, /* does not answer */
    HEALTH_AWAY, /* no replica answers at present; its provider brings them back */
};

struct seen_loaded {
    uint32_t module; /* index */
    uint32_t revision;
};

struct seen_instance {
    bool runtime; /* a generation of the runtime worker; else the pod of one module */
    enum instance_state state;
    enum instance_health health;
    uint64_t since_ms;  /* in this state */
    uint32_t in_flight; /* calls under way */
    bool unseen;        /* no I/O loop can begin a call to it any more */
    const struct seen_loaded *loaded;
    uint32_t loaded_count;
};

struct observation {
    const struct seen_module *modules;
    uint32_t module_count;
    const struct seen_instance *instances; /* in the order in which they were started */
    uint32_t instance_count;
    uint64_t runtime_retry_ms; /* no generation is started before */
    uint64_t drain_timeout_ms; /* then calls still under way are given up */
};

#define NO_INSTANCE UINT32_MAX
#define NO_MODULE   UINT32_MAX

enum route_choice { CHOICE_TARGET, CHOICE_WAIT, CHOICE_FAILED, CHOICE_NONE };

struct plan_route {
    enum route_choice choice;
    uint32_t instance; /* for CHOICE_TARGET */
};

struct plan {
    /* The next generation shall have these modules; count 0 with start_runtime false = none. */
    bool start_runtime;
    uint32_t frozen_by; /* this one serves but cannot be loaded anew, so the generation stays as it
                           is; NO_MODULE = none */
    uint32_t runtime_set[DECIDE_MODULES_MAX];
    uint32_t runtime_count;

    uint32_t start_remote[DECIDE_MODULES_MAX]; /* modules that need a pod */
    uint32_t start_remote_count;

    uint32_t drain[DECIDE_INSTANCES_MAX]; /* serve nothing any more */
    uint32_t drain_count;
    uint32_t stop[DECIDE_INSTANCES_MAX]; /* nothing is under way in them, or they are given up */
    uint32_t stop_count;

    struct plan_route routes[DECIDE_MODULES_MAX]; /* a module each */
    struct plan_route runtime;                    /* walkers */
    uint64_t wake_ms; /* look again then at the latest; UINT64_MAX = only on an event */
};

void decide(const struct observation *observation, uint64_t now_ms, struct plan *ret_plan);
