#include "policy/sim_play.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/err.h"

#define HOUR_S 3600

const struct sim_scenario SIM_SCENARIOS[] = {
    {"settle", "until the policy has settled", 0, 0, 1},
    {"steady", "and then for an hour under the same load", HOUR_S, 0, 1},
    {"shift", "then half an hour, and half an hour under four times the load", HOUR_S / 2.0,
     HOUR_S / 2.0, 4},
    {"calm", "then half an hour, and half an hour under a quarter of the load", HOUR_S / 2.0,
     HOUR_S / 2.0, 0.25},
    {.name = NULL},
};

struct game {
    const struct sim_instance *instance; /* as the load is now */
    struct policy *policy;               /* owned; NULL = fixed */
    struct policy_answer answer;
    uint64_t phase; /* so far, for other luck in each */
};

const struct sim_scenario *sim_scenario_find(const char *name)
{
    for (size_t i = 0; SIM_SCENARIOS[i].name; i++) {
        if (strcmp(SIM_SCENARIOS[i].name, name) == 0) {
            return &SIM_SCENARIOS[i];
        }
    }
    return NULL;
}

static placement_t all_local(const struct policy_problem *problem)
{
    placement_t placement = policy_must_local(problem);
    for (size_t m = 0; m < problem->module_count; m++) {
        placement_t with = placement | (placement_t)1 << m;
        placement = policy_feasible(problem, with) ? with : placement;
    }
    return placement;
}

/* One phase; returns how many modules moved after it. */
static uint32_t play_phase(struct game *game, double *latency_sum_s)
{
    struct policy_measurement seen;
    placement_t before = game->answer.placement;
    sim_measure(game->instance, before, game->phase++, &seen);
    *latency_sum_s += seen.mean_latency_s;
    if (game->policy) {
        policy_tell(game->policy, &seen);
        policy_ask(game->policy, &game->answer);
    }
    policy_measurement_done(&seen);
    return (uint32_t)__builtin_popcountll(before ^ game->answer.placement);
}

static void play_until_settled(struct game *game, struct sim_outcome *outcome)
{
    double sum_s = 0;
    while (!game->answer.done && outcome->phases < SIM_PHASES_MAX) {
        outcome->phases++;
        outcome->moves += play_phase(game, &sum_s);
    }
    outcome->settled = game->answer.done;
    outcome->placement = game->answer.placement;
    outcome->trial_s = outcome->phases ? sum_s / outcome->phases : NAN;
    outcome->latency_s = sim_latency_s(game->instance, outcome->placement);
}

static uint32_t phases_in(const struct game *game, double span_s)
{
    return (uint32_t)ceil(span_s / game->instance->problem.phase_s);
}

static void play_shift(struct game *game, const struct sim_scenario *scenario,
                       struct sim_outcome *outcome)
{
    double ignored_s = 0, best_s = 0;
    uint32_t phases = phases_in(game, scenario->after_s);
    for (uint32_t i = 1; i <= phases; i++) {
        bool was_done = game->answer.done;
        outcome->shift_moves += play_phase(game, &ignored_s);
        if (!was_done && game->answer.done) {
            outcome->shift_phases = i;
        }
    }
    if (phases > 0) {
        (void)sim_oracle(game->instance, &best_s);
        outcome->shift_latency_s = sim_latency_s(game->instance, game->answer.placement);
        outcome->shift_gap = fmax(0, outcome->shift_latency_s / best_s - 1);
    }
}

int sim_play(const struct sim_instance *instance, const char *name, struct json_object *params,
             const struct sim_scenario *scenario, struct sim_outcome *ret_outcome, struct err *err)
{
    struct game game = {.instance = instance, .answer = {.done = true}};
    struct sim_outcome outcome = {0};
    if (strcmp(name, SIM_ALL_LOCAL) == 0) {
        game.answer.placement = all_local(&instance->problem);
    } else if (strcmp(name, SIM_ALL_REMOTE) != 0) {
        int failed =
            policy_new(name, &instance->problem, params, instance->seed, &game.policy, err);
        if (failed) {
            return failed;
        }
        policy_ask(game.policy, &game.answer);
    }
    play_until_settled(&game, &outcome);
    double ignored_s = 0;
    for (uint32_t i = phases_in(&game, scenario->before_s); i > 0; i--) {
        outcome.kept_moves += play_phase(&game, &ignored_s);
    }
    struct sim_instance shifted = *instance; /* borrows; problem and model stay the instance's */
    shifted.truth.users = instance->truth.users >= 1
                              ? fmax(1, round(instance->truth.users * scenario->load_factor))
                              : 0;
    shifted.truth.rate_s *= scenario->load_factor;
    game.instance = &shifted;
    play_shift(&game, scenario, &outcome);
    (void)policy_free(game.policy);
    *ret_outcome = outcome;
    return 0;
}
