/* Tasks for the operations, and how one is run: a walker as any local client would ask for it. */
#pragma once

#include <stdbool.h>

#include "store/store_task.h"
#include "task/runner.h"

struct api;
struct json_object;
struct op_call;

/* The queue takes tasks: the service `task` is enabled. */
bool tasks_are_on(const struct api *api);
/* False, or it takes none and that was answered. */
bool tasks_answer_off(struct op_call *call);

#define TASKS_LIST_MAX 1000 /* rows of an answer */

/* What its config says holds from now on. */
void tasks_configure(struct api *api);

/* struct task_runner_options' one; api: a struct api. */
void tasks_run(void *api, const struct task *task, task_ran_fn done, void *done_arg);

/* Queues a walker's run for the operation's caller; 0, or the failure was answered. ret_id:
 * [STORE_TASK_ID_MAX + 1]. */
struct task_order {
    const char *walker;
    struct json_object *ctx;   /* borrowed; NULL = {} */
    const char *key;           /* NULL = none */
    int retries;               /* -1 = as configured */
    double delay_s, expires_s; /* from now; 0 = none */
};
int tasks_order(struct op_call *call, const struct task_order *order, char *ret_id,
                bool *ret_is_new);

/* walker_queue.c: methods of the service: inspect_tasks, get_by_task_id. False: it has no such
 * method. */
bool tasks_method(struct op_call *call, const char *method, struct json_object *args);
