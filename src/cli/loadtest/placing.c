#include "cli/loadtest/placing.h"

#include <errno.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/json.h"
#include "cli/loadtest/bed.h"
#include "cli/loadtest/cell.h"

#define LOAD_TIMEOUT_S 300

static struct json_object *of_name(const char *name)
{
    struct json_object *params = json_object_new_object();
    json_set_str(params, "name", name);
    return params;
}

static int configure(const struct cell_context *context, const char *name,
                     struct json_object *config, struct err *err)
{
    struct json_object *params = of_name(name);
    json_set(params, "config", config);
    return bed_op(context->bed, "jsorc_actions_config", params, NULL, err);
}

/* ctx is consumed; NULL = as it was. */
static int load(const struct cell_context *context, const char *name, bool remote,
                struct json_object *ctx, bool wait, struct err *err)
{
    struct json_object *params = of_name(name);
    json_set_str(params, "mode", remote ? "remote" : "module");
    json_set_bool(params, "wait", wait);
    json_set_double(params, "timeout", LOAD_TIMEOUT_S);
    if (ctx) {
        json_set(params, "ctx", ctx);
    }
    return bed_op(context->bed, "jsorc_actions_load", params, NULL, err);
}

int placing_check(const struct cell_context *context, const struct app *app, struct err *err)
{
    CLEANUP(json_put) struct json_object *status = NULL;
    int failed = bed_op(context->bed, "jsorc_actions_status", of_name(""), &status, err);
    struct json_object *modes = json_member(status, "action_status", json_type_object);
    for (size_t i = 0; i <= app->module_count && !failed; i++) {
        const char *name = i < app->module_count ? app->modules[i] : app->walkers;
        if (json_object_object_get_ex(modes, name, NULL)) {
            failed = err_set(err, EEXIST,
                             "the daemon has a module '%s' already; unload it, or "
                             "leave out --use-running",
                             name);
        }
    }
    return failed;
}

int placing_move(const struct cell_context *context, const struct app *app, unsigned remote,
                 struct err *err)
{
    int failed = 0;
    /* All are told first, so that they start together, then waited for. */
    for (int wait = 0; wait <= 1; wait++) {
        for (size_t i = 0; i < app->module_count && !failed; i++) {
            failed = load(context, app->modules[i], remote & (1U << i), NULL, wait, err);
        }
    }
    return failed;
}

int placing_load(const struct cell_context *context, const struct app *app, unsigned remote,
                 struct err *err)
{
    const struct app_scale *scale = &context->options->scale;
    const char *folder = context->bed->folder;
    int failed = 0;
    for (size_t i = 0; i <= app->module_count && !failed; i++) {
        bool last = i == app->module_count;
        const char *name = last ? app->walkers : app->modules[i];
        failed = configure(context, name, app_config(context->apps, app, name, folder, scale), err);
        if (!failed) {
            failed = load(context, name, !last && remote & (1U << i),
                          app_ctx(context->apps, app, name, scale), last, err);
        }
    }
    return failed ? failed : placing_move(context, app, remote, err);
}

int placing_unload(const struct cell_context *context, const struct app *app, struct err *err)
{
    int failed = 0;
    for (size_t i = 0; i <= app->module_count; i++) {
        const char *name = i < app->module_count ? app->modules[i] : app->walkers;
        CLEANUP(json_put) struct json_object *status = NULL;
        struct err now = {0};
        int bad = bed_op(context->bed, "jsorc_actions_status", of_name(name), &status, &now);
        if (!bad && !json_member(status, "action_status", json_type_object)) {
            continue;
        }
        bad = bad ? bad : bed_op(context->bed, "actions_unload_module", of_name(name), NULL, &now);
        if (bad && !failed) {
            failed = err_set(err, now.code, "%s", now.text);
        }
    }
    return failed;
}

struct json_object *placing_json(const struct app *app, unsigned remote)
{
    struct json_object *placement = json_object_new_object();
    for (size_t i = 0; i < app->module_count; i++) {
        json_set_str(placement, app->modules[i], remote & (1U << i) ? "remote" : "module");
    }
    return placement;
}
