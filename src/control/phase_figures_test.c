#include <math.h>

#include "base/alloc.h"
#include "base/test.h"
#include "control/control_priv.h"
#include "control/phases.h"
#include "measure/figures.h"
#include "measure/histogram.h"

/* The measurement of a phase of 3 s with runs of one walker, looked at a few times. */
static struct policy_measurement measured(uint64_t runs, double latency_s, unsigned in_flight_max)
{
    struct policy_walker walker = {.name = (char *)(uintptr_t) "go"};
    struct policy_problem problem = {.walkers = &walker, .walker_count = 1};
    struct policy_measurement measurement;
    CLEANUP(figures_free) struct figures *before = figures_new(0);
    CLEANUP(figures_free) struct figures *after = figures_new(3000000000);
    after->rows = xcalloc(1, sizeof(after->rows[0]));
    after->count = after->room = 1;
    after->rows[0] = (struct figure){.key = &walker,
                                     .walker = "go",
                                     .calls = runs,
                                     .latency_ns = (uint64_t)((double)runs * latency_s * 1e9),
                                     .latency = histogram_new()};
    phase_measurement(&problem, before, after, in_flight_max, &measurement);
    struct policy_measurement numbers = measurement;
    policy_measurement_done(&measurement);
    numbers.actions = NULL;
    numbers.walkers = NULL;
    return numbers;
}

static void two_clients_are_two_though_no_look_met_both(void)
{
    struct policy_measurement seen = measured(84, 0.0428, 1); /* 28/s: 1.2 under way in the mean */
    EXPECT(seen.users == 2);
    EXPECT(fabs(seen.think_s - (2 / 28.0 - 0.0428)) < 1e-6);
}

static void both_waiting_all_the_time_are_two(void)
{
    struct policy_measurement seen = measured(100, 0.06, 1);
    EXPECT(seen.users == 2 && fabs(seen.think_s) < 1e-6);
}

static void one_client_is_one(void)
{
    EXPECT(measured(70, 0.0428, 1).users == 1);
    EXPECT(measured(70, 0.0428, 0).users == 1); /* no look met it */
    EXPECT(measured(4, 1.0, 1).users == 1);     /* the first run began before the phase */
}

static void what_was_seen_at_once_counts(void)
{
    EXPECT(measured(30, 0.01, 5).users == 5);
}

TEST_MAIN(two_clients_are_two_though_no_look_met_both, both_waiting_all_the_time_are_two,
          one_client_is_one, what_was_seen_at_once_counts)
