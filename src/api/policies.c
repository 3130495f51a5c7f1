/* Which policy chooses the placement, and what it was told and answered. */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "api/api.h"
#include "api/op.h"
#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "control/control.h"

#define OBSERVE_S_MAX 3600

/* As the original writes them: Default, Evaluation. */
static char *title(const char *name)
{
    char *text = xstrdup(name);
    text[0] = (char)toupper((unsigned char)text[0]);
    return text;
}

static void run_set(struct op_call *call)
{
    const char *name = op_arg_str(call, "policy_name"), *found = NULL;
    struct json_object *params = op_arg(call, "policy_params");
    struct err err = {0};
    CLEANUP(str_free) char *message = NULL;
    int failed = control_policy_set(op_api(call)->control, name, params, &found, &err);
    if (failed == -ENOENT) {
        const char *rest = strstr(err.text, "; "); /* which there are */
        message = xasprintf("Policy %s not found.%s", name, rest ? rest + 1 : "");
    } else if (failed) {
        message = xstrdup(err.text);
    } else {
        CLEANUP(str_free) char *shown = title(found);
        message = xasprintf("Action optimization policy configured as %s with params %s", shown,
                            json_text(params));
    }
    op_return(call, op_success(failed == 0, message));
}

const struct op op_jsorc_actionpolicy_set = {
    .name = "jsorc_actionpolicy_set",
    .access = OP_ADMIN,
    .changes = true,
    .params = {{"policy_name", OP_STR, NULL, "default, evaluation or adaptive, in any case"},
               {"policy_params", OP_DICT, "{}",
                "its parameters by name; docs/policies.md lists them"}},
    .positionals = "policy_name",
    .help = "Choose the policy that decides where each module runs; it begins anew.",
    .result = "{\"success\": true, \"message\": \"Action optimization policy configured as ...\"}",
    .run = run_set,
};

static void run_get(struct op_call *call)
{
    struct json_object *result = control_policy_get(op_api(call)->control);
    CLEANUP(str_free) char *shown = title(json_str(result, "policy"));
    json_set_bool(result, "success", true);
    json_set_str(result, "policy", shown);
    op_return(call, result);
}

const struct op op_jsorc_actionpolicy_get = {
    .name = "jsorc_actionpolicy_get",
    .access = OP_ADMIN,
    .help = "Tell which policy runs, and how far it is.",
    .result = "{\"success\": true, \"policy\": \"Adaptive\", \"params\": {}, \"state\": {...}}; "
              "state is null when nothing has to run",
    .run = run_get,
};

static void run_record(struct op_call *call)
{
    struct json_object *lines = NULL;
    struct err err = {0};
    int64_t limit = (int64_t)op_arg_number(call, "limit");
    if (control_policy_record(op_api(call)->control, limit, &lines, &err) < 0) {
        op_fail(call, "%s", err.text);
        return;
    }
    struct json_object *result = op_success(true, NULL);
    json_set(result, "lines", lines);
    op_return(call, result);
}

const struct op op_jsorc_actionpolicy_record = {
    .name = "jsorc_actionpolicy_record",
    .access = OP_ADMIN,
    .params = {{"limit", OP_INT, "0", "only so many of the last lines, 0 = all"}},
    .help = "Give all that the policy was told and answered in its run, to explain or replay it.",
    .result = "{\"success\": true, \"lines\": [{\"at_ms\": 0, \"told\": \"{...}\", \"answer\": "
              "\"{...}\"}]}; the first line names policy, params and seed",
    .run = run_record,
};

static void on_observed(void *arg, struct json_object *lines)
{
    struct json_object *result = op_success(true, NULL);
    json_set(result, "lines", lines);
    op_return(arg, result);
}

static void run_observe(struct op_call *call)
{
    double seconds = op_arg_number(call, "seconds");
    if (seconds < 0 || seconds > OBSERVE_S_MAX) {
        op_fail(call, "seconds must be from 0 to %d", OBSERVE_S_MAX);
        return;
    }
    struct err err = {0};
    if (control_policy_observe(op_api(call)->control, seconds, on_observed, call, &err) < 0) {
        op_fail(call, "%s", err.text);
    }
}

const struct op op_jsorc_actionpolicy_observe = {
    .name = "jsorc_actionpolicy_observe",
    .access = OP_ADMIN,
    .params = {{"seconds", OP_FLOAT, "0",
                "how long to measure; 0 = all since the daemon's start, at once"}},
    .help = "Give what a policy would be told of the present traffic; no policy has to run.",
    .result = "{\"success\": true, \"lines\": [PROBLEM, MEASUREMENT]}, each JSON as text",
    .run = run_observe,
};
