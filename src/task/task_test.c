#include "task/task.h"

#include "base/test.h"

static void pauses_double_up_to_a_limit_and_differ_by_half(void)
{
    static const struct {
        unsigned failures;
        uint64_t random, wanted_ms;
    } rows[] = {{1, 0, 100}, {2, 0, 200},  {3, 0, 400},   {5, 0, 1000}, {99, 0, 1000},
                {1, 50, 50}, {1, 51, 100}, {3, 200, 200}, {0, 0, 100},  {99, 500, 500}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        EXPECT_INT(task_pause_ms(rows[i].failures, 100, 1000, rows[i].random), rows[i].wanted_ms);
    }
}

static void knows_the_original_s_names(void)
{
    static const struct {
        const char *theirs, *own;
    } rows[] = {{"jaseci.extens.svc.tasks.Queue", TASK_WALKER},
                {"jaseci.svc.task.common.ScheduledWalker", TASK_WALKER},
                {"jaseci.extens.svc.task.common.ScheduledSequence", TASK_SEQUENCE},
                {TASK_WALKER, TASK_WALKER},
                {TASK_SEQUENCE, TASK_SEQUENCE}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        EXPECT_STR(task_own_name(rows[i].theirs), rows[i].own);
    }
    EXPECT(!task_own_name("jaseci.extens.svc.tasks."));
    EXPECT(!task_own_name("os.system"));
}

static void makes_ids_that_differ(void)
{
    char one[TASK_ID_SIZE], other[TASK_ID_SIZE];
    task_make_id(one);
    task_make_id(other);
    EXPECT_INT(strlen(one), 36);
    EXPECT(one[14] == '4' && one[8] == '-' && strcmp(one, other) != 0);
}

TEST_MAIN(pauses_double_up_to_a_limit_and_differ_by_half, knows_the_original_s_names,
          makes_ids_that_differ)
