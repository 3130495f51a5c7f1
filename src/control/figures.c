/* What was measured of calls, starts and memory, for those who judge it. */
#include "measure/figures.h"

#include "base/clock.h"
#include "control/control_priv.h"

static enum place place_at(int index)
{
    return index == 0 ? PLACE_MODULE : PLACE_REMOTE;
}

bool control_measures(const struct control *control)
{
    return !control->settings.unmeasured;
}

struct figures *control_figures(const struct control *control)
{
    struct figures *figures = figures_new(clock_now_ns());
    for (uint32_t i = 0; i < control->module_count; i++) {
        const struct module *module = control->modules[i];
        for (size_t k = 0; k < module->action_count; k++) {
            const struct action_entry *entry = module->actions[k];
            for (int at = 0; at < 2; at++) {
                figures_add(figures, module->name, entry->name, place_at(at), &entry->stats[at]);
            }
        }
    }
    figures_add(figures, NULL, NULL, PLACE_MODULE, &control->walker_stats);
    return figures;
}

static void add_traffic(struct control_traffic *traffic, const struct call_stats *stats)
{
    traffic->calls += atomic_load(&stats->calls);
    traffic->in_flight += atomic_load(&stats->in_flight);
}

struct control_traffic control_traffic(const struct control *control)
{
    struct control_traffic traffic = {0};
    const struct walker_stats *walker = NULL;
    add_traffic(&traffic, &control->walker_stats.outside);
    while ((walker = action_stats_next(&control->walker_stats, walker))) {
        add_traffic(&traffic, &walker->stats);
    }
    for (uint32_t i = 0; i < control->module_count; i++) {
        const struct module *module = control->modules[i];
        for (size_t k = 0; k < module->action_count; k++) {
            add_traffic(&traffic, &module->actions[k]->stats[0].outside);
            add_traffic(&traffic, &module->actions[k]->stats[1].outside);
        }
    }
    return traffic;
}

void figures_note_start(struct instance *instance)
{
    uint64_t now_ms = clock_now_ms();
    for (uint32_t i = 0; i < instance->loaded_count; i++) {
        struct module *module = instance->control->modules[instance->loaded[i].module];
        struct control_costs *costs = &module->costs[instance->runtime ? 0 : 1];
        module->costs_known[instance->runtime ? 0 : 1] = true;
        int64_t mem_kb = json_int(module->info, "mem_kb", 0);
        *costs = (struct control_costs){
            .load_ms = json_double(module->info, "load_ms", 0),
            .start_ms = instance->adopted ? 0 : now_ms - instance->start_ms,
            .mem_kb = mem_kb,
            .pss_kb = mem_kb,
            .pss_peak_kb = mem_kb > costs->pss_peak_kb ? mem_kb : costs->pss_peak_kb,
        };
    }
}

/* Of a pod all memory is its module's; in the runtime worker nobody can tell whose it is. */
void figures_note_memory(struct instance *instance)
{
    if (instance->runtime || instance->loaded_count == 0) {
        return;
    }
    const struct pod_memory *memory = &instance->memory;
    struct module *module = instance->control->modules[instance->loaded[0].module];
    struct control_costs *costs = &module->costs[1];
    costs->pss_kb = memory->pss_kb;
    if (memory->peak_kb > costs->pss_peak_kb) {
        costs->pss_peak_kb = memory->peak_kb;
    }
}

bool control_costs(const struct control *control, const char *name, enum place place,
                   struct control_costs *ret)
{
    const struct module *module = module_find(control, name, NULL);
    if (!module || place == PLACE_NONE) {
        return false;
    }
    int at = place == PLACE_MODULE ? 0 : 1;
    if (module->costs_known[at]) {
        *ret = module->costs[at];
    }
    return module->costs_known[at];
}

size_t control_workers(const struct control *control, struct control_worker *ret, size_t max)
{
    size_t count = 0;
    for (uint32_t i = 0; i < control->instance_count; i++) {
        const struct instance *instance = control->instances[i];
        if (!instance->pod || instance->pod->pid <= 0) {
            continue;
        }
        if (count < max) {
            ret[count] = (struct control_worker){instance->pod->name, instance->pod->pid,
                                                 instance->memory.pss_kb};
        }
        count++;
    }
    return count;
}
