/* The operations on modules by file, URL or import name, and on single actions (actions_*). */
#include <errno.h>
#include <stdlib.h>

#include "api/api.h"
#include "api/op.h"
#include "api/self_call.h"
#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "control/control.h"

#define LOAD_TIMEOUT_MS 120000

static void answer(struct op_call *call, bool well, const char *message)
{
    struct json_object *result = json_object_new_object();
    json_set_bool(result, "success", well);
    if (message) {
        json_set_str(result, "message", message);
    }
    op_return(call, result);
}

/* ---- load ---- */

static void on_loaded(void *arg, int status, const char *message)
{
    answer(arg, status == 0, message);
}

static void load(struct op_call *call, const char *kind, const char *source, enum place place,
                 const char *operation)
{
    struct err err = {0};
    struct control_load what = {.kind = kind,
                                .source = source,
                                .ctx = op_arg(call, "ctx"),
                                .place = place,
                                .loaded_by = operation,
                                .reload = true};
    if (control_load(op_api(call)->control, &what, LOAD_TIMEOUT_MS, on_loaded, call, &err) < 0) {
        answer(call, false, err.text);
    }
}

static void run_load_local(struct op_call *call)
{
    const char *file = op_arg_str(call, "file");
    CLEANUP(str_free) char *path = realpath(file, NULL);
    if (!path) {
        CLEANUP(str_free) char *text = xasprintf("cannot read '%s': %s", file, strerror(errno));
        answer(call, false, text);
        return;
    }
    const char *kind = control_kind_of(path);
    load(call, strcmp(kind, "native") == 0 ? kind : "python-file", path, PLACE_MODULE,
         "actions_load_local");
}

const struct op op_actions_load_local = {
    .name = "actions_load_local",
    .access = OP_ADMIN,
    .changes = true,
    .params = {{"file", OP_STR, NULL, "Python file or shared library on the daemon's machine"},
               {"ctx", OP_DICT, "{}", "arguments of its setup"}},
    .positionals = "file",
    .help = "Load the actions of a file; loading it again reads it anew.",
    .result = "{\"success\": true}, or false with the reason in \"message\"",
    .run = run_load_local,
};

static void run_load_remote(struct op_call *call)
{
    const char *url = op_arg_str(call, "url");
    if (strcmp(control_kind_of(url), "server") != 0) {
        answer(call, false, "the URL must begin with http:// or https://");
        return;
    }
    load(call, "server", url, PLACE_REMOTE, "actions_load_remote");
}

const struct op op_actions_load_remote = {
    .name = "actions_load_remote",
    .access = OP_ADMIN,
    .changes = true,
    .params = {{"url", OP_STR, NULL, "base URL of an action server"},
               {"ctx", OP_DICT, "{}", "not used: the server has done its setup"}},
    .positionals = "url",
    .help = "Make the actions of a running action server known under their names.",
    .result = "{\"success\": true}, or false with the reason in \"message\"",
    .run = run_load_remote,
};

static void run_load_module(struct op_call *call)
{
    load(call, "python-module", op_arg_str(call, "mod"), PLACE_MODULE, "actions_load_module");
}

const struct op op_actions_load_module = {
    .name = "actions_load_module",
    .access = OP_ADMIN,
    .changes = true,
    .params = {{"mod", OP_STR, NULL, "import name, e.g. jac_nlp.use_enc"},
               {"ctx", OP_DICT, "{}", "arguments of its setup"}},
    .positionals = "mod",
    .help = "Load the actions of an importable Python module.",
    .result = "{\"success\": true}, or false with the reason in \"message\"",
    .run = run_load_module,
};

/* ---- lists ---- */

static void run_list(struct op_call *call)
{
    op_return(call, control_action_names(op_api(call)->control, op_arg_str(call, "name")));
}

const struct op op_actions_list = {
    .name = "actions_list",
    .access = OP_ADMIN,
    .params = {{"name", OP_STR, "\"\"", "only names that begin with this"}},
    .positionals = "",
    .help = "List the live actions.",
    .result = "[\"text.split\", \"use.encode\"]",
    .run = run_list,
};

static void run_module_list(struct op_call *call)
{
    op_return(call, control_module_names(op_api(call)->control, op_arg_bool(call, "detailed")));
}

const struct op op_actions_module_list = {
    .name = "actions_module_list",
    .access = OP_ADMIN,
    .params = {{"detailed", OP_BOOL, "false", "with the actions of each"}},
    .positionals = "",
    .help = "List the loaded modules.",
    .result = "[\"pkg.mod\"], detailed: {\"pkg.mod\": [\"grp.fn\"]}",
    .run = run_module_list,
};

/* ---- unload ---- */

/* Its actions are gone since it was asked; only its memory may not be free yet. */
static void on_unloaded(void *arg, int status, const char *message)
{
    (void)status;
    (void)message;
    answer(arg, true, NULL);
}

