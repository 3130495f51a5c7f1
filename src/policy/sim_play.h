/* Plays a policy in a simulated system, and what can be read off such a game. Pure. */
#pragma once

#include "policy/policy.h"
#include "policy/sim.h"

/* What happens once the policy has settled. */
struct sim_scenario {
    const char *name;   /* NULL ends the list */
    const char *help;   /* one sentence without full stop */
    double before_s;    /* time under the load of the instance */
    double after_s;     /* and then under another one */
    double load_factor; /* users, or requests a second, in that time; 1 = the same */
};

extern const struct sim_scenario SIM_SCENARIOS[];

/* NULL = there is none of that name. */
const struct sim_scenario *sim_scenario_find(const char *name);

/* Stand beside the policies for comparison: a placement that never changes. */
#define SIM_ALL_LOCAL  "all_local" /* in the order of the modules, as far as they fit */
#define SIM_ALL_REMOTE "all_remote"

#define SIM_PHASES_MAX 5000 /* until it has settled; a policy that takes longer never does */

struct sim_outcome {
    uint32_t phases; /* until it had settled */
    bool settled;
    placement_t placement; /* then */
    double latency_s;      /* of it, in the long run */
    double trial_s;        /* mean latency of the phases until then */
    uint32_t moves;        /* of single modules until then, after the first placement */
    uint32_t kept_moves;   /* of single modules after it had settled, under the same load */
    /* After the load has changed; 0 where it does not. */
    uint32_t shift_moves;
    uint32_t shift_phases; /* until it had settled anew; 0 = it never took its word back */
    double shift_latency_s;
    double shift_gap; /* to the oracle of the new load */
};

/* policy: a policy or one of the above. -ENOENT, -EINVAL: as policy_new. */
int sim_play(const struct sim_instance *instance, const char *policy, struct json_object *params,
             const struct sim_scenario *scenario, struct sim_outcome *ret_outcome, struct err *err);
