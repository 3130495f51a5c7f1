#include "worker/crew_testbed.h"

static void widens_for_long_calls_only(void)
{
    static const struct {
        unsigned width, started, waiting, wanted;
    } rows[] = {
        {1, 0, 1, 2},   /* a whole millisecond, and nothing began */
        {1, 0, 0, 1},   /* nothing waits */
        {1, 7, 32, 1},  /* short calls queue, but move */
        {2, 3, 5, 3},   /* each of two took more than half a millisecond */
        {40, 0, 9, 40}, /* no more threads than allowed */
        {8, 100, 9, 7}, /* short again */
        {1, 100, 0, 1}, /* never below one */
        {3, 8, 4, 3},   /* in between: as it is */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        EXPECT_INT(crew_width(rows[i].width, 40, rows[i].started, rows[i].waiting), rows[i].wanted);
    }
}

static void runs_each_job_once_and_asks_for_more_when_there_is_room(void)
{
    struct loop_task task = {.fn = feed_now};
    begin(THREADS_MAX);
    unfed = JOBS;
    loop_post(loop, &task);
    for (int i = 0; i < JOBS; i++) {
        EXPECT(wait_for(&started));
    }
    EXPECT(atomic_load(&rooms) > 0);
    end();
    EXPECT_INT(atomic_load(&ran), JOBS);
}

static void a_hanging_call_does_not_hold_up_others(void)
{
    begin(THREADS_MAX);
    EXPECT(push(do_block, 1, false));
    EXPECT(wait_for(&started));
    EXPECT(push(do_note, 3, false));
    for (int i = 0; i < 3; i++) {
        EXPECT(wait_for(&started));
    }
    (void)sem_post(&go);
    end();
    EXPECT_INT(atomic_load(&ran), 4);
}

static void runs_no_more_than_threads_max_and_still_attends_to_the_loop(void)
{
    begin(THREADS_MAX);
    EXPECT(push(do_block, 8, false));
    for (int i = 0; i < THREADS_MAX; i++) {
        EXPECT(wait_for(&started));
    }
    EXPECT(push(do_nothing, 1, false)); /* all threads hang, the loop does not */
    struct crew_figures figures = crew_figures(crew);
    EXPECT_INT(figures.running, THREADS_MAX);
    EXPECT_INT(figures.waiting, 8 + 1 - THREADS_MAX);
    for (int i = 0; i < 8; i++) {
        (void)sem_post(&go);
    }
    for (int i = 0; i < 8 - THREADS_MAX; i++) {
        EXPECT(wait_for(&started));
    }
    end();
    EXPECT_INT(atomic_load(&running_most), THREADS_MAX);
}

static void a_first_job_overtakes_those_that_wait(void)
{
    begin(1);
    EXPECT(push(do_block, 1, false));
    EXPECT(wait_for(&started));
    EXPECT(push(do_nothing, 2, false));
    EXPECT(push(do_note, 1, true));
    (void)sem_post(&go);
    EXPECT(wait_for(&started));
    EXPECT_INT(atomic_load(&order[1]), 1); /* second to run, after the one that blocked */
    end();
}

static void a_call_that_waits_lets_others_run(void)
{
    begin(THREADS_MAX);
    EXPECT(push(do_wait, THREADS_MAX, false));
    for (int i = 0; i < THREADS_MAX; i++) {
        EXPECT(wait_for(&started));
    }
    EXPECT_INT(crew_figures(crew).running, THREADS_MAX);
    for (int i = 0; i < THREADS_MAX; i++) {
        (void)sem_post(&go);
    }
    end();
}

static void release(int count)
{
    for (int i = 0; i < count; i++) {
        (void)sem_post(&go);
    }
}

/* Waits until the note has the value or is beyond it. */
static bool hog_becomes(int wanted, bool rising)
{
    uint64_t end_ms = clock_now_ms() + WAIT_S * 1000;
    while (rising ? atomic_load(&hog) < wanted : atomic_load(&hog) > wanted) {
        if (clock_now_ms() > end_ms) {
            return false;
        }
        (void)sched_yield();
    }
    return true;
}

static void calls_that_keep_the_interpreter_are_learnt(void)
{
    begin(8);
    atomic_store(&hog, 0);
    releases_interpreter = false;
    EXPECT(push_hogs(do_block, 4));
    EXPECT(wait_for(&started));
    EXPECT(hog_becomes(3, true));
    release(4);
    for (int i = 1; i < 4; i++) {
        EXPECT(wait_for(&started));
    }
    end();
    EXPECT_INT(atomic_load(&ran), 4);
}

static void and_then_run_alone_for_a_while(void)
{
    enum { PATIENCE_MS = 50 };
    begin(8);
    atomic_store(&hog, 5);
    releases_interpreter = false;
    uint64_t start_ms = clock_now_ms(), now_ms;
    EXPECT(push_hogs(do_block, 8));
    EXPECT(wait_for(&started));
    do {
        unsigned busy = crew_figures(crew).running;
        now_ms = clock_now_ms();
        if (busy > 1 + (now_ms - start_ms) / PATIENCE_MS) {
            EXPECT_INT(busy, 1 + (now_ms - start_ms) / PATIENCE_MS);
            break;
        }
    } while (now_ms < start_ms + 4 * PATIENCE_MS);
    release(8);
    for (int i = 1; i < 8; i++) {
        EXPECT(wait_for(&started));
    }
    end();
    EXPECT_INT(atomic_load(&ran), 8);
}

static void calls_that_let_go_of_it_are_forgiven(void)
{
    begin(8);
    atomic_store(&hog, 5);
    releases_interpreter = true;
    EXPECT(push_hogs(do_block, 4));
    EXPECT(wait_for(&started));
    EXPECT(wait_for(&started)); /* the second one is let in after the patience */
    EXPECT(hog_becomes(2, false));
    release(4);
    for (int i = 2; i < 4; i++) {
        EXPECT(wait_for(&started));
    }
    end();
    EXPECT_INT(atomic_load(&ran), 4);
}

static void joining_gives_up_on_a_call_that_does_not_end(void)
{
    begin(THREADS_MAX);
    EXPECT(push(do_block, 1, false));
    EXPECT(wait_for(&started));
    crew_stop(crew);
    EXPECT(!crew_join(crew, 50));
    (void)sem_post(&go);
    end();
    EXPECT_INT(atomic_load(&ran), 1);
}

static void callers_that_wait_for_others_leave_their_places_to_them(void)
{
    begin(1);
    EXPECT(push(do_leave, 5, false)); /* each would keep the only place */
    for (int i = 0; i < 5; i++) {
        EXPECT(wait_for(&started));
    }
    EXPECT(push(do_note, 1, false)); /* what they wait for */
    EXPECT(wait_for(&started));
    release(5);
    end();
}

TEST_MAIN(widens_for_long_calls_only, runs_each_job_once_and_asks_for_more_when_there_is_room,
          a_hanging_call_does_not_hold_up_others,
          runs_no_more_than_threads_max_and_still_attends_to_the_loop,
          a_first_job_overtakes_those_that_wait, a_call_that_waits_lets_others_run,
          callers_that_wait_for_others_leave_their_places_to_them,
          calls_that_keep_the_interpreter_are_learnt, and_then_run_alone_for_a_while,
          calls_that_let_go_of_it_are_forgiven, joining_gives_up_on_a_call_that_does_not_end)
