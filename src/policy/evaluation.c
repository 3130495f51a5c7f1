/* The original's rule, for comparison: hold every placement that fits into memory for a phase, keep
 * the one with the lowest mean latency, look again after a while. Kept of it: the order (modules in
 * the order of the problem, `module` before `remote`, the last one varying fastest), the memory
 * that counts (the runtime worker's own + the local modules < 0.8 of the node), ties to the first
 * one, and the pause that doubles when a round confirms the placement.
 *
 * Not kept are its defects: failed runs count against a placement instead of for it, the
 * placement to confirm is the last winner, the pause has an end, what cannot be placed is skipped,
 * and a trial is broken off when traffic stops. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "policy/policies.h"
#include "policy/policy_json.h"

#define MB              (1024.0 * 1024.0)
#define NODE_SHARE      0.8  /* of the node's memory, as in the original */
#define ERROR_RATIO_MAX 0.01 /* of the runs; with more a placement is failing */
#define HELD_SLACK_S    1e-6 /* phases of 0.1 s do not quite sum up to 10 s */

enum { EVAL_PHASE, PERF_PHASE, NODE_MEM, RUNTIME_MEM, PERF_PHASE_MAX };

static const struct policy_param PARAMS[] = {
    {"eval_phase", 10, 0, 86400, "seconds for which each placement is tried"},
    {"perf_phase", 100, 0, 31536000, "seconds before the next round; doubles when one confirms"},
    {"node_mem", 999 * 1024, 0, 1e12, "memory of the node in MB; 0.8 of it may be used"},
    {"jaseci_runtime_mem", 300, 0, 1e12, "memory of the runtime worker without modules in MB"},
    {"perf_phase_max", 3600, 0, 31536000, "seconds beyond which perf_phase does not double"},
    {.name = NULL},
};

struct tried { /* what a placement has shown */
    placement_t placement;
    double runs, errors, latency_sum_s;
    double held_s;
};

struct evaluation {
    const struct policy_problem *problem; /* borrowed */
    const double *params;                 /* borrowed */
    uint8_t movable[POLICY_MODULES_MAX];  /* indexes of modules */
    size_t movable_count;
    uint64_t cursor;   /* the trial: bit (movable_count - 1 - k) set = movable[k] is remote */
    bool settled;      /* in the performance phase */
    bool resting;      /* no traffic: the best known placement is held meanwhile */
    bool rest_known;   /* there is one to go back to */
    placement_t rest;  /* last winner, or where modules were */
    struct tried now;  /* the placement on trial, or the kept one */
    struct tried best; /* of this round; held_s 0 = none yet */
    double perf_s;     /* length of the performance phase */
    uint32_t tried_count;
    const char *why;
    struct json_object *reason; /* owned */
};

/* ---- enumeration ---- */

static bool is_remote(const struct evaluation *state, uint64_t cursor, size_t k)
{
    return (cursor >> (state->movable_count - 1 - k)) & 1;
}

/* The first cursor from `cursor` on whose placement fits; the last one, all remote, always does. */
static uint64_t next_fitting(const struct evaluation *state, uint64_t cursor)
{
    double limit_bytes = NODE_SHARE * state->params[NODE_MEM] * MB;
    double runtime_bytes = state->params[RUNTIME_MEM] * MB;
    double fixed_bytes = policy_memory(state->problem, policy_must_local(state->problem));
    double sum_bytes = fixed_bytes;
    for (size_t k = 0; k < state->movable_count; k++) {
        uint64_t bit = (uint64_t)1 << (state->movable_count - 1 - k);
        if (cursor & bit) {
            continue;
        }
        double mem_bytes = policy_memory(state->problem, (placement_t)1 << state->movable[k]);
        if (runtime_bytes + sum_bytes + mem_bytes < limit_bytes &&
            sum_bytes + mem_bytes <= state->problem->budget_bytes) {
            sum_bytes += mem_bytes;
        } else {
            cursor = (cursor | bit) & ~(bit - 1); /* and with it all that begin like this */
        }
    }
    return cursor;
}

static uint64_t last_cursor(const struct evaluation *state)
{
    return state->movable_count == 0 ? 0 : UINT64_MAX >> (64 - state->movable_count);
}

