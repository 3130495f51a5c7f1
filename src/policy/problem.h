/* What a policy is told: the problem (modules, walkers, load, budget) and, phase by phase, what was
 * measured. Plain values with JSON readers and writers, so that the daemon, `jsorc policy advise`,
 * `jsorc sim` and a replay speak the same lines. Unknown figures are NAN, never 0. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "action/place.h"
#include "base/cleanup.h"
#include "base/slice.h"

struct err;
struct json_object;

#define POLICY_MODULES_MAX 64  /* a placement is one word; with more, hand over the busiest */
#define POLICY_WALKERS_MAX 256 /* more are a generated application: hand over the busiest */
#define POLICY_CALLS_MAX                                                                           \
    1024 /* calls listed for a walker; a loop over more is given by its ratio */
#define POLICY_LINE_MAX (4 << 20) /* a problem at all the limits above fits in it twice */

/* Bit i is set when module i of the problem is in place `module`, clear for `remote`. */
typedef uint64_t placement_t;

static inline bool placement_local(placement_t placement, size_t module)
{
    return (placement >> module) & 1;
}

struct policy_module {
    char *name;       /* owned */
    double mem_bytes; /* what it takes in the runtime worker; NAN = unknown, counts as nothing */
    double hop_s;     /* what a remote call takes beyond its execution, before it was ever measured;
                         NAN = unknown */
    double load_s;    /* what loading it takes: a move costs that; NAN = unknown */
    enum place now;   /* where it is; PLACE_NONE = not said */
    bool fixed;       /* must stay where it is: has walkers, or is somebody else's server */
};

struct policy_walker {
    char *name;      /* owned */
    uint16_t *calls; /* owned; calls[call_count]: indexes of modules, in order */
    size_t call_count;
    double weight; /* its share of the runs, to any scale, until runs are measured; NAN = equal */
};

struct policy_problem {
    struct policy_module *modules; /* owned; modules[module_count] */
    size_t module_count;
    struct policy_walker *walkers; /* owned; walkers[walker_count] */
    size_t walker_count;
    double budget_bytes;     /* for the modules in the runtime worker together; INFINITY = none */
    double users;            /* closed load: clients that wait for the answer; NAN = not closed */
    double think_s;          /* closed load: mean pause between an answer and the next request */
    double rate_s;           /* open load: requests a second; NAN = as measured */
    double phase_s;          /* how long a placement is held before it is judged */
    double cores;            /* processors that all workers share; NAN = enough for all */
    const atomic_bool *stop; /* borrowed; true = nobody waits for the answer any more, so thinking
                                may end anyhow; NULL = never */
};

/* Calls to one module by walkers, in one phase. */
struct policy_action_figures {
    double calls;  /* that succeeded */
    double errors; /* that failed; not in the means */
    double mean_s; /* as the caller saw it; neither has what calls of other actions took */
    double exec_s; /* as the worker executed it */
};

struct policy_walker_figures {
    double runs;   /* that succeeded */
    double errors; /* that failed; not in the mean */
    double mean_s;
};

/* One phase under one placement. */
struct policy_measurement {
    double mean_latency_s;                 /* of successful walker runs; NAN = none, no traffic */
    double throughput_s;                   /* successful walker runs a second */
    double errors;                         /* failed walker runs */
    double phase_s;                        /* NAN = as the problem says */
    double users, think_s, rate_s;         /* the load, if it is known and has changed; else NAN */
    struct policy_action_figures *actions; /* owned; actions[module_count] */
    struct policy_walker_figures *walkers; /* owned; walkers[walker_count] */
    size_t action_count, walker_count;     /* as the problem's */
    placement_t not_placed; /* could not be brought to the place that was asked for */
};

void policy_problem_done(struct policy_problem *problem);
void policy_problem_copy(const struct policy_problem *from, struct policy_problem *ret_problem);

void policy_measurement_init(struct policy_measurement *measurement,
                             const struct policy_problem *problem);
void policy_measurement_done(struct policy_measurement *measurement);

/* Index of the module, or module_count. */
size_t policy_module_find(const struct policy_problem *problem, struct slice name);

/* All modules that are not fixed to `remote`. */
placement_t policy_may_local(const struct policy_problem *problem);
/* All modules that are fixed to `module`. */
placement_t policy_must_local(const struct policy_problem *problem);

/* Memory of what placement has in the runtime worker. */
double policy_memory(const struct policy_problem *problem, placement_t placement);

/* Within the budget, and nothing fixed has moved. */
bool policy_feasible(const struct policy_problem *problem, placement_t placement);

/* from's placement in terms of to: modules go by their names, and what from does not have is
 * remote.
 */
placement_t policy_placement_renamed(const struct policy_problem *from,
                                     const struct policy_problem *to, placement_t placement);

/* Where the modules are now; what is not said is remote. *ret_known: all of it was said. */
placement_t policy_placement_now(const struct policy_problem *problem, bool *ret_known);
