/* The operations of the task queue: the original's (walker_queue_check, walker_queue_wait) and
 * those of `jsorc tasks`. */
#include "api/tasks.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/api.h"
#include "api/op.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "service/service.h"
#include "task/task_local.h"

#define LIST_MAX    1000                                /* rows of an answer */
#define DELAY_S_MAX 315576000                           /* ten years: a mistake */
#define OFF_TEXT    "Task hook is not yet initialized!" /* the original's */

/* ---- how a task is told ---- */

/* Celery's words. */
static const char *status_of(const struct store_task *task)
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

static void set_json(struct json_object *object, const char *name, const char *text)
{
    struct json_object *value = NULL;
    if (text) {
        (void)json_parse(slice_str(text), &value, NULL);
    }
    json_set(object, name, value);
}

static void set_time(struct json_object *object, const char *name, int64_t unix_ms)
{
    json_set_double(object, name, unix_ms > 0 ? (double)unix_ms / 1000 : NAN);
}

/* Owned by the caller. */
static struct json_object *task_json(const struct store_task *task, bool whole)
{
    struct json_object *row = json_object_new_object();
    json_set_str(row, "id", task->id);
    json_set_str(row, "name", task->name);
    json_set_str(row, "status", status_of(task));
    json_set_str(row, "key", task->key);
    json_set_int(row, "user", task->user_id);
    json_set_int(row, "runs", task->runs);
    json_set_int(row, "failures", task->failures);
    json_set_int(row, "retries", task->retries);
    set_time(row, "created", task->created_ms);
    set_time(row, "due", task->state <= STORE_TASK_RUNS ? task->due_ms : 0);
    set_time(row, "done", task->done_ms);
    json_set_str(row, "error", task->error);
    if (whole) {
        set_json(row, "args", task->args);
        set_json(row, "kwargs", task->kwargs);
        set_json(row, "result", task->result);
        json_set_int(row, "schedule", task->schedule_id);
        json_set_str(row, "owner", task->owner);
    }
    return row;
}

struct telling {
    const struct op_call *call;
    struct json_object *ret; /* owned; NULL = nothing yet */
    bool failed;             /* it is over, and not well */
    char *error;             /* owned */
};

/* Of another user's tasks nobody hears anything but staff. */
static bool may_see(const struct op_call *call, const struct store_task *task)
{
    return op_user_is_staff(call) || task->user_id == op_user_id(call);
}

/* ---- adding ---- */

int tasks_order(struct op_call *call, const struct task_order *order, char *ret_id,
                bool *ret_is_new)
{
    struct api *api = op_api(call);
    CLEANUP(json_put) struct json_object *kwargs = json_object_new_object();
    CLEANUP(json_put) struct json_object *info = services_info(api->services, "task");
    int64_t now_ms = clock_unix_ms(),
            retries = json_int(json_member(info, "config", json_type_object), "retries", 3);
    struct err err = {0};
    json_set_str(kwargs, "name", order->walker);
    json_set(kwargs, "ctx", order->ctx ? json_ref(order->ctx) : json_object_new_object());
    struct task task = {
        .name = TASK_WALKER,
        .kwargs = kwargs,
        .key = order->key,
        .user_id = op_user_id(call),
        .eta_unix_ms = order->delay_s > 0 ? now_ms + (int64_t)(order->delay_s * 1000) : 0,
        .expires_unix_ms = order->expires_s > 0 ? now_ms + (int64_t)(order->expires_s * 1000) : 0,
        .retries = (unsigned)(order->retries >= 0 ? order->retries : retries)};
    int failed = task_local_add(api->tasks, &task, ret_id, ret_is_new, &err);
    if (failed) {
        op_fail(call, "%s", err.text);
        return failed;
    }
    return 0;
}

