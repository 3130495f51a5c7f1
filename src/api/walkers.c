/* The operations that run a walker. Over HTTP their requests go straight from an I/O loop to the
 * runtime worker, body as bytes; the rows here describe them, and run them for callers within. */
#include "api/api.h"
#include "api/op.h"
#include "api/self_call.h"
#include "base/json.h"

static void on_report(void *arg, int status, struct json_object *value)
{
    if (status == 0) {
        op_fail(arg, "the daemon could not reach itself");
        return;
    }
    op_return(arg, json_ref(value));
}

static void run_walker(struct op_call *call)
{
    self_call(op_api(call), "/js/walker_run", op_args(call), on_report, call);
}

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
    .result = "{\"success\": true, \"report\": [...], \"final_node\": null, \"yielded\": false}",
    .run = run_walker,
};
