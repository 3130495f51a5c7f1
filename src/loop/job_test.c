#include "loop/job.h"

#include <stdatomic.h>

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

static void frees_a_pool_that_never_worked(void)
{
    EXPECT(job_pool_free(job_pool_new(2)) == NULL);
    EXPECT(job_pool_free(NULL) == NULL);
}

TEST_MAIN(runs_every_job_and_brings_it_back_to_the_loop, frees_a_pool_that_never_worked)
