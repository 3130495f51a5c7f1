/* The policy that does what it is told: modules stay where users put them. */
#include "base/alloc.h"
#include "base/json.h"
#include "policy/policies.h"

struct by_hand {
    placement_t placement;
    struct json_object *reason; /* owned */
};

static void *start(const struct policy_problem *problem, const double *params, uint64_t seed)
{
    (void)params;
    (void)seed;
    bool known = false;
    struct by_hand *state = xcalloc(1, sizeof(*state));
    state->placement = policy_placement_now(problem, &known);
    state->reason = json_object_new_object();
    json_set_str(state->reason, "why", "told");
    return state;
}

static void stop(void *state)
{
    struct by_hand *by_hand = state;
    (void)json_put(by_hand->reason);
    free(by_hand);
}

static void ask(const void *state, struct policy_answer *ret_answer)
{
    const struct by_hand *by_hand = state;
    ret_answer->placement = by_hand->placement;
    ret_answer->done = true;
    ret_answer->why = "told";
    ret_answer->reason = by_hand->reason;
}

static void tell(void *state, const struct policy_measurement *measurement)
{
    (void)state;
    (void)measurement;
}

static const struct policy_param PARAMS[] = {{.name = NULL}};

const struct policy_ops POLICY_DEFAULT = {
    .name = "default",
    .summary = "Leaves every module where it was put by hand",
    .params = PARAMS,
    .start = start,
    .stop = stop,
    .ask = ask,
    .tell = tell,
};
