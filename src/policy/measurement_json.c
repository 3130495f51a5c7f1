/* JSON of measurements, and the reading of figures. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "policy/figure.h"
#include "policy/policy_json.h"

int figure_read(struct json_object *object, const char *name, double *ret_figure, struct err *err)
{
    struct json_object *value = NULL;
    if (!json_object_is_type(object, json_type_object)) {
        return err_set(err, EINVAL, "not an object: {...}");
    }
    if (!json_object_object_get_ex(object, name, &value) || !value) {
        *ret_figure = NAN;
        return 0;
    }
    double number = json_double(object, name, NAN);
    if (!(number >= 0 && number <= FIGURE_MAX)) {
        return err_set(err, EINVAL, "'%s' must be a number from 0 to %g", name, FIGURE_MAX);
    }
    *ret_figure = number;
    return 0;
}

size_t figure_module(const struct policy_problem *problem, const char *action)
{
    size_t found = problem->module_count, longest = 0;
    for (size_t i = 0; i < problem->module_count; i++) {
        const char *name = problem->modules[i].name;
        size_t size = strlen(name);
        if (size > longest && strncmp(action, name, size) == 0 &&
            (action[size] == '\0' || action[size] == '.')) {
            found = i;
            longest = size;
        }
    }
    return found;
}

/* Mean of two groups by their counts; a group without a mean or calls adds nothing. */
static double pooled(double mean_a, double count_a, double mean_b, double count_b)
{
    if (isnan(mean_b) || count_b <= 0) {
        return mean_a;
    }
    if (isnan(mean_a) || count_a <= 0) {
        return mean_b;
    }
    return (mean_a * count_a + mean_b * count_b) / (count_a + count_b);
}

static double or_zero(double figure)
{
    return isnan(figure) ? 0 : figure;
}

static int read_action(struct json_object *object, struct policy_action_figures *figures,
                       struct err *err)
{
    double calls = NAN, errors = NAN, mean_s = NAN, exec_s = NAN;
    int failed = 0;
    (void)((failed = figure_read(object, "calls", &calls, err)) ||
           (failed = figure_read(object, "errors", &errors, err)) ||
           (failed = figure_read(object, "mean_s", &mean_s, err)) ||
           (failed = figure_read(object, "exec_s", &exec_s, err)));
    if (failed) {
        return failed;
    }
    calls = or_zero(calls);
    figures->mean_s = pooled(figures->mean_s, figures->calls, mean_s, calls);
    figures->exec_s = pooled(figures->exec_s, figures->calls, exec_s, calls);
    figures->calls += calls;
    figures->errors += or_zero(errors);
    return 0;
}

static int read_actions(struct json_object *object, const struct policy_problem *problem,
                        struct policy_measurement *seen, struct err *err)
{
    struct json_object *actions = NULL;
    if (!json_object_object_get_ex(object, "actions", &actions) || !actions) {
        return 0;
    }
    if (!json_object_is_type(actions, json_type_object)) {
        return err_set(err, EINVAL, "'actions' must be an object: {\"module.function\": {...}}");
    }
    json_object_object_foreach(actions, name, value)
    {
        size_t module = figure_module(problem, name);
        int failed =
            module < problem->module_count ? read_action(value, &seen->actions[module], err) : 0;
        if (failed) {
            return err_wrap(err, "action '%s'", name);
        }
    }
    return 0;
}

static int read_walkers(struct json_object *object, const struct policy_problem *problem,
                        struct policy_measurement *seen, struct err *err)
{
    struct json_object *walkers = NULL;
    if (!json_object_object_get_ex(object, "walkers", &walkers) || !walkers) {
        return 0;
    }
    if (!json_object_is_type(walkers, json_type_object)) {
        return err_set(err, EINVAL, "'walkers' must be an object: {\"walker\": {\"runs\": 1}}");
    }
    for (size_t i = 0; i < problem->walker_count; i++) {
        struct policy_walker_figures *figures = &seen->walkers[i];
        struct json_object *value = NULL;
        (void)json_object_object_get_ex(walkers, problem->walkers[i].name, &value);
        if (!value) {
            continue;
        }
        double runs = NAN, errors = NAN;
        int failed = 0;
        (void)((failed = figure_read(value, "runs", &runs, err)) ||
               (failed = figure_read(value, "errors", &errors, err)) ||
               (failed = figure_read(value, "mean_s", &figures->mean_s, err)));
        if (failed) {
            return err_wrap(err, "walker '%s'", problem->walkers[i].name);
        }
        figures->runs = or_zero(runs);
        figures->errors = or_zero(errors);
    }
    return 0;
}

