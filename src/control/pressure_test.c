#include "control/pressure.h"

#include <math.h>

#include "base/system.h"
#include "base/test.h"

#define MB 1e6

static const struct system_memory PLENTY = {1000 * MB, 600 * MB, 0};
static const struct pressure_seen SEEN = {.setting_bytes = 300 * MB,
                                          .runtime_limit_bytes = 1000 * MB,
                                          .modules_bytes = 200 * MB,
                                          .beyond_bytes = 10 * MB};

static void is_the_setting_when_all_is_well(void)
{
    struct pressure pressure = {.budget_bytes = INFINITY};
    EXPECT(pressure_budget(&pressure, &SEEN, &PLENTY, 1000) == 300 * MB);
    struct system_memory unknown = {NAN, NAN, NAN};
    EXPECT(pressure_budget(&pressure, &SEEN, &unknown, 1000) == 300 * MB);
}

static void counts_what_the_worker_has_grown_by(void)
{
    struct pressure pressure = {.budget_bytes = INFINITY};
    struct pressure_seen seen = SEEN;
    seen.runtime_limit_bytes = 400 * MB;
    EXPECT(pressure_budget(&pressure, &seen, &PLENTY, 1000) == 300 * MB);
    seen.beyond_bytes = 150 * MB;
    EXPECT(pressure_budget(&pressure, &seen, &PLENTY, 1000) == (360 - 150) * MB);
    seen.beyond_bytes = 800 * MB;
    EXPECT(pressure_budget(&pressure, &seen, &PLENTY, 1000) == 0);
}

static void tightens_once_and_holds(void)
{
    struct pressure pressure = {.budget_bytes = INFINITY};
    struct system_memory scarce = PLENTY;
    scarce.available_bytes = 10 * MB; /* 40 MB less than the reserve */
    EXPECT(pressure_budget(&pressure, &SEEN, &scarce, 1000) == 150 * MB);
    EXPECT(pressure_budget(&pressure, &SEEN, &scarce, 2000) == 150 * MB);
    EXPECT(pressure_budget(&pressure, &SEEN, &PLENTY, 3000) == 150 * MB);
    EXPECT(pressure_budget(&pressure, &SEEN, &PLENTY, 2000 + PRESSURE_HOLD_MS) == 300 * MB);

    struct system_memory waiting = PLENTY;
    waiting.pressure_percent = 30;
    EXPECT(pressure_budget(&pressure, &SEEN, &waiting, 3000 + PRESSURE_HOLD_MS) == 150 * MB);
}

static void goes_on_while_it_lasts(void)
{
    struct pressure pressure = {.budget_bytes = INFINITY};
    struct system_memory waiting = PLENTY;
    struct pressure_seen seen = SEEN;
    waiting.pressure_percent = 60;
    EXPECT(pressure_budget(&pressure, &seen, &waiting, 1000) == 150 * MB);
    seen.modules_bytes = 150 * MB; /* they have moved, and it did not help */
    EXPECT(pressure_budget(&pressure, &seen, &waiting, 2000) == 150 * MB);
    EXPECT(pressure_budget(&pressure, &seen, &waiting, 1000 + PRESSURE_STEP_MS) == 112.5 * MB);
}

static void a_step_is_a_quarter_however_much_is_missing(void)
{
    struct pressure pressure = {.budget_bytes = INFINITY};
    struct system_memory scarce = {40000 * MB, 50 * MB, 0};
    EXPECT(pressure_budget(&pressure, &SEEN, &scarce, 1000) == 150 * MB);
}

static void one_step_while_instances_move(void)
{
    struct pressure pressure = {.budget_bytes = INFINITY};
    struct pressure_seen seen = SEEN;
    struct system_memory waiting = PLENTY, scarce = PLENTY;
    waiting.pressure_percent = 60;
    scarce.available_bytes = 10 * MB;
    seen.moving = true;
    EXPECT(pressure_budget(&pressure, &seen, &waiting, 1000) == 300 * MB); /* a start: it passes */
    EXPECT(pressure_budget(&pressure, &seen, &scarce, 2000) == 150 * MB);
    seen.modules_bytes = 150 * MB;
    for (uint64_t now_ms = 3000; now_ms < 600000; now_ms += 1000) {
        EXPECT(pressure_budget(&pressure, &seen, &scarce, now_ms) == 150 * MB);
    }
    seen.moving = false; /* and it did not help */
    EXPECT(pressure_budget(&pressure, &seen, &scarce, 600000) == 112.5 * MB);
}

TEST_MAIN(one_step_while_instances_move, is_the_setting_when_all_is_well,
          counts_what_the_worker_has_grown_by, tightens_once_and_holds, goes_on_while_it_lasts,
          a_step_is_a_quarter_however_much_is_missing)
