/* JSON of problems. Members may be missing or null; one of the wrong type or range is an error that
 * says where it stands. */
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "policy/figure.h"
#include "policy/policy_json.h"

#define MB              (1024.0 * 1024.0)
#define PHASE_DEFAULT_S 10
#define NAME_BYTES_MAX  256 /* of a Python module's dotted name none comes near */

static int read_name(struct json_object *object, const char *what, size_t index, char **ret_name,
                     struct err *err)
{
    const char *name = json_str(object, "name");
    if (!name || !*name || strlen(name) > NAME_BYTES_MAX) {
        return err_set(err, EINVAL, "%s %zu: 'name' must be a text of 1 to %d bytes", what,
                       index + 1, NAME_BYTES_MAX);
    }
    *ret_name = xstrdup(name);
    return 0;
}

static int read_place(struct json_object *object, struct policy_module *module, struct err *err)
{
    struct json_object *place = NULL;
    (void)json_object_object_get_ex(object, "place", &place);
    const char *name = place ? json_str(object, "place") : "none";
    for (int i = PLACE_NONE; name && i <= PLACE_REMOTE; i++) {
        if (strcmp(name, place_name((enum place)i)) == 0) {
            module->now = (enum place)i;
            module->fixed = json_flag(object, "fixed", false) && i != PLACE_NONE;
            return 0;
        }
    }
    return err_set(err, EINVAL, "'place' must be \"module\" or \"remote\"");
}

static int read_module(struct json_object *object, struct policy_problem *problem, size_t index,
                       struct err *err)
{
    struct policy_module *module = &problem->modules[index];
    char *name = NULL;
    int failed = read_name(object, "module", index, &name, err);
    if (failed) {
        return failed;
    }
    if (policy_module_find(problem, slice_str(name)) < problem->module_count) {
        failed = err_set(err, EINVAL, "module '%s' is there twice", name);
        free(name);
        return failed;
    }
    module->name = name;
    problem->module_count++;
    double mem_mb = NAN;
    (void)((failed = figure_read(object, "mem_mb", &mem_mb, err)) ||
           (failed = figure_read(object, "mem_bytes", &module->mem_bytes, err)) ||
           (failed = figure_read(object, "hop_s", &module->hop_s, err)) ||
           (failed = figure_read(object, "load_s", &module->load_s, err)) ||
           (failed = read_place(object, module, err)));
    if (isnan(module->mem_bytes)) {
        module->mem_bytes = mem_mb * MB;
    }
    return failed ? err_wrap(err, "module '%s'", name) : 0;
}

static int read_modules(struct json_object *object, struct policy_problem *problem, struct err *err)
{
    struct json_object *list = json_member(object, "modules", json_type_array);
    size_t count = list ? json_object_array_length(list) : 0;
    if (count == 0 || count > POLICY_MODULES_MAX) {
        return err_set(err, EINVAL, "'modules' must be a list of 1 to %d: [{\"name\": \"a\"}]",
                       POLICY_MODULES_MAX);
    }
    problem->modules = xcalloc(count, sizeof(*problem->modules));
    for (size_t i = 0; i < count; i++) {
        int failed = read_module(json_object_array_get_idx(list, i), problem, i, err);
        if (failed) {
            return failed;
        }
    }
    return 0;
}

static int read_calls(struct json_object *object, const struct policy_problem *problem,
                      struct policy_walker *walker, struct err *err)
{
    struct json_object *list = NULL;
    if (!json_object_object_get_ex(object, "calls", &list) || !list) {
        return 0;
    }
    if (!json_object_is_type(list, json_type_array) ||
        json_object_array_length(list) > POLICY_CALLS_MAX) {
        return err_set(err, EINVAL, "'calls' must be a list of at most %d names of modules",
                       POLICY_CALLS_MAX);
    }
    size_t count = json_object_array_length(list);
    walker->calls = xcalloc(count + 1, sizeof(*walker->calls));
    for (size_t i = 0; i < count; i++) {
        struct json_object *call = json_object_array_get_idx(list, i);
        const char *name =
            json_object_is_type(call, json_type_string) ? json_object_get_string(call) : NULL;
        size_t module = name ? figure_module(problem, name) : problem->module_count;
        if (module == problem->module_count) {
            return err_set(err, EINVAL, "'calls' names '%s', but no module is called so",
                           name ? name : json_text(call));
        }
        walker->calls[walker->call_count++] = (uint16_t)module;
    }
    return 0;
}

