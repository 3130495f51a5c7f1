/* A queue of Celery's on a Redis: takes tasks that its clients send, stores what became of them
 * where they look, and sends tasks to its workers. Nothing blocks; nothing is lost: a task stays in
 * the Redis until its result is there, and what a daemon had that is gone is taken by another one,
 * soon if that is jsorc's, after the visibility time-out if it is a worker of Celery's.
 *
 * A failure is final, as with Celery: its clients send no number of further tries. Owner: the
 * thread of the loop; all functions are for it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "task/celery_message.h"
#include "task/celery_result.h"
#include "task/redis_link.h"
#include "task/task.h"

struct celery_queue;

#define CELERY_TAKEN_MAX 1024 /* tasks of one daemon whose end the Redis was not told yet */

struct celery_queue_options {
    struct loop *loop;
    struct job_pool *jobs;
    struct redis_address address; /* copied */
    const char *name;             /* of the queue; "celery" is Celery's usual one; copied */
    uint64_t visibility_s;        /* 0 = 3600, which is kombu's; the same as its workers have */
    uint64_t owner_ms;            /* 0 = 15000: so long after its last sign a daemon is gone */
    uint64_t seed;
    /* error is NULL while the Redis answers. */
    void (*on_change)(void *arg, bool is_up, const char *error);
    void *arg;
};

struct celery_queue *celery_queue_new(const struct celery_queue_options *options);
/* Deliveries end with it; what they were stays in the Redis and is taken again, here or elsewhere.
 * After the job pool's end. NULL allowed; returns NULL. */
struct celery_queue *celery_queue_free(struct celery_queue *queue);

/* Its tasks, for a receiver; borrowed. None is taken before one is wanted. */
struct task_queue *celery_queue_tasks(struct celery_queue *queue);

/* status 0, or -errno: text tells why. -EIO: whether it was sent is not known. */
typedef void (*celery_sent_fn)(void *arg, int status, const char *text);

/* Sends a task. done runs once, from here or later. 0, or what celery_message_write refuses,
 * -ENOTCONN, -ENOBUFS: done does not run then. */
int celery_queue_send(struct celery_queue *queue, const struct celery_send *send,
                      celery_sent_fn done, void *arg, struct err *err);

#define CELERY_WAITS_MAX 1024 /* results asked for at once: each is a caller that waits */

/* answer is NULL when the time was over, and borrowed until it returns. */
typedef void (*celery_answer_fn)(void *arg, const struct celery_answer *answer);

/* Waits until the task has a result that is final; timeout_ms 0 asks once, whatever it is. done
 * runs once, later. 0, or -EINVAL (no id), -ENOBUFS (CELERY_WAITS_MAX). */
int celery_queue_await(struct celery_queue *queue, const char *id, uint64_t timeout_ms,
                       celery_answer_fn done, void *arg);
