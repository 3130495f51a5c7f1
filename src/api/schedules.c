/* The original's operations of schedules: walkers that run again and again. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "api/op.h"
#include "api/tasks.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "store/store_task.h"
#include "task/schedule.h"
#include "task/task_local.h"

#define NAME_BYTES_MAX 200 /* the original's column */

/* The caller's own id in what its walker is told; the original's `mst`. */
static void set_master(struct op_call *call, struct json_object *body)
{
    struct store_user user;
    if (op_user_is_staff(call) && json_str(body, "mst")) {
        return;
    }
    bool known = op_user_id(call) > 0 &&
                 store_user_by_id(op_api(call)->store, op_user_id(call), &user, NULL) == 0;
    json_set_str(body, "mst", known ? user.jid : NULL);
}

/* As in the original, what is no interval is cron. */
static const char *kind_of(struct json_object *schedule)
{
    const char *type = json_str(schedule, "type");
    return type && strcmp(type, "interval") == 0 ? "interval" : "cron";
}

static int add(struct op_call *call, const char *task, struct json_object *body, struct err *err)
{
    struct json_object *schedule = op_arg(call, "schedule");
    CLEANUP(json_put)
    struct json_object *conf = json_ref(json_member(schedule, "conf", json_type_object));
    const char *name = op_arg_str(call, "name");
    int64_t now_ms = clock_unix_ms(), next_ms = 0, id = 0;
    if (!*name || strlen(name) > NAME_BYTES_MAX) {
        return err_set(err, EINVAL, "a schedule's name has 1 to %d bytes", NAME_BYTES_MAX);
    }
    if (strlen(json_text(body)) > TASK_ARGS_BYTES_MAX) {
        return err_set(err, E2BIG, "the body is over the limit of %lu bytes", TASK_ARGS_BYTES_MAX);
    }
    conf = conf ? conf : json_object_new_object();
    int failed = schedule_next(kind_of(schedule), conf, 0, now_ms, &next_ms, err);
    if (!failed && next_ms == SCHEDULE_NEVER) {
        failed = err_set(err, EINVAL, "those times never come");
    }
    struct store_schedule row = {.name = name,
                                 .task = task,
                                 .user_id = op_user_id(call),
                                 .kind = kind_of(schedule),
                                 .conf = json_text(conf),
                                 .kwargs = json_text(body),
                                 .one_off = json_flag(schedule, "one_off", false),
                                 .overlap = json_flag(schedule, "overlap", false),
                                 .created_ms = now_ms,
                                 .next_ms = next_ms};
    failed = failed ? failed : store_schedule_add(op_api(call)->store, &row, &id, err);
    if (!failed) {
        task_local_wake(op_api(call)->tasks);
    }
    return failed;
}

static void answer_add(struct op_call *call, const char *task, struct json_object *body,
                       const char *text)
{
    struct err err = {0};
    if (tasks_answer_off(call)) {
        return;
    }
    if (add(call, task, body, &err) < 0) {
        op_fail(call, "%s", err.text);
    } else {
        op_return(call, json_object_new_string(text));
    }
}

static void run_add_walker(struct op_call *call)
{
    struct json_object *body = op_arg(call, "body");
    set_master(call, body);
    answer_add(call, TASK_WALKER, body, "Scheduled Walker created successfully!");
}

extern const struct op op_add_scheduled_walker, op_delete_scheduled_queue, op_get_scheduled_queues;

#define SCHEDULE_PARAM                                                                             \
    {                                                                                              \
        "schedule", OP_DICT, NULL,                                                                 \
            "{\"type\": \"interval\", \"conf\": {\"every\": 5, \"period\": \"minutes\"}}, "        \
            "{\"type\": \"cron\", \"conf\": {\"minute\", \"hour\", \"day_of_week\", "              \
            "\"day_of_month\", \"month_of_year\", \"timezone\": \"UTC\"}} (both days must hold) "  \
            "or, as in crontab(5), \"conf\": {\"expression\": \"0 4 * * mon\", "                   \
            "\"timezone\"}; beside type: \"one_off\": false, \"overlap\": false"                   \
    }

