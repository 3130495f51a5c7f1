#include "api/task_tell.h"

#include <math.h>

#include "api/op.h"
#include "base/json.h"

const char *const TASK_STATES[STORE_TASK_STATES] = {
    [STORE_TASK_WAITS] = "waiting",       [STORE_TASK_RUNS] = "running",
    [STORE_TASK_DONE] = "done",           [STORE_TASK_DEAD] = "dead",
    [STORE_TASK_CANCELLED] = "cancelled",
};

const char *task_status(const struct store_task *task)
{
    switch ((enum store_task_state)task->state) {
    case STORE_TASK_WAITS:
        return task->failures > 0 ? "RETRY" : "PENDING";
    case STORE_TASK_RUNS:
        return "STARTED";
    case STORE_TASK_DONE:
        return "SUCCESS";
    case STORE_TASK_DEAD:
        return "FAILURE";
    case STORE_TASK_CANCELLED:
        return "REVOKED";
    }
    return "PENDING";
}

void task_set_json(struct json_object *object, const char *name, const char *text)
{
    struct json_object *value = NULL;
    if (text) {
        (void)json_parse(slice_str(text), &value, NULL);
    }
    json_set(object, name, value);
}

void task_set_time(struct json_object *object, const char *name, int64_t unix_ms)
{
    json_set_double(object, name, unix_ms > 0 ? (double)unix_ms / 1000 : NAN);
}

struct json_object *task_json(const struct store_task *task, bool whole)
{
    struct json_object *row = json_object_new_object();
    json_set_str(row, "id", task->id);
    json_set_str(row, "name", task->name);
    json_set_str(row, "status", task_status(task));
    json_set_str(row, "key", task->key);
    json_set_int(row, "user", task->user_id);
    json_set_int(row, "runs", task->runs);
    json_set_int(row, "failures", task->failures);
    json_set_int(row, "retries", task->retries);
    task_set_time(row, "created", task->created_ms);
    task_set_time(row, "due", task->state <= STORE_TASK_RUNS ? task->due_ms : 0);
    task_set_time(row, "done", task->done_ms);
    json_set_str(row, "error", task->error);
    if (whole) {
        task_set_json(row, "args", task->args);
        task_set_json(row, "kwargs", task->kwargs);
        task_set_json(row, "result", task->result);
        json_set_int(row, "schedule", task->schedule_id);
        json_set_str(row, "owner", task->owner);
    }
    return row;
}

bool task_may_see(const struct op_call *call, const struct store_task *task)
{
    return op_user_is_staff(call) || task->user_id == op_user_id(call);
}