static int read_not_placed(struct json_object *object, const struct policy_problem *problem,
                           struct policy_measurement *seen, struct err *err)
{
    struct json_object *list = NULL;
    if (!json_object_object_get_ex(object, "not_placed", &list) || !list) {
        return 0;
    }
    if (!json_object_is_type(list, json_type_array)) {
        return err_set(err, EINVAL, "'not_placed' must be a list of names of modules");
    }
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *name = json_object_array_get_idx(list, i);
        size_t module =
            policy_module_find(problem, slice_str(json_object_is_type(name, json_type_string)
                                                      ? json_object_get_string(name)
                                                      : ""));
        if (module < problem->module_count) {
            seen->not_placed |= (placement_t)1 << module;
        }
    }
    return 0;
}

/* What is not said but follows. */
static void complete(struct policy_measurement *seen)
{
    double runs = 0, errors = 0, latency_sum_s = 0;
    for (size_t i = 0; i < seen->walker_count; i++) {
        runs += seen->walkers[i].runs;
        errors += seen->walkers[i].errors;
        latency_sum_s += seen->walkers[i].runs * seen->walkers[i].mean_s;
    }
    seen->errors = isnan(seen->errors) ? errors : seen->errors;
    if (isnan(seen->mean_latency_s) && runs > 0 && isfinite(latency_sum_s)) {
        seen->mean_latency_s = latency_sum_s / runs;
    }
    if (!(seen->mean_latency_s > 0) || seen->throughput_s == 0) {
        seen->mean_latency_s = NAN; /* no run, so no figure */
    }
    if (!(seen->phase_s > 0)) {
        seen->phase_s = NAN;
    }
}

int policy_measurement_read(struct json_object *object, const struct policy_problem *problem,
                            struct policy_measurement *ret_measurement, struct err *err)
{
    struct policy_measurement seen;
    int failed = 0;
    policy_measurement_init(&seen, problem);
    (void)((failed = figure_read(object, "mean_latency_s", &seen.mean_latency_s, err)) ||
           (failed = figure_read(object, "throughput", &seen.throughput_s, err)) ||
           (failed = figure_read(object, "errors", &seen.errors, err)) ||
           (failed = figure_read(object, "phase_s", &seen.phase_s, err)) ||
           (failed = figure_read(object, "users", &seen.users, err)) ||
           (failed = figure_read(object, "think_s", &seen.think_s, err)) ||
           (failed = figure_read(object, "rate_s", &seen.rate_s, err)) ||
           (failed = read_actions(object, problem, &seen, err)) ||
           (failed = read_walkers(object, problem, &seen, err)) ||
           (failed = read_not_placed(object, problem, &seen, err)));
    if (failed) {
        policy_measurement_done(&seen);
        return failed;
    }
    complete(&seen);
    *ret_measurement = seen;
    return 0;
}

static struct json_object *write_actions(const struct policy_measurement *seen,
                                         const struct policy_problem *problem)
{
    struct json_object *actions = json_object_new_object();
    for (size_t i = 0; i < seen->action_count; i++) {
        const struct policy_action_figures *figures = &seen->actions[i];
        struct json_object *item = json_object_new_object();
        policy_set_number(item, "calls", figures->calls);
        policy_set_number(item, "mean_s", figures->mean_s);
        policy_set_number(item, "exec_s", figures->exec_s);
        if (figures->errors > 0) {
            policy_set_number(item, "errors", figures->errors);
        }
        json_set(actions, problem->modules[i].name, item);
    }
    return actions;
}

static struct json_object *write_walkers(const struct policy_measurement *seen,
                                         const struct policy_problem *problem)
{
    struct json_object *walkers = json_object_new_object();
    for (size_t i = 0; i < seen->walker_count; i++) {
        const struct policy_walker_figures *figures = &seen->walkers[i];
        struct json_object *item = json_object_new_object();
        policy_set_number(item, "runs", figures->runs);
        policy_set_number(item, "mean_s", figures->mean_s);
        if (figures->errors > 0) {
            policy_set_number(item, "errors", figures->errors);
        }
        json_set(walkers, problem->walkers[i].name, item);
    }
    return walkers;
}

struct json_object *policy_measurement_write(const struct policy_measurement *seen,
                                             const struct policy_problem *problem)
{
    struct json_object *object = json_object_new_object();
    policy_set_number(object, "mean_latency_s", seen->mean_latency_s);
    policy_set_number(object, "throughput", seen->throughput_s);
    if (seen->errors > 0) {
        policy_set_number(object, "errors", seen->errors);
    }
    policy_set_number(object, "phase_s", seen->phase_s);
    policy_set_number(object, "users", seen->users);
    policy_set_number(object, "think_s", seen->think_s);
    policy_set_number(object, "rate_s", seen->rate_s);
    json_set(object, "actions", write_actions(seen, problem));
    json_set(object, "walkers", write_walkers(seen, problem));
    struct json_object *not_placed = json_object_new_array();
    for (size_t i = 0; i < problem->module_count; i++) {
        if (placement_local(seen->not_placed, i)) {
            (void)json_object_array_add(not_placed,
                                        json_object_new_string(problem->modules[i].name));
        }
    }
    if (seen->not_placed) {
        json_set(object, "not_placed", not_placed);
    } else {
        (void)json_put(not_placed);
    }
    return object;
}
