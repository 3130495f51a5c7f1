/* The applications of the load test: flows over modules that stand in for the real ones. */
#pragma once

#include <stddef.h>

struct err;
struct json_object;

#define APPS_MAX         16
#define APP_MODULES_MAX  8 /* the largest has 5; 2^8 placements are the most that one tries */
#define APP_REQUESTS_MAX 16

struct app {
    char *name; /* of its walker; owned */
    struct json_object *flow;
    const char *folder;  /* borrowed; where its real modules are; NULL = stand-ins */
    const char *walkers; /* borrowed; name of the module that has its walker */
    size_t module_count;
    const char *modules[APP_MODULES_MAX]; /* borrowed from flow */
};

struct apps {
    size_t count;
    struct app items[APPS_MAX];  /* by name */
    struct app real;             /* examples/intake, once its folder is given */
    struct json_object *modules; /* name -> {group, memory_mb, actions}; owned */
};

/* All of them; they are part of the program, so nothing can fail. */
void apps_init(struct apps *apps);
void apps_done(struct apps *apps);

/* NULL = no such application. */
const struct app *apps_find(const struct apps *apps, const char *name);

struct app_scale {
    const char *variant; /* "real" or "meant" */
    double time;
    double memory;
};

/* The action config of a module of app, or of app->walkers. Stand-ins lie in folder. Owned by the
 * caller. */
struct json_object *app_config(const struct apps *apps, const struct app *app, const char *module,
                               const char *folder, const struct app_scale *scale);

/* The ctx of its setup; owned by the caller. */
struct json_object *app_ctx(const struct apps *apps, const struct app *app, const char *module,
                            const struct app_scale *scale);

/* The body of the i-th kind of request, 0 <= i < app_request_count; owned by the caller. */
size_t app_request_count(const struct app *app);
struct json_object *app_request(const struct app *app, size_t i);

/* Writes the Python files of all modules into folder. */
int apps_write(const struct apps *apps, const char *folder, struct err *err);
