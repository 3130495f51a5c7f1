/* The operations that run a walker. Over HTTP their requests go straight from an I/O loop to the
 * runtime worker, body as bytes, unless they are to be queued (daemon/front.c); the rows here
 * describe them, queue them, and run them for callers within. */
#include <string.h>

#include "api/api.h"
#include "api/op.h"
#include "api/op_run.h"
#include "api/route.h"
#include "api/self_call.h"
#include "api/tasks.h"
#include "base/alloc.h"
#include "base/json.h"

/* The arguments without what would queue it again. Owned by the caller. */
static struct json_object *run_args(const struct op_call *call)
{
    struct json_object *args = json_object_new_object();
    json_object_object_foreach(op_args(call), name, value)
    {
        if (strcmp(name, "is_async") != 0) {
            json_set(args, name, json_ref(value));
        }
    }
    return args;
}

static void on_report(void *arg, int status, struct json_object *value)
{
    struct op_call *call = arg;
    if (status == 0) {
        op_fail(call, "the daemon could not reach itself");
    } else if (op_arg_bool(call, "is_async")) {
        struct json_object *result = json_object_new_object();
        json_set_bool(result, "is_queued", false);
        json_set(result, "result", json_ref(value));
        op_return(call, result);
    } else {
        op_return(call, json_ref(value));
    }
}

static void queue_walker(struct op_call *call)
{
    struct task_order order = {
        .walker = op_arg_str(call, "name"), .ctx = op_arg(call, "ctx"), .retries = -1};
    char id[STORE_TASK_ID_MAX + 1];
    bool is_new = false;
    if (tasks_order(call, &order, id, &is_new) == 0) {
        struct json_object *result = json_object_new_object();
        json_set_bool(result, "is_queued", true);
        json_set_str(result, "result", id);
        op_return(call, result);
    }
}

static void run_walker(struct op_call *call)
{
    if (op_arg_bool(call, "is_async") && tasks_are_on(op_api(call))) {
        queue_walker(call);
        return;
    }
    CLEANUP(json_put) struct json_object *args = run_args(call);
    CLEANUP(str_free) char *lines = xasprintf("X-Jsorc-User: %ld\r\n", op_user_id(call));
    self_call_as(op_api(call), "/js/walker_run", lines, args, on_report, call);
}

extern const struct op op_walker_run;
const struct op op_walker_run = {
    .name = "walker_run",
    .access = OP_USER,
    .params = {{"name", OP_STR, NULL, "the walker"},
               {"ctx", OP_DICT, "{}", "its arguments by name"},
               {"nd", OP_STR, "null", "not used: there is no graph here"},
               {"snt", OP_STR, "null", "not used"},
               {"profiling", OP_BOOL, "false", "not used"},
               {"is_async", OP_BOOL, "null",
                "queue it; without a task service it runs now and the result is wrapped"}},
    .positionals = "name",
    .help = "Run a walker.",
    .result = "{\"success\": true, \"report\": [...], \"final_node\": null, \"yielded\": false}; "
              "queued {\"is_queued\": true, \"result\": TASK}",
    .run = run_walker,
};

/* ---- /js/wapi/NAME, where it is to be queued ---- */

static void on_wapi(void *arg, int status, bool failed, struct json_object *value)
{
    (void)failed; /* the body tells */
    api_answer(arg, status, value);
}

static void run_wapi(struct api_call *call)
{
    struct op_caller caller = {.user_id = api_user_id(call), .is_staff = api_user_is_staff(call)};
    struct slice name = api_variable(call);
    json_set(api_body(call), "name", json_object_new_string_len(name.data, (int)name.size));
    op_run(&op_walker_run, api_of(call), &caller, api_body(call), on_wapi, call);
}

extern const struct route route_wapi;
const struct route route_wapi = {
    .method = METHOD_POST,
    .path = "/js/wapi/{name}",
    .access = ROUTE_USER,
    .help = "Run a walker by its name in the path.",
    .body = "ctx? is_async?",
    .run = run_wapi,
};
