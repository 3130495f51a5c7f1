/* What the files of the queue in the state share: task_local.c: its life and what is asked of it;
 * task_held.c: the tasks that are in our hands, and their ends; task_turn.c: the timer that does
 * all else. Not for use elsewhere. */
#pragma once

#include "loop/loop.h"
#include "task/task_local.h"

#define TASK_STORE_RETRY_MS 1000 /* after a statement that failed */
#define TASK_RENEWALS       3    /* within a visibility time-out */

/* A task that is ours, and its end once there is one. */
struct task_held {
    struct task_delivery delivery; /* first: a delivery of this queue is this */
    struct task_held *next;
    struct json_object *args, *kwargs; /* owned */
    char *id, *name, *key;             /* owned; key may be NULL */
    uint64_t renew_ms;                 /* monotonic: the next time */
    bool ended;                        /* and not yet written */
    bool is_again;
    enum task_end end;
    char *result, *error; /* owned; NULL = none */
    uint64_t delay_ms;    /* of a further try */
};

struct task_wait {
    struct task_wait *next;
    char id[STORE_TASK_ID_MAX + 1];
    uint64_t deadline_ms;
    bool over; /* its task is */
    task_over_fn fn;
    void *arg;
};

struct task_local {
    struct task_queue queue; /* first */
    struct task_local_options options;
    struct task_local_settings settings;
    struct loop_timer timer;
    struct task_held *held;  /* owned */
    struct task_wait *waits; /* owned */
    unsigned wait_count;
    unsigned room;
    bool ending;
    bool failing; /* the last statement failed: said once */
    bool released;
    uint64_t trimmed_ms, counted_ms;
    int64_t waiting; /* about as many */
    struct task_figures figures;
};

static inline struct task_local *task_local_of(struct task_queue *queue)
{
    return (struct task_local *)queue;
}

/* ---- task_held.c ---- */

void task_held_free(struct task_held *held);
/* Writes the ends that the store could not take before. */
void task_held_settle(struct task_local *local);
/* Functions of the queue. */
void task_held_finish(struct task_queue *queue, struct task_delivery *delivery, enum task_end end,
                      struct json_object *result, const char *error);
void task_held_again(struct task_queue *queue, struct task_delivery *delivery, uint64_t delay_ms,
                     bool failed, const char *error);
/* What became of a statement; said once when that changes. True: it failed, for a reason that may
 * pass. */
bool task_local_failed(struct task_local *local, int failed, const struct err *err);
/* Those who wait for that task (NULL = none), or are marked, hear that it is over; all others whose
 * time has come, that it is not. */
void task_local_let_go(struct task_local *local, const char *id, uint64_t now_ms);

/* ---- task_local.c ---- */

/* False also when the store cannot say. */
bool task_local_is_over(struct task_local *local, const char *id);

/* ---- task_turn.c ---- */

void task_local_turn(void *local);
