#include "control/pressure.h"

#include <math.h>
#include <stdbool.h>

#include "base/system.h"

#define RESERVE_SHARE 0.05 /* of all memory: with less available the kernel begins to reclaim */
#define PRESSURE_MAX  10.0 /* per cent of the time that some task waits for memory */
/* Of the modules' memory that goes in a step, however much is missing: each move takes some first.
 */
#define RELIEF_SHARE    0.25
#define WORKER_HEADROOM 0.9 /* of the runtime worker's limit: calls need memory, too */

static double lower(double a, double b)
{
    return b < a ? b : a;
}

double pressure_budget(struct pressure *pressure, const struct pressure_seen *seen,
                       const struct system_memory *memory, uint64_t now_ms)
{
    double reserve = memory->total_bytes * RESERVE_SHARE;
    double short_of = reserve - memory->available_bytes;
    bool waits = !seen->moving && memory->pressure_percent > PRESSURE_MAX;
    bool tight = short_of > 0 || waits; /* NAN: neither */
    if (now_ms >= pressure->until_ms) {
        pressure->budget_bytes = INFINITY;
    }
    pressure->stepped &= seen->moving;
    if (tight) {
        bool due = isinf(pressure->budget_bytes) || now_ms - pressure->step_ms >= PRESSURE_STEP_MS;
        if (due && !pressure->stepped) {
            double next = seen->modules_bytes * (1 - RELIEF_SHARE);
            pressure->budget_bytes = lower(pressure->budget_bytes, next);
            pressure->step_ms = now_ms;
            pressure->stepped = seen->moving;
        }
        pressure->until_ms = now_ms + PRESSURE_HOLD_MS;
    }
    double own = seen->runtime_limit_bytes * WORKER_HEADROOM - seen->beyond_bytes;
    double budget = lower(lower(seen->setting_bytes, own), pressure->budget_bytes);
    return budget > 0 ? budget : 0;
}
