/* The adaptive policy's state, shared by what it is told (adaptive.c) and how it decides
 * (adaptive_choose.c). */
#pragma once

#include "policy/candidates.h"
#include "policy/learned.h"
#include "policy/policy.h"
#include "policy/watch.h"

#define HOUR_S 3600.0

enum { OPTIMISM, MIN_GAIN, EXPLORE_BUDGET, SHIFT, PAYBACK_S }; /* of its parameters */

enum stage { STAGE_ROUND, STAGE_KEEP, STAGE_VERIFY };

struct adaptive {
    const struct policy_problem *problem; /* borrowed */
    const double *params;                 /* borrowed */
    uint64_t seed;
    enum stage stage;
    placement_t held;    /* what ask says */
    placement_t home;    /* best known: where to go back to */
    bool on_trial;       /* held is a trial */
    placement_t evicted; /* modules that left for want of memory, and come back with it */
    uint32_t trials;     /* phases of this round */
    uint32_t verified;
    bool again;                /* a round after the first: there is something to return to */
    placement_t origin;        /* what was held before that round */
    bool unproven;             /* what is kept was predicted, not measured */
    bool asleep;               /* settled for want of traffic: the next one begins a round */
    double lost_s;             /* request time lost in trials, fading over an hour */
    placement_t not_placed[2]; /* modules that could not be brought there lately */
    double retry_s[2][POLICY_MODULES_MAX]; /* of these: when it may be tried again */
    double pause_s[2]
                  [POLICY_MODULES_MAX]; /* that the last failure cost; 0 = none since a success */
    double now_s;                       /* of the phases told */
    /* What a run takes longer with the module in a pod, by the last plan; 0 = nothing is known. */
    double loss_s[POLICY_MODULES_MAX];
    struct learned learned;
    struct candidates *candidates; /* owned; of the last plan */
    struct watch watch;
    const char *why;
    struct json_object *reason; /* owned */
};

/* Phases of a round at most. */
static inline uint32_t adaptive_trials_max(const struct adaptive *state)
{
    return (uint32_t)state->problem->module_count + 1;
}

/* Says why, in state->reason: best and next (may be NULL) with the figures behind them. */
void adaptive_explain(struct adaptive *state, const char *why, const struct candidate *best,
                      const struct candidate *next, double improvement);

/* Fits the twin to all that is known and predicts what is feasible. */
void adaptive_predict(struct adaptive *state);

/* Decides what comes after a phase of a round: another trial, or to keep the best. */
void adaptive_plan(struct adaptive *state);

/* What was kept unproven has been measured: goes back to the best that was, if that is better. */
void adaptive_confirm(struct adaptive *state);

/* A shift was seen and looked at: begins a round if there is anything better now. */
void adaptive_plan_again(struct adaptive *state);

/* As policy_ops.outlook. */
void adaptive_outlook(void *opaque, placement_t now, double load,
                      struct policy_outlook *ret_outlook);
