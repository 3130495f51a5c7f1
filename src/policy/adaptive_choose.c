/* How the adaptive policy decides. It tries the placement with the largest expected improvement
 * over the best measured one (krige.h), if that is more than `min_gain` (in later rounds, plus load
 * time / `payback`), the round has had fewer than modules + 1 trials, and trials have cost less
 * than `explore_budget` of the last hour's request time. Else it settles on the lowest expected
 * latency; after a later round on the placement of before, unless another is better by more than
 * that and half the noise of a phase. */
#include <math.h>

#include "base/json.h"
#include "policy/adaptive_priv.h"
#include "policy/policy_json.h"
#include "policy/random.h"

#define ERROR_RATIO_MAX 0.01 /* of the runs, more than with the best placement: it is failing */
#define CONFIRM_LOSS    0.05 /* by which the kept placement must be worse than another, for sure */
#define TRIAL_LOSS      0.5  /* of a trial's request time, taken as lost before it is known */

/* ---- reasons ---- */

static void add_figures(const struct adaptive *state, struct json_object *reason)
{
    const struct learned *learned = &state->learned;
    struct json_object *modules = json_object_new_object();
    for (size_t m = 0; m < state->problem->module_count; m++) {
        struct json_object *module = json_object_new_object();
        policy_set_number(module, "calls_per_run", learned->calls_per_run[m]);
        if (placement_local(learned->known[TWIN_LOCAL], m)) {
            policy_set_number(module, "module_s", learned->model.exec_s[m][TWIN_LOCAL]);
        }
        if (placement_local(learned->known[TWIN_REMOTE], m)) {
            policy_set_number(module, "remote_s", learned->model.exec_s[m][TWIN_REMOTE]);
            policy_set_number(module, "hop_s", learned->hop_known_s[m]);
        }
        json_set(modules, state->problem->modules[m].name, module);
    }
    json_set(reason, "modules", modules);
}

void adaptive_explain(struct adaptive *state, const char *why, const struct candidate *best,
                      const struct candidate *next, double improvement)
{
    (void)json_put(state->reason);
    state->why = why;
    state->reason = json_object_new_object();
    json_set_str(state->reason, "why", why);
    json_set_int(state->reason, "trials", state->trials);
    json_set_int(state->reason, "trials_max", adaptive_trials_max(state));
    if (best) {
        json_set(state->reason, "best", policy_placement_write(best->placement, state->problem));
        policy_set_number(state->reason, "best_s", exp(best->mean));
        policy_set_number(state->reason, "best_deviation", best->deviation);
    }
    if (next) {
        policy_set_number(state->reason, "next_s", exp(next->mean));
        policy_set_number(state->reason, "next_deviation", next->deviation);
        policy_set_number(state->reason, "improvement", improvement);
    }
    policy_set_number(state->reason, "lost_s", state->lost_s);
    if (best) {
        add_figures(state, state->reason);
    }
}

/* ---- choosing ---- */

/* What is minimised: the expectation of a log-normal latency, in logarithms. */
static double cost_of(const struct candidate *candidate)
{
    return candidate->mean + candidate->deviation * candidate->deviation / 2;
}

static bool is_failing(const struct adaptive *state, placement_t placement)
{
    double least = 1, here = 0;
    for (size_t r = 0; r < state->learned.record_count; r++) {
        const struct record *record = &state->learned.records[r];
        double ratio = record_error_ratio(record);
        if (record->placement == placement) {
            here = ratio;
        }
        if (record->runs + record->errors > 0 && !record->barred) {
            least = fmin(least, ratio);
        }
    }
    return here > least + ERROR_RATIO_MAX;
}

static const struct candidate *best_of(const struct adaptive *state)
{
    const struct candidate *best = NULL;
    for (size_t i = 0; i < state->candidates->count; i++) {
        const struct candidate *item = &state->candidates->items[i];
        if (!is_failing(state, item->placement) && (!best || cost_of(item) < cost_of(best))) {
            best = item;
        }
    }
    return best;
}

