/* The control's knowledge in a policy's terms. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "control/busiest.h"
#include "control/control_priv.h"
#include "control/phases.h"
#include "measure/figures.h"
#include "measure/histogram.h"

/* Of one module in a walker's list; the measured ratio goes on from there. */
#define REPEATS_MAX 64

/* Of a user: what clocks and the edges of a phase may add to a mean number of runs under way. */
#define USERS_SLACK 0.05

static double seconds(uint64_t ns)
{
    return (double)ns / 1e9;
}

static double mean_s(uint64_t sum_ns, uint64_t count)
{
    return count > 0 ? seconds(sum_ns) / (double)count : NAN;
}

static uint64_t good(const struct figure *row)
{
    return row->calls > row->errors ? row->calls - row->errors : 0;
}

/* Without what the row's calls of other actions took, in the mean: that is told in their rows. */
static double own_s(double whole_s, const struct figure *row)
{
    double nested_s = row->executions > 0 ? mean_s(row->nested_ns, row->executions) : 0;
    return whole_s > nested_s ? whole_s - nested_s : 0;
}

/* ---- the problem ---- */

static double memory_of(const struct control *control, const struct module *module)
{
    struct control_costs costs;
    if (control_costs(control, module->name, PLACE_MODULE, &costs)) {
        return (double)costs.mem_kb * 1024;
    }
    int64_t declared_mb = control_memory_mb(control, module->name);
    if (declared_mb > 0) {
        return (double)declared_mb * 1024 * 1024;
    }
    /* A pod's: with the interpreter, so rather too much. */
    bool known = control_costs(control, module->name, PLACE_REMOTE, &costs) && costs.pss_kb > 0;
    return known ? (double)costs.pss_kb * 1024 : NAN;
}

static double load_time_of(const struct control *control, const struct module *module)
{
    struct control_costs costs;
    if (control_costs(control, module->name, PLACE_MODULE, &costs) ||
        control_costs(control, module->name, PLACE_REMOTE, &costs)) {
        return costs.load_ms / 1000;
    }
    return NAN;
}

/* What a call to a pod takes beyond its execution, over all pods so far; NAN = not known. */
static double hop_s(const struct figures *figures)
{
    double hop = 0;
    uint64_t calls = 0;
    for (size_t i = 0; i < figures->count; i++) {
        const struct figure *row = &figures->rows[i];
        if (row->action && row->place == PLACE_REMOTE && row->executions > 0) {
            double beyond = figure_mean_s(row) - mean_s(row->exec_ns, row->executions);
            hop += beyond > 0 ? beyond * (double)row->executions : 0;
            calls += row->executions;
        }
    }
    return calls > 0 ? hop / (double)calls : NAN;
}

/* Handed over: the busiest, if there is no room for all. */
static void choose_modules(const struct control *control, const struct figures *figures,
                           bool *ret_chosen)
{
    double *calls = xcalloc(control->module_count + 1, sizeof(*calls));
    for (size_t i = 0; i < figures->count; i++) {
        uint32_t index = 0;
        const struct figure *row = &figures->rows[i];
        if (row->action && row->module && module_find(control, row->module, &index)) {
            calls[index] += (double)row->calls;
        }
    }
    for (size_t i = 0; control->phases.talk.policy && i < control->phases.module_count; i++) {
        calls[control->phases.modules[i]] *= BUSIEST_STAYS;
    }
    for (uint32_t i = 0; i < control->module_count; i++) {
        calls[i] = phase_is_placed(control->modules[i]) ? calls[i] : -1;
    }
    busiest(calls, control->module_count, POLICY_MODULES_MAX, ret_chosen);
    free(calls);
}

