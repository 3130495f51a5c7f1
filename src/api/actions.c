/* The operations on modules by name (jsorc_actions_*): configure, load, move, unload, ask. */
#include <errno.h>
#include <strings.h>

#include "api/action_config.h"
#include "api/api.h"
#include "api/op.h"
#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "base/system.h"
#include "control/control.h"

#define UNLOAD_TIMEOUT_MS 120000 /* until the next generation of the runtime worker serves */

/* ---- jsorc_actions_config ---- */

struct configuring {
    struct op_call *call;
    char *name;
};

static void configure(struct op_call *call, const char *name, struct json_object *entry)
{
    struct err err = {0};
    struct control_load load = {.name = name,
                                .source = json_str(entry, "module"),
                                .config = entry,
                                .loaded_by = "jsorc_actions_config"};
    struct control *control = op_api(call)->control;
    int failed = action_config_check(entry, &err);
    if (!failed) {
        /* The config of a module that runs replaces its entry; where it runs stays. */
        load.place = control_is_known(control, name) ? control_kept(control, name) : PLACE_NONE;
        failed = control_load(control, &load, 0, NULL, NULL, &err);
    }
    op_return(call, op_success(!failed, failed ? err.text : NULL));
}

static void on_configs(void *arg, struct json_object *configs, const char *error)
{
    struct configuring *configuring = arg;
    struct op_call *call = configuring->call;
    struct json_object *entry = NULL;
    if (!configs) {
        op_fail(call, "%s", error);
    } else if (!json_object_object_get_ex(configs, configuring->name, &entry)) {
        CLEANUP(str_free)
        char *text = xasprintf("there is no action config named '%s'", configuring->name);
        op_return(call, op_success(false, text));
    } else {
        configure(call, configuring->name, entry);
    }
    free(configuring->name);
    free(configuring);
}

static void run_config(struct op_call *call)
{
    const char *name = op_arg_str(call, "name");
    CLEANUP(json_put) struct json_object *config = json_ref(op_arg(call, "config"));
    struct err err = {0};
    if (json_object_is_type(config, json_type_string) && *json_object_get_string(config) == '{') {
        CLEANUP(json_put)
        struct json_object *text = TAKE(config); /* as the command line gives it */
        if (json_parse_object(slice_str(json_object_get_string(text)), &config, &err) < 0) {
            op_return(call, op_success(false, err.text));
            return;
        }
    }
    if (json_object_is_type(config, json_type_object)) {
        struct json_object *entry = NULL;
        bool nested = json_object_object_get_ex(config, name, &entry);
        configure(call, name, nested ? entry : config);
        return;
    }
    struct configuring *configuring = xcalloc(1, sizeof(*configuring));
    *configuring = (struct configuring){call, xstrdup(name)};
    action_configs_read(op_api(call), op_arg_str(call, "config"), on_configs, configuring);
}

const struct op op_jsorc_actions_config = {
    .name = "jsorc_actions_config",
    .access = OP_ADMIN,
    .changes = true,
    .params = {{"config", OP_STR_OR_DICT, NULL,
                "Python package that exports ACTION_CONFIGS, JSON or YAML file, folder of such "
                "files, or the config itself"},
               {"name", OP_STR, NULL, "entry to load from it: the module's name"}},
    .positionals = "name config",
    .help = "Load the action config of a module: what to import, and how its pod is made.",
    .result = "{\"success\": true}, or false with the reason in \"message\"",
    .run = run_config,
};

/* ---- jsorc_actions_load ---- */

struct loading {
    struct op_call *call;
    char *name;
};

static void answer_load(struct op_call *call, const char *name, bool well, const char *message)
{
    struct json_object *result = op_success(well, message);
    json_set(result, "action_status", control_action_state(op_api(call)->control, name));
    op_return(call, result);
}

static void on_loaded(void *arg, int status, const char *message)
{
    struct loading *loading = arg;
    answer_load(loading->call, loading->name, status == 0 || status == -ETIMEDOUT, message);
    free(loading->name);
    free(loading);
}

/* `auto` until a policy decides: in the runtime worker, unless it is known to need more than a
 * quarter of this machine's memory. */
static enum place choose_place(const struct control *control, const char *name)
{
    bool large = control_memory_mb(control, name) > system_memory_share_mb(0.25);
    return large ? PLACE_REMOTE : PLACE_MODULE;
}

static void run_load(struct op_call *call)
{
    const char *name = op_arg_str(call, "name"), *mode = op_arg_str(call, "mode");
    struct control *control = op_api(call)->control;
    struct control_load load = {
        .name = name,
        .ctx = op_arg(call, "ctx"),
        .loaded_by = "jsorc_actions_load",
        .reload = op_arg_bool(call, "reload"),
    };
    if (strcasecmp(mode, "module") == 0 || strcasecmp(mode, "local") == 0) {
        load.place = PLACE_MODULE;
        load.pin = true;
    } else if (strcasecmp(mode, "remote") == 0) {
        load.place = PLACE_REMOTE;
        load.pin = true;
    } else if (strcasecmp(mode, "auto") == 0) {
        load.place = choose_place(control, name);
    } else {
        CLEANUP(str_free)
        char *text = xasprintf("mode '%s' is none of module, local, remote, auto", mode);
        answer_load(call, name, false, text);
        return;
    }
    /* As the original: a module is loaded when this returns, a pod is asked for again. */
    struct json_object *asked = op_arg(call, "wait");
    bool wait = asked ? op_arg_bool(call, "wait") : load.place == PLACE_MODULE;
    struct loading *loading = wait ? xcalloc(1, sizeof(*loading)) : NULL;
    if (loading) {
        *loading = (struct loading){call, xstrdup(name)};
    }
    struct err err = {0};
    int failed = control_load(control, &load, (uint64_t)(op_arg_number(call, "timeout") * 1000),
                              loading ? on_loaded : NULL, loading, &err);
    if (failed && loading) {
        free(loading->name);
        free(loading);
    }
    if (failed) {
        answer_load(call, name, false, err.text);
    } else if (!loading) {
        bool there = control_serves(control, name, load.place) && !load.reload;
        answer_load(call, name, control_error(control, name) == NULL,
                    there ? NULL
                          : "it is being started; 'jsorc actions status NAME' tells when it is "
                            "there, and with wait = true the answer comes then");
    }
}

