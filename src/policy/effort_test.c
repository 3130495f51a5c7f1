#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/test.h"
#include "policy/learned.h"

static struct learned *made(size_t modules, double calls_each, double users)
{
    static struct policy_problem problem;
    struct learned *learned = xcalloc(1, sizeof(*learned));
    problem = (struct policy_problem){.module_count = modules};
    learned->problem = &problem;
    learned->load.users = users;
    for (size_t m = 0; m < modules; m++) {
        learned->calls_per_run[m] = calls_each;
    }
    return learned;
}

static void a_small_system_gets_all_that_is_asked_for(void)
{
    struct learned *learned = made(4, 1, 10);
    struct twin_effort effort = learned_effort(learned, 5000, INFINITY, 7);
    EXPECT_INT(effort.runs, 1000);
    EXPECT_INT(effort.warmup_runs, 130);
    EXPECT(effort_work(learned, &effort) == 1130 * 5 * 4);
    struct twin_effort same = learned_effort(learned, 5000, 1130 * 5 * 4, 7);
    EXPECT(same.runs == effort.runs && same.warmup_runs == effort.warmup_runs);
    free(learned);
}

static void work_has_a_limit(void)
{
    static const struct {
        size_t modules;
        double calls_each, users, work_max;
    } rows[] = {{20, 2.5, 8, 1e5}, {64, 16, 1024, 1e5}, {64, 16, NAN, 5e4}, {7, 100, 50, 1e4}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct learned *learned = made(rows[i].modules, rows[i].calls_each, rows[i].users);
        struct twin_effort whole = learned_effort(learned, 20000, INFINITY, 7);
        struct twin_effort effort = learned_effort(learned, 20000, rows[i].work_max, 7);
        double run = (rows[i].calls_each * (double)rows[i].modules + 1) * (double)rows[i].modules;
        EXPECT(effort_work(learned, &whole) > rows[i].work_max);
        EXPECT(effort_work(learned, &effort) <= rows[i].work_max + run); /* one run at least */
        EXPECT(effort.runs >= 1 && effort.runs < whole.runs);
        EXPECT(effort.events_max > 0 && effort.events_max < whole.events_max);
        free(learned);
    }
}

TEST_MAIN(a_small_system_gets_all_that_is_asked_for, work_has_a_limit)
