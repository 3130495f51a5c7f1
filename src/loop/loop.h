/* An event loop over epoll: descriptors, timers and tasks posted from other threads.
 * One thread runs it and owns all that is registered with it; only loop_post and loop_stop may be
 * called from elsewhere. Watches and timers are embedded in their owners and allocate nothing. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

struct err;
struct loop;

typedef void (*loop_fd_fn)(void *arg, uint32_t events);
typedef void (*loop_fn)(void *arg);

struct loop_watch {
    int fd; /* borrowed; -1 = not watched */
    loop_fd_fn fn;
    void *arg;
};

struct loop_timer {
    uint64_t deadline_ms; /* monotonic */
    uint64_t queued_ms;   /* key in the heap, at most deadline_ms */
    uint32_t place;       /* index in the heap + 1; 0 = not set */
    loop_fn fn;
    void *arg;
};

struct loop_task {
    struct loop_task *next;
    loop_fn fn;
    void *arg;
};

struct loop *loop_new(struct err *err);
struct loop *loop_free(struct loop *loop); /* NULL allowed; registered objects are forgotten */

/* Runs until loop_stop. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop); /* any thread, signal-safe */

#define LOOP_WAIT_MS_MAX 60000 /* of one turn; a bound, not a limit: the next turn waits on */

/* One turn of loop_run: waits up to wait_ms_max for events, delivers what came, runs due timers.
 * For an owner that has other work between turns. Several threads may take turns one after the
 * other if a lock orders them: between two turns nothing of the loop is on a stack. */
void loop_turn(struct loop *loop, int wait_ms_max);

/* Called before each wait of loop_run, and after it before events are delivered: the points at
 * which the loop holds no borrowed shared state. So what is delivered finds all that was shared
 * before it happened. */
void loop_set_turn(struct loop *loop, loop_fn fn, void *arg);

/* Time at the start of this turn, monotonic. */
uint64_t loop_now_ms(const struct loop *loop);

/* Starts to watch watch->fd for events (EPOLLIN | EPOLLET ...). 0 or -errno. */
int loop_watch(struct loop *loop, struct loop_watch *watch, uint32_t events);
int loop_rewatch(struct loop *loop, struct loop_watch *watch, uint32_t events);

/* Ends the watch, also for events of this turn that were not delivered yet, and sets fd to -1;
 * the descriptor stays open. */
void loop_unwatch(struct loop *loop, struct loop_watch *watch);

/* Calls fn(arg) once at deadline_ms or soon after; setting again moves it. Moving it later costs
 * nothing, so a connection may do that for each request. */
void loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t deadline_ms);
void loop_timer_clear(struct loop *loop, struct loop_timer *timer);

/* Runs task->fn(task->arg) in the loop's thread; any thread. The task belongs to the loop until
 * it runs and must not be posted again before that. */
void loop_post(struct loop *loop, struct loop_task *task);
