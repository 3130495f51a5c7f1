/* The queue of tasks in the state, and its schedules. Of daemons that share a state each takes from
 * it what it has room for; the one that leads makes tasks of schedules. Owner: the control thread;
 * all functions are for it.
 *
 * A task is held by its row: until it is over there, with the daemon's name and a time after which
 * others take it. That time is renewed while the task runs; what a daemon held when it was killed
 * is due at once when it is back, at the end of that time when it is not. */
#pragma once

#include "base/cleanup.h"
#include "store/store_task.h"
#include "task/task.h"

struct err;
struct loop;
struct task_local;

#define TASK_WAITING_MAX 1000000 /* a million times 1 KiB is what a small disk has */
#define TASK_WAITS_MAX   256     /* results that are waited for: each is a request that is held */

struct task_local_settings {
    uint64_t visibility_ms; /* a task is ours so long after the last sign of us */
    uint64_t done_keep_ms;  /* what is over is deleted after so long */
    uint64_t dead_keep_ms;  /* what is dead, too */
};

struct task_local_options { /* borrowed for the queue's life */
    struct loop *loop;
    struct store *store;
    const char *owner;        /* this daemon, by the same name after each start of it */
    bool shared;              /* others may add tasks and end ours */
    bool (*leads)(void *arg); /* whether schedules are ours to fire */
    void *arg;
    struct task_local_settings settings; /* at first */
};

/* What an earlier life of this daemon held is due at once. */
struct task_local *task_local_new(const struct task_local_options *options);
/* NULL allowed; returns NULL. What runs stays held in the state. */
struct task_local *task_local_free(struct task_local *local);
DEFINE_CLEANUP(struct task_local *, task_local_free)

struct task_queue *task_local_queue(struct task_local *local);
void task_local_set(struct task_local *local, const struct task_local_settings *settings);

/* No more tasks are handed over; what is given back from now on is due at once. */
void task_local_end(struct task_local *local);

/* Keeps a task; id NULL = a new one. ret_id: of it, or of the one that has its key already,
 * *ret_is_new false then. -EINVAL (a key, retries), -E2BIG (arguments), -ENOSPC (TASK_WAITING_MAX),
 * -EEXIST (the id), store errors. */
int task_local_add(struct task_local *local, const struct task *task,
                   char ret_id[STORE_TASK_ID_MAX + 1], bool *ret_is_new, struct err *err);

/* It will not run, or what it yields counts no more. -ENOENT: it is over, or never was. */
int task_local_cancel(struct task_local *local, const char *id, struct err *err);
/* A dead or cancelled one begins anew. -ENOENT */
int task_local_revive(struct task_local *local, const char *id, struct err *err);

/* Something was changed in the store beside: a schedule. */
void task_local_wake(struct task_local *local);

/* fn runs once, from here or later: when the task is over (over) or timeout_ms have passed. -EBUSY
 * (TASK_WAITS_MAX): it does not run. */
typedef void (*task_over_fn)(void *arg, bool over);
int task_local_wait(struct task_local *local, const char *id, uint64_t timeout_ms, task_over_fn fn,
                    void *arg, struct err *err);

struct task_figures {
    struct store_task_counts counts; /* some seconds old at most */
    uint64_t added;
    uint64_t done, dead, cancelled; /* ended here */
    uint64_t failed;                /* runs that failed */
    uint64_t again;                 /* runs of tasks that had been taken before and not ended */
    uint64_t scheduled;
};
void task_local_figures(struct task_local *local, struct task_figures *ret);
