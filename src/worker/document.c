#include "worker/document.h"

#include "base/json.h"
#include "base/json_put.h"
#include "measure/histogram.h"
#include "worker/registry.h"

static struct json_object *names_of(const struct worker_action *action)
{
    struct json_object *names = json_object_new_array();
    size_t count = json_object_array_length(action->params_json);
    for (size_t i = 0; i < count; i++) {
        const char *name = json_str(json_object_array_get_idx(action->params_json, i), "name");
        (void)json_object_array_add(names, json_object_new_string(name));
    }
    return names;
}

/* Whether a call of the name really reaches the action: another module may have it by now. */
static bool serves(const struct registry *registry, const struct worker_action *action,
                   const char *full)
{
    return name_map_find(&registry->full, slice_str(full)) == action;
}

struct json_object *document_spec(const struct registry *registry)
{
    struct json_object *spec = json_object_new_object();
    for (size_t i = 0; i < registry->action_count; i++) {
        const struct worker_action *action = registry->actions[i];
        if (serves(registry, action, action->name)) {
            json_set(spec, action->name, names_of(action));
        }
        for (unsigned k = 0; k < action->alias_count; k++) {
            if (serves(registry, action, action->aliases[k])) {
                json_set(spec, action->aliases[k], names_of(action));
            }
        }
    }
    return spec;
}

static struct json_object *describe(const struct worker_action *action)
{
    struct json_object *row = json_object_new_object();
    json_set(row, "params", json_ref(action->params_json));
    if (action->doc) {
        json_set_str(row, "doc", action->doc);
    }
    if (action->returns) {
        json_set_str(row, "returns", action->returns);
    }
    if (action->idempotent) {
        json_set_bool(row, "idempotent", true);
    }
    if (action->timeout_ms > 0) {
        json_set_int(row, "timeout_ms", (int64_t)action->timeout_ms);
    }
    return row;
}

static void add_described(struct json_object *rows, const struct worker_action *action,
                          const char *name)
{
    struct json_object *row = describe(action);
    if (name != action->name) {
        json_set_str(row, "alias_of", action->name);
    }
    json_set(rows, name, row);
}

struct json_object *document_full_spec(const struct registry *registry)
{
    struct json_object *spec = json_object_new_object();
    for (size_t i = 0; i < registry->action_count; i++) {
        const struct worker_action *action = registry->actions[i];
        if (serves(registry, action, action->name)) {
            add_described(spec, action, action->name);
            json_set_str(json_member(spec, action->name, json_type_object), "module",
                         action->module->name);
        }
        for (unsigned k = 0; k < action->alias_count; k++) {
            if (serves(registry, action, action->aliases[k])) {
                add_described(spec, action, action->aliases[k]);
            }
        }
    }
    return spec;
}

static struct json_object *describe_walker(const struct worker_walker *walker)
{
    struct json_object *row = json_object_new_object();
    if (walker->params) {
        json_set(row, "params", json_ref(walker->params));
    }
    if (walker->doc) {
        json_set_str(row, "doc", walker->doc);
    }
    return row;
}

static struct json_object *describe_module(const struct registry *registry,
                                           const struct worker_module *module)
{
    struct json_object *row = json_object_new_object();
    json_set_str(row, "kind", module->kind);
    json_set_str(row, "source", module->source);
    json_set_str(row, "loaded_module", module->loaded_module);
    json_set_double(row, "load_ms", module->load_ms);
    json_set_int(row, "mem_kb", module->mem_kb);
    if (module->note) {
        json_set_str(row, "note", module->note);
    }
    struct json_object *walkers = json_object_new_array();
    struct json_object *walker_specs = json_object_new_object();
    json_set(row, "walkers", walkers);
    json_set(row, "walker_specs", walker_specs);
    for (size_t i = 0; i < registry->walker_count; i++) {
        const struct worker_walker *walker = registry->walkers[i];
        if (walker->module == module) {
            (void)json_object_array_add(walkers, json_object_new_string(walker->name));
            json_set(walker_specs, walker->name, describe_walker(walker));
        }
    }
    struct json_object *actions = json_object_new_object();
    json_set(row, "actions", actions);
    for (size_t i = 0; i < registry->action_count; i++) {
        const struct worker_action *action = registry->actions[i];
        if (action->module != module) {
            continue;
        }
        add_described(actions, action, action->name);
        for (unsigned k = 0; k < action->alias_count; k++) {
            add_described(actions, action, action->aliases[k]);
        }
    }
    return row;
}

struct json_object *document_modules(const struct registry *registry)
{
    struct json_object *modules = json_object_new_object();
    for (size_t i = 0; i < registry->module_count; i++) {
        json_set(modules, registry->modules[i]->name,
                 describe_module(registry, registry->modules[i]));
    }
    return modules;
}

