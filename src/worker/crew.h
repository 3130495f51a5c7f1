/* The call threads of a worker: they take turns at the loop and run the jobs that it brings.
 *
 * One thread holds the loop: it waits for events, and handlers push jobs. Between two turns it
 * runs them itself, so a short call costs no switch of threads. Meanwhile the loop is open to any
 * thread. When a call lasts longer than CREW_SHORT_NS a watch thread sees it and another thread
 * takes the loop and the waiting jobs; a call known to be long hands the loop over beforehand. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "loop/loop.h"
#include "worker/job.h"

struct crew;
struct err;

#define CREW_SHORT_NS  1000000 /* a call that lasts longer no longer holds others up */
#define CREW_QUEUE_MAX 32      /* waiting jobs; then requests are left unread in the kernel */
#define CREW_QUEUE_LOW (CREW_QUEUE_MAX / 2)

struct crew_ops {
    void (*thread_end)(void *arg, struct call_state *state);
    /* Executes and answers job. more: another one waits for this thread. */
    void (*run)(void *arg, struct call_state *state, const struct job *job, bool more);
    /* No job follows soon: the thread goes back to the loop or to sleep. */
    void (*rest)(void *arg, struct call_state *state);
    /* The holder of the loop: the queue has room again after crew_push returned true. */
    void (*room)(void *arg);
};

/* threads_max calls run at the same time at most; one more thread attends to the loop. */
struct crew *crew_new(struct loop *loop, unsigned threads_max, const struct crew_ops *ops,
                      void *arg);

/* Starts the first threads; from here on the loop is theirs. 0 or -EAGAIN. */
int crew_start(struct crew *crew, struct err *err);

/* Only in a callback of the loop. The job is copied. first: before all waiting ones. True when the
 * queue is full now: push no more before room() was called. */
bool crew_push(struct crew *crew, const struct job *job, bool first);

struct crew_figures {
    unsigned waiting;
    unsigned running;
    unsigned threads;
};

struct crew_figures crew_figures(struct crew *crew); /* any thread */

/* The calling call thread is about to wait for something else than the processor. */
void crew_thread_waits(struct crew *crew);

#define CREW_AWAY_MAX 512 /* more callers than that wait among the threads_max */

/* As crew_thread_waits, for another action, which may call back into this worker: until it returns,
 * or its call ends, the thread is not one of the threads_max. Else so many callers could take all
 * threads, and wait for ever for calls that wait for a thread. */
void crew_thread_leaves(struct crew *crew);
void crew_thread_returns(struct crew *crew);

/* Any thread: threads end when their calls have. */
void crew_stop(struct crew *crew);

#define CREW_GRACE_MS_MAX (3600 * 1000ULL)

/* Waits for crew_stop and then for the threads. False when some still ran grace_ms (at most
 * CREW_GRACE_MS_MAX) later. */
bool crew_join(struct crew *crew, uint64_t grace_ms);

struct crew *crew_free(struct crew *crew); /* not started, or joined */

/* How many calls shall run side by side, 1 .. width_max, judged once a millisecond. started: calls
 * begun in that time; waiting: jobs in the queue now. Short calls queue for few threads (an
 * interpreter's lock would only make them fight), long ones get more. Pure. */
unsigned crew_width(unsigned width, unsigned width_max, unsigned started, unsigned waiting);