const struct op op_add_scheduled_walker = {
    .name = "add_scheduled_walker",
    .access = OP_USER,
    .changes = true,
    .params = {{"name", OP_STR, NULL, "the schedule's own, unique"},
               SCHEDULE_PARAM,
               {"body", OP_DICT, "{}",
                "{\"name\" or \"wlk\": the walker (init), \"ctx\": its arguments by name}"}},
    .positionals = "name",
    .help = "Run a walker again and again.",
    .result = "\"Scheduled Walker created successfully!\"",
    .run = run_add_walker,
};

/* ---- listing ---- */

static int list_row(void *arg, const struct store_schedule *schedule)
{
    struct json_object *row = json_object_new_object(), *when = json_object_new_object();
    struct json_object *conf = NULL, *kwargs = NULL;
    (void)json_parse(slice_str(schedule->conf), &conf, NULL);
    (void)json_parse(slice_str(schedule->kwargs), &kwargs, NULL);
    json_set_int(row, "id", schedule->id);
    json_set_str(row, "name", schedule->name);
    json_set_str(when, "type", schedule->kind);
    json_set(when, "conf", conf);
    json_set(row, "schedule", when);
    json_set(row, "kwargs", kwargs);
    if (schedule->next_ms == SCHEDULE_NEVER) {
        json_set(row, "next", NULL);
    } else {
        json_set_double(row, "next", (double)schedule->next_ms / 1000);
    }
    json_set_int(row, "runs", schedule->runs);
    return json_object_array_add(arg, row);
}

static void run_list(struct op_call *call)
{
    double limit = op_arg_number(call, "limit"), offset = op_arg_number(call, "offset");
    CLEANUP(json_put) struct json_object *rows = json_object_new_array();
    struct store_schedule_search search = {
        .text = op_arg_str(call, "search"),
        .user_id = op_user_is_staff(call) ? STORE_TASK_ANY : op_user_id(call),
        .limit = limit < 1 || limit > TASKS_LIST_MAX ? TASKS_LIST_MAX : (int64_t)limit,
        .offset = offset > 0 ? (int64_t)offset : 0,
        .oldest_first = op_arg_bool(call, "asc")};
    struct err err = {0};
    if (store_schedule_each(op_api(call)->store, &search, list_row, rows, &err) < 0) {
        op_fail(call, "%s", err.text);
    } else {
        op_return(call, TAKE(rows));
    }
}

const struct op op_get_scheduled_queues = {
    .name = "get_scheduled_queues",
    .access = OP_USER,
    .params = {{"limit", OP_INT, "10", "rows at most, up to 1000"},
               {"offset", OP_INT, "0", "rows to leave out first"},
               {"asc", OP_BOOL, "false", "the oldest first"},
               {"search", OP_STR, "\"\"", "part of the name"}},
    .positionals = "search",
    .help = "List your schedules; staff sees all.",
    .result =
        "[{\"id\", \"name\", \"schedule\": {\"type\", \"conf\"}, \"kwargs\": {...}, \"next\": "
        "UNIX SECONDS or null, \"runs\"}]",
    .run = run_list,
};

static void run_delete(struct op_call *call)
{
    double id = op_arg_number(call, "scheduled_queue_id");
    struct err err = {0};
    int failed =
        store_schedule_delete(op_api(call)->store, (int64_t)id,
                              op_user_is_staff(call) ? STORE_TASK_ANY : op_user_id(call), &err);
    CLEANUP(str_free)
    char *text = failed ? xasprintf("Scheduled Queue with id(%lld) is not existing!", (long long)id)
                        : xstrdup("Successfully deleted!");
    if (failed && failed != -ENOENT) {
        op_fail(call, "%s", err.text);
    } else if (failed) {
        op_refuse(call, json_object_new_string(text));
    } else {
        op_return(call, json_object_new_string(text));
    }
}

const struct op op_delete_scheduled_queue = {
    .name = "delete_scheduled_queue",
    .access = OP_USER,
    .changes = true,
    .params = {{"scheduled_queue_id", OP_INT, NULL, "of get_scheduled_queues"}},
    .positionals = "scheduled_queue_id",
    .help = "Delete a schedule; what it queued already runs.",
    .result = "\"Successfully deleted!\"",
    .run = run_delete,
};
