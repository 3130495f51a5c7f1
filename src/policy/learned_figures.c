/* What records say without any model: how often what is called, how long calls take in each place,
 * what fails where. */
#include <math.h>

#include "policy/learned_priv.h"

#define RATIO_SLACK    0.15  /* calls a listed call, from 1: the list is right */
#define EXEC_UNKNOWN_S 0.005 /* of a module nobody has called yet, where there is no other hint */
#define EXEC_MIN_S     1e-7  /* time must go on */
#define PHASES_ENOUGH  4     /* more of them do not make a record weigh more */
#define ERRORS_MIN     3     /* failed calls that are no chance */
#define ERRORS_SHARE   0.01  /* of the calls */

double record_weight(const struct record *record, double calls)
{
    double phases = fmin(record->phases, PHASES_ENOUGH);
    return phases * calls / (calls + CALLS_HALF);
}

/* ---- how often what is called ---- */

static void count_runs(struct learned *learned)
{
    const struct policy_problem *shape = &learned->shape;
    double sum = 0;
    for (size_t i = 0; i < shape->walker_count; i++) {
        double weight = i < learned->problem->walker_count ? shape->walkers[i].weight : NAN;
        learned->model.share[i] = isnan(weight) ? 1 : weight;
    }
    for (int stale = 0; stale <= 1; stale++) {
        double runs[POLICY_WALKERS_MAX] = {0}, all = 0;
        for (size_t r = 0; r < learned->record_count; r++) {
            if (learned->records[r].stale != stale) {
                continue;
            }
            for (size_t i = 0; i < shape->walker_count; i++) {
                runs[i] += learned->records[r].walkers[i].runs;
                all += learned->records[r].walkers[i].runs;
            }
        }
        for (size_t i = 0; all > 0 && i < shape->walker_count; i++) {
            learned->model.share[i] = runs[i] / all;
        }
        if (all > 0) {
            break;
        }
    }
    for (size_t i = 0; i < shape->walker_count; i++) {
        sum += learned->model.share[i];
    }
    for (size_t i = 0; i < shape->walker_count; i++) {
        learned->model.share[i] =
            sum > 0 ? learned->model.share[i] / sum : 1.0 / (double)shape->walker_count;
    }
}

/* Calls of a run by the list alone. */
static void listed_calls(const struct learned *learned, double ret_calls[POLICY_MODULES_MAX])
{
    const struct policy_problem *shape = &learned->shape;
    for (size_t m = 0; m < POLICY_MODULES_MAX; m++) {
        ret_calls[m] = 0;
    }
    for (size_t i = 0; i < shape->walker_count; i++) {
        for (size_t j = 0; j < shape->walkers[i].call_count; j++) {
            ret_calls[shape->walkers[i].calls[j]] += learned->model.share[i];
        }
    }
}

static void count_calls(struct learned *learned)
{
    double listed[POLICY_MODULES_MAX];
    listed_calls(learned, listed);
    for (size_t m = 0; m < learned->problem->module_count; m++) {
        double calls = 0, runs = 0;
        for (size_t r = 0; r < learned->record_count; r++) {
            const struct record *record = &learned->records[r];
            if (record->stale || record->runs < CALLS_HALF) {
                continue;
            }
            calls += record->actions[m].calls;
            runs += record->runs;
        }
        double ratio = runs > 0 && calls > 0 && listed[m] > 0 ? calls / runs / listed[m] : 1;
        learned->model.ratio[m] = fabs(ratio - 1) < RATIO_SLACK ? 1 : ratio;
        learned->calls_per_run[m] = listed[m] * learned->model.ratio[m];
    }
}

/* ---- service times as they were measured ---- */

/* How many calls are in the worker of m under record, by Little's law; 0 = nobody knows. */
static double crowd_of(const struct learned *learned, const struct record *record, size_t m)
{
    bool closed = !isnan(record->load.users);
    double rate_s = closed ? record->load.users / (record->latency_s + record->load.think_s)
                           : record->throughput_s;
    double busy_s = learned->calls_per_run[m] * record->actions[m].exec_s;
    if (placement_local(record->placement, m)) {
        busy_s = record->latency_s; /* what is not elsewhere is in the runtime worker */
        for (size_t i = 0; i < learned->problem->module_count; i++) {
            double mean_s = record->actions[i].mean_s;
            if (!placement_local(record->placement, i) && !isnan(mean_s)) {
                busy_s -= learned->calls_per_run[i] * mean_s;
            }
        }
    }
    double crowd = fmax(0, rate_s * busy_s);
    if (closed) { /* a job does not meet itself */
        crowd *= (record->load.users - 1) / record->load.users;
    }
    return isfinite(crowd) ? crowd : 0;
}

/* What the service would take alone. Where execution times contain that of others, they are 1 + the
 * others that are met times as long: the arrival theorem of closed networks (Reiser and Lavenberg,
 * "Mean-value analysis of closed multichain queuing networks", J. ACM 27(2), 1980). */
static double alone_s(const struct learned *learned, const struct record *record, size_t m)
{
    double exec_s = record->actions[m].exec_s;
    bool crowded = learned->model.shared || learned->wall_clock;
    return crowded && record_is_comparable(record) ? exec_s / (1 + crowd_of(learned, record, m))
                                                   : exec_s;
}

