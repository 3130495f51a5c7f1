#include "policy/learned.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define STALE_WEIGHT   0.1 /* of figures from before a shift, against those after it */
#define RUN_SCV        1.0 /* of a run's latency, with those after it that wait for the same */
#define FREAK          0.3 /* logarithm: four times what noise of 5 % makes of both figures */
#define CALLS_SHARE    0.8 /* of a run's calls: less than that a run cannot take, but for noise */
#define HISTORY_PHASES 12  /* a record remembers about so many phases: older ones fade */

void learned_init(struct learned *learned, const struct policy_problem *problem)
{
    *learned = (struct learned){
        .problem = problem,
        .records = xcalloc(RECORDS_MAX, sizeof(struct record)),
        .load = {problem->users, problem->think_s, problem->rate_s},
    };
    policy_problem_copy(problem, &learned->shape);
}

void learned_done(struct learned *learned)
{
    policy_problem_done(&learned->shape);
    free(learned->records);
}

struct record *learned_find(struct learned *learned, placement_t placement)
{
    for (size_t i = 0; i < learned->record_count; i++) {
        if (learned->records[i].placement == placement) {
            return &learned->records[i];
        }
    }
    return NULL;
}

static struct record *place_for_one(struct learned *learned)
{
    if (learned->record_count < RECORDS_MAX) {
        return &learned->records[learned->record_count++];
    }
    size_t at = 0;
    while (at + 1 < RECORDS_MAX && !learned->records[at].stale) {
        at++;
    }
    memmove(&learned->records[at], &learned->records[at + 1],
            (RECORDS_MAX - 1 - at) * sizeof(struct record));
    return &learned->records[RECORDS_MAX - 1];
}

/* The mean of old over weight phases and one over more of them. */
static double merged(double old, double weight, double one, double more)
{
    if (isnan(one) || more <= 0) {
        return old;
    }
    return isnan(old) || weight <= 0 ? one : (old * weight + one * more) / (weight + more);
}

/* By calls, for a phase with few of them says little. */
static void merge_action(struct policy_action_figures *into,
                         const struct policy_action_figures *one)
{
    double calls = into->calls + one->calls;
    double share = calls > 0 ? one->calls / calls : 0;
    into->errors += one->errors;
    into->calls = calls;
    if (share <= 0) {
        return;
    }
    if (!isnan(one->mean_s)) {
        into->mean_s =
            isnan(into->mean_s) ? one->mean_s : into->mean_s + share * (one->mean_s - into->mean_s);
    }
    if (!isnan(one->exec_s)) {
        into->exec_s =
            isnan(into->exec_s) ? one->exec_s : into->exec_s + share * (one->exec_s - into->exec_s);
    }
}

static void fade(struct record *record, double factor)
{
    record->phases *= factor;
    record->sampled *= factor;
    record->runs *= factor;
    record->errors *= factor;
    for (size_t i = 0; i < POLICY_MODULES_MAX; i++) {
        record->actions[i].calls *= factor;
        record->actions[i].errors *= factor;
    }
    for (size_t i = 0; i < POLICY_WALKERS_MAX; i++) {
        record->walkers[i].runs *= factor;
        record->walkers[i].errors *= factor;
    }
}

static void init_record(struct record *record, placement_t placement)
{
    memset(record, 0, sizeof(*record));
    record->placement = placement;
    record->latency_s = record->throughput_s = NAN;
    for (size_t i = 0; i < POLICY_MODULES_MAX; i++) {
        record->actions[i].mean_s = record->actions[i].exec_s = NAN;
    }
    for (size_t i = 0; i < POLICY_WALKERS_MAX; i++) {
        record->walkers[i].mean_s = NAN;
    }
}

/* A call that no walker lists happens somewhere: in the first of them. */
static void list_unlisted(struct learned *learned, size_t module)
{
    struct policy_problem *shape = &learned->shape;
    for (size_t i = 0; i < shape->walker_count; i++) {
        for (size_t j = 0; j < shape->walkers[i].call_count; j++) {
            if (shape->walkers[i].calls[j] == module) {
                return;
            }
        }
    }
    if (shape->walker_count == 0) {
        free(shape->walkers);
        shape->walkers = xcalloc(1, sizeof(*shape->walkers));
        shape->walkers[0].name = xstrdup("");
        shape->walker_count = 1;
    }
    struct policy_walker *walker = &shape->walkers[0];
    walker->calls = xrealloc(walker->calls, (walker->call_count + 1) * sizeof(*walker->calls));
    walker->calls[walker->call_count++] = (uint16_t)module;
}

/* ---- the load ---- */

