/* How a task is told to those who ask: the original's operations, `jsorc tasks`, the metrics. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "store/store_task.h"

struct json_object;
struct op_call;

/* Ours, by enum store_task_state. */
extern const char *const TASK_STATES[STORE_TASK_STATES];

/* Celery's word for its state. */
const char *task_status(const struct store_task *task);

/* Of another user's tasks nobody hears anything but staff. */
bool task_may_see(const struct op_call *call, const struct store_task *task);

/* Owned by the caller; whole: with its arguments and result. */
struct json_object *task_json(const struct store_task *task, bool whole);

/* Sets a member: the value that a JSON text holds, NULL = null; unix seconds, 0 = null. */
void task_set_json(struct json_object *object, const char *name, const char *text);
void task_set_time(struct json_object *object, const char *name, int64_t unix_ms);