static double side_mean(const struct learned *learned, size_t m, int side)
{
    double weights = 0, sum = 0;
    for (size_t r = 0; r < learned->record_count; r++) {
        const struct record *record = &learned->records[r];
        const struct policy_action_figures *action = &record->actions[m];
        if (placement_local(record->placement, m) != (side == TWIN_LOCAL) ||
            isnan(action->exec_s)) {
            continue;
        }
        double weight = record_weight(record, action->calls);
        weights += weight;
        sum += weight * alone_s(learned, record, m);
    }
    return weights > 0 ? sum / weights : NAN;
}

/* Remote / local of the modules of which both are known, geometric, with one of 1 for the start. */
static double usual_ratio(const struct learned *learned)
{
    double sum = 0, count = 1;
    for (size_t m = 0; m < learned->problem->module_count; m++) {
        if (placement_local(learned->known[0] & learned->known[1], m)) {
            sum +=
                log(learned->model.exec_s[m][TWIN_REMOTE] / learned->model.exec_s[m][TWIN_LOCAL]);
            count++;
        }
    }
    return exp(sum / count);
}

/* Where nobody said how long calls take: all of the latency shared out evenly. */
static double usual_exec_s(const struct learned *learned)
{
    double latency_s = 0, count = 0, calls = 0;
    for (size_t r = 0; r < learned->record_count; r++) {
        const struct record *record = &learned->records[r];
        if (!record->stale && record->latency_s > 0) {
            latency_s += record->latency_s;
            count++;
        }
    }
    for (size_t m = 0; m < learned->problem->module_count; m++) {
        calls += learned->calls_per_run[m];
    }
    double users = isnan(learned->load.users) ? 1 : fmax(learned->load.users, 1);
    return count > 0 && calls > 0 ? latency_s / count / calls / sqrt(users) : EXEC_UNKNOWN_S;
}

void learned_assume_unknown(struct learned *learned)
{
    struct twin_model *model = &learned->model;
    double ratio = usual_ratio(learned), exec_s = usual_exec_s(learned);
    for (size_t m = 0; m < learned->problem->module_count; m++) {
        bool remote = placement_local(learned->known[TWIN_REMOTE], m);
        bool local = placement_local(learned->known[TWIN_LOCAL], m);
        if (!remote && !local) {
            model->exec_s[m][TWIN_LOCAL] = exec_s;
        }
        if (!local && remote) {
            model->exec_s[m][TWIN_LOCAL] = model->exec_s[m][TWIN_REMOTE] / ratio;
        }
        if (!remote) {
            model->exec_s[m][TWIN_REMOTE] = model->exec_s[m][TWIN_LOCAL] * ratio;
        }
    }
}

static void take_service_times(struct learned *learned)
{
    learned->known[0] = learned->known[1] = 0;
    for (size_t m = 0; m < learned->problem->module_count; m++) {
        for (int side = 0; side < 2; side++) {
            double exec_s = side_mean(learned, m, side);
            if (isfinite(exec_s)) {
                learned->known[side] |= (placement_t)1 << m;
                learned->model.exec_s[m][side] = fmax(exec_s, EXEC_MIN_S);
            }
        }
    }
    learned_assume_unknown(learned);
}

static void take_hops(struct learned *learned)
{
    double sum_s = 0, count = 0;
    for (size_t m = 0; m < learned->problem->module_count; m++) {
        double hop_s = learned->problem->modules[m].hop_s;
        learned->hop_known_s[m] = NAN;
        learned->model.hop_s[m] = hop_s;
        sum_s += isnan(hop_s) ? 0 : hop_s;
        count += !isnan(hop_s);
    }
    for (size_t m = 0; m < learned->problem->module_count; m++) {
        if (isnan(learned->model.hop_s[m])) {
            learned->model.hop_s[m] = count > 0 ? sum_s / count : 0;
        }
    }
}

static void find_failing(struct learned *learned)
{
    double errors[2][POLICY_MODULES_MAX] = {0}, calls[2][POLICY_MODULES_MAX] = {0};
    for (size_t r = 0; r < learned->record_count; r++) {
        const struct record *record = &learned->records[r];
        for (size_t m = 0; m < learned->problem->module_count; m++) {
            int side = placement_local(record->placement, m) ? TWIN_LOCAL : TWIN_REMOTE;
            errors[side][m] += record->actions[m].errors;
            calls[side][m] += record->actions[m].calls + record->actions[m].errors;
        }
    }
    learned->failing[0] = learned->failing[1] = 0;
    for (size_t m = 0; m < learned->problem->module_count; m++) {
        for (int side = 0; side < 2; side++) {
            double here = calls[side][m] > 0 ? errors[side][m] / calls[side][m] : 0;
            double there = calls[!side][m] > 0 ? errors[!side][m] / calls[!side][m] : 0;
            /* More than chance makes, and more than where it is otherwise. */
            bool fails = errors[side][m] >= ERRORS_MIN && here > ERRORS_SHARE && here > 2 * there;
            learned->failing[side] |= (placement_t)fails << m;
        }
    }
}

void learned_count(struct learned *learned)
{
    count_runs(learned);
    count_calls(learned);
    find_failing(learned);
}

void learned_take_figures(struct learned *learned)
{
    take_service_times(learned);
    take_hops(learned);
}