static struct json_object *figures_of(const struct worker_stat *stat)
{
    struct json_object *row = json_object_new_object();
    json_set_int(row, "calls", (int64_t)atomic_load(&stat->calls));
    json_set_int(row, "errors", (int64_t)atomic_load(&stat->errors));
    json_set_double(row, "exec_s", (double)atomic_load(&stat->exec_ns) / 1e9);
    return row;
}

struct json_object *document_action_figures(const struct registry *registry)
{
    struct json_object *rows = json_object_new_object();
    for (size_t i = 0; i < registry->action_count; i++) {
        const struct worker_action *action = registry->actions[i];
        if (serves(registry, action, action->name)) {
            json_set(rows, action->name, figures_of(&action->stat));
        }
    }
    return rows;
}

struct json_object *document_walker_figures(const struct registry *registry)
{
    struct json_object *rows = json_object_new_object();
    for (size_t i = 0; i < registry->walker_count; i++) {
        json_set(rows, registry->walkers[i]->name, figures_of(&registry->walkers[i]->stat));
    }
    return rows;
}

static void put_buckets(struct buf *out, const struct call_stats *stats)
{
    const struct histogram *latency = atomic_load(&stats->latency);
    const char *comma = "";
    uint64_t count;
    for (size_t i = 0; latency && histogram_next(latency, &i, &count); i++) {
        json_put_text(out, comma);
        json_put_number(out, i);
        json_put_text(out, ",");
        json_put_number(out, count);
        comma = ",";
    }
}

static const char *put_local_calls(struct buf *out, const char *comma,
                                   const struct worker_action *action, const char *walker,
                                   const struct call_stats *stats)
{
    uint64_t errors = atomic_load(&stats->errors); /* before the calls: never more than these */
    uint64_t calls = atomic_load(&stats->calls);
    if (calls == 0) {
        return comma;
    }
    json_put_text(out, comma);
    json_put_text(out, "{\"module\":");
    json_put_string(out, slice_str(action->module->name));
    json_put_text(out, ",\"action\":");
    json_put_string(out, slice_str(action->name));
    if (walker) {
        json_put_text(out, ",\"walker\":");
        json_put_string(out, slice_str(walker));
    }
    json_put_text(out, ",\"calls\":");
    json_put_number(out, calls);
    json_put_text(out, ",\"errors\":");
    json_put_number(out, errors);
    json_put_text(out, ",\"exec_ns\":");
    json_put_number(out, atomic_load(&stats->exec_ns));
    json_put_text(out, ",\"nested_ns\":");
    json_put_number(out, atomic_load(&stats->nested_ns));
    json_put_text(out, ",\"histogram\":[");
    put_buckets(out, stats);
    json_put_text(out, "]}");
    return ",";
}

static const char *put_remote_calls(struct buf *out, const char *comma,
                                    const struct nested_series *series, enum worker_place place,
                                    const struct walker_stats *node)
{
    uint64_t latency_ns = atomic_load(&node->stats.latency_ns);
    json_put_text(out, comma);
    json_put_text(out, "{\"action\":");
    json_put_string(out, slice_str(series->node.name));
    json_put_text(out, ",\"place\":");
    json_put_string(out, slice_str(worker_place_name(place)));
    json_put_text(out, ",\"walker\":");
    json_put_string(out, slice_str(node->node.name));
    json_put_text(out, ",\"latency_ns\":");
    json_put_number(out, latency_ns);
    json_put_text(out, ",\"histogram\":[");
    put_buckets(out, &node->stats);
    json_put_text(out, "]}");
    return ",";
}

void document_figures(const struct registry *registry, struct buf *out)
{
    const char *comma = "";
    json_put_text(out, "{\"local_calls\":[");
    for (size_t i = 0; i < registry->action_count; i++) {
        const struct worker_action *action = registry->actions[i];
        const struct walker_stats *node = NULL;
        comma = put_local_calls(out, comma, action, NULL, &action->local.outside);
        while ((node = action_stats_next(&action->local, node))) {
            comma = put_local_calls(out, comma, action, node->node.name, &node->stats);
        }
    }
    json_put_text(out, "],\"remote_calls\":[");
    comma = "";
    const struct nested_series *series = NULL;
    while ((series = nested_stats_next(&registry->nested, series))) {
        for (enum worker_place place = WORKER_PLACE_MODULE; place < WORKER_PLACES; place++) {
            const struct walker_stats *node = NULL;
            while ((node = action_stats_next(&series->places[place], node))) {
                comma = put_remote_calls(out, comma, series, place, node);
            }
        }
    }
    json_put_text(out, "]}");
}