static void add_modules(const struct control *control, const struct figures *figures,
                        struct policy_problem *problem, uint32_t *ret_modules)
{
    double hop = hop_s(figures);
    bool *chosen = xcalloc(control->module_count + 1, sizeof(*chosen));
    choose_modules(control, figures, chosen);
    problem->modules = xcalloc(POLICY_MODULES_MAX, sizeof(*problem->modules));
    for (uint32_t i = 0; i < control->module_count; i++) {
        const struct module *module = control->modules[i];
        enum place now = module_place(module);
        double mem_bytes = memory_of(control, module);
        if (!phase_is_placed(module)) {
            continue;
        }
        if (!chosen[i]) { /* what it takes is not there for others */
            double taken = now == PLACE_MODULE && !isnan(mem_bytes) ? mem_bytes : 0;
            problem->budget_bytes = fmax(problem->budget_bytes - taken, 0);
            continue;
        }
        ret_modules[problem->module_count] = i;
        problem->modules[problem->module_count++] = (struct policy_module){
            .name = xstrdup(module->name),
            .mem_bytes = mem_bytes,
            .hop_s = hop,
            .load_s = load_time_of(control, module),
            .now = now,
            .fixed = module->walkers || module->pinned || strcmp(module->kind, "server") == 0,
        };
    }
    free(chosen);
}

/* What a run calls, in the mean. */
static void list_calls(const struct policy_problem *problem, struct policy_walker *walker,
                       uint64_t runs, const uint64_t calls[POLICY_MODULES_MAX])
{
    walker->weight = (double)runs;
    for (size_t m = 0; m < problem->module_count; m++) {
        uint64_t repeats = calls[m] == 0 ? 0 : (calls[m] + runs / 2) / (runs ? runs : 1);
        repeats = calls[m] > 0 && repeats == 0 ? 1 : repeats;
        for (uint64_t k = 0; k < repeats && k < REPEATS_MAX; k++) {
            if (walker->call_count < POLICY_CALLS_MAX) {
                walker->calls[walker->call_count++] = (uint16_t)m;
            }
        }
    }
}

static void add_calls(struct policy_problem *problem, const struct figures *figures)
{
    size_t count = problem->walker_count;
    uint64_t *runs = xcalloc(count + 1, sizeof(*runs));
    uint64_t(*calls)[POLICY_MODULES_MAX] = xcalloc(count + 1, sizeof(*calls));
    for (size_t i = 0; i < figures->count; i++) {
        const struct figure *row = &figures->rows[i];
        size_t walker = phase_walker(problem, row);
        size_t module = row->module && row->action
                            ? policy_module_find(problem, slice_str(row->module))
                            : problem->module_count;
        if (walker < count) {
            runs[walker] += phase_begins_run(row) ? row->calls : 0;
        }
        if (walker < count && module < problem->module_count) {
            calls[walker][module] += row->calls;
        }
    }
    for (size_t w = 0; w < count; w++) {
        list_calls(problem, &problem->walkers[w], runs[w], calls[w]);
    }
    free(runs);
    free(calls);
}

void phase_problem(const struct control *control, struct policy_problem *ret_problem,
                   uint32_t ret_modules[POLICY_MODULES_MAX])
{
    CLEANUP(figures_free) struct figures *figures = control_figures(control);
    *ret_problem = (struct policy_problem){
        .budget_bytes = control->phases.looked_ms > 0
                            ? control->phases.budget_bytes
                            : phase_setting_bytes(control->settings.policy_memory_mb),
        .users = NAN,
        .think_s = NAN,
        .rate_s = NAN,
        .phase_s = control->settings.policy_phase_s,
        .cores = (double)sysconf(_SC_NPROCESSORS_ONLN),
    };
    const struct policy *policy = control->phases.talk.policy;
    add_modules(control, figures, ret_problem, ret_modules);
    phase_add_walkers(ret_problem, figures, policy ? policy_problem(policy) : NULL);
    add_calls(ret_problem, figures);
}

char *phase_shape(const struct policy_problem *problem)
{
    struct buf shape = {0};
    for (size_t i = 0; i < problem->module_count; i++) {
        buf_printf(&shape, "%s%s\n", problem->modules[i].name,
                   problem->modules[i].fixed ? "!" : "");
    }
    for (size_t w = 0; w < problem->walker_count; w++) {
        const struct policy_walker *walker = &problem->walkers[w];
        buf_printf(&shape, "%s:", walker->name);
        for (size_t k = 0; k < walker->call_count; k++) {
            if (k == 0 || walker->calls[k] != walker->calls[k - 1]) {
                buf_printf(&shape, " %u", walker->calls[k]);
            }
        }
        buf_printf(&shape, "\n");
    }
    char *text = xstrndup(shape.data ? shape.data + shape.start : "", buf_size(&shape));
    buf_done(&shape);
    return text;
}

/* ---- a measurement ---- */

