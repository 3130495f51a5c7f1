/* For the tests of policies: one is started with a problem as text, asked, and told latencies. */
#pragma once

#include <math.h>

#include "base/json.h"
#include "base/test.h"
#include "policy/policy.h"
#include "policy/policy_json.h"

static inline struct policy *started(const char *name, const char *problem_text,
                                     const char *params_text)
{
    CLEANUP(json_put) struct json_object *object = NULL;
    CLEANUP(json_put) struct json_object *params = NULL;
    struct policy_problem problem = {0};
    struct policy *policy = NULL;
    EXPECT_INT(json_parse(slice_str(problem_text), &object, NULL), 0);
    EXPECT_INT(json_parse(slice_str(params_text), &params, NULL), 0);
    EXPECT_INT(policy_problem_read(object, &problem, NULL), 0);
    EXPECT_INT(policy_new(name, &problem, params, 1, &policy, NULL), 0);
    policy_problem_done(&problem);
    return policy;
}

static inline struct policy_answer asked(const struct policy *policy)
{
    struct policy_answer answer;
    policy_ask(policy, &answer);
    return answer;
}

/* Tells a latency and a throughput (NAN: no traffic) with nothing else. */
static inline void told_both(struct policy *policy, double latency_s, double throughput_s,
                             double errors, placement_t not_placed)
{
    struct policy_measurement seen;
    policy_measurement_init(&seen, policy_problem(policy));
    seen.mean_latency_s = latency_s;
    seen.throughput_s = throughput_s;
    seen.errors = errors;
    seen.not_placed = not_placed;
    policy_tell(policy, &seen);
    policy_measurement_done(&seen);
}
