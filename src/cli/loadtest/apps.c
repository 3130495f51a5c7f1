#include "cli/loadtest/apps.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "cli/loadtest/files.h"

#define MODULES_FILE "modules.json"
#define REAL_PREFIX  "real_"
#define FLOW_MODULE  "jsorc_flow" /* the walkers over stand-ins */

/* A module is one line: what it is comes with its setup. */
static const char MODULE_TEXT[] = "from jsorc_standin import setup  # noqa: F401\n";

static struct json_object *parse(const struct embedded_file *file)
{
    struct json_object *value = NULL;
    int failed = json_parse_object(slice_str(file->text), &value, NULL);
    assert(!failed);
    (void)failed;
    return value;
}

static const char *ends_with(const char *name, const char *end)
{
    size_t size = strlen(name), end_size = strlen(end);
    return size > end_size && strcmp(name + size - end_size, end) == 0 ? name + size - end_size
                                                                       : NULL;
}

static void app_init(struct app *app, const struct embedded_file *file)
{
    const char *dot = ends_with(file->name, ".json");
    app->flow = parse(file);
    const char *name = json_str(app->flow, "name"), *walkers = json_str(app->flow, "walkers");
    app->name = name ? xstrdup(name) : xstrndup(file->name, (size_t)(dot - file->name));
    app->walkers = walkers ? walkers : FLOW_MODULE;
    struct json_object *modules = json_member(app->flow, "modules", json_type_array);
    app->module_count = json_object_array_length(modules);
    assert(app->module_count <= APP_MODULES_MAX && app_request_count(app) <= APP_REQUESTS_MAX);
    for (size_t i = 0; i < app->module_count; i++) {
        app->modules[i] = json_object_get_string(json_object_array_get_idx(modules, i));
    }
}

void apps_init(struct apps *apps)
{
    *apps = (struct apps){0};
    for (const struct embedded_file *file = LOADTEST_FILES; file->name; file++) {
        if (strcmp(file->name, MODULES_FILE) == 0) {
            apps->modules = parse(file);
        } else if (strncmp(file->name, REAL_PREFIX, strlen(REAL_PREFIX)) == 0) {
            app_init(&apps->real, file);
        } else if (ends_with(file->name, ".json")) {
            assert(apps->count < APPS_MAX);
            app_init(&apps->items[apps->count++], file);
        }
    }
}

static void app_done(struct app *app)
{
    (void)json_put(app->flow);
    free(app->name);
}

void apps_done(struct apps *apps)
{
    for (size_t i = 0; i < apps->count; i++) {
        app_done(&apps->items[i]);
    }
    app_done(&apps->real);
    (void)json_put(apps->modules);
    *apps = (struct apps){0};
}

const struct app *apps_find(const struct apps *apps, const char *name)
{
    for (size_t i = 0; i < apps->count; i++) {
        if (strcmp(apps->items[i].name, name) == 0) {
            return &apps->items[i];
        }
    }
    return NULL;
}

static struct json_object *module_of(const struct apps *apps, const char *name)
{
    struct json_object *module = json_member(apps->modules, name, json_type_object);
    assert(module);
    return module;
}

struct json_object *app_config(const struct apps *apps, const struct app *app, const char *module,
                               const char *folder, const struct app_scale *scale)
{
    struct json_object *config = json_object_new_object();
    const char *from = app->folder ? app->folder : folder;
    CLEANUP(str_free) char *path = xasprintf("%s/%s.py", from, module);
    if (app->folder && access(path, F_OK) < 0) { /* then it is one in C */
        free(path);
        path = xasprintf("%s/%s.so", from, module);
    }
    json_set_str(config, "module", path);
    if (!app->folder && strcmp(module, app->walkers) != 0) {
        json_set_double(config, "local_mem_requirement",
                        json_double(module_of(apps, module), "memory_mb", 0) * scale->memory);
    }
    return config;
}

static struct json_object *flow_ctx(const struct app *app, const struct app_scale *scale)
{
    struct json_object *ctx = json_object_new_object(), *flows = json_object_new_object();
    struct json_object *flow = json_object_new_object(), *report = NULL;
    struct json_object *steps = json_member(app->flow, scale->variant, json_type_array);
    if (!steps) { /* no other was meant */
        steps = json_member(app->flow, "real", json_type_array);
    }
    json_set(flow, "steps", json_ref(steps));
    if (json_object_object_get_ex(app->flow, "report", &report)) {
        json_set(flow, "report", json_ref(report));
    }
    json_set(flows, app->name, flow);
    json_set(ctx, "flows", flows);
    return ctx;
}

struct json_object *app_ctx(const struct apps *apps, const struct app *app, const char *module,
                            const struct app_scale *scale)
{
    if (app->folder) {
        return json_object_new_object();
    }
    if (strcmp(module, app->walkers) == 0) {
        return flow_ctx(app, scale);
    }
    struct json_object *from = module_of(apps, module), *ctx = json_object_new_object();
    json_set_str(ctx, "group", json_str(from, "group"));
    json_set_double(ctx, "memory_mb", json_double(from, "memory_mb", 0) * scale->memory);
    json_set(ctx, "actions", json_ref(json_member(from, "actions", json_type_object)));
    json_set_double(ctx, "time_scale", scale->time);
    return ctx;
}

/* NULL = one, with empty arguments, as the original's programs take none. */
static struct json_object *requests_of(const struct app *app)
{
    return json_member(app->flow, "requests", json_type_array);
}

size_t app_request_count(const struct app *app)
{
    struct json_object *requests = requests_of(app);
    return requests ? json_object_array_length(requests) : 1;
}

struct json_object *app_request(const struct app *app, size_t i)
{
    struct json_object *body = json_object_new_object(), *requests = requests_of(app);
    json_set_str(body, "name", app->name);
    json_set(body, "ctx",
             requests ? json_ref(json_object_array_get_idx(requests, i))
                      : json_object_new_object());
    return body;
}

static int write_file(const char *folder, const char *name, const char *text, struct err *err)
{
    CLEANUP(str_free) char *path = xasprintf("%s/%s", folder, name);
    FILE *file = fopen(path, "we");
    bool written = file && fputs(text, file) >= 0;
    if (!file || fclose(file) != 0 || !written) {
        return err_errno(err, errno, "cannot write '%s'", path);
    }
    return 0;
}

int apps_write(const struct apps *apps, const char *folder, struct err *err)
{
    int failed = 0;
    for (const struct embedded_file *file = LOADTEST_FILES; file->name && !failed; file++) {
        if (ends_with(file->name, ".py")) {
            failed = write_file(folder, file->name, file->text, err);
        }
    }
    json_object_object_foreach(apps->modules, name, module)
    {
        (void)module;
        CLEANUP(str_free) char *file = xasprintf("%s.py", name);
        failed = failed ? failed : write_file(folder, file, MODULE_TEXT, err);
    }
    return failed;
}
