#include "policy/sim.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "policy/figure.h"
#include "policy/policy_json.h"
#include "policy/random.h"

#define MB            (1024.0 * 1024.0)
#define PHASE_WARMUP  50 /* runs before a phase: it does not begin with an idle system */
#define NOISE_DEFAULT 0.02
#define SCV_DEFAULT   1
#define SCV_MAX       100    /* 256 quantiles do not show more */
#define ORACLE_SEED   0x0a11 /* of the long run: no phase has it */
#define ORACLE_QUICK  800    /* runs with which all placements are tried */
#define ORACLE_LONG   8000   /* runs with which the best of them are compared */
#define ORACLE_FINALS 12     /* how many these are */

void sim_instance_done(struct sim_instance *instance)
{
    policy_problem_done(&instance->problem);
}

/* ---- generating ---- */

static double lognormal(struct random *random, double median, double sigma)
{
    return median * exp(sigma * random_normal(random));
}

static size_t choose(struct random *random, size_t count)
{
    return (size_t)(random_next(random) * (double)count);
}

static void generate_modules(struct random *random, struct sim_instance *instance)
{
    for (size_t i = 0; i < instance->problem.module_count; i++) {
        struct policy_module *module = &instance->problem.modules[i];
        char name[24];
        (void)snprintf(name, sizeof(name), "m%zu", i);
        module->name = xstrdup(name);
        module->mem_bytes = round(lognormal(random, 200, 0.8)) * MB;
        instance->truth.exec_s[i][TWIN_LOCAL] = lognormal(random, 0.004, 1.0);
        instance->truth.exec_s[i][TWIN_REMOTE] =
            instance->truth.exec_s[i][TWIN_LOCAL] * lognormal(random, 1.0, 0.3);
        instance->truth.hop_s[i] = lognormal(random, 0.002, 0.8);
        module->hop_s = instance->truth.hop_s[i] * lognormal(random, 1.0, 0.4);
        module->load_s = lognormal(random, 2, 0.8);
    }
}

static void generate_walkers(struct random *random, struct sim_instance *instance)
{
    struct policy_problem *problem = &instance->problem;
    problem->walker_count = 1 + choose(random, 3);
    problem->walkers = xcalloc(problem->walker_count, sizeof(*problem->walkers));
    for (size_t i = 0; i < problem->walker_count; i++) {
        struct policy_walker *walker = &problem->walkers[i];
        char name[24];
        (void)snprintf(name, sizeof(name), "w%zu", i);
        walker->name = xstrdup(name);
        walker->call_count = 1 + choose(random, 2 * problem->module_count);
        walker->calls = xcalloc(walker->call_count, sizeof(*walker->calls));
        for (size_t j = 0; j < walker->call_count; j++) {
            walker->calls[j] = (uint16_t)choose(random, problem->module_count);
        }
        walker->weight = round(10 * random_between(random, 0.2, 1)) / 10;
        instance->truth.own_s[i] = random_next(random) < 0.5 ? 0 : lognormal(random, 0.002, 1);
    }
}

/* Makes the rest of the model from the problem. */
static void complete(struct sim_instance *instance, double scv)
{
    struct policy_problem *problem = &instance->problem;
    struct twin_model *truth = &instance->truth;
    double sum = 0;
    truth->problem = problem;
    for (size_t i = 0; i < problem->walker_count; i++) {
        truth->share[i] = isnan(problem->walkers[i].weight) ? 1 : problem->walkers[i].weight;
        sum += truth->share[i];
    }
    for (size_t i = 0; i < problem->walker_count; i++) {
        truth->share[i] = sum > 0 ? truth->share[i] / sum : 1.0 / (double)problem->walker_count;
    }
    for (size_t i = 0; i < problem->module_count; i++) {
        truth->ratio[i] = 1;
    }
    truth->users = isnan(problem->users) ? 0 : problem->users;
    truth->think_s = problem->think_s;
    truth->rate_s = isnan(problem->rate_s) ? 0 : problem->rate_s;
    truth->cores = isnan(problem->cores) ? INFINITY : problem->cores;
    instance->scv = scv;
    twin_spread(truth, scv);
}