static placement_t placement_at(const struct evaluation *state, uint64_t cursor)
{
    placement_t placement = policy_must_local(state->problem);
    for (size_t k = 0; k < state->movable_count; k++) {
        placement |= (placement_t)!is_remote(state, cursor, k) << state->movable[k];
    }
    return placement;
}

/* ---- judging ---- */

static double error_ratio(const struct tried *tried)
{
    double all = tried->runs + tried->errors;
    return all > 0 ? tried->errors / all : 0;
}

static double latency_s(const struct tried *tried)
{
    return tried->runs > 0 ? tried->latency_sum_s / tried->runs : INFINITY;
}

/* Strictly, so that of equal ones the first stays. */
static bool is_better(const struct tried *a, const struct tried *b)
{
    double errors_a = error_ratio(a), errors_b = error_ratio(b);
    bool failing_a = errors_a > ERROR_RATIO_MAX, failing_b = errors_b > ERROR_RATIO_MAX;
    if (failing_a != failing_b) {
        return failing_b;
    }
    return failing_a && errors_a != errors_b ? errors_a < errors_b : latency_s(a) < latency_s(b);
}

static void set_reason(struct evaluation *state, const char *why)
{
    (void)json_put(state->reason);
    state->why = why;
    state->reason = json_object_new_object();
    json_set_str(state->reason, "why", why);
    json_set_int(state->reason, "tried", state->tried_count);
    if (state->best.held_s > 0) {
        json_set(state->reason, "best",
                 policy_placement_write(state->best.placement, state->problem));
        policy_set_number(state->reason, "best_latency_s", latency_s(&state->best));
        policy_set_number(state->reason, "best_error_ratio", error_ratio(&state->best));
    }
    if (state->settled) {
        policy_set_number(state->reason, "next_round_s", state->perf_s);
    }
}

/* ---- the rounds ---- */

static void try_at(struct evaluation *state, uint64_t cursor, const char *why)
{
    state->cursor = cursor;
    state->settled = false;
    state->now = (struct tried){.placement = placement_at(state, cursor)};
    set_reason(state, why);
}

static void begin_round(struct evaluation *state)
{
    state->best = (struct tried){0};
    state->tried_count = 0;
    try_at(state, next_fitting(state, 0), "try");
}

static void end_round(struct evaluation *state)
{
    if (state->rest_known && state->rest == state->best.placement) {
        state->perf_s = fmax(state->perf_s, fmin(2 * state->perf_s, state->params[PERF_PHASE_MAX]));
    }
    state->rest = state->best.placement;
    state->rest_known = true;
    state->settled = true;
    state->now = (struct tried){.placement = state->best.placement};
    set_reason(state, "best");
}

static void judge(struct evaluation *state)
{
    state->tried_count++;
    if (state->best.held_s <= 0 || is_better(&state->now, &state->best)) {
        state->best = state->now;
    }
    if (state->cursor == last_cursor(state)) {
        end_round(state);
    } else {
        try_at(state, next_fitting(state, state->cursor + 1), "try");
    }
}

/* Runs whose number is not known count as one, so that their latency is not lost. */
static void add(struct evaluation *state, const struct policy_measurement *seen, double phase_s)
{
    double runs = seen->throughput_s * phase_s;
    runs = !isfinite(runs) || runs <= 0 ? 1 : runs;
    if (isfinite(seen->mean_latency_s)) {
        state->now.runs += runs;
        state->now.latency_sum_s += runs * seen->mean_latency_s;
    }
    state->now.errors += seen->errors;
    state->now.held_s += phase_s;
}

static void tell_in_round(struct evaluation *state, const struct policy_measurement *seen,
                          double phase_s)
{
    if (seen->not_placed) {
        state->now.errors += 1; /* never wins, and is not waited for */
        state->now.held_s += phase_s;
        judge(state);
        return;
    }
    if (isnan(seen->mean_latency_s) && seen->errors <= 0) {
        state->resting = true;
        set_reason(state, "no traffic");
        return;
    }
    add(state, seen, phase_s);
    if (state->now.held_s + HELD_SLACK_S >= state->params[EVAL_PHASE]) {
        judge(state);
    }
}

