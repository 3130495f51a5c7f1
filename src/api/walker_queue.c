/* The original's operations of the task queue: walker_queue_check, walker_queue_wait, and the
 * methods of its service. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/api.h"
#include "api/op.h"
#include "api/task_tell.h"
#include "api/tasks.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "service/service.h"
#include "task/task_local.h"

#define WAIT_S_MAX 3600 /* a request that is held; longer is asked again */

/* Each task as Celery's inspection has it. */
static int add_request(struct json_object *list, const struct store_task *task, bool later)
{
    struct json_object *request = json_object_new_object();
    json_set_str(request, "id", task->id);
    json_set_str(request, "name", task->name);
    task_set_json(request, "args", task->args);
    task_set_json(request, "kwargs", task->kwargs);
    json_set_bool(request, "acknowledged", false);
    if (later) {
        struct json_object *entry = json_object_new_object();
        task_set_time(entry, "eta", task->due_ms);
        json_set_int(entry, "priority", 0);
        json_set(entry, "request", request);
        request = entry;
    }
    return json_object_array_add(list, request);
}

struct inspection {
    const struct op_call *call;
    struct json_object *scheduled, *active, *reserved;
    int64_t now_ms;
};

static int inspect_row(void *arg, const struct store_task *task)
{
    struct inspection *inspection = arg;
    bool later = task->state == STORE_TASK_WAITS && task->due_ms > inspection->now_ms;
    return task_may_see(inspection->call, task)
               ? add_request(task->state == STORE_TASK_RUNS ? inspection->active
                             : later                        ? inspection->scheduled
                                                            : inspection->reserved,
                             task, later)
               : 0;
}

static void inspect(struct op_call *call)
{
    static const enum store_task_state states[] = {STORE_TASK_WAITS, STORE_TASK_RUNS};
    struct inspection inspection = {call, json_object_new_array(), json_object_new_array(),
                                    json_object_new_array(), clock_unix_ms()};
    struct json_object *const lists[] = {inspection.scheduled, inspection.active,
                                         inspection.reserved};
    static const char *const names[] = {"scheduled", "active", "reserved"};
    struct json_object *result = json_object_new_object();
    char host[64] = "", worker[80];
    struct err err = {0};
    int failed = 0;
    (void)gethostname(host, sizeof(host) - 1);
    (void)snprintf(worker, sizeof(worker), "jsorc@%s", host);
    for (size_t i = 0; i < 2 && !failed; i++) {
        struct store_task_search search = {
            states[i], op_user_is_staff(call) ? STORE_TASK_ANY : op_user_id(call), TASKS_LIST_MAX,
            0};
        failed = store_task_each(op_api(call)->store, &search, inspect_row, &inspection, &err);
    }
    for (size_t i = 0; i < 3; i++) {
        struct json_object *of_worker = json_object_new_object();
        json_set(of_worker, worker, lists[i]);
        json_set(result, names[i], of_worker);
    }
    if (failed) {
        (void)json_put(result);
        op_fail(call, "%s", err.text);
    } else {
        op_return(call, result);
    }
}

struct telling {
    const struct op_call *call;
    struct json_object *ret; /* owned; NULL = nothing yet */
    bool failed;             /* it is over, and not well */
    char *error;             /* owned */
};

static int tell_status(void *arg, const struct store_task *task)
{
    struct telling *telling = arg;
    if (task_may_see(telling->call, task)) {
        telling->ret = json_object_new_object();
        json_set_str(telling->ret, "status", task_status(task));
        if (task->state >= STORE_TASK_DONE) {
            task_set_json(telling->ret, "result", task->result);
            telling->failed = task->state > STORE_TASK_DONE;
            telling->error = task->error ? xstrdup(task->error) : NULL;
        }
    }
    return 0;
}

/* As Celery's answer for an id that it does not know. */
static struct json_object *pending(void)
{
    struct json_object *result = json_object_new_object();
    json_set_str(result, "status", "PENDING");
    return result;
}

static void check(struct op_call *call, const char *id)
{
    struct telling telling = {.call = call};
    struct err err = {0};
    int failed = store_task_find(op_api(call)->store, id, tell_status, &telling, &err);
    free(telling.error);
    if (failed && failed != -ENOENT) {
        op_fail(call, "%s", err.text);
    } else {
        op_return(call, telling.ret ? telling.ret : pending());
    }
}