/* Of one phase; what is not told is as before. */
static struct load load_of(const struct learned *learned, const struct policy_measurement *seen)
{
    struct load load = learned->load;
    if (!isnan(seen->users)) {
        load.users = seen->users >= 1 ? seen->users : NAN;
    }
    load.think_s = isnan(seen->think_s) ? load.think_s : seen->think_s;
    if (!isnan(seen->rate_s)) {
        load.rate_s = seen->rate_s;
    } else if (isnan(learned->problem->rate_s) && seen->throughput_s > 0) {
        load.rate_s = seen->throughput_s;
    }
    return load;
}

/* A record is of the load of all its phases, as its latency is: with the last one's alone, it would
 * be compared with the twin under a load that most of it never had. */
static void merge_load(struct record *record, struct load one, double phases)
{
    struct load *load = &record->load;
    if (isnan(load->users) != isnan(one.users)) { /* another kind of load */
        *load = one;
        return;
    }
    load->users = merged(load->users, record->phases, one.users, phases);
    load->think_s = merged(load->think_s, record->phases, one.think_s, phases);
    load->rate_s = merged(load->rate_s, record->phases, one.rate_s, phases);
}

/* As many users as there can be: whole ones, who pause so that they make as many requests. */
static struct load in_whole_users(struct load load, double throughput_s)
{
    if (isnan(load.users)) {
        return load;
    }
    double users = fmax(1, round(load.users));
    if (throughput_s > 0) {
        load.think_s = fmax(0, load.think_s + (users - load.users) / throughput_s);
    }
    load.users = users;
    return load;
}

/* The load now is that of all phases since the last shift, like all else that is known: placements
 * are compared under one load, and not under the one that the last phase counted. */
static void sum_up_load(struct learned *learned, const struct record *last)
{
    struct record sum = {.load = last->load, .throughput_s = last->throughput_s};
    for (size_t i = 0; i < learned->record_count; i++) {
        const struct record *record = &learned->records[i];
        if (record->stale || isnan(record->load.users) != isnan(last->load.users)) {
            continue;
        }
        merge_load(&sum, record->load, record->phases);
        sum.throughput_s =
            merged(sum.throughput_s, sum.phases, record->throughput_s, record->phases);
        sum.phases += record->phases;
    }
    learned->load = in_whole_users(sum.load, sum.throughput_s);
}

/* What the calls of a run took, as their callers saw it; NAN = not told. */
static double calls_of_run_s(const struct policy_measurement *seen, double runs)
{
    double sum_s = 0;
    for (size_t i = 0; i < seen->action_count; i++) {
        const struct policy_action_figures *action = &seen->actions[i];
        sum_s += action->calls > 0 ? action->calls * action->mean_s : 0;
    }
    return runs > 0 ? sum_s / runs : NAN;
}

/* The mean latency, unless that is a freak. Users and throughput tell it once more, by Little's
 * law: if that is much less, and no less than the calls of a run took, the mean is not what it was.
 */
static double latency_of(const struct policy_measurement *seen, struct load load, double runs)
{
    double told_s = seen->mean_latency_s, think_s = load.think_s;
    double other_s = load.users / seen->throughput_s - think_s;
    double calls_s = calls_of_run_s(seen, runs);
    /* An error of the throughput is a larger one of what is left beside the pauses. */
    bool freak = other_s > 0 && log(told_s / other_s) > FREAK * (1 + think_s / other_s) &&
                 calls_s > 0 && other_s >= CALLS_SHARE * calls_s;
    return freak && seen->errors <= 0 ? other_s : told_s;
}