/* Answers once no walker can reach what was unloaded from module. */
static void answer_unload(struct op_call *call, const char *module, int failed,
                          const struct err *err)
{
    if (failed) {
        answer(call, false, err->text);
    } else {
        control_settle(op_api(call)->control, module, LOAD_TIMEOUT_MS, on_unloaded, call);
    }
}

/* By our name, or by the name under which the module was loaded in Python. */
static void run_unload_module(struct op_call *call)
{
    struct err err = {0};
    struct control *control = op_api(call)->control;
    CLEANUP(str_free) char *name = control_module_by_any_name(control, op_arg_str(call, "name"));
    if (!name) {
        answer(call, false, "no such module is loaded; 'jsorc actions module list' shows them");
        return;
    }
    int failed = control_unload(control, name, true, &err);
    answer_unload(call, name, failed, &err);
}

const struct op op_actions_unload_module = {
    .name = "actions_unload_module",
    .access = OP_ADMIN,
    .changes = true,
    .params = {{"name", OP_STR, NULL, "as actions_module_list tells it, or the short name"}},
    .positionals = "name",
    .help = "Unload a module with all its actions, and forget it.",
    .result = "{\"success\": true}, or false with the reason in \"message\"",
    .run = run_unload_module,
};

static void run_unload_action(struct op_call *call)
{
    struct err err = {0};
    struct control *control = op_api(call)->control;
    const char *action = op_arg_str(call, "name");
    const char *module = control_module_of_action(control, action);
    CLEANUP(str_free) char *name = module ? xstrdup(module) : NULL;
    answer_unload(call, name, control_unload_action(control, action, &err), &err);
}

const struct op op_actions_unload_action = {
    .name = "actions_unload_action",
    .access = OP_ADMIN,
    .changes = true,
    .params = {{"name", OP_STR, NULL, "full name of the action"}},
    .positionals = "name",
    .help = "Unload one action; its module goes with the last one.",
    .result = "{\"success\": true}, or false with the reason in \"message\"",
    .run = run_unload_action,
};

static void run_unload_actionset(struct op_call *call)
{
    struct err err = {0};
    struct control *control = op_api(call)->control;
    const char *group = op_arg_str(call, "name");
    CLEANUP(str_free) char *prefix = xasprintf("%s.", group);
    CLEANUP(json_put) struct json_object *names = control_action_names(control, prefix);
    size_t count = json_object_array_length(names);
    int failed =
        count > 0 ? 0 : err_set(&err, ENOENT, "no action of the group '%s' is loaded", group);
    /* Several modules may share the group; the generation without the last is without all. */
    CLEANUP(str_free) char *module = NULL;
    for (size_t i = 0; i < count && !failed; i++) {
        const char *name = json_object_get_string(json_object_array_get_idx(names, i));
        str_replace(&module, control_module_of_action(control, name));
        failed = control_unload_action(control, name, &err);
    }
    answer_unload(call, module, failed, &err);
}

const struct op op_actions_unload_actionset = {
    .name = "actions_unload_actionset",
    .access = OP_ADMIN,
    .changes = true,
    .params = {{"name", OP_STR, NULL, "the group: what stands before the dot"}},
    .positionals = "name",
    .help = "Unload all actions of a group.",
    .result = "{\"success\": true}, or false with the reason in \"message\"",
    .run = run_unload_actionset,
};

/* ---- call ---- */

static void on_result(void *arg, int status, struct json_object *value)
{
    struct json_object *result = json_object_new_object();
    bool well = status >= 200 && status < 300;
    json_set_bool(result, "success", well);
    json_set(result, "result", well ? json_ref(value) : NULL);
    if (!well) {
        const char *detail = json_str(value, "detail");
        json_set_str(result, "message",
                     detail  ? detail
                     : value ? json_text(value)
                             : "the daemon could not reach itself");
    }
    op_return(arg, result);
}

static void run_call(struct op_call *call)
{
    const char *name = op_arg_str(call, "name");
    if (strpbrk(name, " \r\n\t/?#%") || strlen(name) > CONTROL_NAME_MAX) {
        answer(call, false, "this cannot be an action's name");
        return;
    }
    CLEANUP(str_free) char *path = xasprintf("/actions/%s", name);
    self_call(op_api(call), path, op_arg(call, "ctx"), on_result, call);
}

const struct op op_actions_call = {
    .name = "actions_call",
    .access = OP_ADMIN,
    .params = {{"name", OP_STR, NULL, "full name of the action"},
               {"ctx", OP_DICT, "{}", "its arguments by name"}},
    .positionals = "name",
    .help = "Call an action.",
    .result = "{\"success\": true, \"result\": VALUE}, or false with the reason in \"message\"",
    .run = run_call,
};
