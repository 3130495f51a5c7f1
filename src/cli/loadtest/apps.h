/* The applications of the load test: flows over modules that stand in for the real ones. */
#pragma once

#include <stddef.h>

struct err;
struct json_object;

#define APPS_MAX        16
#define APP_MODULES_MAX 8 /* the largest has 5; 2^8 placements are the most that one tries */
#define FLOW_MODULE     "jsorc_flow" /* the walkers */

struct app {
    const char *name; /* borrowed from the table of files */
    struct json_object *flow;
    size_t module_count;
    const char *modules[APP_MODULES_MAX]; /* borrowed from flow */
};

struct apps {
    size_t count;
    struct app items[APPS_MAX];  /* by name */
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

/* The action config of a module, whose file lies in folder; owned by the caller. */
struct json_object *app_config(const struct apps *apps, const char *module, const char *folder,
                               const struct app_scale *scale);

/* The ctx of its setup; owned by the caller. */
struct json_object *app_ctx(const struct apps *apps, const char *module,
                            const struct app_scale *scale);

/* The action config of FLOW_MODULE; owned by the caller. */
struct json_object *app_flow_config(const char *folder);

/* The ctx of FLOW_MODULE's setup, with the walker of app alone; owned by the caller. */
struct json_object *app_flow_ctx(const struct app *app, const struct app_scale *scale);

/* Writes the Python files of all modules into folder. */
int apps_write(const struct apps *apps, const char *folder, struct err *err);
