/* Roles, all decided under one lock:
 *
 * - The holder of the loop (loop_held) takes turns at it, lock not held. Before it runs jobs it
 *   lets go of the loop; afterwards it takes it back, unless somebody else has it by then.
 * - A thread may start a job while fewer than `width` young calls run. A call is young until it has
 *   lasted CREW_SHORT_NS; the watch thread notes that it has grown old (thread->old).
 * - All others sleep (crew_thread.c).
 *
 * The watch thread (crew_watch.c) makes a hanging call harmless to the rest. */
#include "worker/crew.h"

#include <assert.h>
#include <errno.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "worker/crew_priv.h"

#define SLICE_NS       500000 /* of jobs before the loop gets a turn */
#define SLICE_JOBS     16
#define EXPECT_LONG_NS 300000 /* handing the loop over costs a fiftieth of such a call */

static _Thread_local struct crew_thread *this_thread;

static void on_nudge(void *arg)
{
    struct crew *crew = arg;
    pthread_mutex_lock(&crew->lock);
    crew->nudged = false;
    pthread_mutex_unlock(&crew->lock);
}

struct crew *crew_new(struct loop *loop, unsigned threads_max, const struct crew_ops *ops,
                      void *arg)
{
    assert(threads_max > 0);
    struct crew *crew = xcalloc(1, sizeof(*crew));
    crew->loop = loop;
    crew->ops = ops;
    crew->arg = arg;
    crew->threads_max = threads_max;
    crew->width = 1;
    crew->nudge = (struct loop_task){.fn = on_nudge, .arg = crew};

    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&crew->lock, NULL);
    (void)pthread_cond_init(&crew->changed, &attributes);
    (void)pthread_cond_init(&crew->watch_wake, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    return crew;
}

struct crew *crew_free(struct crew *crew)
{
    if (crew) {
        assert(crew->thread_count == 0);
        (void)pthread_cond_destroy(&crew->changed);
        (void)pthread_cond_destroy(&crew->watch_wake);
        (void)pthread_mutex_destroy(&crew->lock);
        free(crew);
    }
    return NULL;
}

/* ---- waking; all with the lock held ---- */

static void wake_watch(struct crew *crew)
{
    if (crew->watch_asleep) {
        crew->watch_asleep = false;
        (void)pthread_cond_signal(&crew->watch_wake);
    }
}

static void nudge_holder(struct crew *crew)
{
    if (crew->loop_held && !crew->nudged) {
        crew->nudged = true;
        loop_post(crew->loop, &crew->nudge);
    }
}

/* ---- jobs ---- */

bool crew_push(struct crew *crew, const struct job *job, bool first)
{
    pthread_mutex_lock(&crew->lock);
    assert(crew->waiting < CREW_QUEUE_MAX);
    if (first) {
        crew->first = (crew->first + CREW_QUEUE_MAX - 1) % CREW_QUEUE_MAX;
        crew->queue[crew->first] = *job;
    } else {
        crew->queue[(crew->first + crew->waiting) % CREW_QUEUE_MAX] = *job;
    }
    crew->waiting++;
    crew->full = crew->waiting == CREW_QUEUE_MAX;
    bool full = crew->full;
    pthread_mutex_unlock(&crew->lock);
    return full;
}

static struct job pop(struct crew *crew)
{
    struct job job = crew->queue[crew->first];
    crew->first = (crew->first + 1) % CREW_QUEUE_MAX;
    crew->waiting--;
    if (crew->full && crew->waiting == CREW_QUEUE_LOW) {
        nudge_holder(crew);
    }
    return job;
}

bool crew_is_kept_out(const struct crew *crew)
{
    return crew->hogging > 0 || atomic_load_explicit(&crew->entering, memory_order_relaxed) > 0;
}

bool crew_may_start(const struct crew *crew)
{
    return crew->waiting > 0 && crew->running - crew->away < crew->threads_max &&
           crew->running - crew->old < crew->width && (crew->let_in || !crew_is_kept_out(crew));
}

static void call_begins(struct crew *crew, struct crew_thread *thread, const struct job *job,
                        uint64_t now_ns)
{
    thread->running = true;
    thread->started_ns = now_ns;
    thread->hog = job->hog;
    thread->hogging = job->hog && atomic_load_explicit(job->hog, memory_order_relaxed) >= CREW_HOG;
    crew->hogging += thread->hogging;
    crew->let_in = false;
    crew->last_start_ns = now_ns;
    crew->running++;
    crew->started++;
    wake_watch(crew);
    bool unattended = !crew->loop_held && job->expected_ns > EXPECT_LONG_NS;
    if (unattended || crew_may_start(crew)) {
        crew_wake_one(crew);
    }
}

static void call_ends(struct crew *crew, struct crew_thread *thread)
{
    crew->running--;
    crew->old -= thread->old;
    crew->away -= thread->away;
    crew->hogging -= thread->hogging;
    thread->old = false;
    thread->away = false;
    thread->hogging = false;
    thread->running = false;
}

/* Runs waiting jobs for a while; lock held at both ends, not in between. */
static void run_jobs(struct crew *crew, struct crew_thread *thread)
{
    uint64_t now_ns = clock_now_ns();
    uint64_t end_ns = now_ns + SLICE_NS;
    for (int jobs = 0; jobs < SLICE_JOBS && now_ns < end_ns && crew_may_start(crew); jobs++) {
        struct job job = pop(crew);
        call_begins(crew, thread, &job, now_ns);
        bool more = crew->waiting > 0;
        pthread_mutex_unlock(&crew->lock);
        crew->ops->run(crew->arg, &thread->state, &job, more);
        now_ns = clock_now_ns();
        pthread_mutex_lock(&crew->lock);
        call_ends(crew, thread);
    }
    pthread_mutex_unlock(&crew->lock);
    crew->ops->rest(crew->arg, &thread->state);
    pthread_mutex_lock(&crew->lock);
}

