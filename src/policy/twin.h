/* The queueing twin: a discrete-event simulation of requests under a placement. The runtime worker
 * is one server (the GIL), each pod is one of its own; they serve one call after the other, or all
 * calls at once at a share of the speed (threads that take turns). A walker runs its own code and
 * its local calls in the runtime worker, and leaves it free while it waits for a remote call, which
 * takes the hop, the queue and the service of the pod. Calls of one run follow one another. The
 * load is closed (users, think time) or open (Poisson arrivals).
 *
 * What is drawn depends on (seed, user, run, call) alone and not on the placement, so two
 * placements are compared under the same luck. Pure. Method: Law, "Simulation Modeling and
 * Analysis", ch. 1 (event scheduling), 11 (common random numbers). */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "policy/problem.h"

#define TWIN_SAMPLES   256  /* quantiles of the service times; beyond, the mean's error is < 1e-3 */
#define TWIN_USERS_MAX 1024 /* in flight; more differ from this many by nothing that decides */
#define TWIN_RUNS_MAX  1000000 /* of one simulation: about a second */

enum { TWIN_REMOTE, TWIN_LOCAL }; /* index of a module's figures: placement_local() */

struct twin_model {
    const struct policy_problem *problem; /* borrowed: modules, walkers, their calls */
    double share[POLICY_WALKERS_MAX];     /* of the runs; sums up to 1 */
    double own_s[POLICY_WALKERS_MAX];     /* a run's own code, in slices between its calls */
    double exec_s[POLICY_MODULES_MAX][2]; /* mean service time of a call; not waiting */
    double hop_s[POLICY_MODULES_MAX];
    double ratio[POLICY_MODULES_MAX]; /* calls made for each one listed */
    double hop_work; /* share of a hop that is work of the runtime worker; the rest is delay */
    double users, think_s;        /* closed; users < 1 = open */
    double rate_s;                /* open */
    double cores;                 /* that all workers share; INFINITY = enough */
    bool shared;                  /* calls in a worker share its speed; else they queue */
    double samples[TWIN_SAMPLES]; /* service time / its mean, ascending */
};

/* Fills samples with a log-normal distribution of this squared coefficient of variation (variance /
 * mean squared); 0 = constant. */
void twin_spread(struct twin_model *model, double scv);

struct twin_effort {
    uint64_t seed;
    uint32_t warmup_runs, runs; /* not counted, counted; up to TWIN_RUNS_MAX */
    double time_max_s;       /* simulated after the warm-up; INFINITY = until the runs are done */
    double events_max;       /* then it ends with what it has; 0 = no limit */
    const atomic_bool *stop; /* borrowed; true = the result is not wanted any more; NULL = never */
};

struct twin_result {
    double runs;      /* counted */
    double span_s;    /* simulated after the warm-up */
    double latency_s; /* mean of the runs; INFINITY = the load is too high, or there are none */
    bool cut;         /* ended by events_max or stop */
    double walker_runs[POLICY_WALKERS_MAX];
    double walker_s[POLICY_WALKERS_MAX]; /* mean */
    double calls[POLICY_MODULES_MAX];
    double wait_s[POLICY_MODULES_MAX]; /* mean, before the service began; without the hop */
    double exec_s[POLICY_MODULES_MAX]; /* mean, from its begin to its end */
    double hop_s[POLICY_MODULES_MAX];  /* mean of remote calls, with its waiting for the runtime
                                          worker */
};

void twin_run(const struct twin_model *model, placement_t placement,
              const struct twin_effort *effort, struct twin_result *ret_result);
