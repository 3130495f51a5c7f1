/* Few trials instead of all of them: each phase teaches how long calls take on one side, a twin of
 * the system predicts the other placements from that, and only where the twin is promising or
 * unsure enough is a phase spent on trying. docs/policies.md has the method and its sources.
 *
 * The states: a round of trials (at most one more than there are modules), then keeping what was
 * chosen; when the evidence says that things have changed, two phases to see how they are now, and
 * a new round if the twin knows something better. */
#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/json.h"
#include "policy/candidates.h"
#include "policy/policies.h"
#include "policy/policy_json.h"
#include "policy/random.h"
#include "policy/watch.h"

#define VERIFY_PHASES   2    /* after a shift, before anything is decided */
#define ERROR_RATIO_MAX 0.01 /* of the runs, more than with the best placement: it is failing */
#define HOUR_S          3600.0
#define TRIAL_LOSS      0.5 /* of a trial's request time, taken as lost before it is known */

enum { OPTIMISM, MIN_GAIN, EXPLORE_BUDGET, SHIFT, PAYBACK_S };

static const struct policy_param PARAMS[] = {
    {"optimism", 0.6, 0.1, 1,
     "service time hoped for where a module was never measured, of the likely one"},
    {"min_gain", 0.004, 0, 1, "expected improvement of the latency that a trial must promise"},
    {"explore_budget", 0.05, 0, 1, "share of the request time of an hour that trials may cost"},
    {"shift", 0.15, 0.01, 10, "relative change of load or latency that is looked into"},
    {"payback", 3600, 1, 31536000, "seconds in which a move must have earned what loading takes"},
    {.name = NULL},
};

enum stage { STAGE_ROUND, STAGE_KEEP, STAGE_VERIFY };

struct adaptive {
    const struct policy_problem *problem; /* borrowed */
    const double *params;                 /* borrowed */
    uint64_t seed;
    enum stage stage;
    placement_t held; /* what ask says */
    placement_t home; /* best known: where to go back to */
    bool on_trial;    /* held is a trial */
    uint32_t trials;  /* of this round */
    uint32_t verified;
    double lost_s;             /* request time lost in trials, fading over an hour */
    placement_t not_placed[2]; /* modules that could not be brought there */
    struct learned learned;
    struct candidates *candidates; /* owned; of the last plan */
    struct watch watch;
    const char *why;
    struct json_object *reason; /* owned */
};

static uint32_t trials_max(const struct adaptive *state)
{
    return (uint32_t)state->problem->module_count + 1;
}

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