void sim_generate(uint64_t seed, size_t modules_min, size_t modules_max,
                  struct sim_instance *ret_instance)
{
    assert(modules_min >= 1 && modules_min <= modules_max && modules_max <= POLICY_MODULES_MAX);
    static const double spreads[] = {0, 0.25, 1, 2};
    struct random random = {.seed = random_mix(seed)};
    *ret_instance = (struct sim_instance){.seed = seed};
    struct policy_problem *problem = &ret_instance->problem;
    problem->module_count = modules_min + choose(&random, modules_max - modules_min + 1);
    problem->modules = xcalloc(problem->module_count, sizeof(*problem->modules));
    generate_modules(&random, ret_instance);
    generate_walkers(&random, ret_instance);
    double all_bytes = policy_memory(problem, policy_may_local(problem));
    problem->budget_bytes = round(all_bytes * random_between(&random, 0.2, 1.1) / MB) * MB;
    problem->users = round(pow(2, random_between(&random, 0, 5)));
    problem->think_s = random_next(&random) < 0.5 ? 0 : round(lognormal(&random, 100, 0.7)) / 1000;
    problem->rate_s = NAN;
    problem->cores = NAN;
    problem->phase_s = 10;
    ret_instance->noise = round(100 * random_between(&random, 0, 0.05)) / 100;
    complete(ret_instance, spreads[choose(&random, 4)]);
}

/* ---- what is measured ---- */

static double noisy(struct random *random, double noise, double figure)
{
    return figure * exp(noise * random_normal(random) - noise * noise / 2);
}

void sim_measure(const struct sim_instance *instance, placement_t placement, uint64_t phase,
                 struct policy_measurement *ret_measurement)
{
    const struct policy_problem *problem = &instance->problem;
    struct twin_result result;
    struct twin_effort effort = {.seed = random_at(instance->seed, phase + 1),
                                 .warmup_runs = PHASE_WARMUP,
                                 .runs = TWIN_RUNS_MAX,
                                 .time_max_s = problem->phase_s};
    struct random random = {.seed = random_mix(effort.seed)};
    double noise = instance->noise;
    twin_run(&instance->truth, placement, &effort, &result);
    policy_measurement_init(ret_measurement, problem);
    ret_measurement->mean_latency_s =
        isfinite(result.latency_s) ? noisy(&random, noise, result.latency_s) : NAN;
    ret_measurement->throughput_s = noisy(&random, noise, result.runs / result.span_s);
    ret_measurement->errors = 0;
    for (size_t i = 0; i < problem->walker_count; i++) {
        ret_measurement->walkers[i].runs = result.walker_runs[i];
        ret_measurement->walkers[i].mean_s =
            result.walker_runs[i] > 0 ? noisy(&random, noise, result.walker_s[i]) : NAN;
    }
    for (size_t i = 0; i < problem->module_count; i++) {
        struct policy_action_figures *action = &ret_measurement->actions[i];
        double hop_s = placement_local(placement, i) ? 0 : instance->truth.hop_s[i];
        action->calls = result.calls[i];
        if (action->calls > 0) {
            action->exec_s = noisy(&random, noise, result.exec_s[i]);
            action->mean_s = noisy(&random, noise, result.exec_s[i] + result.wait_s[i] + hop_s);
            action->mean_s = fmax(action->mean_s, action->exec_s);
        }
    }
}

/* ---- the oracle ---- */

static double latency_s(const struct sim_instance *instance, placement_t placement, uint32_t runs)
{
    struct twin_effort effort = {.seed = random_at(instance->seed, ORACLE_SEED),
                                 .warmup_runs = runs / 4,
                                 .runs = runs,
                                 .time_max_s = INFINITY};
    struct twin_result result;
    twin_run(&instance->truth, placement, &effort, &result);
    return result.latency_s;
}

double sim_latency_s(const struct sim_instance *instance, placement_t placement)
{
    return latency_s(instance, placement, ORACLE_LONG);
}

placement_t sim_oracle(const struct sim_instance *instance, double *ret_latency_s)
{
    struct {
        placement_t placement;
        double latency_s;
    } finals[ORACLE_FINALS];
    size_t count = 0;
    assert(instance->problem.module_count <= SIM_ORACLE_MODULES_MAX);
    for (placement_t p = 0; p >> instance->problem.module_count == 0; p++) {
        if (!policy_feasible(&instance->problem, p)) {
            continue;
        }
        double quick_s = latency_s(instance, p, ORACLE_QUICK);
        size_t at = count < ORACLE_FINALS ? count++ : ORACLE_FINALS;
        while (at > 0 && finals[at - 1].latency_s > quick_s) {
            if (at < ORACLE_FINALS) {
                finals[at] = finals[at - 1];
            }
            at--;
        }
        if (at < ORACLE_FINALS) {
            finals[at].placement = p;
            finals[at].latency_s = quick_s;
        }
    }
    placement_t best = 0;
    *ret_latency_s = INFINITY;
    for (size_t i = 0; i < count; i++) {
        double long_s = sim_latency_s(instance, finals[i].placement);
        if (i == 0 || long_s < *ret_latency_s) {
            best = finals[i].placement;
            *ret_latency_s = long_s;
        }
    }
    return best;
}

