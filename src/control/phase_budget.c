/* What memory a policy may use: the setting, and what the machine and the runtime worker say. */
#include <math.h>

#include "base/system.h"
#include "control/control_priv.h"
#include "control/phases.h"

#define LOOK_MS    1000
#define MB         (1024.0 * 1024.0)
#define LESS_SHARE (1.0 / 32) /* of the setting: a change that is told */
#define MORE_SHARE (1.0 / 8)  /* more room is not urgent, and may be a moment's */

static double modules_bytes(const struct control *control)
{
    double sum = 0;
    for (uint32_t i = 0; i < control->module_count; i++) {
        const struct module *module = control->modules[i];
        struct control_costs costs;
        if (control->served[i] == PLACE_MODULE &&
            control_costs(control, module->name, PLACE_MODULE, &costs)) {
            sum += (double)costs.mem_kb * 1024;
        }
    }
    return sum;
}

/* The least that a generation has held beyond its modules: what it needs by itself. */
static void learn_baseline(struct control *control, double runtime_bytes, double modules)
{
    struct phases *phases = &control->phases;
    double beyond = runtime_bytes > modules ? runtime_bytes - modules : 0;
    if (phases->baseline_of != control->generation || beyond < phases->baseline_bytes) {
        phases->baseline_bytes = beyond;
        phases->baseline_of = control->generation;
    }
}

bool phase_budget_changed(struct control *control, uint64_t now_ms)
{
    struct phases *phases = &control->phases;
    if (phases->looked_ms > 0 && now_ms - phases->looked_ms < LOOK_MS) {
        return false;
    }
    phases->looked_ms = now_ms;
    int64_t runtime_kb = control_runtime_pss_kb(control),
            limit_mb = control->settings.memory_max_mb;
    int64_t setting_mb = control->settings.policy_memory_mb;
    struct pressure_seen seen = {
        .setting_bytes = setting_mb > 0 ? (double)setting_mb * MB : INFINITY,
        .runtime_limit_bytes = limit_mb > 0 ? (double)limit_mb * MB : INFINITY,
        .runtime_bytes = runtime_kb > 0 ? (double)runtime_kb * 1024 : NAN,
        .modules_bytes = modules_bytes(control),
    };
    if (runtime_kb > 0) {
        learn_baseline(control, seen.runtime_bytes, seen.modules_bytes);
    }
    seen.baseline_bytes = phases->baseline_bytes;
    struct system_memory memory = system_read_memory("");
    phases->budget_bytes = pressure_budget(&phases->pressure, &seen, &memory, now_ms);
    double change = phases->budget_bytes - phases->told_bytes;
    double scale = isinf(seen.setting_bytes) ? memory.total_bytes : seen.setting_bytes;
    return phases->shape && (change < -scale * LESS_SHARE || change > scale * MORE_SHARE);
}