static void tell(void *opaque, const struct policy_measurement *seen)
{
    struct evaluation *state = opaque;
    double phase_s = isnan(seen->phase_s) ? state->problem->phase_s : seen->phase_s;
    if (state->resting) {
        if (isfinite(seen->mean_latency_s) || seen->errors > 0) {
            state->resting = false;
            try_at(state, state->cursor, "try");
        }
    } else if (!state->settled) {
        tell_in_round(state, seen, phase_s);
    } else {
        add(state, seen, phase_s);
        if (state->now.held_s + HELD_SLACK_S < state->perf_s) {
            return;
        }
        if (state->now.runs + state->now.errors > 0) {
            begin_round(state);
        } else {
            state->now.held_s = 0; /* nothing to learn from now */
        }
    }
}

static void ask(const void *opaque, struct policy_answer *ret_answer)
{
    const struct evaluation *state = opaque;
    ret_answer->placement = state->now.placement;
    if (state->resting && state->best.held_s > 0) {
        ret_answer->placement = state->best.placement;
    } else if (state->resting && state->rest_known) {
        ret_answer->placement = state->rest;
    }
    /* Asked for shorter trials than the daemon's phase, it gets them. */
    double wanted_s = state->params[state->settled ? PERF_PHASE : EVAL_PHASE];
    if (wanted_s > 0 && wanted_s < ret_answer->phase_s) {
        ret_answer->phase_s = wanted_s;
    }
    ret_answer->done = state->settled;
    ret_answer->why = state->why;
    ret_answer->reason = state->reason;
}

static void find_movable(struct evaluation *state)
{
    state->movable_count = 0;
    for (size_t i = 0; i < state->problem->module_count; i++) {
        if (!state->problem->modules[i].fixed) {
            state->movable[state->movable_count++] = (uint8_t)i;
        }
    }
}

static void *start(const struct policy_problem *problem, const double *params, uint64_t seed)
{
    (void)seed;
    struct evaluation *state = xcalloc(1, sizeof(*state));
    state->problem = problem;
    state->params = params;
    state->perf_s = params[PERF_PHASE];
    state->rest = policy_placement_now(problem, &state->rest_known);
    find_movable(state);
    begin_round(state);
    return state;
}

static bool has_same_modules(const struct policy_problem *a, const struct policy_problem *b)
{
    bool same = a->module_count == b->module_count &&
                policy_must_local(a) == policy_must_local(b) &&
                policy_may_local(a) == policy_may_local(b);
    for (size_t i = 0; same && i < a->module_count; i++) {
        same = strcmp(a->modules[i].name, b->modules[i].name) == 0;
    }
    return same;
}

static bool fits(const struct evaluation *state, placement_t placement)
{
    uint64_t cursor = 0;
    for (size_t k = 0; k < state->movable_count; k++) {
        bool remote = !placement_local(placement, state->movable[k]);
        cursor |= (uint64_t)remote << (state->movable_count - 1 - k);
    }
    return next_fitting(state, cursor) == cursor;
}

/* While the modules are the same, what was tried counts: only what does not fit is left out. */
static void change(void *opaque, const struct policy_problem *former)
{
    struct evaluation *state = opaque;
    if (!has_same_modules(former, state->problem)) {
        find_movable(state);
        state->perf_s = state->params[PERF_PHASE];
        state->rest = policy_placement_now(state->problem, &state->rest_known);
        state->resting = false;
        begin_round(state);
        return;
    }
    state->rest_known &= fits(state, state->rest);
    if (!fits(state, state->best.placement)) {
        state->best = (struct tried){0};
    }
    if (state->settled && !fits(state, state->now.placement)) {
        begin_round(state);
    } else if (!state->settled) {
        uint64_t next = next_fitting(state, state->cursor);
        if (next != state->cursor) {
            try_at(state, next, "try");
        }
    }
}

static void stop(void *opaque)
{
    struct evaluation *state = opaque;
    (void)json_put(state->reason);
    free(state);
}

const struct policy_ops POLICY_EVALUATION = {
    .name = "evaluation",
    .summary = "Tries every placement for a phase and keeps the fastest, as the original does",
    .params = PARAMS,
    .start = start,
    .stop = stop,
    .ask = ask,
    .tell = tell,
    .change = change,
};
