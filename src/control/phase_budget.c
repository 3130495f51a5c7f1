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

/* What the worker holds beyond its modules, when nothing is under way that explains it. */
static void note_beyond(struct phases *phases, const struct instance *runtime, double local_bytes)
{
    if (runtime && runtime->memory.pss_kb > 0) {
        phases->beyond_bytes = fmax((double)runtime->memory.pss_kb * 1024 - local_bytes, 0);
    }
}

double phase_setting_bytes(int64_t mb)
{
    return mb > 0 ? (double)mb * MB : INFINITY;
}

void phase_look_at_memory(struct control *control, uint64_t now_ms)
{
    struct phases *phases = &control->phases;
    if (phases->looked_ms > 0 && now_ms - phases->looked_ms < LOOK_MS) {
        return;
    }
    phases->looked_ms = now_ms;
    bool calm = phase_is_calm(control);
    const struct instance *runtime = runtime_of(control);
    double local_bytes = runtime ? modules_bytes(control, runtime) : 0;
    if (calm) {
        note_beyond(phases, runtime, local_bytes);
    }
    struct pressure_seen seen = {
        .setting_bytes = phase_setting_bytes(control->settings.policy_memory_mb),
        .runtime_limit_bytes = phase_setting_bytes(control->settings.memory_max_mb),
        .beyond_bytes = phases->beyond_bytes,
        .modules_bytes = local_bytes,
        .moving = !calm,
    };
    struct system_memory memory = system_read_memory("");
    phases->budget_bytes = pressure_budget(&phases->pressure, &seen, &memory, now_ms);
    phases->memory_bytes = memory.total_bytes;
}

bool phase_budget_changed(const struct control *control)
{
    const struct phases *phases = &control->phases;
    bool on = pressure_is_on(&phases->pressure);
    double change = phases->budget_bytes - phases->told_bytes;
    double setting = phase_setting_bytes(control->settings.policy_memory_mb);
    double scale = isinf(setting) ? phases->memory_bytes : setting;
    bool less = change < -scale * LESS_SHARE;
    bool more = change > scale * MORE_SHARE || (phases->pressed && !on);
    return phases->shape && ((less && on) || ((less || more) && phase_is_calm(control)));
}