const struct op op_jsorc_actions_load = {
    .name = "jsorc_actions_load",
    .access = OP_ADMIN,
    .changes = true,
    .params = {{"name", OP_STR, NULL, "the module's name, as configured or loaded before"},
               {"mode", OP_STR, NULL,
                "where it shall run: module (or local) in the runtime worker, remote in a pod of "
                "its own; while a policy runs, it leaves the module there until mode auto, which "
                "lets the policy (without one, a rule) choose"},
               {"ctx", OP_DICT, "null", "arguments of the module's setup"},
               {"reload", OP_BOOL, "false",
                "read its source anew where it runs already, calls going on meanwhile"},
               {"wait", OP_BOOL, "null",
                "answer only when it is there or failed; default true for module, false for "
                "remote"},
               {"timeout", OP_FLOAT, "120", "seconds to wait at the most; the load goes on"}},
    .positionals = "name",
    .help = "Load a module at a place, or move it there while its calls go on.",
    .result = "{\"success\": true, \"action_status\": {\"mode\": \"module\", ...}}",
    .run = run_load,
};

/* ---- jsorc_actions_status ---- */

static void run_status(struct op_call *call)
{
    const char *name = op_arg_str(call, "name");
    const struct control *control = op_api(call)->control;
    struct json_object *result = op_success(true, NULL);
    json_set(result, "action_status",
             *name ? control_action_state(control, name) : control_action_modes(control));
    op_return(call, result);
}

const struct op op_jsorc_actions_status = {
    .name = "jsorc_actions_status",
    .access = OP_ADMIN,
    .params = {{"name", OP_STR, NULL, "the module's name; \"\" = the modes of all"}},
    .positionals = "name",
    .help = "Tell where a module runs.",
    .result = "{\"success\": true, \"action_status\": {...}}; null for an unknown name",
    .run = run_status,
};

/* ---- jsorc_actions_unload ---- */

/* The original's refusals, word for word; NULL = go on. The text is the caller's. */
static char *unload_refusal(const struct control *control, const char *name, const char *mode)
{
    enum place wanted = control_wanted(control, name);
    bool known_mode = strcmp(mode, "auto") == 0 || strcmp(mode, "module") == 0 ||
                      strcmp(mode, "local") == 0 || strcmp(mode, "remote") == 0;
    if (!known_mode) {
        return xasprintf("Unrecognized action mode %s.", mode);
    }
    if (!control_was_asked(control, name)) {
        return xstrdup("Action is not loaded.");
    }
    if ((strcmp(mode, "module") == 0 || strcmp(mode, "local") == 0) && wanted != PLACE_MODULE) {
        return xstrdup("Action is not loaded as module.");
    }
    if (strcmp(mode, "remote") == 0 && wanted != PLACE_REMOTE) {
        return xstrdup("Action is not loaded as remote.");
    }
    return wanted == PLACE_NONE ? xstrdup("Unrecognized action loaded status None") : NULL;
}

struct unloading {
    struct op_call *call;
    char *message;
};

/* It takes no calls any more since it was asked; only its memory may not be free yet. */
static void on_unloaded(void *arg, int status, const char *message)
{
    struct unloading *unloading = arg;
    (void)status;
    (void)message;
    op_return(unloading->call, op_success(true, unloading->message));
    free(unloading->message);
    free(unloading);
}

static void run_unload(struct op_call *call)
{
    const char *name = op_arg_str(call, "name"), *mode = op_arg_str(call, "mode");
    struct control *control = op_api(call)->control;
    CLEANUP(str_free) char *refusal = unload_refusal(control, name, mode);
    if (refusal) {
        op_return(call, op_success(false, refusal));
        return;
    }
    struct err err = {0};
    bool remote = control_wanted(control, name) == PLACE_REMOTE;
    CLEANUP(json_put) struct json_object *state = control_action_state(control, name);
    const char *url = json_str(json_member(state, "remote", json_type_object), "url");
    CLEANUP(str_free)
    char *message = remote ? xasprintf("Remote actions from %s unloaded.", url ? url : name)
                           : xasprintf("Action module %s unloaded.", name);
    if (control_unload(control, name, false, &err) < 0) {
        op_return(call, op_success(false, err.text));
        return;
    }
    struct unloading *unloading = xcalloc(1, sizeof(*unloading));
    *unloading = (struct unloading){call, TAKE(message)};
    control_settle(control, name, UNLOAD_TIMEOUT_MS, on_unloaded, unloading);
}

const struct op op_jsorc_actions_unload = {
    .name = "jsorc_actions_unload",
    .access = OP_ADMIN,
    .changes = true,
    .params = {{"name", OP_STR, NULL, "the module's name"},
               {"mode", OP_STR, "\"auto\"", "auto, or only if it is loaded as module or remote"},
               {"retire_svc", OP_BOOL, "true",
                "end the pod as well; a pod that serves nothing is always ended here"}},
    .positionals = "name",
    .help = "Take a module out of service; its config stays known.",
    .result = "{\"success\": true, \"message\": \"Action module text unloaded.\"}",
    .run = run_unload,
};
