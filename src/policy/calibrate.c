/* Fits the twin to what was measured.
 *
 * A service time is what the worker says it executed. What the caller saw beyond it is the hop and
 * the waiting; the twin says how much of it is waiting, the rest is the hop. What a run takes
 * beyond its calls is the walker's own code and its waiting for the runtime worker; the twin says
 * again how much of that is waiting. Each depends on the others through the twin, so a few rounds
 * of correction are made (a fixed point, as in the calibration of layered queueing models: Rolia
 * and Sevcik, "The Method of Layers", IEEE TSE 21(8), 1995).
 *
 * Nobody says how calls in a worker share it: one after the other; all at once, each at a share of
 * the speed; or in turns under a lock, so that execution times on the wall clock contain waiting;
 * and whether processors are short. The twin is fitted under each of these hypotheses, and the one
 * that explains best what was measured under all placements is taken. */
#include <math.h>
#include <string.h>

#include "policy/learned.h"
#include "policy/random.h"

#define QUICK_ROUNDS   2    /* for each nature; the last round only looks how well it fits */
#define QUICK_CALLS    3000 /* simulated for a record in each round */
#define LONG_ROUNDS    4    /* for the natures that fit best */
#define LONG_CALLS     8000
#define LONG_COUNT     3
#define LATENCY_ERROR  0.05 /* of a good twin: relative, standard deviation */
#define HUBER          3.0 /* standard deviations from which on an error is none that noise makes */
#define CALL_ERROR     0.10  /* of its calls */
#define SCV_ASSUMED    0.7   /* spread of service times: between constant and exponential */
#define RATIO_SLACK    0.15  /* calls a listed call, from 1: the list is right */
#define FIGURE_NOISE   0.03  /* of a measured mean: what is less is not told from nothing */
#define CALLS_HALF     10    /* calls that make a mean worth half as much as many would */
#define STEP_MAX       3.0   /* a correction in one round at most: factor */
#define EXEC_UNKNOWN_S 0.005 /* of a module nobody has called yet, where there is no other hint */
#define EXEC_MIN_S     1e-7  /* time must go on */

struct sums { /* over records, of one module or one walker */
    double weight, measured, simulated;
};

struct fit {
    struct learned *learned;
    uint64_t seed;
    double calls; /* to be simulated for each record */
    struct sums exec[POLICY_MODULES_MAX][2];
    struct sums hop[POLICY_MODULES_MAX];
    struct sums own[POLICY_WALKERS_MAX];
    double own_measured_s[POLICY_WALKERS_MAX]; /* response, with waiting; 0 = none to be seen */
    double misfit; /* -log likelihood of what was measured, up to a constant */
};

static double weight_of(const struct record *record, double calls)
{
    double phases = fmin(record->phases, 4);
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
    bool closed = !isnan(learned->users);
    double rate_s =
        closed ? learned->users / (record->latency_s + learned->think_s) : record->throughput_s;
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
        crowd *= (learned->users - 1) / learned->users;
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
    return crowded && !record->stale && record->latency_s > 0
               ? exec_s / (1 + crowd_of(learned, record, m))
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
        double weight = weight_of(record, action->calls);
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
    double users = isnan(learned->users) ? 1 : fmax(learned->users, 1);
    return count > 0 && calls > 0 ? latency_s / count / calls / sqrt(users) : EXEC_UNKNOWN_S;
}

static void assume_unknown(struct learned *learned)
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
    assume_unknown(learned);
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

/* ---- the rounds ---- */

/* What a run of a walker takes beyond its calls, by what was measured of both. NAN = unknown. */
static double own_of_record(const struct learned *learned, const struct record *record, size_t w)
{
    const struct policy_walker *walker = &learned->shape.walkers[w];
    double own_s = record->walkers[w].mean_s;
    if (isnan(own_s) && learned->shape.walker_count == 1) {
        own_s = record->latency_s;
    }
    for (size_t j = 0; j < walker->call_count; j++) {
        size_t m = walker->calls[j];
        own_s -= record->actions[m].mean_s * learned->model.ratio[m];
    }
    return own_s;
}

/* Own code as seen with its waiting, a mean over records; 0 when noise alone could make it. */
static void measure_own(struct fit *fit)
{
    const struct learned *learned = fit->learned;
    for (size_t w = 0; w < learned->shape.walker_count; w++) {
        double sum_s = 0, whole_s = 0, count = 0;
        for (size_t r = 0; r < learned->record_count; r++) {
            const struct record *record = &learned->records[r];
            double own_s = record->stale ? NAN : own_of_record(learned, record, w);
            if (isfinite(own_s)) {
                sum_s += own_s;
                whole_s += isnan(record->walkers[w].mean_s) ? record->latency_s
                                                            : record->walkers[w].mean_s;
                count++;
            }
        }
        bool sure = count > 0 && sum_s > 2 * FIGURE_NOISE * whole_s / sqrt(count);
        fit->own_measured_s[w] = sure ? sum_s / count : 0;
        fit->learned->model.own_s[w] = 0;
    }
}

