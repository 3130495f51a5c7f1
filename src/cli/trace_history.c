#include "cli/trace_history.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"

static struct json_object *parsed_member(struct json_object *line, const char *name)
{
    struct json_object *object = NULL;
    const char *text = json_str(line, name);
    if (text && *text) {
        (void)json_parse_object(slice_str(text), &object, NULL);
    }
    return object;
}

static bool is_problem(struct json_object *told)
{
    return json_object_object_get_ex(told, "modules", NULL);
}

/* Where the problem says that modules are: for a trace of what was observed while no policy ran. */
static struct json_object *places_of(struct json_object *problem)
{
    struct json_object *placement = json_object_new_object();
    struct json_object *modules = json_member(problem, "modules", json_type_array);
    for (size_t i = 0; modules && i < json_object_array_length(modules); i++) {
        struct json_object *module = json_object_array_get_idx(modules, i);
        if (json_str(module, "name")) {
            json_set_str(placement, json_str(module, "name"), json_str(module, "place"));
        }
    }
    return placement;
}

static int read_problem(const struct trace *trace, struct trace_history *history, struct err *err)
{
    for (size_t i = json_object_array_length(trace->lines); i-- > 0 && !history->told;) {
        CLEANUP(json_put)
        struct json_object *told =
            parsed_member(json_object_array_get_idx(trace->lines, i), "told");
        if (is_problem(told)) {
            history->told = TAKE(told);
        }
    }
    if (!history->told) {
        return err_set(err, ENODATA,
                       "the trace has no line with 'modules', so it tells no placement; 'jsorc "
                       "trace record FILE' makes one that does");
    }
    return policy_problem_read(history->told, &history->problem, err);
}

bool trace_history_placement(const struct trace_history *history, struct json_object *placement,
                             placement_t *ret_placement)
{
    placement_t result = 0;
    for (size_t i = 0; i < history->problem.module_count; i++) {
        const char *place = json_str(placement, history->problem.modules[i].name);
        if (!place) {
            return false;
        }
        result |= (placement_t)(strcmp(place, place_name(PLACE_MODULE)) == 0) << i;
    }
    *ret_placement = result;
    return true;
}

int trace_history_read(const struct trace *trace, struct trace_history *ret_history,
                       struct err *err)
{
    struct trace_history history = {.told = NULL};
    size_t lines = json_object_array_length(trace->lines);
    int failed = read_problem(trace, &history, err);
    if (failed) {
        trace_history_done(&history);
        return failed;
    }
    history.items = xcalloc(lines + 1, sizeof(*history.items));
    CLEANUP(json_put) struct json_object *held = NULL;
    for (size_t i = 0; i < lines; i++) {
        struct json_object *line = json_object_array_get_idx(trace->lines, i);
        CLEANUP(json_put) struct json_object *told = parsed_member(line, "told");
        CLEANUP(json_put) struct json_object *answer = parsed_member(line, "answer");
        placement_t placement = 0;
        if (!is_problem(told) && trace_history_placement(&history, held, &placement)) {
            history.items[history.count++] = (struct measured){
                .placement = placement,
                .told = json_ref(told),
                .line = i,
            };
        }
        if (answer || is_problem(told)) {
            (void)json_put(held);
            held = answer ? json_ref(json_member(answer, "placement", json_type_object))
                          : places_of(told);
        }
    }
    *ret_history = history;
    return 0;
}

void trace_history_done(struct trace_history *history)
{
    for (size_t i = 0; i < history->count; i++) {
        (void)json_put(history->items[i].told);
    }
    free(history->items);
    (void)json_put(history->told);
    policy_problem_done(&history->problem);
    *history = (struct trace_history){.told = NULL};
}

double trace_history_latency_s(const struct trace_history *history, placement_t placement,
                               size_t since, size_t *ret_phases)
{
    double sum_s = 0;
    size_t count = 0;
    for (size_t i = 0; i < history->count; i++) {
        const struct measured *item = &history->items[i];
        double latency_s = json_double(item->told, "mean_latency_s", NAN);
        if (item->placement == placement && item->line >= since && !isnan(latency_s)) {
            sum_s += latency_s;
            count++;
        }
    }
    *ret_phases = count;
    return count > 0 ? sum_s / (double)count : NAN;
}
