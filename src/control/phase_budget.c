/* What memory a policy may use: the setting, and what the machine and the runtime worker say. */
#include <math.h>

#include "base/system.h"
#include "control/control_priv.h"
#include "control/phases.h"

#define LOOK_MS    1000
#define MB         (1024.0 * 1024.0)
#define LESS_SHARE (1.0 / 32) /* of the setting: a change that is told */
#define MORE_SHARE (1.0 / 8)  /* more room is not urgent, and may be a moment's */

/* Of what the instance has loaded, as it was when it was loaded. */
static double modules_bytes(const struct control *control, const struct instance *instance)
{
    double sum = 0;
    for (uint32_t i = 0; i < instance->loaded_count; i++) {
        const struct module *module = control->modules[instance->loaded[i].module];
        struct control_costs costs;
        if (control_costs(control, module->name, PLACE_MODULE, &costs)) {
            sum += (double)costs.mem_kb * 1024;
        }
    }
    return sum;
}

static const struct instance *runtime_of(const struct control *control)
{
    for (uint32_t i = 0; i < control->instance_count; i++) {
        const struct instance *instance = control->instances[i];
        if (instance->id == control->published_runtime.instance) {
            return instance;
        }
    }
    return NULL;
}

bool phase_budget_changed(struct control *control, uint64_t now_ms)
{
    struct phases *phases = &control->phases;
    if ((phases->looked_ms > 0 && now_ms - phases->looked_ms < LOOK_MS) ||
        !phase_is_calm(control)) {
        return false;
    }
    phases->looked_ms = now_ms;
    const struct instance *runtime = runtime_of(control);
    double local = runtime ? modules_bytes(control, runtime) : 0;
    if (runtime && runtime->memory.pss_kb > 0) {
        phases->beyond_bytes = fmax((double)runtime->memory.pss_kb * 1024 - local, 0);
    }
    int64_t limit_mb = control->settings.memory_max_mb;
    int64_t setting_mb = control->settings.policy_memory_mb;
    struct pressure_seen seen = {
        .setting_bytes = setting_mb > 0 ? (double)setting_mb * MB : INFINITY,
        .runtime_limit_bytes = limit_mb > 0 ? (double)limit_mb * MB : INFINITY,
        .beyond_bytes = phases->beyond_bytes,
        .modules_bytes = local,
    };
    struct system_memory memory = system_read_memory("");
    phases->budget_bytes = pressure_budget(&phases->pressure, &seen, &memory, now_ms);
    double change = phases->budget_bytes - phases->told_bytes;
    double scale = isinf(seen.setting_bytes) ? memory.total_bytes : seen.setting_bytes;
    bool relieved = phases->pressed && !pressure_is_on(&phases->pressure);
    return phases->shape &&
           (relieved || change < -scale * LESS_SHARE || change > scale * MORE_SHARE);
}
