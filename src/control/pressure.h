/* How much memory a policy may give to the modules in the runtime worker. The setting is the start;
 * less when the runtime worker holds more than its modules took when they were loaded, and when the
 * machine (or the cgroup) runs out of memory: the kernel then kills the largest process, and that
 * should be a pod, not the worker that runs everything. Pure. */
#pragma once

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

struct system_memory;

#define PRESSURE_HOLD_MS                                                                           \
    300000 /* a tightened budget lasts: what moved out comes not straight back */
#define PRESSURE_STEP_MS 30000 /* between two steps: what the last one did must show first */

struct pressure {
    double budget_bytes; /* tightened; INFINITY = not */
    uint64_t until_ms;
    uint64_t step_ms; /* of the last step */
    bool stepped;     /* while instances move: one step is all then */
};

/* The budget is tightened: for a while, and not by anybody's wish. */
static inline bool pressure_is_on(const struct pressure *pressure)
{
    return pressure->until_ms > 0 && isfinite(pressure->budget_bytes);
}

struct pressure_seen {
    double setting_bytes; /* INFINITY = no limit */
    double runtime_limit_bytes;
    double modules_bytes; /* of what the runtime worker has loaded, as it was loaded */
    double beyond_bytes;  /* that it holds beyond: itself, caches, leaks, calls under way */
    bool moving; /* instances start or drain: that takes memory which comes back by itself */
};

/* Looks at the machine; while instances move, only what is below the reserve counts, and only once:
 * else a drain that lasts for minutes would move everything out. *pressure is kept between looks.
 * Returns the budget in bytes. */
double pressure_budget(struct pressure *pressure, const struct pressure_seen *seen,
                       const struct system_memory *memory, uint64_t now_ms);
