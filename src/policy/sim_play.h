/* Plays a policy in a simulated system, and what can be read off such a game. Pure. */
#pragma once

#include "policy/policy.h"
#include "policy/sim.h"

struct sim_outcome {
    uint32_t phases; /* until it had settled */
    bool settled;
    placement_t placement; /* in the end */
    double latency_s;      /* of it, in the long run */
    uint32_t moves;        /* of single modules, after the first placement */
};

#define SIM_PHASES_MAX 5000 /* a policy that has not settled by then never does */

/* Until the policy has settled, at most SIM_PHASES_MAX phases. -ENOENT, -EINVAL: as policy_new. */
int sim_play(const struct sim_instance *instance, const char *policy, struct json_object *params,
             struct sim_outcome *ret_outcome, struct err *err);
