#include "loop/job.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/test.h"

struct sum {
    struct loop *loop;
    atomic_int worked;
    int done;
};

static void work(void *arg)
{
    struct sum *sum = arg;
    atomic_fetch_add(&sum->worked, 1);
}

static void done(void *arg)
{
    struct sum *sum = arg;
    if (++sum->done == 1000) {
        loop_stop(sum->loop);
    }
}

static void runs_every_job_and_brings_it_back_to_the_loop(void)
{
    struct sum sum = {.loop = loop_new(NULL)};
    struct job_pool *pool = job_pool_new(3);
    for (int i = 0; i < 1000; i++) {
        job_submit(pool, sum.loop, work, done, &sum);
    }
    loop_run(sum.loop);
    EXPECT_INT(sum.done, 1000);
    EXPECT_INT(atomic_load(&sum.worked), 1000);
    job_pool_free(pool);
    loop_free(sum.loop);
}

struct meeting {
    sem_t came[2];
    atomic_int next;
    atomic_int met;
    int done;
};

/* Waits for the other one, but not for ever. */
static void meet(void *arg)
{
    struct meeting *meeting = arg;
    int own = atomic_fetch_add(&meeting->next, 1) % 2;
    struct timespec until = clock_after_ms(CLOCK_REALTIME, 2000);
    (void)sem_post(&meeting->came[own]);
    atomic_fetch_add(&meeting->met, sem_timedwait(&meeting->came[!own], &until) == 0);
}

static void no_work(void *arg)
{
    (void)arg;
}

static void note(void *arg)
{
    struct meeting *meeting = arg;
    meeting->done++;
}

static void starts_a_job_beside_one_that_blocks(void)
{
    struct loop *loop = loop_new(NULL);
    struct job_pool *pool = job_pool_new(2);
    struct meeting meeting = {.done = 0};
    (void)sem_init(&meeting.came[0], 0, 0);
    (void)sem_init(&meeting.came[1], 0, 0);
    job_submit(pool, loop, no_work, note, &meeting); /* leaves one thread, idle */
    while (meeting.done < 1) {
        loop_turn(loop, 100);
    }
    test_pause_ms(10);
    job_submit(pool, loop, meet, note, &meeting);
    job_submit(pool, loop, meet, note, &meeting);
    while (meeting.done < 3) {
        loop_turn(loop, 100);
    }
    EXPECT_INT(atomic_load(&meeting.met), 2);
    job_pool_free(pool);
    loop_free(loop);
}

/* The tests are linked with --wrap=pthread_create. */
static atomic_int refusals;
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *arg);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *arg)
{
    return atomic_fetch_sub(&refusals, 1) > 0 ? EAGAIN
                                              : __real_pthread_create(thread, attributes, run, arg);
}

static void runs_jobs_once_a_thread_can_be_made_again(void)
{
    struct sum sum = {.loop = loop_new(NULL), .done = 998};
    struct job_pool *pool = job_pool_new(2);
    atomic_store(&refusals, 3); /* of both submits, and of the first further try */
    job_submit(pool, sum.loop, work, done, &sum);
    job_submit(pool, sum.loop, work, done, &sum);
    loop_run(sum.loop);
    EXPECT_INT(sum.done, 1000);
    EXPECT_INT(atomic_load(&sum.worked), 2);
    job_pool_free(pool);
    loop_free(sum.loop);
}

static void frees_a_pool_that_never_worked(void)
{
    EXPECT(job_pool_free(job_pool_new(2)) == NULL);
    EXPECT(job_pool_free(NULL) == NULL);
}

TEST_MAIN(runs_every_job_and_brings_it_back_to_the_loop, starts_a_job_beside_one_that_blocks,
          runs_jobs_once_a_thread_can_be_made_again, frees_a_pool_that_never_worked)