/* ---- a thread's life ---- */

/* Holds the loop until another thread takes it over or the crew stops. Lock held at both ends. */
static void lead(struct crew *crew, struct crew_thread *thread)
{
    crew->loop_held = true;
    while (!crew->stopping) {
        int wait_ms = crew_may_start(crew) ? 0 : LOOP_WAIT_MS_MAX;
        bool room = crew->full && crew->waiting <= CREW_QUEUE_LOW;
        crew->full = crew->full && !room;
        pthread_mutex_unlock(&crew->lock);
        if (room) {
            crew->ops->room(crew->arg);
        } else {
            loop_turn(crew->loop, wait_ms);
        }
        pthread_mutex_lock(&crew->lock);
        if (!crew_may_start(crew)) {
            continue;
        }
        crew->loop_held = false;
        crew->let_go_ns = clock_now_ns();
        run_jobs(crew, thread);
        if (crew->loop_held) {
            return;
        }
        crew->loop_held = true;
    }
    crew->loop_held = false;
}

void *crew_thread_main(void *arg)
{
    struct crew_thread *thread = arg;
    struct crew *crew = thread->crew;
    this_thread = thread;

    pthread_mutex_lock(&crew->lock);
    crew->coming--;
    bool needed = true;
    while (needed && !crew->stopping) {
        if (!crew->loop_held) {
            lead(crew, thread);
        } else if (crew_may_start(crew)) {
            run_jobs(crew, thread);
        } else {
            needed = crew_thread_sleeps(crew, thread);
        }
    }
    pthread_mutex_unlock(&crew->lock);

    crew->ops->thread_end(crew->arg, &thread->state);
    pthread_mutex_lock(&crew->lock);
    crew_thread_ends(crew, thread);
    pthread_mutex_unlock(&crew->lock);
    return NULL;
}

/* ---- from outside ---- */

int crew_start(struct crew *crew, struct err *err)
{
    pthread_mutex_lock(&crew->lock);
    int failed = crew_spawn(crew_watch_main, crew);
    crew->watching = !failed;
    if (!failed) {
        failed = crew_thread_new(crew);
    }
    pthread_mutex_unlock(&crew->lock);
    if (failed) {
        (void)err_errno(err, -failed, "cannot start a call thread");
        crew_stop(crew);
        (void)crew_join(crew, CREW_GRACE_MS_MAX);
    }
    return failed;
}

struct crew_figures crew_figures(struct crew *crew)
{
    pthread_mutex_lock(&crew->lock);
    struct crew_figures figures = {crew->waiting, crew->running, crew->thread_count};
    pthread_mutex_unlock(&crew->lock);
    return figures;
}

static void wait_elsewhere(struct crew *crew, bool leaves)
{
    struct crew_thread *thread = this_thread;
    if (!thread || thread->crew != crew) {
        return;
    }
    pthread_mutex_lock(&crew->lock);
    if (thread->running) {
        bool first = !thread->old;
        bool goes = leaves && !thread->away && crew->away < CREW_AWAY_MAX;
        thread->old = true;
        thread->away |= goes;
        crew->old += first;
        crew->away += goes;
        if ((first || goes) && (!crew->loop_held || crew_may_start(crew))) {
            crew_wake_one(crew);
        }
    }
    pthread_mutex_unlock(&crew->lock);
}

void crew_thread_waits(struct crew *crew)
{
    wait_elsewhere(crew, false);
}

void crew_thread_leaves(struct crew *crew)
{
    wait_elsewhere(crew, true);
}

void crew_thread_returns(struct crew *crew)
{
    struct crew_thread *thread = this_thread;
    if (thread && thread->crew == crew) {
        pthread_mutex_lock(&crew->lock);
        crew->away -= thread->away;
        thread->away = false;
        pthread_mutex_unlock(&crew->lock);
    }
}

void crew_stop(struct crew *crew)
{
    pthread_mutex_lock(&crew->lock);
    crew->stopping = true;
    nudge_holder(crew);
    while (crew->idle) {
        crew_wake_idle(crew);
    }
    (void)pthread_cond_signal(&crew->watch_wake);
    (void)pthread_cond_broadcast(&crew->changed);
    pthread_mutex_unlock(&crew->lock);
}

bool crew_join(struct crew *crew, uint64_t grace_ms)
{
    pthread_mutex_lock(&crew->lock);
    while (!crew->stopping) {
        (void)pthread_cond_wait(&crew->changed, &crew->lock);
    }
    uint64_t grace_ns =
        grace_ms < CREW_GRACE_MS_MAX ? grace_ms * 1000000 : CREW_GRACE_MS_MAX * 1000000;
    struct timespec until = crew_timespec(clock_now_ns() + grace_ns);
    int late = 0;
    while (!late && (crew->thread_count > 0 || crew->watching)) {
        late = pthread_cond_timedwait(&crew->changed, &crew->lock, &until);
    }
    bool joined = crew->thread_count == 0 && !crew->watching;
    pthread_mutex_unlock(&crew->lock);
    return joined;
}
