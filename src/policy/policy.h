/* Policies choose the placement: ask() says which one to hold, tell() hands in what was measured
 * under it for a phase, and so on for ever. Pure: no I/O, no clock, no globals; the time that has
 * passed is the sum of the phases told, the seed is an argument. So the daemon's control thread,
 * `jsorc policy advise`, `jsorc sim` and a replay of recorded lines get the same answers, to the
 * byte.
 *
 * A policy is one row of POLICY_TABLE. One thread at a time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "policy/problem.h"

struct err;
struct json_object;
struct policy;

struct policy_param {
    const char *name; /* NULL ends a list */
    double fallback, min, max;
    const char *help; /* one sentence without full stop, with the unit */
};

#define POLICY_PARAMS_MAX 16 /* the longest list has half of them */

struct policy_answer {
    placement_t placement; /* what to hold next */
    bool done;             /* settled: not a trial. Goes on being told phases, and may change */
    double phase_s;        /* hold it that long, then tell */
    const char *why;       /* one word, lives for ever: what the decision was */
    struct json_object *reason; /* the figures behind it, with "why"; borrowed until the next tell,
                                   change or free */
};

struct policy_outlook {
    placement_t best;
    double best_s;
    double now_s;
};

/* What the row of a policy is made of. params[]: values in the order of the row's list. state is
 * what start returned; problem is the policy's own copy and stays until stop. */
struct policy_ops {
    const char *name;    /* found in any case */
    const char *summary; /* one sentence without full stop */
    const struct policy_param *params;
    void *(*start)(const struct policy_problem *problem, const double *params, uint64_t seed);
    void (*stop)(void *state);
    /* Cheap, and the same until the next tell. */
    void (*ask)(const void *state, struct policy_answer *ret_answer);
    /* What was measured while the placement of ask() was held. May take some 100 ms of
     * a processor; ends early, of no use any more, once the problem's stop is true. */
    void (*tell)(void *state, const struct policy_measurement *measurement);
    /* The problem that start got has changed, in place; former is what it was. What was learned
     * about what is still there should be kept. NULL = starts anew. */
    void (*change)(void *state, const struct policy_problem *former);
    /* The placement that is expected to be the fastest, tried or not, with load times as many
     * clients as were measured last, and the mean latency in seconds that is expected of it and of
     * now (NAN = unknown). The state is good for nothing else afterwards. NULL = the policy expects
     * nothing of what it has not tried. */
    void (*outlook)(void *state, placement_t now, double load, struct policy_outlook *ret_outlook);
};

/* Ended by NULL. */
extern const struct policy_ops *const POLICY_TABLE[];

/* NULL = there is none of that name. */
const struct policy_ops *policy_find(const char *name);

/* params: name -> number, may be NULL. *ret_policy is owned by the caller. -ENOENT: no such policy;
 * -EINVAL: a parameter that it does not have, or outside of its range. The text names what would
 * do. */
int policy_new(const char *name, const struct policy_problem *problem, struct json_object *params,
               uint64_t seed, struct policy **ret_policy, struct err *err);
struct policy *policy_free(struct policy *policy);
DEFINE_CLEANUP(struct policy *, policy_free)

void policy_ask(const struct policy *policy, struct policy_answer *ret_answer);

/* From now on *stop (borrowed, NULL = never) ends what policy_tell and policy_change do early. The
 * policy is good for nothing else then. */
void policy_heed(struct policy *policy, const atomic_bool *stop);

/* measurement is of the policy's current problem. */
void policy_tell(struct policy *policy, const struct policy_measurement *measurement);

/* Modules have come, gone or grown; the load, the budget or the walkers are others. */
void policy_change(struct policy *policy, const struct policy_problem *problem);

/* What the policy expects, also with another load and budget (NAN = as it is) than there are; false
 * = it expects nothing of what it has not tried. The policy is good for nothing else afterwards. */
bool policy_outlook(struct policy *policy, placement_t now, double load, double budget_bytes,
                    struct policy_outlook *ret_outlook);

const struct policy_problem *policy_problem(const struct policy *policy);
const struct policy_ops *policy_ops(const struct policy *policy);
