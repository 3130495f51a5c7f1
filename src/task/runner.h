/* Runs the tasks that queues hand over, so many at once, and decides what becomes of each: over, or
 * tried again after a pause, or dead. Owner: the control thread; all functions are for it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "task/task.h"

struct task_runner;

#define TASK_CONCURRENCY_MAX 256

struct task_runner_settings {
    unsigned concurrency; /* tasks at once, of each queue; 1 .. TASK_CONCURRENCY_MAX */
    uint64_t pause_ms;    /* after the first failure; task_pause_ms */
    uint64_t pause_ms_max;
};

enum task_outcome {
    TASK_WELL,
    TASK_FAILED,   /* it ran, or may have; a further try is its due */
    TASK_UNBEGUN,  /* it did not: nobody was there for it, and that passes */
    TASK_HOPELESS, /* no further try would go better */
};

/* result is borrowed, NULL = null; error is NULL when it went well. Runs once, later. */
typedef void (*task_ran_fn)(void *arg, enum task_outcome outcome, struct json_object *result,
                            const char *error);

struct task_runner_options {
    /* Runs it; task and done_arg last until done. */
    void (*run)(void *arg, const struct task *task, task_ran_fn done, void *done_arg);
    void *arg;
    struct task_runner_settings settings; /* at first */
};

struct task_runner *task_runner_new(const struct task_runner_options *options);
/* The queues first. NULL allowed; returns NULL. */
struct task_runner *task_runner_free(struct task_runner *runner);
DEFINE_CLEANUP(struct task_runner *, task_runner_free)

#define TASK_QUEUES_MAX 4

/* From now on it takes tasks from that queue (borrowed), too. */
void task_runner_attach(struct task_runner *runner, struct task_queue *queue);

/* A smaller concurrency holds once enough have ended. */
void task_runner_set(struct task_runner *runner, const struct task_runner_settings *settings);

/* An orderly end begins: what could not be begun from now on is given back at once. */
void task_runner_end(struct task_runner *runner);

unsigned task_runner_running(const struct task_runner *runner);
