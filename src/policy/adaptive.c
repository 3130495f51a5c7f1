/* Few trials instead of all of them: each phase teaches how long calls take on one side, a twin of
 * the system predicts the other placements from that, and only where the twin is promising or
 * unsure enough is a phase spent on trying. The head of each file of the policy has its
 * part of the method and the sources; docs/policies.md, what a user sees of it and how good it is.
 *
 * The states: a round of trials (at most one more than there are modules), then keeping what was
 * chosen; when the evidence says that things have changed, two phases to see how they are now, and
 * a new round if the twin knows something better. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "policy/adaptive_priv.h"
#include "policy/evict.h"
#include "policy/policies.h"

#define VERIFY_PHASES 2 /* after a shift, before anything is decided */
/* After a module could not be brought to a place: a port that was taken is free again, an image can
 * be pulled again. Twice as long each time that it fails. */
#define RETRY_S     600
#define RETRY_MAX_S (6 * HOUR_S)

static const struct policy_param PARAMS[] = {
    {"optimism", 0.6, 0.1, 1,
     "service time hoped for where a module was never measured, of the likely one"},
    {"min_gain", 0.004, 0, 1, "expected improvement of the latency that a trial must promise"},
    {"explore_budget", 0.05, 0, 1, "share of the request time of an hour that trials may cost"},
    {"shift", 0.15, 0.01, 10, "relative change of load or latency that is looked into"},
    {"payback", 3600, 1, 31536000, "seconds in which a move must have earned what loading takes"},
    {.name = NULL},
};

/* ---- what is told ---- */

static void book_loss(struct adaptive *state, double phase_s, const struct policy_measurement *seen)
{
    const struct record *home = learned_find(&state->learned, state->home);
    double runs = seen->throughput_s * phase_s, lost = 0;
    state->lost_s *= exp(-phase_s / HOUR_S);
    if (!state->on_trial) {
        return;
    }
    if (home && !home->stale && home->latency_s > 0 && seen->mean_latency_s > 0) {
        lost = fmax(0, 1 - home->latency_s / seen->mean_latency_s);
    }
    if (seen->errors > 0) {
        lost = fmax(lost, seen->errors / (seen->errors + (runs > 0 ? runs : 0)));
    }
    state->lost_s += phase_s * lost;
}

/* Nothing can be tried without traffic. A round has an end all the same: whoever waits for it gets
 * the best placement that is known, and the first traffic begins another round. */
static void rest(struct adaptive *state)
{
    state->trials++;
    state->on_trial = false;
    state->held = state->home;
    if (state->trials >= adaptive_trials_max(state)) {
        state->stage = STAGE_KEEP;
        state->asleep = true;
    }
    adaptive_explain(state, "no traffic", NULL, NULL, 0);
}

static void wake(struct adaptive *state)
{
    state->asleep = false;
    state->stage = STAGE_ROUND;
    state->trials = 0;
}

static void tell_in_round(struct adaptive *state)
{
    state->trials++;
    adaptive_plan(state);
}

static void tell_kept(struct adaptive *state, const struct policy_measurement *seen, double phase_s)
{
    const struct load *load = &state->learned.load;
    double think_s = isnan(load->users) ? NAN : load->think_s;
    const char *shifted = watch_add(&state->watch, seen, think_s, phase_s);
    if (shifted) {
        state->stage = STAGE_VERIFY;
        state->verified = 0;
        learned_age(&state->learned, strcmp(shifted, "load") == 0);
        adaptive_explain(state, shifted, NULL, NULL, 0);
    } else if (state->unproven && ++state->verified == VERIFY_PHASES) {
        adaptive_confirm(state);
    }
}

/* The number of users is what their requests and pauses add up to: Little's law. */
static void recount_users(struct adaptive *state, const struct policy_measurement *seen)
{
    struct load *load = &state->learned.load;
    double users = seen->throughput_s * (seen->mean_latency_s + load->think_s);
    if (isnan(load->users) || !isnan(seen->users) || !isfinite(users)) {
        return;
    }
    if (fabs(log(users / load->users)) > 0.1) {
        load->users = fmax(1, round(users));
        struct record *record = learned_find(&state->learned, state->held);
        if (record) {
            record->load.users = load->users;
        }
    }
}