struct record *learned_add(struct learned *learned, placement_t placement,
                           const struct policy_measurement *seen)
{
    struct record *record = learned_find(learned, placement);
    if (!record) {
        record = place_for_one(learned);
        init_record(record, placement);
    } else if (record->stale) { /* its latencies were of another load */
        record->latency_s = record->throughput_s = NAN;
        record->stale = record->void_latency = false;
        record->phases = record->sampled = 0;
    } else if (record->phases >= HISTORY_PHASES) {
        fade(record, (HISTORY_PHASES - 1.0) / HISTORY_PHASES);
    }
    double phase_s = isnan(seen->phase_s) ? learned->problem->phase_s : seen->phase_s;
    double runs = 0;
    for (size_t i = 0; i < seen->walker_count; i++) {
        runs += seen->walkers[i].runs;
    }
    runs = runs > 0 ? runs : seen->throughput_s * phase_s;
    struct load load = load_of(learned, seen);
    merge_load(record, load, 1);
    record->latency_s = merged(record->latency_s, record->phases, latency_of(seen, load, runs), 1);
    record->throughput_s = merged(record->throughput_s, record->phases, seen->throughput_s, 1);
    record->runs += isnan(runs) ? !isnan(seen->mean_latency_s) : runs;
    record->sampled += isfinite(runs) ? runs : 0;
    record->errors += seen->errors;
    record->phases += 1;
    for (size_t i = 0; i < seen->action_count; i++) {
        struct policy_action_figures action = seen->actions[i];
        if (isnan(action.exec_s)) { /* nobody says: all that is not hop */
            double hop_s = learned->problem->modules[i].hop_s;
            bool hops = !placement_local(placement, i) && !isnan(hop_s);
            action.exec_s = fmax(action.mean_s - (hops ? hop_s : 0), action.mean_s / 10);
        }
        merge_action(&record->actions[i], &action);
        if (seen->actions[i].calls > 0) {
            list_unlisted(learned, i);
        }
    }
    for (size_t i = 0; i < seen->walker_count; i++) {
        struct policy_walker_figures *walker = &record->walkers[i];
        walker->mean_s = merged(walker->mean_s, walker->runs / fmax(1, seen->walkers[i].runs),
                                seen->walkers[i].mean_s, 1);
        walker->runs += seen->walkers[i].runs;
        walker->errors += seen->walkers[i].errors;
    }
    sum_up_load(learned, record);
    return record;
}

void learned_age(struct learned *learned, bool only_load)
{
    for (size_t i = 0; i < learned->record_count; i++) {
        struct record *record = &learned->records[i];
        record->void_latency |= !only_load;
        record->barred = false;
        if (!record->stale) {
            record->stale = true;
            fade(record, STALE_WEIGHT);
        }
    }
}

void learned_set_load(struct twin_model *model, struct load load)
{
    model->users = isnan(load.users) ? 0 : load.users;
    model->think_s = load.think_s;
    model->rate_s = isnan(load.rate_s) ? 0 : load.rate_s;
}

void learned_model_of(const struct learned *learned, const struct record *record,
                      struct twin_model *ret_model)
{
    *ret_model = learned->model;
    double runs = 0;
    for (size_t w = 0; w < learned->problem->walker_count; w++) {
        runs += record->walkers[w].runs;
    }
    for (size_t w = 0; runs > 0 && w < learned->problem->walker_count; w++) {
        ret_model->share[w] = record->walkers[w].runs / runs;
    }
    learned_set_load(ret_model, in_whole_users(record->load, record->throughput_s));
}

/* ---- a changed problem ---- */

static void translate_record(const struct learned *learned, const struct policy_problem *former,
                             struct record *record)
{
    struct record old = *record;
    const struct policy_problem *problem = learned->problem;
    init_record(record, policy_placement_renamed(former, problem, old.placement));
    record->phases = old.phases;
    record->runs = old.runs;
    record->sampled = old.sampled;
    record->errors = old.errors;
    record->latency_s = old.latency_s;
    record->throughput_s = old.throughput_s;
    record->stale = old.stale;
    record->void_latency = old.void_latency;
    record->load = old.load;
    for (size_t i = 0; i < former->module_count; i++) {
        size_t now = policy_module_find(problem, slice_str(former->modules[i].name));
        if (now < problem->module_count) {
            record->actions[now] = old.actions[i];
        }
    }
    for (size_t i = 0; i < former->walker_count; i++) {
        for (size_t j = 0; j < problem->walker_count; j++) {
            if (strcmp(former->walkers[i].name, problem->walkers[j].name) == 0) {
                record->walkers[j] = old.walkers[i];
            }
        }
    }
}

void learned_change(struct learned *learned, const struct policy_problem *former)
{
    policy_problem_done(&learned->shape);
    policy_problem_copy(learned->problem, &learned->shape);
    for (size_t i = 0; i < learned->record_count; i++) {
        translate_record(learned, former, &learned->records[i]);
    }
    for (size_t i = 0; i < learned->record_count; i++) {
        for (size_t j = 0; j < learned->problem->module_count; j++) {
            if (learned->records[i].actions[j].calls > 0) {
                list_unlisted(learned, j);
            }
        }
    }
    double rate_s = learned->problem->rate_s;
    learned->load = (struct load){
        .users = learned->problem->users,
        .think_s = learned->problem->think_s,
        .rate_s = isnan(rate_s) ? learned->load.rate_s : rate_s,
    };
}

double record_scatter(const struct record *record)
{
    return record->sampled > 0 ? RUN_SCV / record->sampled : 0;
}

double record_error_ratio(const struct record *record)
{
    double all = record->runs + record->errors;
    return all > 0 ? record->errors / all : 0;
}