/* True: it was answered. */
static bool answer_disabled(struct op_call *call)
{
    if (tasks_answer_off(call)) {
        return true;
    }
    CLEANUP(json_put) struct json_object *info = services_info(op_api(call)->services, "task");
    const char *backend = json_str(json_member(info, "config", json_type_object), "result_backend");
    if (backend && strcmp(backend, "disabled") == 0) {
        struct json_object *result = json_object_new_object();
        json_set_str(result, "status", "DISABLED");
        json_set_str(result, "result", "result_backend is set to disabled!");
        op_return(call, result);
        return true;
    }
    return false;
}

static void run_check(struct op_call *call)
{
    const char *id = op_arg_str(call, "task_id");
    if (answer_disabled(call)) {
        return;
    }
    if (id && *id) {
        check(call, id);
    } else {
        inspect(call);
    }
}

extern const struct op op_walker_queue_check, op_walker_queue_wait;

const struct op op_walker_queue_check = {
    .name = "walker_queue_check",
    .access = OP_USER,
    .get = true,
    .params = {{"task_id", OP_STR, "\"\"", "the task; empty = what waits and runs"}},
    .positionals = "task_id",
    .help = "Tell how a queued walker's run is.",
    .result = "{\"status\": \"PENDING\", \"STARTED\", \"RETRY\", \"SUCCESS\", \"FAILURE\" or "
              "\"REVOKED\", \"result\": {\"anchor\": null, \"response\": {...}}}, the result only "
              "when it is over; without task_id {\"scheduled\": {WORKER: [...]}, \"active\": "
              "{WORKER: [...]}, \"reserved\": {WORKER: [...]}}",
    .run = run_check,
};

static void on_over(void *arg, bool over)
{
    struct op_call *call = arg;
    struct telling telling = {.call = call};
    struct err err = {0};
    if (!over) {
        op_fail(call, "The operation timed out.");
        return;
    }
    int failed = store_task_find(op_api(call)->store, op_arg_str(call, "task_id"), tell_status,
                                 &telling, &err);
    CLEANUP(str_free) char *error = telling.error;
    CLEANUP(json_put) struct json_object *result = telling.ret;
    if (failed) {
        op_fail(call, "%s", err.text);
    } else if (!result) {
        op_fail(call, "The operation timed out.");
    } else if (telling.failed) {
        op_fail(call, "%s", error ? error : "it failed");
    } else {
        op_return(call, TAKE(result));
    }
}

/* Nobody learns by waiting what walker_queue_check would not tell. */
static int see(void *arg, const struct store_task *task)
{
    struct telling *telling = arg;
    telling->failed = !task_may_see(telling->call, task);
    return 0;
}

static void run_wait(struct op_call *call)
{
    const char *id = op_arg_str(call, "task_id");
    double timeout_s = op_arg_number(call, "timeout");
    struct telling telling = {.call = call};
    struct err err = {0};
    if (answer_disabled(call)) {
        return;
    }
    if (!(timeout_s >= 0 && timeout_s <= WAIT_S_MAX)) {
        op_fail(call, "timeout must be 0 to %d seconds", WAIT_S_MAX);
        return;
    }
    (void)store_task_find(op_api(call)->store, id, see, &telling, NULL);
    if (task_local_wait(op_api(call)->tasks, telling.failed ? "" : id, (uint64_t)(timeout_s * 1000),
                        on_over, call, &err) < 0) {
        op_fail(call, "%s", err.text);
    }
}

const struct op op_walker_queue_wait = {
    .name = "walker_queue_wait",
    .access = OP_USER,
    .get = true,
    .params = {{"task_id", OP_STR, NULL, "the task"},
               {"timeout", OP_FLOAT, "30", "so many seconds at most"}},
    .positionals = "task_id",
    .help = "Wait for the end of a queued walker's run.",
    .result = "{\"status\": \"SUCCESS\", \"result\": {\"anchor\": null, \"response\": {...}}}; an "
              "error when it failed, was cancelled, or is not over in that time",
    .run = run_wait,
};

/* ---- methods of the service ---- */

bool tasks_method(struct op_call *call, const char *method, struct json_object *args)
{
    struct json_object *first =
        args && json_object_array_length(args) ? json_object_array_get_idx(args, 0) : NULL;
    if (strcmp(method, "inspect_tasks") == 0) {
        inspect(call);
    } else if (strcmp(method, "get_by_task_id") == 0 &&
               json_object_is_type(first, json_type_string)) {
        check(call, json_object_get_string(first));
    } else {
        return false;
    }
    return true;
}