/* Of a figure that is off by a factor: normal, with tails that grow linearly only (Huber), so that
 * one figure which nothing explains does not decide. */
static double misfit_of(double measured, double simulated, double error)
{
    if (!(measured > 0) || !(simulated > 0)) {
        return 0;
    }
    double off = fabs(log(measured / simulated)) / error;
    return off < HUBER ? off * off / 2 : HUBER * (off - HUBER / 2);
}

static void sum_module(struct fit *fit, const struct record *record, const struct twin_result *twin,
                       size_t m)
{
    const struct learned *learned = fit->learned;
    const struct policy_action_figures *action = &record->actions[m];
    bool local = placement_local(record->placement, m);
    if (twin->calls[m] <= 0 || isnan(action->exec_s)) {
        return;
    }
    double weight = weight_of(record, action->calls);
    double simulated_s = twin->exec_s[m] + (learned->wall_clock ? twin->wait_s[m] : 0);
    double share = fmin(1, learned->calls_per_run[m] * action->exec_s / record->latency_s);
    struct sums *exec = &fit->exec[m][local ? TWIN_LOCAL : TWIN_REMOTE];
    exec->weight += weight;
    exec->measured += weight * action->exec_s;
    exec->simulated += weight * simulated_s;
    fit->misfit += share * misfit_of(action->exec_s, simulated_s, CALL_ERROR);
    if (isnan(action->mean_s)) {
        return;
    }
    double seen_s = twin->exec_s[m] + twin->wait_s[m] + twin->hop_s[m];
    fit->misfit += share * misfit_of(action->mean_s, seen_s, CALL_ERROR);
    if (!local) {
        fit->hop[m].weight += weight;
        fit->hop[m].measured += weight * (action->mean_s - action->exec_s);
        fit->hop[m].simulated += weight * (seen_s - simulated_s);
    }
}

static void simulate_records(struct fit *fit)
{
    struct learned *learned = fit->learned;
    struct twin_effort effort = learned_effort(learned, fit->calls, fit->seed);
    for (size_t r = 0; r < learned->record_count; r++) {
        const struct record *record = &learned->records[r];
        if (record->stale || isnan(record->latency_s)) {
            continue;
        }
        struct twin_result twin;
        twin_run(&learned->model, record->placement, &effort, &twin);
        fit->misfit += misfit_of(record->latency_s, twin.latency_s, LATENCY_ERROR);
        for (size_t m = 0; m < learned->problem->module_count; m++) {
            sum_module(fit, record, &twin, m);
        }
        for (size_t w = 0; w < learned->shape.walker_count; w++) {
            double own_s = twin.walker_s[w];
            for (size_t j = 0; j < learned->shape.walkers[w].call_count; j++) {
                size_t m = learned->shape.walkers[w].calls[j];
                bool local = placement_local(record->placement, m);
                own_s -= learned->model.ratio[m] *
                         (twin.wait_s[m] + twin.exec_s[m] + (local ? 0 : learned->model.hop_s[m]));
            }
            if (twin.walker_runs[w] > 0) {
                fit->own[w].weight++;
                fit->own[w].simulated += own_s;
            }
        }
    }
}

static double bounded_step(double measured, double simulated)
{
    double step = simulated > 0 ? measured / simulated : STEP_MAX;
    /* Half of it: in a crowd, a little more service is much more waiting. */
    return sqrt(fmin(fmax(step, 1 / STEP_MAX), STEP_MAX));
}

static void correct(struct fit *fit)
{
    struct learned *learned = fit->learned;
    struct twin_model *model = &learned->model;
    for (size_t m = 0; m < learned->problem->module_count; m++) {
        const struct sums *hop = &fit->hop[m];
        if (hop->weight > 0) {
            /* What of it is work is waited for, so it counts for more than itself. */
            double off_s = (hop->measured - hop->simulated) / hop->weight;
            double factor = model->hop_work > 0 ? bounded_step(hop->measured, hop->simulated) : 0;
            model->hop_s[m] =
                fmax(0, model->hop_work > 0 ? model->hop_s[m] * factor : model->hop_s[m] + off_s);
            learned->hop_known_s[m] = model->hop_s[m];
        }
        for (int side = 0; side < 2; side++) {
            const struct sums *exec = &fit->exec[m][side];
            if (exec->weight > 0) {
                model->exec_s[m][side] *= bounded_step(exec->measured, exec->simulated);
            }
        }
    }
    assume_unknown(learned);
    for (size_t w = 0; w < learned->shape.walker_count; w++) {
        double measured_s = fit->own_measured_s[w];
        if (measured_s <= 0 || fit->own[w].weight <= 0) {
            continue;
        }
        double simulated_s = fit->own[w].simulated / fit->own[w].weight;
        model->own_s[w] = model->own_s[w] > 0
                              ? model->own_s[w] * bounded_step(measured_s, simulated_s)
                              : measured_s / fmax(1, isnan(learned->users) ? 1 : learned->users);
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
            bool fails = errors[side][m] >= 3 && here > 0.01 && here > 2 * there;
            learned->failing[side] |= (placement_t)fails << m;
        }
    }
}