static const struct candidate *find(const struct adaptive *state, placement_t placement)
{
    for (size_t i = 0; i < state->candidates->count; i++) {
        if (state->candidates->items[i].placement == placement) {
            return &state->candidates->items[i];
        }
    }
    return NULL;
}

/* Moving there costs the time of loading what changes place; that must come back in time. */
static double moving_cost(const struct adaptive *state, placement_t to)
{
    double load_s = 0;
    for (size_t m = 0; m < state->problem->module_count; m++) {
        double one_s = state->problem->modules[m].load_s;
        load_s += placement_local(state->home ^ to, m) && !isnan(one_s) ? one_s : 0;
    }
    return state->stage == STAGE_ROUND && state->trials == 0 ? 0
                                                             : load_s / state->params[PAYBACK_S];
}

/* The untried placement from which the most is to be expected; *ret_improvement as a share. */
static const struct candidate *most_promising(const struct adaptive *state, double best_mean,
                                              double *ret_improvement)
{
    const struct candidate *found = NULL;
    *ret_improvement = 0;
    for (size_t i = 0; i < state->candidates->count; i++) {
        const struct candidate *item = &state->candidates->items[i];
        if (item->measured) {
            continue;
        }
        double improvement = krige_improvement(best_mean, item->mean, item->deviation);
        if (improvement > *ret_improvement) {
            *ret_improvement = improvement;
            found = item;
        }
    }
    return found;
}

static bool may_explore(const struct adaptive *state)
{
    double loss_s = TRIAL_LOSS * state->problem->phase_s;
    return state->trials < adaptive_trials_max(state) &&
           (state->learned.record_count == 0 ||
            state->lost_s + loss_s <= state->params[EXPLORE_BUDGET] * HOUR_S);
}

static struct candidate_rules rules_of(const struct adaptive *state)
{
    struct candidate_rules rules = {
        .held = state->home,
        .optimism = state->params[OPTIMISM],
        .seed = random_at(state->seed, 1),
    };
    for (int side = 0; side < 2; side++) {
        rules.never[side] = state->not_placed[side] | state->learned.failing[side];
    }
    return rules;
}

void adaptive_predict(struct adaptive *state)
{
    learned_calibrate(&state->learned, random_at(state->seed, 2));
    struct candidate_rules rules = rules_of(state);
    candidates_make(&state->learned, &rules, state->candidates);
    const struct twin_model *model = &state->learned.model;
    for (size_t m = 0; m < state->problem->module_count; m++) {
        double remote_s = model->exec_s[m][TWIN_REMOTE] + model->hop_s[m];
        double more_s = remote_s - model->exec_s[m][TWIN_LOCAL];
        state->loss_s[m] = state->learned.calls_per_run[m] * more_s;
    }
}

static void keep(struct adaptive *state, placement_t placement, const char *why,
                 const struct candidate *best)
{
    const struct record *record = learned_find(&state->learned, placement);
    state->held = state->home = placement;
    state->on_trial = false;
    state->stage = STAGE_KEEP;
    state->verified = 0;
    state->unproven = best && best->placement == placement && !best->measured;
    watch_init(&state->watch, state->params[SHIFT], record ? record_error_ratio(record) : 0);
    adaptive_explain(state, why, best, NULL, 0);
}

static void try(struct adaptive *state, const struct candidate *best, const struct candidate *next,
                double improvement)
{
    state->held = next->placement;
    state->on_trial = true;
    state->stage = STAGE_ROUND;
    adaptive_explain(state, "try", best, next, improvement);
}

static const struct candidate *best_measured(const struct adaptive *state)
{
    const struct candidate *best = NULL;
    for (size_t i = 0; i < state->candidates->count; i++) {
        const struct candidate *item = &state->candidates->items[i];
        if (item->measured && !is_failing(state, item->placement) &&
            (!best || item->mean < best->mean)) {
            best = item;
        }
    }
    return best;
}