/* ---- JSON ---- */

static int read_module_truth(struct json_object *item, struct sim_instance *instance, size_t m,
                             struct err *err)
{
    double local_s = NAN, remote_s = NAN, hop_s = NAN;
    int failed = 0;
    (void)((failed = figure_read(item, "module_s", &local_s, err)) ||
           (failed = figure_read(item, "remote_s", &remote_s, err)) ||
           (failed = figure_read(item, "true_hop_s", &hop_s, err)));
    const char *name = instance->problem.modules[m].name;
    if (failed) {
        return err_wrap(err, "module '%s'", name);
    }
    if (isnan(local_s) && isnan(remote_s)) {
        return err_set(err, EINVAL,
                       "module '%s': 'module_s' or 'remote_s' must say how long a call takes",
                       name);
    }
    if (isnan(hop_s)) {
        hop_s = instance->problem.modules[m].hop_s;
    }
    instance->truth.exec_s[m][TWIN_LOCAL] = isnan(local_s) ? remote_s : local_s;
    instance->truth.exec_s[m][TWIN_REMOTE] = isnan(remote_s) ? local_s : remote_s;
    instance->truth.hop_s[m] = isnan(hop_s) ? 0 : hop_s;
    return 0;
}

static int read_truth(struct json_object *object, struct sim_instance *instance, struct err *err)
{
    struct json_object *modules = json_member(object, "modules", json_type_array);
    struct json_object *walkers = json_member(object, "walkers", json_type_array);
    double scv = NAN, seed = NAN;
    int failed = 0;
    for (size_t m = 0; m < instance->problem.module_count && !failed; m++) {
        failed = read_module_truth(json_object_array_get_idx(modules, m), instance, m, err);
    }
    for (size_t w = 0; w < instance->problem.walker_count && !failed; w++) {
        failed = figure_read(json_object_array_get_idx(walkers, w), "own_s",
                             &instance->truth.own_s[w], err);
        instance->truth.own_s[w] = isnan(instance->truth.own_s[w]) ? 0 : instance->truth.own_s[w];
    }
    (void)(failed || (failed = figure_read(object, "scv", &scv, err)) ||
           (failed = figure_read(object, "noise", &instance->noise, err)) ||
           (failed = figure_read(object, "seed", &seed, err)));
    if (failed) {
        return failed;
    }
    if (instance->problem.walker_count == 0 ||
        (isnan(instance->problem.users) && !(instance->problem.rate_s > 0))) {
        return err_set(err, EINVAL, "a simulation needs 'walkers', and 'users' or 'rate_s'");
    }
    instance->noise = isnan(instance->noise) ? NOISE_DEFAULT : instance->noise;
    instance->seed = isnan(seed) ? 1 : (uint64_t)seed;
    complete(instance, isnan(scv) ? SCV_DEFAULT : fmin(scv, SCV_MAX));
    return 0;
}

int sim_instance_read(struct json_object *object, struct sim_instance *ret_instance,
                      struct err *err)
{
    *ret_instance = (struct sim_instance){.noise = NAN};
    int failed = policy_problem_read(object, &ret_instance->problem, err);
    if (failed) {
        return failed;
    }
    failed = read_truth(object, ret_instance, err);
    if (failed) {
        sim_instance_done(ret_instance);
    }
    return failed;
}

struct json_object *sim_instance_write(const struct sim_instance *instance)
{
    struct json_object *object = policy_problem_write(&instance->problem);
    struct json_object *modules = json_member(object, "modules", json_type_array);
    struct json_object *walkers = json_member(object, "walkers", json_type_array);
    for (size_t m = 0; m < instance->problem.module_count; m++) {
        struct json_object *item = json_object_array_get_idx(modules, m);
        policy_set_number(item, "module_s", instance->truth.exec_s[m][TWIN_LOCAL]);
        policy_set_number(item, "remote_s", instance->truth.exec_s[m][TWIN_REMOTE]);
        policy_set_number(item, "true_hop_s", instance->truth.hop_s[m]);
    }
    for (size_t w = 0; w < instance->problem.walker_count; w++) {
        policy_set_number(json_object_array_get_idx(walkers, w), "own_s", instance->truth.own_s[w]);
    }
    policy_set_number(object, "scv", instance->scv);
    policy_set_number(object, "noise", instance->noise);
    policy_set_number(object, "seed", (double)instance->seed);
    return object;
}