/* How calls share a worker, and workers the processors. A nature is one choice of each; the number
 * after a choice is -log of how likely it is before anything was measured. */
static const struct {
    bool shared, wall_clock;
    double prior;
} TURNS[] = {{false, false, 0}, {true, false, 0.3}, {false, true, 0.6}};

static const struct {
    double cores, prior;
} CORES[] = {{INFINITY, 0}, {2, 0.7}, {4, 0.7}};

static const struct {
    double hop_work, prior;
} HOPS[] = {{0, 0}, {0.5, 0.3}};

#define COUNT(rows)  (sizeof(rows) / sizeof((rows)[0]))
#define NATURE_COUNT (COUNT(TURNS) * COUNT(CORES) * COUNT(HOPS))

static size_t turns_of(size_t nature)
{
    return nature % COUNT(TURNS);
}

static size_t hops_of(size_t nature)
{
    return nature / COUNT(TURNS) % COUNT(HOPS);
}

static size_t cores_of(size_t nature)
{
    return nature / COUNT(TURNS) / COUNT(HOPS);
}

/* Returns -log likelihood. */
static double fit_nature(struct learned *learned, size_t number, int rounds, double calls,
                         uint64_t seed)
{
    double cores = learned->problem->cores, misfit = 0;
    learned->nature = number;
    learned->wall_clock = TURNS[turns_of(number)].wall_clock;
    learned->model.shared = TURNS[turns_of(number)].shared;
    learned->model.hop_work = HOPS[hops_of(number)].hop_work;
    learned->model.cores = isnan(cores) ? CORES[cores_of(number)].cores : cores;
    take_service_times(learned);
    take_hops(learned);
    struct fit measured = {.learned = learned};
    measure_own(&measured);
    calls /= fmax(1, (double)learned->record_count / 4); /* many records need less of each */
    for (int round = 1; round <= rounds; round++) {
        struct fit fit = {
            .learned = learned,
            .seed = random_at(seed, (uint64_t)round),
            .calls = calls,
        };
        memcpy(fit.own_measured_s, measured.own_measured_s, sizeof(fit.own_measured_s));
        simulate_records(&fit);
        misfit = fit.misfit;
        if (round < rounds) {
            correct(&fit);
        }
    }
    return misfit + TURNS[turns_of(number)].prior + CORES[cores_of(number)].prior +
           HOPS[hops_of(number)].prior;
}

/* Calls that never meet in a worker do not show how they would share it. */
static bool nature_matters(const struct learned *learned)
{
    for (size_t r = 0; r < learned->record_count; r++) {
        const struct record *record = &learned->records[r];
        if (!record->stale && record->latency_s > 0) {
            return isnan(learned->users) || learned->users > 1;
        }
    }
    return false;
}

/* Tries all natures, the best of them again with more care, and leaves the best of these fitted. */
static void choose_nature(struct learned *learned, uint64_t seed)
{
    double misfit[NATURE_COUNT];
    size_t best = 0, count = nature_matters(learned) ? NATURE_COUNT : 0;
    for (size_t i = 0; i < count; i++) {
        /* The number of processors is no question where it is given. */
        bool out = !isnan(learned->problem->cores) && cores_of(i) > 0;
        misfit[i] = out ? INFINITY : fit_nature(learned, i, QUICK_ROUNDS, QUICK_CALLS, seed);
    }
    double least = INFINITY;
    for (int n = 0; n < LONG_COUNT && count > 0; n++) {
        size_t next = 0;
        for (size_t i = 1; i < count; i++) {
            next = misfit[i] < misfit[next] ? i : next;
        }
        misfit[next] = INFINITY;
        double careful = fit_nature(learned, next, LONG_ROUNDS, LONG_CALLS, seed);
        if (careful < least) {
            least = careful;
            best = next;
        }
    }
    (void)fit_nature(learned, best, LONG_ROUNDS, LONG_CALLS, seed);
}

void learned_calibrate(struct learned *learned, uint64_t seed)
{
    struct twin_model *model = &learned->model;
    model->problem = &learned->shape;
    model->users = isnan(learned->users) ? 0 : learned->users;
    model->think_s = learned->think_s;
    model->rate_s = isnan(learned->rate_s) ? 0 : learned->rate_s;
    twin_spread(model, SCV_ASSUMED);
    count_runs(learned);
    count_calls(learned);
    find_failing(learned);
    choose_nature(learned, seed);
}

struct twin_effort learned_effort(const struct learned *learned, double calls, uint64_t seed)
{
    double per_run = 1;
    for (size_t m = 0; m < learned->problem->module_count; m++) {
        per_run += learned->calls_per_run[m];
    }
    double in_flight = isnan(learned->users) ? 20 : fmin(learned->users, TWIN_USERS_MAX);
    double runs = fmin(fmax(calls / per_run, 100), TWIN_RUNS_MAX / 2.0);
    return (struct twin_effort){.seed = seed,
                                .warmup_runs = (uint32_t)(runs / 10 + 3 * in_flight),
                                .runs = (uint32_t)runs,
                                .time_max_s = INFINITY};
}
