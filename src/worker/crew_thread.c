/* The crew's threads: made, woken, asleep, gone. Those that have nothing to do sleep on a stack, so
 * that the same few stay warm; one that slept for IDLE_S ends. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "worker/crew_priv.h"

#define NS_A_SECOND 1000000000ULL
#define IDLE_S      30 /* a thread unused for so long ends */

struct timespec crew_timespec(uint64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / NS_A_SECOND),
                             .tv_nsec = (long)(ns % NS_A_SECOND)};
}

int crew_spawn(void *(*fn)(void *), void *arg)
{
    pthread_t id;
    pthread_attr_t attributes;
    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    int failed = pthread_create(&id, &attributes, fn, arg);
    (void)pthread_attr_destroy(&attributes);
    return -failed;
}

static struct crew_thread *thread_free(struct crew_thread *thread)
{
    if (thread) {
        (void)pthread_cond_destroy(&thread->wake);
        free(thread);
    }
    return NULL;
}

int crew_thread_new(struct crew *crew)
{
    struct crew_thread *thread = xcalloc(1, sizeof(*thread));
    thread->crew = crew;
    thread->awake = true;
    thread->state.entering_count = &crew->entering;
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&thread->wake, &attributes);
    (void)pthread_condattr_destroy(&attributes);

    int failed = crew_spawn(crew_thread_main, thread);
    if (failed) {
        (void)thread_free(thread);
        return failed;
    }
    thread->next = crew->threads;
    crew->threads = thread;
    crew->thread_count++;
    crew->coming++;
    return 0;
}

void crew_wake_idle(struct crew *crew)
{
    struct crew_thread *thread = crew->idle;
    crew->idle = thread->next_idle;
    thread->awake = true;
    crew->coming++;
    (void)pthread_cond_signal(&thread->wake);
}

void crew_wake_one(struct crew *crew)
{
    if (crew->coming > 0) {
        return;
    }
    if (crew->idle) {
        crew_wake_idle(crew);
    } else if (crew->thread_count <= crew->threads_max + crew->away && !crew->stopping) {
        (void)crew_thread_new(crew); /* without a thread now, the next tick tries again */
    }
}

static void forget_idle(struct crew *crew, struct crew_thread *thread)
{
    for (struct crew_thread **at = &crew->idle; *at; at = &(*at)->next_idle) {
        if (*at == thread) {
            *at = thread->next_idle;
            return;
        }
    }
}

bool crew_thread_sleeps(struct crew *crew, struct crew_thread *thread)
{
    struct timespec until = crew_timespec(clock_now_ns() + IDLE_S * NS_A_SECOND);
    thread->awake = false;
    thread->next_idle = crew->idle;
    crew->idle = thread;
    while (!thread->awake) {
        if (pthread_cond_timedwait(&thread->wake, &crew->lock, &until) && !thread->awake) {
            forget_idle(crew, thread);
            return false;
        }
    }
    crew->coming--;
    return true;
}

void crew_thread_ends(struct crew *crew, struct crew_thread *thread)
{
    for (struct crew_thread **at = &crew->threads; *at; at = &(*at)->next) {
        if (*at == thread) {
            *at = thread->next;
            break;
        }
    }
    (void)thread_free(thread);
    crew->thread_count--;
    (void)pthread_cond_broadcast(&crew->changed);
}
