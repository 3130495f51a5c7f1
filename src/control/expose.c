/* The control's part of GET /metrics. */
#include "measure/exposition.h"

#include "base/clock.h"
#include "base/system.h"
#include "control/control_priv.h"
#include "measure/figures.h"

#define KB 1024.0

/* ---- actions and walkers ---- */

static double value_of(const struct figure *row, enum metric metric)
{
    switch (metric) {
    case METRIC_ACTION_CALLS:
    case METRIC_WALKER_RUNS:
        return (double)row->calls;
    case METRIC_ACTION_ERRORS:
    case METRIC_WALKER_ERRORS:
        return (double)row->errors;
    case METRIC_ACTION_EXECUTIONS:
    case METRIC_WALKER_EXECUTIONS:
        return (double)row->executions;
    case METRIC_ACTION_EXECUTION:
    case METRIC_WALKER_EXECUTION:
        return (double)row->exec_ns / 1e9;
    case METRIC_ACTION_REQUEST_BYTES:
        return (double)row->bytes_in;
    case METRIC_ACTION_RESPONSE_BYTES:
        return (double)row->bytes_out;
    default:
        return row->in_flight;
    }
}

/* A line a row: of all actions, or of all walkers. */
static void expose_rows(struct exposition *exposition, const struct figures *figures,
                        enum metric metric, bool walkers)
{
    exposition_begin(exposition, metric);
    for (size_t i = 0; i < figures->count; i++) {
        const struct figure *row = &figures->rows[i];
        if (walkers == (row->action != NULL)) {
            continue;
        }
        const char *const of_action[] = {row->action, place_name(row->place), row->walker};
        const char *const *labels = walkers ? &row->walker : of_action;
        if (METRIC_TABLE[metric].type == METRIC_HISTOGRAM) {
            exposition_histogram(exposition, labels, row->latency, row->latency_ns);
        } else {
            exposition_value(exposition, labels, value_of(row, metric));
        }
    }
}

static void expose_calls(const struct control *control, struct exposition *exposition)
{
    CLEANUP(figures_free) struct figures *figures = control_figures(control);
    for (enum metric m = METRIC_ACTION_CALLS; m <= METRIC_ACTION_IN_FLIGHT; m++) {
        expose_rows(exposition, figures, m, false);
    }
    for (enum metric m = METRIC_WALKER_RUNS; m <= METRIC_WALKER_EXECUTION; m++) {
        expose_rows(exposition, figures, m, true);
    }
    exposition_single(exposition, METRIC_WALKER_IN_FLIGHT,
                      atomic_load(&control->walker_stats.outside.in_flight));
}

static void expose_places(const struct control *control, struct exposition *exposition)
{
    exposition_begin(exposition, METRIC_ACTION_PLACE);
    for (uint32_t i = 0; i < control->module_count; i++) {
        const struct module *module = control->modules[i];
        for (size_t k = 0; k < module->action_count; k++) {
            if (action_is_live(control, i, module->actions[k])) {
                exposition_value(exposition,
                                 (const char *const[]){module->actions[k]->name, module->name,
                                                       place_name(control->served[i])},
                                 1);
            }
        }
    }
}

/* ---- modules ---- */

static void expose_ready(const struct control *control, struct exposition *exposition)
{
    exposition_begin(exposition, METRIC_MODULE_READY);
    for (uint32_t i = 0; i < control->module_count; i++) {
        const struct module *module = control->modules[i];
        if (module->listed && module->wanted != PLACE_NONE) {
            bool ready = control->published[i].choice == CHOICE_TARGET;
            enum place place = ready ? control->served[i] : module->wanted;
            exposition_value(exposition, (const char *const[]){module->name, place_name(place)},
                             ready);
        }
    }
}

static void expose_costs(const struct control *control, struct exposition *exposition,
                         enum metric metric)
{
    exposition_begin(exposition, metric);
    for (uint32_t i = 0; i < control->module_count; i++) {
        for (enum place place = PLACE_MODULE; place <= PLACE_REMOTE; place++) {
            const char *name = control->modules[i]->name;
            struct control_costs costs;
            if (control_costs(control, name, place, &costs)) {
                double value = metric == METRIC_MODULE_LOAD    ? costs.load_ms / 1000
                               : metric == METRIC_MODULE_START ? (double)costs.start_ms / 1000
                                                               : (double)costs.pss_kb * KB;
                exposition_value(exposition, (const char *const[]){name, place_name(place)}, value);
            }
        }
    }
}