struct sums {
    double latency_s, exec_s;
    uint64_t timed, executions; /* calls in the one and in the other */
};

static void add_up(struct sums *sums, const struct figure *row)
{
    uint64_t timed = histogram_count(row->latency);
    sums->timed += timed;
    sums->latency_s += timed > 0 ? own_s(figure_mean_s(row), row) * (double)timed : 0;
    sums->executions += row->executions;
    sums->exec_s += row->executions > 0 ? own_s(mean_s(row->exec_ns, row->executions), row) *
                                              (double)row->executions
                                        : 0;
}

static double mean_of(double sum_s, uint64_t count)
{
    return count > 0 ? sum_s / (double)count : NAN;
}

/* Means from sums: runs of walkers, calls of modules. */
static void book(struct policy_measurement *measurement, const struct policy_problem *problem,
                 const struct figure *row, struct sums *module_sums, double *walker_latency_s)
{
    size_t walker = phase_walker(problem, row);
    if (phase_begins_run(row) && walker < problem->walker_count) {
        measurement->walkers[walker].runs += (double)good(row);
        measurement->walkers[walker].errors += (double)row->errors;
        walker_latency_s[walker] += seconds(row->latency_ns);
    }
    size_t module = row->module ? policy_module_find(problem, slice_str(row->module)) : SIZE_MAX;
    if (row->action && module < problem->module_count) {
        measurement->actions[module].calls += (double)good(row);
        measurement->actions[module].errors += (double)row->errors;
        add_up(&module_sums[module], row);
    }
}

/* In the phase at least so many runs were under way at once: no fewer than in the mean, which is
 * throughput times latency (Little's law). A run that began before the phase counts whole, so there
 * may be one latency a client too much in it. */
static double users_at_least(const struct policy_measurement *measurement)
{
    double latency_s = measurement->mean_latency_s;
    double mean = measurement->throughput_s * latency_s / (1 + latency_s / measurement->phase_s);
    return ceil(mean - USERS_SLACK);
}

/* The load as a finite number of clients that pause: by the interactive response time law
 * (Denning and Buzen, The Operational Analysis of Queueing Network Models, 1978) N clients who
 * think for Z make N / (W + Z) requests a second. N is the most that were seen at once, so a closed
 * load is told as it is, and an open one as many clients with long pauses. The looks are few in a
 * short phase, and each may miss a client that is between two runs. */
static void tell_load(struct policy_measurement *measurement, unsigned in_flight_max)
{
    double users = fmax(fmax(in_flight_max, 1), users_at_least(measurement));
    double think = users / measurement->throughput_s - measurement->mean_latency_s;
    measurement->users = users;
    measurement->think_s = think > 0 ? think : 0;
}

void phase_measurement(const struct policy_problem *problem, const struct figures *before,
                       const struct figures *after, unsigned in_flight_max,
                       struct policy_measurement *ret_measurement)
{
    CLEANUP(figures_free) struct figures *figures = figures_since(after, before);
    struct policy_measurement *measurement = ret_measurement;
    struct sums module_sums[POLICY_MODULES_MAX] = {{0}};
    double walker_latency_s[POLICY_WALKERS_MAX] = {0};
    policy_measurement_init(measurement, problem);
    for (size_t i = 0; i < figures->count; i++) {
        book(measurement, problem, &figures->rows[i], module_sums, walker_latency_s);
    }
    double runs = 0, latency_s = 0;
    for (size_t w = 0; w < problem->walker_count; w++) {
        struct policy_walker_figures *walker = &measurement->walkers[w];
        walker->mean_s = walker->runs > 0 ? walker_latency_s[w] / walker->runs : NAN;
        runs += walker->runs;
        latency_s += walker_latency_s[w];
        measurement->errors += walker->errors;
    }
    for (size_t m = 0; m < problem->module_count; m++) {
        struct policy_action_figures *action = &measurement->actions[m];
        action->mean_s = mean_of(module_sums[m].latency_s, module_sums[m].timed);
        action->exec_s = mean_of(module_sums[m].exec_s, module_sums[m].executions);
    }
    measurement->phase_s = seconds(figures->at_ns);
    measurement->throughput_s = runs / measurement->phase_s;
    if (runs > 0) {
        measurement->mean_latency_s = latency_s / runs;
        tell_load(measurement, in_flight_max);
    }
}