/* Not worth moving from `from` to `to`. */
static bool is_as_good(const struct adaptive *state, const struct candidate *from,
                       const struct candidate *to)
{
    double least = state->params[MIN_GAIN] + moving_cost(state, to->placement) +
                   krige_noise(&state->candidates->krige) / 2;
    return cost_of(from) - cost_of(to) < least;
}

static void end_round(struct adaptive *state, const struct candidate *best)
{
    const struct candidate *origin = state->again ? find(state, state->origin) : NULL;
    if (origin && origin->measured && !is_failing(state, origin->placement)) {
        state->home = origin->placement;
        if (is_as_good(state, origin, best)) {
            keep(state, origin->placement, "still best", origin);
            return;
        }
    }
    keep(state, best->placement, "best", best);
}

void adaptive_plan(struct adaptive *state)
{
    adaptive_predict(state);
    const struct candidate *best = best_of(state), *measured = best_measured(state);
    if (!best) {
        keep(state, state->home, "nothing else", NULL);
        return;
    }
    double improvement = 0;
    state->home = measured ? measured->placement : state->home;
    const struct candidate *next =
        most_promising(state, measured ? measured->mean : INFINITY, &improvement);
    if (next && improvement > state->params[MIN_GAIN] && may_explore(state)) {
        try(state, best, next, improvement);
    } else {
        end_round(state, best);
    }
}

void adaptive_confirm(struct adaptive *state)
{
    adaptive_predict(state);
    const struct candidate *kept = find(state, state->held), *best = best_measured(state);
    state->unproven = false;
    double least = CONFIRM_LOSS + krige_noise(&state->candidates->krige);
    if (best && kept && best != kept && kept->mean - best->mean > least) {
        keep(state, best->placement, "better after all", best);
    }
}

void adaptive_plan_again(struct adaptive *state)
{
    adaptive_predict(state);
    const struct candidate *kept = find(state, state->home), *best = best_of(state);
    double improvement = 0;
    if (!best) {
        keep(state, state->home, "nothing else", NULL);
        return;
    }
    bool failing = !kept || is_failing(state, state->home);
    double kept_mean = failing ? INFINITY : kept->mean;
    const struct candidate *next = most_promising(state, kept_mean, &improvement);
    state->trials = 0;
    state->again = true;
    state->origin = state->home;
    if (next && may_explore(state) &&
        (failing || improvement > state->params[MIN_GAIN] + moving_cost(state, next->placement))) {
        try(state, best, next, improvement);
        return;
    }
    keep(state, failing ? best->placement : state->home, "still best", kept);
}

/* NAN = nothing is known of it, or it never answers: its queue would grow for ever. The margin is
 * for what corrections do to the twin's figure. */
static double expected_s(const struct candidate *candidate)
{
    double latency_s = candidate ? exp(candidate->mean) : NAN;
    return latency_s < OVERLOAD_S / 10 ? latency_s : NAN;
}

void adaptive_outlook(void *opaque, placement_t now, double load,
                      struct policy_outlook *ret_outlook)
{
    struct adaptive *state = opaque;
    struct learned *learned = &state->learned;
    adaptive_predict(state);
    if (load != 1) { /* the twin, as it fits what was measured, under what was not */
        struct candidate_rules rules = rules_of(state);
        for (size_t r = 0; r < learned->record_count; r++) {
            learned->records[r].stale = true;
        }
        struct load *other = &learned->load;
        other->users = isnan(other->users) ? NAN : fmax(1, round(other->users * load));
        other->rate_s *= load;
        learned_set_load(&learned->model, *other);
        candidates_make(learned, &rules, state->candidates);
    }
    const struct candidate *best = best_of(state), *here = find(state, now);
    ret_outlook->best = best ? best->placement : state->home;
    ret_outlook->best_s = expected_s(best);
    ret_outlook->now_s = expected_s(here);
}
