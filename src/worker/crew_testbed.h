/* For crew_test.c: a crew, jobs that note what becomes of them, and a lock like an interpreter's.
 */
#pragma once

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
