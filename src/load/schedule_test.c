#include "load/schedule.h"

#include "base/test.h"

static void a_constant_rate_does_not_drift(void)
{
    struct load_schedule schedule;
    load_schedule_init(&schedule, 1000, 3, false, 0);
    uint64_t due_ns = 0;
    for (int i = 0; i <= 3000000; i++) {
        due_ns = load_schedule_next(&schedule);
    }
    EXPECT_INT(due_ns, 1000 + UINT64_C(1000000) * 1000000000);
}

static void the_first_request_is_due_at_the_start(void)
{
    struct load_schedule schedule;
    for (int poisson = 0; poisson < 2; poisson++) {
        load_schedule_init(&schedule, 77, 10, poisson, 1);
        EXPECT_INT(load_schedule_next(&schedule), 77);
    }
}

/* Of an exponential gap: mean 1/rate, standard deviation the same, and e^-1 of them longer. */
static void poisson_gaps_are_exponential(void)
{
    enum { COUNT = 200000 };
    struct load_schedule schedule;
    load_schedule_init(&schedule, 0, 1000, true, 42);
    double sum_ms = 0, squares = 0;
    int longer = 0;
    uint64_t before_ns = load_schedule_next(&schedule);
    for (int i = 0; i < COUNT; i++) {
        uint64_t due_ns = load_schedule_next(&schedule);
        double gap_ms = (double)(due_ns - before_ns) / 1e6;
        EXPECT(due_ns >= before_ns);
        sum_ms += gap_ms;
        squares += gap_ms * gap_ms;
        longer += gap_ms > 1;
        before_ns = due_ns;
    }
    double mean_ms = sum_ms / COUNT, variance = squares / COUNT - mean_ms * mean_ms;
    EXPECT(mean_ms > 0.99 && mean_ms < 1.01);
    EXPECT(variance > 0.97 && variance < 1.03);
    EXPECT(longer > 0.3679 * COUNT * 0.99 && longer < 0.3679 * COUNT * 1.01);
}

static void a_seed_gives_the_same_times(void)
{
    struct load_schedule one, same, other;
    load_schedule_init(&one, 0, 1000, true, 7);
    load_schedule_init(&same, 0, 1000, true, 7);
    load_schedule_init(&other, 0, 1000, true, 8);
    int different = 0;
    for (int i = 0; i < 100; i++) {
        uint64_t due_ns = load_schedule_next(&one);
        EXPECT_INT(load_schedule_next(&same), due_ns);
        different += load_schedule_next(&other) != due_ns;
    }
    EXPECT_INT(different, 99); /* all but the first */
}

TEST_MAIN(a_constant_rate_does_not_drift, the_first_request_is_due_at_the_start,
          poisson_gaps_are_exponential, a_seed_gives_the_same_times)
