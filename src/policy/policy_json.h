/* The lines in which problems, measurements and answers are written; docs/policies.md describes
 * them. Numbers are printed with the fewest digits that read back as the same double, so a line
 * read and written again is the same line. */
#pragma once

#include "policy/policy.h"

/* Reads {"modules": [...], "budget_mb": ..., "walkers": [...], ...}. *ret_problem is to be
 * given to policy_problem_done. -EINVAL: a figure of the wrong type or range, a name that is
 * missing or there twice, a call to no module. Unknown members are ignored. */
int policy_problem_read(struct json_object *object, struct policy_problem *ret_problem,
                        struct err *err);
struct json_object *policy_problem_write(const struct policy_problem *problem);

/* Reads {"mean_latency_s": ..., "actions": {...}, ...}. An action's key is "module" or
 * "module.function": it counts for the module with the longest name that begins it; keys of no
 * module, and walkers that the problem does not have, are ignored. Missing figures become NAN.
 * -EINVAL: a figure of the wrong type, or negative. */
int policy_measurement_read(struct json_object *object, const struct policy_problem *problem,
                            struct policy_measurement *ret_measurement, struct err *err);
struct json_object *policy_measurement_write(const struct policy_measurement *measurement,
                                             const struct policy_problem *problem);

/* {"placement": {"a": "module"}, "done": false, "phase_s": 10, "why": "explore", "reason": {...}}
 */
struct json_object *policy_answer_write(const struct policy_answer *answer,
                                        const struct policy_problem *problem);

/* {"a": "module", "b": "remote"} */
struct json_object *policy_placement_write(placement_t placement,
                                           const struct policy_problem *problem);

/* NULL for NAN and infinity. */
struct json_object *policy_number(double number);

/* As policy_number, as a member; nothing is added for NAN and infinity. */
void policy_set_number(struct json_object *object, const char *name, double number);

/* A conversation in lines: problems (with "modules") and measurements in, answers out. */
struct policy_talk {
    const char *name;           /* of the policy; borrowed */
    struct json_object *params; /* borrowed; may be NULL */
    uint64_t seed;
    const atomic_bool *stop; /* borrowed; true = no answer is waited for; NULL = never */
    struct policy *policy;   /* owned; NULL until a problem was read */
};

void policy_talk_done(struct policy_talk *talk);

/* One line, without its end. The first must be a problem, and makes the policy; a later one changes
 * it. *ret_answer is owned by the caller. -EINVAL, -ENOENT, -E2BIG: the line is not used, and the
 * policy stays as it was. */
int policy_talk_line(struct policy_talk *talk, struct slice line, struct json_object **ret_answer,
                     struct err *err);
