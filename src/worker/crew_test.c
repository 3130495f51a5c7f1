#include "worker/crew.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/test.h"

#define WAIT_S      20 /* for what must happen; only a failing test waits so long */
#define JOBS        500
#define GRACE_MS    20000
#define THREADS_MAX 3

static struct loop *loop;
static struct crew *crew;

/* What the jobs of these tests note. */
static atomic_int ran, running, running_most, order[8], rooms;
static sem_t started, go;

static bool wait_for(sem_t *semaphore)
{
    struct timespec until = {.tv_sec = (time_t)(clock_unix_ms() / 1000 + WAIT_S)};
    return sem_timedwait(semaphore, &until) == 0;
}

/* A lock like an interpreter's: a job with a hog note runs inside it. */
static pthread_mutex_t interpreter = PTHREAD_MUTEX_INITIALIZER;
static atomic_int hog;
static bool releases_interpreter;

static void enter(struct call_state *state)
{
    atomic_store(&state->entering, true);
    atomic_fetch_add(state->entering_count, 1);
    pthread_mutex_lock(&interpreter);
    atomic_fetch_sub(state->entering_count, 1);
    atomic_store(&state->entering, false);
    if (releases_interpreter) {
        pthread_mutex_unlock(&interpreter);
    }
}

static void run(void *arg, struct call_state *state, const struct job *job, bool more)
{
    (void)arg;
    (void)more;
    if (job->hog) {
        enter(state);
    }
    int now = atomic_fetch_add(&running, 1) + 1;
    int most = atomic_load(&running_most);
    while (now > most && !atomic_compare_exchange_weak(&running_most, &most, now)) {
    }
    job->call(job->arg, &job->input, NULL);
    if (job->hog && !releases_interpreter) {
        pthread_mutex_unlock(&interpreter);
    }
    atomic_fetch_sub(&running, 1);
    atomic_fetch_add(&ran, 1);
}

static void rest(void *arg, struct call_state *state)
{
    (void)arg;
    (void)state;
}

static void thread_end(void *arg, struct call_state *state)
{
    rest(arg, state);
}

static void feed(void);

static void room(void *arg)
{
    (void)arg;
    atomic_fetch_add(&rooms, 1);
    feed();
}

static const struct crew_ops ops = {thread_end, run, rest, room};

static void begin(unsigned threads_max)
{
    struct err err = {0};
    atomic_store(&ran, 0);
    atomic_store(&running_most, 0);
    atomic_store(&rooms, 0);
    (void)sem_init(&started, 0, 0);
    (void)sem_init(&go, 0, 0);
    loop = loop_new(&err);
    crew = crew_new(loop, threads_max, &ops, NULL);
    EXPECT_INT(crew_start(crew, &err), 0);
}

static void end(void)
{
    crew_stop(crew);
    EXPECT(crew_join(crew, GRACE_MS));
    crew = crew_free(crew);
    loop = loop_free(loop);
}

/* ---- jobs ---- */

static void do_nothing(void *arg, const struct worker_call *call, struct worker_answer *answer)
{
    (void)arg;
    (void)call;
    (void)answer;
}

static void do_block(void *arg, const struct worker_call *call, struct worker_answer *answer)
{
    (void)arg;
    (void)call;
    (void)answer;
    (void)sem_post(&started);
    EXPECT(wait_for(&go));
}

static void do_note(void *arg, const struct worker_call *call, struct worker_answer *answer)
{
    (void)call;
    (void)answer;
    atomic_store(&order[atomic_load(&ran) % 8], (int)(intptr_t)arg);
    (void)sem_post(&started);
}

static void do_wait(void *arg, const struct worker_call *call, struct worker_answer *answer)
{
    crew_thread_waits(crew);
    do_block(arg, call, answer);
}

static void do_leave(void *arg, const struct worker_call *call, struct worker_answer *answer)
{
    crew_thread_leaves(crew);
    do_block(arg, call, answer);
    crew_thread_returns(crew);
}

/* ---- pushing: only the holder of the loop may ---- */

struct push {
    struct loop_task task;
    worker_call_fn call;
    int count;
    bool first;
    bool hogs;
    sem_t done;
};

static void push_now(void *arg)
{
    struct push *push = arg;
    for (int i = 0; i < push->count; i++) {
        struct job job = {
            .call = push->call, .arg = (void *)(intptr_t)(i + 1), .hog = push->hogs ? &hog : NULL};
        (void)crew_push(crew, &job, push->first);
    }
    (void)sem_post(&push->done);
}

static bool post(struct push *push)
{
    push->task = (struct loop_task){.fn = push_now, .arg = push};
    (void)sem_init(&push->done, 0, 0);
    loop_post(loop, &push->task);
    return wait_for(&push->done);
}

/* Returns when the jobs are in the queue, or false when nobody attends to the loop. */
static bool push(worker_call_fn call, int count, bool first)
{
    struct push push = {.call = call, .count = count, .first = first};
    return post(&push);
}

static bool push_hogs(worker_call_fn call, int count)
{
    struct push push = {.call = call, .count = count, .hogs = true};
    return post(&push);
}

static int unfed; /* jobs that feed() has still to push; owned by the holder of the loop */

static void feed(void)
{
    struct job job = {.call = do_note};
    while (unfed > 0) {
        unfed--;
        if (crew_push(crew, &job, false)) {
            return;
        }
    }
}

static void feed_now(void *arg)
{
    (void)arg;
    feed();
}

/* ---- tests ---- */

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
