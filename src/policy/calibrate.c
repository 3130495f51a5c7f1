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

#include "policy/learned_priv.h"
#include "policy/random.h"

#define QUICK_ROUNDS  2    /* for each nature; the last round only looks how well it fits */
#define QUICK_CALLS   3000 /* simulated for a record in each round */
#define LONG_ROUNDS   3    /* for the natures that fit best */
#define LONG_CALLS    5000
#define LONG_COUNT    3
#define WORK_MAX      15e6 /* of a calibration: about 0.1 s (learned_effort) */
#define LATENCY_ERROR 0.05 /* of a good twin: relative, standard deviation */
#define HUBER         3.0  /* standard deviations from which on an error is none that noise makes */
#define CALL_ERROR    0.10 /* of its calls */
#define SCV_ASSUMED   0.7  /* spread of service times: between constant and exponential */
#define FIGURE_NOISE  0.03 /* of a measured mean: what is less is not told from nothing */
#define STALE_MISFIT  0.5  /* weight of what was measured before a shift */
#define STEP_MAX      3.0  /* a correction in one round at most: factor */

struct sums { /* over records, of one module or one walker */
    double weight, measured, simulated;
};

struct fit {
    struct learned *learned;
    uint64_t seed;
    double calls;    /* to be simulated for each record */
    double work_max; /* of each of these simulations */
    struct sums exec[POLICY_MODULES_MAX][2];
    struct sums hop[POLICY_MODULES_MAX];
    struct sums own[POLICY_WALKERS_MAX];
    double own_measured_s[POLICY_WALKERS_MAX]; /* response, with waiting; 0 = none to be seen */
    double misfit; /* -log likelihood of what was measured, up to a constant */
};

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
    double weight = record_weight(record, action->calls);
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
    struct twin_effort effort = learned_effort(learned, fit->calls, fit->work_max, fit->seed);
    for (size_t r = 0; r < learned->record_count; r++) {
        const struct record *record = &learned->records[r];
        if (!record_is_comparable(record)) {
            continue;
        }
        struct twin_result twin;
        struct twin_model model;
        learned_model_of(learned, record, &model);
        twin_run(&model, record->placement, &effort, &twin);
        double weight = record->stale ? STALE_MISFIT : 1;
        double error = sqrt(LATENCY_ERROR * LATENCY_ERROR + record_scatter(record));
        fit->misfit += weight * misfit_of(record->latency_s, twin.latency_s, error);
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
    learned_assume_unknown(learned);
    for (size_t w = 0; w < learned->shape.walker_count; w++) {
        double measured_s = fit->own_measured_s[w];
        if (measured_s <= 0 || fit->own[w].weight <= 0) {
            continue;
        }
        double simulated_s = fit->own[w].simulated / fit->own[w].weight;
        model->own_s[w] =
            model->own_s[w] > 0
                ? model->own_s[w] * bounded_step(measured_s, simulated_s)
                : measured_s / fmax(1, isnan(learned->load.users) ? 1 : learned->load.users);
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

/* Of one calibration, at most. */
static double simulations(const struct learned *learned)
{
    size_t cores = isnan(learned->problem->cores) ? COUNT(CORES) : 1;
    size_t natures = COUNT(TURNS) * COUNT(HOPS) * cores;
    double rounds = (double)(natures * QUICK_ROUNDS + (LONG_COUNT + 1) * LONG_ROUNDS);
    return rounds * fmax(1, (double)learned->record_count);
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
    learned_take_figures(learned);
    struct fit measured = {.learned = learned};
    measure_own(&measured);
    calls /= fmax(1, (double)learned->record_count / 4); /* many records need less of each */
    for (int round = 1; round <= rounds; round++) {
        struct fit fit = {
            .learned = learned,
            .seed = random_at(seed, (uint64_t)round),
            .calls = calls,
            .work_max = WORK_MAX / simulations(learned),
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
        if (record_is_comparable(record) && (isnan(record->load.users) || record->load.users > 1)) {
            return true;
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
    learned_set_load(model, learned->load);
    twin_spread(model, SCV_ASSUMED);
    learned_count(learned);
    choose_nature(learned, seed);
}
