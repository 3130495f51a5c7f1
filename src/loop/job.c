#include "loop/job.h"

#include <pthread.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"

#define JOB_IDLE_MS  10000 /* a thread without work ends after this: an idle daemon has none */
#define JOB_RETRY_MS 100   /* after no thread could be made, which is for want of memory or room */

struct job {
    struct job *next;
    struct job_pool *pool; /* borrowed */
    struct loop *loop;     /* borrowed */
    loop_fn work;
    loop_fn done;
    void *arg;
    struct loop_task task; /* carries the finished job back */
};

struct job_pool {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* a job came, a thread ended, or the pool stops */
    struct job *first;
    struct job **last;  /* where the next job is linked */
    struct job *worked; /* on their way back to their loops */
    unsigned threads_max;
    unsigned threads;
    unsigned idle;
    unsigned waiting; /* jobs in the list */
    bool stopping;
    bool retrying;           /* jobs wait, and no thread could be made for them */
    struct loop *retry_loop; /* borrowed; one whose job waits */
    struct loop_task retry_task;
    struct loop_timer retry_timer;
};

static void set_retry(void *arg);
static void retry(void *arg);

struct job_pool *job_pool_new(unsigned threads_max)
{
    struct job_pool *pool = xcalloc(1, sizeof(*pool));
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&pool->lock, NULL);
    (void)pthread_cond_init(&pool->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    pool->last = &pool->first;
    pool->threads_max = threads_max;
    pool->retry_task = (struct loop_task){.fn = set_retry, .arg = pool};
    pool->retry_timer = (struct loop_timer){.fn = retry, .arg = pool};
    return pool;
}

static void forget(struct job *first)
{
    while (first) {
        struct job *job = first;
        first = job->next;
        free(job);
    }
}

struct job_pool *job_pool_free(struct job_pool *pool)
{
    if (!pool) {
        return NULL;
    }
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    pthread_cond_broadcast(&pool->changed);
    while (pool->threads > 0) {
        pthread_cond_wait(&pool->changed, &pool->lock);
    }
    forget(pool->first);
    forget(pool->worked);
    pthread_mutex_unlock(&pool->lock);
    (void)pthread_cond_destroy(&pool->changed);
    (void)pthread_mutex_destroy(&pool->lock);
    free(pool);
    return NULL;
}

static void job_finish(void *arg)
{
    struct job *job = arg;
    struct job_pool *pool = job->pool;
    pthread_mutex_lock(&pool->lock);
    struct job **at = &pool->worked;
    while (*at != job) {
        at = &(*at)->next;
    }
    *at = job->next;
    pthread_mutex_unlock(&pool->lock);
    if (job->done) {
        job->done(job->arg);
    }
    free(job);
}

/* With the lock held: the next job, or NULL when the thread shall end. */
static struct job *next_job(struct job_pool *pool)
{
    struct timespec until = clock_after_ms(CLOCK_MONOTONIC, JOB_IDLE_MS);
    while (!pool->first && !pool->stopping) {
        pool->idle++;
        int late = pthread_cond_timedwait(&pool->changed, &pool->lock, &until);
        pool->idle--;
        if (late && !pool->first) {
            return NULL;
        }
    }
    if (pool->stopping) {
        return NULL;
    }
    struct job *job = pool->first;
    pool->first = job->next;
    pool->waiting--;
    if (!pool->first) {
        pool->last = &pool->first;
    }
    return job;
}

static void *run_jobs(void *arg)
{
    struct job_pool *pool = arg;
    struct job *job;
    pthread_mutex_lock(&pool->lock);
    while ((job = next_job(pool))) {
        pthread_mutex_unlock(&pool->lock);
        job->work(job->arg);
        job->task = (struct loop_task){.fn = job_finish, .arg = job};
        pthread_mutex_lock(&pool->lock);
        job->next = pool->worked;
        pool->worked = job;
        loop_post(job->loop, &job->task);
    }
    pool->threads--;
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* With the lock held. Where there is no thread and none can be made, that is tried again until it
 * can: a job that nobody runs is one whose end somebody awaits for ever. */
static void start_thread(struct job_pool *pool, struct loop *loop)
{
    pthread_t thread;
    pthread_attr_t attributes;
    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &attributes, run_jobs, pool) == 0) {
        pool->threads++;
    } else if (pool->threads == 0 && !pool->retrying) {
        pool->retrying = true;
        pool->retry_loop = loop;
        loop_post(loop, &pool->retry_task);
    }
    (void)pthread_attr_destroy(&attributes);
}

static void set_retry(void *arg)
{
    struct job_pool *pool = arg;
    loop_timer_set(pool->retry_loop, &pool->retry_timer,
                   loop_now_ms(pool->retry_loop) + JOB_RETRY_MS);
}

static void retry(void *arg)
{
    struct job_pool *pool = arg;
    pthread_mutex_lock(&pool->lock);
    pool->retrying = false;
    if (pool->first && pool->threads == 0) {
        start_thread(pool, pool->retry_loop);
    }
    pthread_mutex_unlock(&pool->lock);
}

void job_submit(struct job_pool *pool, struct loop *loop, loop_fn work, loop_fn done, void *arg)
{
    struct job *job = xcalloc(1, sizeof(*job));
    *job = (struct job){.pool = pool, .loop = loop, .work = work, .done = done, .arg = arg};

    pthread_mutex_lock(&pool->lock);
    *pool->last = job;
    pool->last = &job->next;
    pool->waiting++;
    /* A thread that was signalled counts as idle until it runs: compare with all that wait. */
    if (pool->idle < pool->waiting && pool->threads < pool->threads_max) {
        start_thread(pool, loop);
    } else {
        pthread_cond_signal(&pool->changed);
    }
    pthread_mutex_unlock(&pool->lock);
}