static int read_walkers(struct json_object *object, struct policy_problem *problem, struct err *err)
{
    struct json_object *list = NULL;
    if (!json_object_object_get_ex(object, "walkers", &list) || !list) {
        return 0;
    }
    if (!json_object_is_type(list, json_type_array) ||
        json_object_array_length(list) > POLICY_WALKERS_MAX) {
        return err_set(err, EINVAL, "'walkers' must be a list of at most %d", POLICY_WALKERS_MAX);
    }
    size_t count = json_object_array_length(list);
    problem->walkers = xcalloc(count + 1, sizeof(*problem->walkers));
    for (size_t i = 0; i < count; i++) {
        struct json_object *item = json_object_array_get_idx(list, i);
        struct policy_walker *walker = &problem->walkers[i];
        int failed = read_name(item, "walker", i, &walker->name, err);
        if (failed) {
            return failed;
        }
        problem->walker_count++;
        for (size_t j = 0; j < i; j++) {
            if (strcmp(problem->walkers[j].name, walker->name) == 0) {
                return err_set(err, EINVAL, "walker '%s' is there twice", walker->name);
            }
        }
        (void)((failed = figure_read(item, "weight", &walker->weight, err)) ||
               (failed = read_calls(item, problem, walker, err)));
        if (failed) {
            return err_wrap(err, "walker '%s'", walker->name);
        }
    }
    return 0;
}

static int read_load(struct json_object *object, struct policy_problem *problem, struct err *err)
{
    double budget_mb = NAN;
    int failed = 0;
    (void)((failed = figure_read(object, "budget_mb", &budget_mb, err)) ||
           (failed = figure_read(object, "budget_bytes", &problem->budget_bytes, err)) ||
           (failed = figure_read(object, "users", &problem->users, err)) ||
           (failed = figure_read(object, "think_s", &problem->think_s, err)) ||
           (failed = figure_read(object, "rate_s", &problem->rate_s, err)) ||
           (failed = figure_read(object, "cores", &problem->cores, err)) ||
           (failed = figure_read(object, "phase_s", &problem->phase_s, err)));
    if (failed) {
        return failed;
    }
    if (isnan(problem->budget_bytes)) {
        problem->budget_bytes = isnan(budget_mb) ? INFINITY : budget_mb * MB;
    }
    if (isnan(problem->think_s)) {
        problem->think_s = 0;
    }
    if (problem->users < 1) {
        problem->users = NAN; /* 0: an open load */
    }
    if (problem->cores < 1) {
        problem->cores = NAN;
    }
    if (!(problem->phase_s > 0)) {
        problem->phase_s = PHASE_DEFAULT_S;
    }
    return 0;
}

int policy_problem_read(struct json_object *object, struct policy_problem *ret_problem,
                        struct err *err)
{
    struct policy_problem problem = {0};
    int failed = read_modules(object, &problem, err);
    failed = failed ? failed : read_walkers(object, &problem, err);
    failed = failed ? failed : read_load(object, &problem, err);
    if (failed) {
        policy_problem_done(&problem);
        return failed;
    }
    *ret_problem = problem;
    return 0;
}

struct json_object *policy_problem_write(const struct policy_problem *problem)
{
    struct json_object *object = json_object_new_object();
    struct json_object *modules = json_object_new_array(), *walkers = json_object_new_array();
    json_set(object, "modules", modules);
    for (size_t i = 0; i < problem->module_count; i++) {
        const struct policy_module *module = &problem->modules[i];
        struct json_object *item = json_object_new_object();
        json_set_str(item, "name", module->name);
        policy_set_number(item, "mem_bytes", module->mem_bytes);
        policy_set_number(item, "hop_s", module->hop_s);
        policy_set_number(item, "load_s", module->load_s);
        if (module->now != PLACE_NONE) {
            json_set_str(item, "place", place_name(module->now));
        }
        if (module->fixed) {
            json_set_bool(item, "fixed", true);
        }
        (void)json_object_array_add(modules, item);
    }
    policy_set_number(object, "budget_bytes", problem->budget_bytes);
    json_set(object, "walkers", walkers);
    for (size_t i = 0; i < problem->walker_count; i++) {
        const struct policy_walker *walker = &problem->walkers[i];
        struct json_object *item = json_object_new_object(), *calls = json_object_new_array();
        json_set_str(item, "name", walker->name);
        policy_set_number(item, "weight", walker->weight);
        for (size_t j = 0; j < walker->call_count; j++) {
            const char *name = problem->modules[walker->calls[j]].name;
            (void)json_object_array_add(calls, json_object_new_string(name));
        }
        json_set(item, "calls", calls);
        (void)json_object_array_add(walkers, item);
    }
    policy_set_number(object, "users", problem->users);
    policy_set_number(object, "think_s", problem->think_s);
    policy_set_number(object, "rate_s", problem->rate_s);
    policy_set_number(object, "cores", problem->cores);
    policy_set_number(object, "phase_s", problem->phase_s);
    return object;
}
