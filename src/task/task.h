/* A task: a call that is kept until it has been made. What is known of one, and the queues that
 * hold them, behind one table of functions: the state's own (task_local.h), or one elsewhere.
 *
 * At least once: a queue has a task until it is told the end of it, and gives it again when its
 * receiver is lost before that. So the work comes first and the acknowledgement after it. Owner:
 * the control thread; all functions are for it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct json_object;
struct task_queue;

/* What is to be run. Celery's names of the original, in all three spellings, mean the same. */
#define TASK_WALKER   "jsorc.walker"   /* kwargs {"name", "ctx"}: a walker's run */
#define TASK_SEQUENCE "jsorc.sequence" /* kwargs {"persistence", "requests"}: requests in a row */

/* A result that is larger ends its task as failed: it was done, and whoever asks must not wait. */
#define TASK_RESULT_BYTES_MAX (1024UL * 1024)
#define TASK_ARGS_BYTES_MAX   (1024UL * 1024) /* data has other ways to travel */
#define TASK_RETRIES_MAX      1000
#define TASK_KEY_BYTES_MAX    200

struct task {                   /* borrowed, as long as its delivery lasts */
    const char *id;             /* a UUID */
    const char *name;           /* TASK_WALKER ... */
    struct json_object *args;   /* array; NULL = none */
    struct json_object *kwargs; /* object; NULL = none */
    const char *key;            /* of its user's tasks one only has it, ever; NULL = none */
    const char
        *reply_to;   /* where the sender hears of its end, if the queue needs to know; or NULL */
    int64_t user_id; /* on whose behalf; 0 = the daemon's own */
    int64_t eta_unix_ms;     /* not before; 0 = at once */
    int64_t expires_unix_ms; /* not after; 0 = never */
    unsigned retries;        /* after so many failures beyond the first it is dead */
    unsigned failures;       /* so far */
    unsigned runs;           /* how often it was given to somebody, this time included */
};

/* A task that was given to its receiver, until it is ended, put off or given back. Its queue's. */
struct task_delivery {
    struct task_queue *queue;
    struct task task;
    void *arg; /* the receiver's own; NULL at first */
};

enum task_end { TASK_DONE, TASK_DEAD, TASK_CANCELLED };

struct task_queue_ops {
    const char *name; /* "state", "celery" */
    /* There is room for so many more: on_task runs for each that is due, from here or later. */
    void (*want)(struct task_queue *queue, unsigned more);
    /* It is over. result (borrowed; NULL = null) and error (NULL = none) are for whoever asks. */
    void (*finish)(struct task_queue *queue, struct task_delivery *delivery, enum task_end end,
                   struct json_object *result, const char *error);
    /* Another try after delay_ms, by whoever has room then. failed: it counts as a failure, else it
     * could not be begun. */
    void (*again)(struct task_queue *queue, struct task_delivery *delivery, uint64_t delay_ms,
                  bool failed, const char *error);
};

struct task_queue { /* first in what implements it */
    const struct task_queue_ops *ops;
    void (*on_task)(void *arg, struct task_delivery *delivery); /* the receiver's */
    void *arg;
};

/* Pause before try number failures + 1, in ms: base_ms doubled failures - 1 times, at most max_ms,
 * of that between a half and the whole by random, so that what failed together does not come back
 * together. Pure. Source: "full jitter" halved, https://aws.amazon.com/builders-library/
 * timeouts-retries-and-backoff-with-jitter/. */
uint64_t task_pause_ms(unsigned failures, uint64_t base_ms, uint64_t max_ms, uint64_t random);

/* Which of our two names it means: "jaseci.extens.svc.tasks.ScheduledSequence" is TASK_SEQUENCE.
 * NULL = none. */
const char *task_own_name(const char *name);

#define TASK_ID_SIZE 37 /* a UUID and its zero */
void task_make_id(char ret_id[TASK_ID_SIZE]);