static void ban(struct adaptive *state, placement_t modules)
{
    for (size_t m = 0; m < state->problem->module_count; m++) {
        int side = placement_local(state->held, m) ? TWIN_LOCAL : TWIN_REMOTE;
        if (placement_local(modules, m)) {
            double *pause_s = &state->pause_s[side][m];
            *pause_s = *pause_s > 0 ? fmin(2 * *pause_s, RETRY_MAX_S) : RETRY_S;
            state->retry_s[side][m] = state->now_s + *pause_s;
            state->not_placed[side] |= (placement_t)1 << m;
        }
    }
}

/* Whose time has come may be tried; true = there are some. */
static bool lift_bans(struct adaptive *state)
{
    placement_t before = state->not_placed[0] | state->not_placed[1], after = 0;
    for (size_t m = 0; m < state->problem->module_count; m++) {
        for (int side = 0; side < 2; side++) {
            if (state->now_s >= state->retry_s[side][m]) {
                state->not_placed[side] &= ~((placement_t)1 << m);
            }
        }
    }
    after = state->not_placed[0] | state->not_placed[1];
    return before != after;
}

/* They are where they were wanted. */
static void forgive(struct adaptive *state)
{
    for (size_t m = 0; m < state->problem->module_count; m++) {
        state->pause_s[placement_local(state->held, m) ? TWIN_LOCAL : TWIN_REMOTE][m] = 0;
    }
}

static void tell(void *opaque, const struct policy_measurement *seen)
{
    struct adaptive *state = opaque;
    double phase_s = isnan(seen->phase_s) ? state->problem->phase_s : seen->phase_s;
    book_loss(state, phase_s, seen);
    state->now_s += phase_s;
    if (seen->not_placed) {
        ban(state, seen->not_placed);
        tell_in_round(state);
        return;
    }
    if (isnan(seen->mean_latency_s) && seen->errors <= 0) {
        if (state->stage == STAGE_ROUND) {
            rest(state);
        }
        return;
    }
    if (state->asleep) {
        wake(state);
    }
    forgive(state);
    if (lift_bans(state) && state->stage == STAGE_KEEP) { /* as after a shift, without its wait */
        state->stage = STAGE_VERIFY;
        state->verified = VERIFY_PHASES - 1;
    }
    struct record *record = learned_add(&state->learned, state->held, seen);
    record->barred = !(record->latency_s > 0); /* nothing but failures: not worth another trial */
    if (state->stage == STAGE_ROUND) {
        tell_in_round(state);
    } else if (state->stage == STAGE_KEEP) {
        tell_kept(state, seen, phase_s);
    } else if (++state->verified == VERIFY_PHASES) {
        recount_users(state, seen);
        adaptive_plan_again(state);
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
        adaptive_predict(state);
        const struct candidate *first = &state->candidates->items[0];
        state->home = state->held =
            state->candidates->count ? first->placement : policy_must_local(state->problem);
    }
    state->on_trial = true;
    state->stage = STAGE_ROUND;
    adaptive_explain(state, "first", NULL, NULL, 0);
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

static void rename_losses(struct adaptive *state, const struct policy_problem *former)
{
    double loss_s[POLICY_MODULES_MAX] = {0};
    for (size_t m = 0; m < former->module_count; m++) {
        size_t now = policy_module_find(state->problem, slice_str(former->modules[m].name));
        if (now < state->problem->module_count) {
            loss_s[now] = state->loss_s[m];
        }
    }
    memcpy(state->loss_s, loss_s, sizeof(loss_s));
}

/* What was learned stays; what is held stays as far as it fits, and what had to leave for want of
 * memory comes back. Then as after any shift. */
static void change(void *opaque, const struct policy_problem *former)
{
    struct adaptive *state = opaque;
    learned_change(&state->learned, former);
    learned_age(&state->learned, false);
    placement_t whole =
        policy_placement_renamed(former, state->problem, state->home | state->evicted);
    whole = (whole & policy_may_local(state->problem)) | policy_must_local(state->problem);
    rename_losses(state, former);
    placement_t home = evict(state->problem, whole, state->loss_s);
    state->evicted = whole & ~home;
    state->not_placed[0] = state->not_placed[1] = 0;
    memset(state->pause_s, 0, sizeof(state->pause_s)); /* by numbers that are others' now */
    state->asleep = false;
    state->home = state->held = home;
    state->on_trial = false;
    state->stage = STAGE_VERIFY;
    state->verified = 0;
    adaptive_explain(state, "changed", NULL, NULL, 0);
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
    .outlook = adaptive_outlook,
};