static void expose_restarts(const struct control *control, struct exposition *exposition)
{
    exposition_begin(exposition, METRIC_MODULE_RESTARTS);
    for (uint32_t i = 0; i < control->module_count; i++) {
        exposition_value(exposition, (const char *const[]){control->modules[i]->name},
                         control->modules[i]->restarts);
    }
}

/* ---- workers and moves ---- */

static const char *role_name(bool runtime)
{
    return runtime ? "runtime" : "pod";
}

static void expose_by_role(struct exposition *exposition, enum metric metric,
                           const uint64_t counts[2])
{
    exposition_begin(exposition, metric);
    for (int runtime = 0; runtime < 2; runtime++) {
        exposition_value(exposition, (const char *const[]){role_name(runtime)},
                         (double)counts[runtime]);
    }
}

static void expose_workers(const struct control *control, struct exposition *exposition,
                           enum metric metric)
{
    exposition_begin(exposition, metric);
    for (uint32_t i = 0; i < control->instance_count; i++) {
        const struct instance *instance = control->instances[i];
        if (!instance->pod || !instance->targets) {
            continue;
        }
        double value = metric == METRIC_WORKER_CPU ? system_process_cpu_s("", instance->pod->pid)
                       : metric == METRIC_WORKER_MEMORY ? (double)instance->memory.pss_kb * KB
                       : metric == METRIC_WORKER_MEMORY_PEAK
                           ? (double)instance->memory.peak_kb * KB
                           : target_set_in_flight(instance->targets);
        exposition_value(exposition,
                         (const char *const[]){instance->pod->name, role_name(instance->runtime)},
                         value);
    }
}

static void expose_moves(const struct control *control, struct exposition *exposition)
{
    const struct control_counts *counts = &control->counts;
    exposition_begin(exposition, METRIC_MOVES);
    for (enum place from = PLACE_MODULE; from <= PLACE_REMOTE; from++) {
        enum place to = from == PLACE_MODULE ? PLACE_REMOTE : PLACE_MODULE;
        exposition_value(exposition, (const char *const[]){place_name(from), place_name(to)},
                         (double)counts->moves[from][to]);
    }
    exposition_begin(exposition, METRIC_MOVE_DURATION);
    exposition_histogram(exposition, NULL, counts->moving, counts->moving_ns);
}

/* ---- the policy ---- */

static void expose_policy(const struct control *control, struct exposition *exposition)
{
    const struct phases *phases = &control->phases;
    const char *const labels[] = {phases->talk.name, phase_step_name(phases->step)};
    const struct {
        enum metric metric;
        double value;
    } values[] = {
        {METRIC_POLICY_STEP, 1},
        {METRIC_POLICY_STEP_AGE, (double)(clock_now_ms() - phases->since_ms) / 1000},
        {METRIC_POLICY_PHASES, (double)phases->round},
        {METRIC_POLICY_SETTLED, phases->done},
        {METRIC_POLICY_BUDGET, phases->budget_bytes},
    };
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        exposition_begin(exposition, values[i].metric);
        if (phases->talk.name) {
            exposition_value(exposition, labels, values[i].value);
        }
    }
}

void control_expose(const struct control *control, struct exposition *exposition)
{
    const struct control_counts *counts = &control->counts;
    expose_calls(control, exposition);
    expose_places(control, exposition);
    expose_ready(control, exposition);
    expose_costs(control, exposition, METRIC_MODULE_LOAD);
    expose_costs(control, exposition, METRIC_MODULE_START);
    expose_costs(control, exposition, METRIC_MODULE_MEMORY);
    expose_restarts(control, exposition);
    expose_moves(control, exposition);
    expose_by_role(exposition, METRIC_WORKER_STARTS, counts->starts);
    expose_by_role(exposition, METRIC_WORKER_START_FAILURES, counts->start_failures);
    expose_by_role(exposition, METRIC_WORKER_ENDS, counts->unexpected_ends);
    expose_workers(control, exposition, METRIC_WORKER_MEMORY);
    expose_workers(control, exposition, METRIC_WORKER_MEMORY_PEAK);
    expose_workers(control, exposition, METRIC_WORKER_CPU);
    expose_workers(control, exposition, METRIC_WORKER_IN_FLIGHT);
    expose_policy(control, exposition);
    exposition_begin(exposition, METRIC_CONTROL_TURN_DURATION);
    exposition_histogram(exposition, NULL, counts->turning, counts->turning_ns);
    exposition_single(exposition, METRIC_CONTROL_TURN_AGE,
                      (double)(clock_now_ns() - counts->turn_began_ns) / 1e9);
}