static void run_add(struct op_call *call)
{
    const char *key = op_arg_str(call, "key");
    double delay_s = op_arg_number(call, "delay_s"), expires_s = op_arg_number(call, "expires_s");
    char id[STORE_TASK_ID_MAX + 1];
    bool is_new = false;
    if (!tasks_are_on(op_api(call))) {
        op_return(call, json_object_new_string(OFF_TEXT));
        return;
    }
    if (!(delay_s >= 0 && delay_s <= DELAY_S_MAX) ||
        !(expires_s >= 0 && expires_s <= DELAY_S_MAX)) {
        op_fail(call, "delay_s and expires_s must be 0 to %d", DELAY_S_MAX);
        return;
    }
    double retries = op_arg_number(call, "retries");
    struct task_order order = {.walker = op_arg_str(call, "name"),
                               .ctx = op_arg(call, "ctx"),
                               .key = key && *key ? key : NULL,
                               .retries = retries < 0                  ? -1
                                          : retries > TASK_RETRIES_MAX ? TASK_RETRIES_MAX + 1
                                                                       : (int)retries,
                               .delay_s = delay_s,
                               .expires_s = expires_s};
    if (tasks_order(call, &order, id, &is_new) == 0) {
        struct json_object *result = json_object_new_object();
        json_set_str(result, "id", id);
        json_set_bool(result, "new", is_new);
        op_return(call, result);
    }
}

extern const struct op op_tasks_add, op_tasks_cancel, op_tasks_dead, op_tasks_list, op_tasks_retry,
    op_tasks_show, op_walker_queue_check, op_walker_queue_wait;

const struct op op_tasks_add = {
    .name = "tasks_add",
    .access = OP_USER,
    .changes = true,
    .params = {{"name", OP_STR, NULL, "the walker"},
               {"ctx", OP_DICT, "{}", "its arguments by name"},
               {"key", OP_STR, "\"\"",
                "idempotency key: of your tasks one only has it, a further one is that one"},
               {"retries", OP_INT, "-1",
                "tries after the first one that fails; -1: as TASK_CONFIG says"},
               {"delay_s", OP_FLOAT, "0", "not before so many seconds have passed"},
               {"expires_s", OP_FLOAT, "0", "not after so many seconds; 0: whenever"}},
    .positionals = "name",
    .help = "Queue a walker's run.",
    .result = "{\"id\": TASK, \"new\": true}; false: there was one of that key already",
    .run = run_add,
};

/* ---- the original's ---- */

