/* The operations of `jsorc tasks`: adding to the queue, looking at it, mending what is dead. The
 * original's are in walker_queue.c. */
#include "api/tasks.h"

#include <string.h>

#include "api/api.h"
#include "api/op.h"
#include "api/task_tell.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "service/service.h"
#include "task/task_local.h"

#define DELAY_S_MAX 315576000 /* ten years: a mistake */

bool tasks_answer_off(struct op_call *call)
{
    bool off = !tasks_are_on(op_api(call));
    if (off) { /* the original's text */
        op_return(call, json_object_new_string("Task hook is not yet initialized!"));
    }
    return off;
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
    if (tasks_answer_off(call)) {
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
    op_tasks_show;

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

/* ---- looking ---- */

static int list_row(void *arg, const struct store_task *task)
{
    return json_object_array_add(arg, task_json(task, false));
}

static void list(struct op_call *call, int64_t state)
{
    double limit = op_arg_number(call, "limit"), offset = op_arg_number(call, "offset");
    CLEANUP(json_put) struct json_object *rows = json_object_new_array();
    struct store_task_search search = {state, STORE_TASK_ANY,
                                       limit < 1 || limit > TASKS_LIST_MAX ? TASKS_LIST_MAX
                                                                           : (int64_t)limit,
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
    for (int i = 0; i < STORE_TASK_STATES; i++) {
        state = wanted && strcmp(wanted, TASK_STATES[i]) == 0 ? i : state;
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
    *(struct json_object **)arg = task_json(task, true);
    return 0;
}

static void run_show(struct op_call *call)
{
    struct json_object *task = NULL;
    struct err err = {0};
    if (store_task_find(op_api(call)->store, op_arg_str(call, "id"), show_row, &task, &err) < 0) {
        op_fail(call, "%s", err.text);
    } else {
        op_return(call, task);
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

/* ---- mending ---- */

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
