/* Once a millisecond, while something goes on: which calls have grown old, whether the loop is
 * attended to, and whether more threads would help.
 *
 * An interpreter's lock makes a second thread useless, and its waiting makes the first one slower
 * (CPython drops the lock every 5 ms when somebody waits). So while a thread is blocked at the door
 * (a loader's enter), no other one is sent there for CREW_PATIENCE_NS; and an action whose calls
 * were seen to keep others at the door (a hog) runs alone for so long from the start. From time to
 * time one is let in nevertheless, to see whether that is still so. */
#include "base/clock.h"
#include "worker/crew_priv.h"

#define TICK_NS     1000000
#define QUIET_TICKS 16  /* without anything to watch before the watch thread sleeps */
#define PROBE_TICKS 500 /* between two looks whether a hog still is one */
#define HOG_MAX     5

unsigned crew_width(unsigned width, unsigned width_max, unsigned started, unsigned waiting)
{
    if (waiting > 0 && started < 2 * width) {
        return width < width_max ? width + 1 : width_max;
    }
    if (width > 1 && started >= 4 * width) {
        return width - 1;
    }
    return width;
}

static void note_age(struct crew *crew, struct crew_thread *thread, uint64_t now_ns)
{
    uint64_t age_ns = now_ns - thread->started_ns;
    if (!thread->old && age_ns > CREW_SHORT_NS) {
        thread->old = true;
        crew->old++;
    }
    if (thread->hogging && age_ns > CREW_PATIENCE_NS) {
        thread->hogging = false;
        crew->hogging--;
    }
}

/* What the calls that run now show of their actions: they keep somebody at the door, or two of them
 * are inside at the same time, so that one has let go of the interpreter. */
static void note_hogs(struct crew *crew, unsigned inside, bool kept)
{
    for (struct crew_thread *thread = crew->threads; thread; thread = thread->next) {
        if (!thread->running || !thread->old || !thread->hog ||
            atomic_load(&thread->state.entering)) {
            continue;
        }
        int seen = atomic_load(thread->hog);
        if (kept && seen < HOG_MAX) {
            atomic_store(thread->hog, seen + 1);
        } else if (!kept && inside > 1 && seen > 0) {
            atomic_store(thread->hog, seen - 1);
        }
    }
}

static void look_at_calls(struct crew *crew, uint64_t now_ns)
{
    unsigned inside = 0;
    bool entering = false;
    for (struct crew_thread *thread = crew->threads; thread; thread = thread->next) {
        if (thread->running) {
            note_age(crew, thread, now_ns);
            bool outside = atomic_load(&thread->state.entering);
            entering |= outside;
            inside += !outside;
        }
    }
    bool kept = entering && crew->entering_before;
    if (kept || inside > 1) {
        note_hogs(crew, inside, kept);
    }
    crew->entering_before = entering;
}

static void look_at_queue(struct crew *crew, uint64_t now_ns)
{
    if (crew->waiting == 0 || !crew_is_kept_out(crew)) {
        crew->width = crew_width(crew->width, crew->threads_max, crew->started, crew->waiting);
        return;
    }
    crew->kept_out_ticks++;
    if (crew->kept_out_ticks >= PROBE_TICKS || now_ns - crew->last_start_ns > CREW_PATIENCE_NS) {
        crew->kept_out_ticks = 0;
        crew->let_in = true;
    }
}

/* True when there was something to watch. */
static bool tick(struct crew *crew)
{
    uint64_t now_ns = clock_now_ns();
    look_at_calls(crew, now_ns);
    look_at_queue(crew, now_ns);
    bool unattended = !crew->loop_held && now_ns - crew->let_go_ns > CREW_SHORT_NS;
    if (unattended || crew_may_start(crew)) {
        crew_wake_one(crew);
    }
    bool busy = crew->started > 0 || !crew->loop_held || crew->waiting > 0;
    crew->started = 0;
    return busy;
}

void *crew_watch_main(void *arg)
{
    struct crew *crew = arg;
    int quiet = 0;
    pthread_mutex_lock(&crew->lock);
    while (!crew->stopping) {
        struct timespec until = crew_timespec(clock_now_ns() + TICK_NS);
        quiet = tick(crew) ? 0 : quiet + 1;
        if (quiet >= QUIET_TICKS) {
            crew->watch_asleep = true;
            while (crew->watch_asleep && !crew->stopping) {
                (void)pthread_cond_wait(&crew->watch_wake, &crew->lock);
            }
            quiet = 0;
            continue;
        }
        pthread_mutex_unlock(&crew->lock);
        (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
        pthread_mutex_lock(&crew->lock);
    }
    crew->watching = false;
    (void)pthread_cond_broadcast(&crew->changed);
    pthread_mutex_unlock(&crew->lock);
    return NULL;
}