/* Each task as Celery's inspection has it. */
static int add_request(struct json_object *list, const struct store_task *task, bool later)
{
    struct json_object *request = json_object_new_object();
    json_set_str(request, "id", task->id);
    json_set_str(request, "name", task->name);
    set_json(request, "args", task->args);
    set_json(request, "kwargs", task->kwargs);
    json_set_bool(request, "acknowledged", false);
    if (later) {
        struct json_object *entry = json_object_new_object();
        set_time(entry, "eta", task->due_ms);
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
    return may_see(inspection->call, task)
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
            states[i], op_user_is_staff(call) ? STORE_TASK_ANY : op_user_id(call), LIST_MAX, 0};
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

static int tell_status(void *arg, const struct store_task *task)
{
    struct telling *telling = arg;
    if (may_see(telling->call, task)) {
        telling->ret = json_object_new_object();
        json_set_str(telling->ret, "status", status_of(task));
        if (task->state >= STORE_TASK_DONE) {
            set_json(telling->ret, "result", task->result);
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
static bool answer_off(struct op_call *call)
{
    if (!tasks_are_on(op_api(call))) {
        op_return(call, json_object_new_string(OFF_TEXT));
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
    if (answer_off(call)) {
        return;
    }
    if (id && *id) {
        check(call, id);
    } else {
        inspect(call);
    }
}

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
    telling->failed = !may_see(telling->call, task);
    return 0;
}

#define WAIT_S_MAX 3600

static void run_wait(struct op_call *call)
{
    const char *id = op_arg_str(call, "task_id");
    double timeout_s = op_arg_number(call, "timeout");
    struct telling telling = {.call = call};
    struct err err = {0};
    if (answer_off(call)) {
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

/* ---- jsorc tasks ---- */

static int list_row(void *arg, const struct store_task *task)
{
    return json_object_array_add(arg, task_json(task, false));
}

static const char *const STATES[] = {"waiting", "running", "done", "dead", "cancelled"};

static void list(struct op_call *call, int64_t state)
{
    double limit = op_arg_number(call, "limit"), offset = op_arg_number(call, "offset");
    CLEANUP(json_put) struct json_object *rows = json_object_new_array();
    struct store_task_search search = {state, STORE_TASK_ANY,
                                       limit < 1 || limit > LIST_MAX ? LIST_MAX : (int64_t)limit,
                                       offset > 0 ? (int64_t)offset : 0};
    struct err err = {0};
    if (store_task_each(op_api(call)->store, &search, list_row, rows, &err) < 0) {
        op_fail(call, "%s", err.text);
    } else {
        op_return(call, TAKE(rows));
    }
}

static void run_list(struct op_call *call)
{
    const char *wanted = op_arg_str(call, "state");
    int64_t state = STORE_TASK_ANY;
    for (int i = 0; i < (int)(sizeof(STATES) / sizeof(STATES[0])); i++) {
        state = wanted && strcmp(wanted, STATES[i]) == 0 ? i : state;
    }
    if (state == STORE_TASK_ANY && wanted && *wanted) {
        op_fail(call, "state must be waiting, running, done, dead or cancelled, not '%s'", wanted);
        return;
    }
    list(call, state);
}

#define LIMIT                                                                                      \
    {                                                                                              \
        "limit", OP_INT, "20", "rows at most, up to 1000"                                          \
    }
#define OFFSET                                                                                     \
    {                                                                                              \
        "offset", OP_INT, "0", "rows to leave out first"                                           \
    }
#define ID                                                                                         \
    {                                                                                              \
        "id", OP_STR, NULL, "the task"                                                             \
    }
#define ROW                                                                                        \
    "\"id\", \"name\", \"status\": Celery's word, \"key\", \"user\", \"runs\", \"failures\", "     \
    "\"retries\", \"created\", \"due\", \"done\": UNIX SECONDS, \"error\""

const struct op op_tasks_list = {
    .name = "tasks_list",
    .access = OP_ADMIN,
    .params = {{"state", OP_STR, "\"\"",
                "waiting, running, done, dead or cancelled; empty = all of them"},
               LIMIT,
               OFFSET},
    .positionals = "state",
    .help = "List tasks, the newest first.",
    .result = "[{" ROW "}]",
    .run = run_list,
};

static void run_dead(struct op_call *call)
{
    list(call, STORE_TASK_DEAD);
}

const struct op op_tasks_dead = {
    .name = "tasks_dead",
    .access = OP_ADMIN,
    .params = {LIMIT, OFFSET},
    .positionals = "",
    .help = "List the tasks that failed for good: dead letters.",
    .result = "[{" ROW "}]",
    .run = run_dead,
};

static int show_row(void *arg, const struct store_task *task)
{
    ((struct telling *)arg)->ret = task_json(task, true);
    return 0;
}

static void run_show(struct op_call *call)
{
    struct telling telling = {.call = call};
    struct err err = {0};
    if (store_task_find(op_api(call)->store, op_arg_str(call, "id"), show_row, &telling, &err) <
        0) {
        op_fail(call, "%s", err.text);
    } else {
        op_return(call, telling.ret);
    }
}

const struct op op_tasks_show = {
    .name = "tasks_show",
    .access = OP_ADMIN,
    .params = {ID},
    .positionals = "id",
    .help = "Show all that is known of a task.",
    .result = "{" ROW ", \"args\", \"kwargs\", \"result\", \"schedule\", \"owner\"}",
    .run = run_show,
};

static void change(struct op_call *call,
                   int (*fn)(struct task_local *local, const char *id, struct err *err))
{
    struct err err = {0};
    if (fn(op_api(call)->tasks, op_arg_str(call, "id"), &err) < 0) {
        op_fail(call, "%s", err.text);
    } else {
        op_return(call, op_success(true, NULL));
    }
}

static void run_retry(struct op_call *call)
{
    change(call, task_local_revive);
}

const struct op op_tasks_retry = {
    .name = "tasks_retry",
    .access = OP_ADMIN,
    .changes = true,
    .params = {ID},
    .positionals = "id",
    .help = "Let a dead or cancelled task begin anew.",
    .result = "{\"success\": true}",
    .run = run_retry,
};

static void run_cancel(struct op_call *call)
{
    change(call, task_local_cancel);
}

const struct op op_tasks_cancel = {
    .name = "tasks_cancel",
    .access = OP_ADMIN,
    .changes = true,
    .params = {ID},
    .positionals = "id",
    .help = "Cancel a task; of one that runs the result counts no more.",
    .result = "{\"success\": true}",
    .run = run_cancel,
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