static void set_reason(struct adaptive *state, const char *why, const struct candidate *best,
                       const struct candidate *next, double improvement)
{
    (void)json_put(state->reason);
    state->why = why;
    state->reason = json_object_new_object();
    json_set_str(state->reason, "why", why);
    json_set_int(state->reason, "trials", state->trials);
    json_set_int(state->reason, "trials_max", trials_max(state));
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
    return state->trials < trials_max(state) &&
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

static void make_candidates(struct adaptive *state)
{
    learned_calibrate(&state->learned, random_at(state->seed, 2));
    struct candidate_rules rules = rules_of(state);
    candidates_make(&state->learned, &rules, state->candidates);
}

static void keep(struct adaptive *state, placement_t placement, const char *why,
                 const struct candidate *best)
{
    state->held = state->home = placement;
    state->on_trial = false;
    state->stage = STAGE_KEEP;
    watch_init(&state->watch, state->params[SHIFT]);
    set_reason(state, why, best, NULL, 0);
}

static void try(struct adaptive *state, const struct candidate *best, const struct candidate *next,
                double improvement)
{
    state->held = next->placement;
    state->on_trial = true;
    state->stage = STAGE_ROUND;
    set_reason(state, "try", best, next, improvement);
}

/* Decides what comes after the last phase of a round. */
static void plan(struct adaptive *state)
{
    make_candidates(state);
    const struct candidate *best = best_of(state);
    if (!best) {
        keep(state, state->home, "nothing else", NULL);
        return;
    }
    double improvement = 0, best_mean = INFINITY;
    for (size_t i = 0; i < state->candidates->count; i++) {
        const struct candidate *item = &state->candidates->items[i];
        if (item->measured && !is_failing(state, item->placement)) {
            best_mean = fmin(best_mean, item->mean);
        }
    }
    const struct candidate *next = most_promising(state, best_mean, &improvement);
    if (next && improvement > state->params[MIN_GAIN] && may_explore(state)) {
        const struct record *record = learned_find(&state->learned, best->placement);
        state->home = record ? best->placement : state->home;
        try(state, best, next, improvement);
        return;
    }
    keep(state, best->placement, "best", best);
}

/* A shift was seen and looked at: is there anything better now? */
static void plan_again(struct adaptive *state)
{
    make_candidates(state);
    const struct candidate *kept = find(state, state->home), *best = best_of(state);
    double improvement = 0;
    if (!best) {
        keep(state, state->home, "nothing else", NULL);
        return;
    }
    bool failing = !kept || is_failing(state, state->home);
    double kept_mean = kept ? kept->mean : INFINITY;
    const struct candidate *next = most_promising(state, kept_mean, &improvement);
    state->trials = 0;
    if (next && may_explore(state) &&
        (failing || (improvement > state->params[MIN_GAIN] + moving_cost(state, next->placement) &&
                     next->mean < kept_mean))) {
        try(state, best, next, improvement);
        return;
    }
    keep(state, failing ? best->placement : state->home, "still best", kept);
}

/* ---- what is told ---- */

static void book_loss(struct adaptive *state, double phase_s, double latency_s)
{
    state->lost_s *= exp(-phase_s / HOUR_S);
    const struct record *home = learned_find(&state->learned, state->home);
    if (state->on_trial && home && !home->stale && home->latency_s > 0 && latency_s > 0) {
        state->lost_s += phase_s * fmax(0, 1 - home->latency_s / latency_s);
    }
}

static void rest(struct adaptive *state)
{
    state->trials += state->on_trial;
    state->on_trial = false;
    state->held = state->home;
    set_reason(state, "no traffic", NULL, NULL, 0);
}

static void tell_in_round(struct adaptive *state)
{
    state->trials += state->on_trial;
    plan(state);
}

static void tell_kept(struct adaptive *state, const struct policy_measurement *seen)
{
    double think_s = isnan(state->learned.users) ? NAN : state->learned.think_s;
    const char *shifted = watch_add(&state->watch, seen, think_s);
    if (shifted) {
        state->stage = STAGE_VERIFY;
        state->verified = 0;
        learned_age(&state->learned);
        set_reason(state, shifted, NULL, NULL, 0);
    }
}

/* The number of users is what their requests and pauses add up to: Little's law. */
static void recount_users(struct adaptive *state, const struct policy_measurement *seen)
{
    double users = seen->throughput_s * (seen->mean_latency_s + state->learned.think_s);
    if (isnan(state->learned.users) || !isnan(seen->users) || !isfinite(users)) {
        return;
    }
    if (fabs(log(users / state->learned.users)) > 0.1) {
        state->learned.users = fmax(1, round(users));
    }
}

static void tell(void *opaque, const struct policy_measurement *seen)
{
    struct adaptive *state = opaque;
    double phase_s = isnan(seen->phase_s) ? state->problem->phase_s : seen->phase_s;
    book_loss(state, phase_s, seen->mean_latency_s);
    if (seen->not_placed) {
        state->not_placed[TWIN_LOCAL] |= seen->not_placed & state->held;
        state->not_placed[TWIN_REMOTE] |= seen->not_placed & ~state->held;
        tell_in_round(state);
        return;
    }
    if (isnan(seen->mean_latency_s) && seen->errors <= 0) {
        if (state->stage == STAGE_ROUND) {
            rest(state);
        }
        return;
    }
    struct record *record = learned_add(&state->learned, state->held, seen);
    record->barred = !(record->latency_s > 0); /* nothing but failures: not worth another trial */
    if (state->stage == STAGE_ROUND) {
        tell_in_round(state);
    } else if (state->stage == STAGE_KEEP) {
        tell_kept(state, seen);
    } else if (++state->verified == VERIFY_PHASES) {
        recount_users(state, seen);
        plan_again(state);
    }
}

static void ask(const void *opaque, struct policy_answer *ret_answer)
{
    const struct adaptive *state = opaque;
    ret_answer->placement = state->held;
    ret_answer->done = state->stage != STAGE_ROUND;
    ret_answer->why = state->why;
    ret_answer->reason = state->reason;
}

/* Before anything is known: where modules are, else the one that formulas like best. */
static void begin(struct adaptive *state)
{
    bool known = false;
    placement_t now = policy_placement_now(state->problem, &known);
    if (known && policy_feasible(state->problem, now)) {
        state->home = state->held = now;
    } else {
        make_candidates(state);
        const struct candidate *first = &state->candidates->items[0];
        state->home = state->held =
            state->candidates->count ? first->placement : policy_must_local(state->problem);
    }
    state->on_trial = true;
    state->stage = STAGE_ROUND;
    set_reason(state, "first", NULL, NULL, 0);
}

static void *start(const struct policy_problem *problem, const double *params, uint64_t seed)
{
    struct adaptive *state = xcalloc(1, sizeof(*state));
    state->problem = problem;
    state->params = params;
    state->seed = seed;
    state->candidates = xcalloc(1, sizeof(*state->candidates));
    learned_init(&state->learned, problem);
    begin(state);
    return state;
}

static void stop(void *opaque)
{
    struct adaptive *state = opaque;
    learned_done(&state->learned);
    free(state->candidates);
    (void)json_put(state->reason);
    free(state);
}

static placement_t renamed(const struct policy_problem *from, const struct policy_problem *to,
                           placement_t placement)
{
    placement_t result = 0;
    for (size_t i = 0; i < from->module_count; i++) {
        size_t at = policy_module_find(to, slice_str(from->modules[i].name));
        if (at < to->module_count && placement_local(placement, i)) {
            result |= (placement_t)1 << at;
        }
    }
    return result;
}

/* What was learned stays; what is held stays if it may. Then as after any shift. */
static void change(void *opaque, const struct policy_problem *former)
{
    struct adaptive *state = opaque;
    learned_change(&state->learned, former);
    learned_age(&state->learned);
    placement_t home = renamed(former, state->problem, state->home);
    placement_t must = policy_must_local(state->problem);
    home = (home & policy_may_local(state->problem)) | must;
    if (!policy_feasible(state->problem, home)) {
        home = must;
    }
    state->not_placed[0] = state->not_placed[1] = 0;
    state->home = state->held = home;
    state->on_trial = false;
    state->stage = STAGE_VERIFY;
    state->verified = 0;
    set_reason(state, "changed", NULL, NULL, 0);
}

static void outlook(void *opaque, placement_t now, double load, struct policy_outlook *ret_outlook)
{
    struct adaptive *state = opaque;
    struct learned *learned = &state->learned;
    make_candidates(state);
    if (load != 1) { /* the twin, as it fits what was measured, under what was not */
        struct candidate_rules rules = rules_of(state);
        for (size_t r = 0; r < learned->record_count; r++) {
            learned->records[r].stale = true;
        }
        learned->users = isnan(learned->users) ? NAN : fmax(1, round(learned->users * load));
        learned->rate_s *= load;
        learned->model.users = isnan(learned->users) ? 0 : learned->users;
        learned->model.rate_s *= load;
        candidates_make(learned, &rules, state->candidates);
    }
    const struct candidate *best = best_of(state), *here = find(state, now);
    ret_outlook->best = best ? best->placement : state->home;
    ret_outlook->best_s = best ? exp(best->mean) : NAN;
    ret_outlook->now_s = here ? exp(here->mean) : NAN;
}

const struct policy_ops POLICY_ADAPTIVE = {
    .name = "adaptive",
    .summary = "Predicts placements from what was measured, and tries few of them",
    .params = PARAMS,
    .start = start,
    .stop = stop,
    .ask = ask,
    .tell = tell,
    .change = change,
    .outlook = outlook,
};
