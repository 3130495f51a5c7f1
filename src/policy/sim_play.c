#include "policy/sim_play.h"

#include <math.h>

#include "base/err.h"

static uint32_t moved(placement_t from, placement_t to)
{
    return (uint32_t)__builtin_popcountll(from ^ to);
}

int sim_play(const struct sim_instance *instance, const char *name, struct json_object *params,
             struct sim_outcome *ret_outcome, struct err *err)
{
    CLEANUP(policy_free) struct policy *policy = NULL;
    struct policy_answer answer;
    struct sim_outcome outcome = {0};
    int failed = policy_new(name, &instance->problem, params, instance->seed, &policy, err);
    if (failed) {
        return failed;
    }
    policy_ask(policy, &answer);
    while (!answer.done && outcome.phases < SIM_PHASES_MAX) {
        struct policy_measurement seen;
        placement_t before = answer.placement;
        sim_measure(instance, answer.placement, outcome.phases++, &seen);
        policy_tell(policy, &seen);
        policy_measurement_done(&seen);
        policy_ask(policy, &answer);
        outcome.moves += moved(before, answer.placement);
    }
    outcome.settled = answer.done;
    outcome.placement = answer.placement;
    outcome.latency_s = sim_latency_s(instance, answer.placement);
    *ret_outcome = outcome;
    return 0;
}
