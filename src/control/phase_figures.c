/* The control's knowledge in a policy's terms. A request for one action is a walker that makes one
 * call: its name is the path that it came by. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "control/control_priv.h"
#include "control/phases.h"
#include "measure/figures.h"
#include "measure/histogram.h"

#define ACTION_PATH "/actions/"
/* Of one module in a walker's list; the measured ratio goes on from there. */
#define REPEATS_MAX     64
#define OWNER_BYTES_MAX (STATS_NAME_MAX + sizeof(ACTION_PATH))

static double seconds(uint64_t ns)
{
    return (double)ns / 1e9;
}

static double mean_s(uint64_t sum_ns, uint64_t count)
{
    return count > 0 ? seconds(sum_ns) / (double)count : NAN;
}

/* Whose run the row belongs to; NULL = nobody's that can be told. */
static const char *owner_of(const struct figure *row, char owner[OWNER_BYTES_MAX])
{
    if (row->walker || !row->action) {
        return row->walker && strcmp(row->walker, STATS_OTHER) != 0 ? row->walker : NULL;
    }
    (void)snprintf(owner, OWNER_BYTES_MAX, ACTION_PATH "%s", row->action);
    return owner;
}

static size_t find_walker(const struct policy_problem *problem, const char *name)
{
    size_t i = 0;
    while (i < problem->walker_count && strcmp(problem->walkers[i].name, name) != 0) {
        i++;
    }
    return i;
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

static void add_modules(const struct control *control, struct policy_problem *problem, double hop,
                        uint32_t *ret_modules)
{
    problem->modules = xcalloc(POLICY_MODULES_MAX, sizeof(*problem->modules));
    for (uint32_t i = 0; i < control->module_count; i++) {
        const struct module *module = control->modules[i];
        if (!module->listed || module->wanted == PLACE_NONE ||
            problem->module_count == POLICY_MODULES_MAX) {
            continue;
        }
        ret_modules[problem->module_count] = i;
        problem->modules[problem->module_count++] = (struct policy_module){
            .name = xstrdup(module->name),
            .mem_bytes = memory_of(control, module),
            .hop_s = hop,
            .load_s = load_time_of(control, module),
            .now = module->kept != PLACE_NONE ? module->kept : module->wanted,
            .fixed = module->walkers || module->pinned || strcmp(module->kind, "server") == 0,
        };
    }
}

static void add_walkers(struct policy_problem *problem, const struct figures *figures)
{
    problem->walkers = xcalloc(POLICY_WALKERS_MAX, sizeof(*problem->walkers));
    for (size_t i = 0; i < figures->count; i++) {
        const struct figure *row = &figures->rows[i];
        char text[OWNER_BYTES_MAX];
        const char *owner = owner_of(row, text);
        bool begins = owner && (!row->action || !row->walker) && row->calls > 0;
        if (begins && problem->walker_count < POLICY_WALKERS_MAX &&
            find_walker(problem, owner) == problem->walker_count) {
            problem->walkers[problem->walker_count++] = (struct policy_walker){
                .name = xstrdup(owner),
                .calls = xcalloc(POLICY_CALLS_MAX, sizeof(uint16_t)),
                .weight = NAN,
            };
        }
    }
}

static uint64_t runs_of(const struct figures *figures, const char *walker)
{
    uint64_t runs = 0;
    for (size_t i = 0; i < figures->count; i++) {
        const struct figure *row = &figures->rows[i];
        char text[OWNER_BYTES_MAX];
        const char *owner = owner_of(row, text);
        bool begins = owner && (!row->action || !row->walker);
        runs += begins && strcmp(owner, walker) == 0 ? row->calls : 0;
    }
    return runs;
}

static void add_calls(struct policy_problem *problem, const struct figures *figures)
{
    for (size_t w = 0; w < problem->walker_count; w++) {
        struct policy_walker *walker = &problem->walkers[w];
        uint64_t calls[POLICY_MODULES_MAX] = {0};
        for (size_t i = 0; i < figures->count; i++) {
            const struct figure *row = &figures->rows[i];
            char text[OWNER_BYTES_MAX];
            const char *owner = row->action ? owner_of(row, text) : NULL;
            size_t module =
                row->module ? policy_module_find(problem, slice_str(row->module)) : SIZE_MAX;
            if (owner && module < problem->module_count && strcmp(owner, walker->name) == 0) {
                calls[module] += row->calls;
            }
        }
        uint64_t runs = runs_of(figures, walker->name);
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
}

static double setting_bytes(const struct control *control)
{
    int64_t mb = control->settings.policy_memory_mb;
    return mb > 0 ? (double)mb * 1024 * 1024 : INFINITY;
}

void phase_problem(const struct control *control, struct policy_problem *ret_problem,
                   uint32_t ret_modules[POLICY_MODULES_MAX])
{
    CLEANUP(figures_free) struct figures *figures = control_figures(control);
    *ret_problem = (struct policy_problem){
        .budget_bytes =
            control->phases.looked_ms > 0 ? control->phases.budget_bytes : setting_bytes(control),
        .users = NAN,
        .think_s = NAN,
        .rate_s = NAN,
        .phase_s = control->settings.policy_phase_s,
        .cores = (double)sysconf(_SC_NPROCESSORS_ONLN),
    };
    add_modules(control, ret_problem, hop_s(figures), ret_modules);
    add_walkers(ret_problem, figures);
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
    char text[OWNER_BYTES_MAX];
    const char *owner = owner_of(row, text);
    size_t walker = owner ? find_walker(problem, owner) : problem->walker_count;
    if ((!row->action || !row->walker) && walker < problem->walker_count) {
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

/* The load as a finite number of clients that pause: by the interactive response time law
 * (Denning and Buzen, The Operational Analysis of Queueing Network Models, 1978) N clients who
 * think for Z make N / (W + Z) requests a second. N is the most that were seen at once, so a closed
 * load is told as it is, and an open one as many clients with long pauses. */
static void tell_load(struct policy_measurement *measurement, unsigned in_flight_max)
{
    double users = in_flight_max > 0 ? in_flight_max : 1;
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
