/* Shared by crew.c (roles and jobs), crew_thread.c (threads) and crew_watch.c (what happens once a
 * millisecond). */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "worker/crew.h"

#define CREW_PATIENCE_NS                                                                           \
    50000000       /* then calls share the interpreter, so that short ones get on                  \
                    */
#define CREW_HOG 3 /* times seen (less those seen otherwise) that make a hog */

struct crew_thread {
    struct crew *crew;
    struct crew_thread *next_idle;
    struct crew_thread *next; /* all threads */
    pthread_cond_t wake;
    bool awake;
    bool running;
    bool old;        /* the call lasts longer than CREW_SHORT_NS */
    bool away;       /* it waits for another action */
    bool hogging;    /* the call is a hog's and younger than PATIENCE_NS */
    atomic_int *hog; /* of the running job; NULL = none */
    uint64_t started_ns;
    struct call_state state;
};

struct crew {
    struct loop *loop; /* borrowed */
    const struct crew_ops *ops;
    void *arg;
    unsigned threads_max;

    pthread_mutex_t lock;   /* guards all that follows */
    pthread_cond_t changed; /* a thread ended, or the crew stops */
    pthread_cond_t watch_wake;
    struct crew_thread *threads;
    struct crew_thread *idle; /* woken last, first to wake */
    unsigned thread_count;
    bool watching; /* the watch thread exists */
    bool watch_asleep;

    bool loop_held;
    uint64_t let_go_ns; /* when the loop was left */
    struct job queue[CREW_QUEUE_MAX];
    unsigned first; /* index of the next job */
    unsigned waiting;
    bool full;        /* room() is owed */
    unsigned running; /* calls, and of these: */
    unsigned old;
    unsigned away;
    unsigned hogging;
    unsigned width;          /* young calls that may run at the same time */
    unsigned kept_out_ticks; /* with jobs waiting, since one was last let in */
    uint64_t last_start_ns;
    bool let_in;          /* one job may start in spite of them */
    bool entering_before; /* somebody was at the door at the last tick */
    atomic_uint entering; /* written by the threads without the lock */
    unsigned started;     /* jobs, since the last tick */
    unsigned coming;      /* threads woken or made that have not looked around yet */
    bool stopping;
    struct loop_task nudge; /* gets the holder out of its wait */
    bool nudged;
};

/* All with the lock held. */

/* Wakes or makes one thread, unless one is on its way already: each looks around and wakes the next
 * if there is more to do. */
void crew_wake_one(struct crew *crew);

/* Wakes the one that fell asleep last; there is one. */
void crew_wake_idle(struct crew *crew);

/* A detached thread that runs fn(arg). 0 or -errno. */
int crew_spawn(void *(*fn)(void *), void *arg);

/* Makes one more that runs crew_thread_main. 0 or -errno. */
int crew_thread_new(struct crew *crew);

/* Until it is woken; false when nobody needed it for a long time. */
bool crew_thread_sleeps(struct crew *crew, struct crew_thread *thread);

/* The calling thread is no more of the crew; frees thread. */
void crew_thread_ends(struct crew *crew, struct crew_thread *thread);

/* Whether the next job may start now. */
bool crew_may_start(const struct crew *crew);

/* Running calls keep the interpreter: another one would only wait for it. */
bool crew_is_kept_out(const struct crew *crew);

/* Main function of a call thread; arg is its struct crew_thread. */
void *crew_thread_main(void *arg);

/* Main function of the watch thread; arg is the crew. */
void *crew_watch_main(void *arg);

/* A point of the monotonic clock. */
struct timespec crew_timespec(uint64_t ns);
