/* What the API shows of the control's state. */
#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "control/control_priv.h"
#include "measure/histogram.h"

static const char *text_of(struct json_object *object, const char *name)
{
    const char *text = json_str(object, name);
    return text ? text : NULL;
}

static bool is_server(const struct module *module)
{
    return strcmp(module->kind, "server") == 0;
}

static const struct instance *instance_by_id(const struct control *control, uint32_t id)
{
    for (uint32_t i = 0; i < control->instance_count; i++) {
        if (control->instances[i]->id == id) {
            return control->instances[i];
        }
    }
    return NULL;
}

/* The newest pod of the module in that state; NULL = none. */
static const struct instance *pod_in_state(const struct control *control, uint32_t module,
                                           enum instance_state state)
{
    const struct instance *found = NULL;
    for (uint32_t i = 0; i < control->instance_count; i++) {
        const struct instance *instance = control->instances[i];
        if (!instance->runtime && instance->state == state && instance_find(instance, module)) {
            found = instance;
        }
    }
    return found;
}

static struct json_object *remote_state(const struct control *control, uint32_t index)
{
    const struct module *module = control->modules[index];
    struct json_object *remote = json_object_new_object();
    const struct instance *pod = pod_in_state(control, index, INSTANCE_READY);
    const char *status = pod ? "READY" : NULL;
    if (!pod && (pod = pod_in_state(control, index, INSTANCE_STARTING))) {
        status = "STARTING";
    }
    if (!pod && (pod = pod_in_state(control, index, INSTANCE_DRAINING))) {
        status = "RETIRING";
    }
    if (!pod && module->wanted == PLACE_REMOTE) {
        status = module->broken ? "FAILED" : "STARTING";
    }
    CLEANUP(str_free) char *url = NULL;
    if (status && is_server(module)) {
        url = xstrdup(module->source);
    } else if (pod && pod->pod && pod->pod->socket_path) {
        url = xasprintf("unix:%s", pod->pod->socket_path);
    }
    json_set_str(remote, "url", url);
    json_set_str(remote, "status", status);
    if (module->broken && module->wanted == PLACE_REMOTE) {
        json_set_str(remote, "reason", module->error);
    }
    return remote;
}

struct json_object *control_action_state(const struct control *control, const char *name)
{
    uint32_t index = 0;
    const struct module *module = module_find(control, name, &index);
    if (!module || !module->asked) {
        return NULL;
    }
    struct json_object *state = json_object_new_object();
    struct json_object *in_module = json_object_new_object();
    struct json_object *local = json_object_new_object();
    bool serves = control->published[index].choice == CHOICE_TARGET;
    bool here = serves && control->served[index] == PLACE_MODULE;
    const char *mode = serves ? place_name(control->served[index]) : NULL;
    json_set_str(state, "mode", mode);
    const char *configured = text_of(module->config, "module");
    json_set_str(in_module, "name", here ? (configured ? configured : module->source) : NULL);
    json_set_str(in_module, "loaded_module", text_of(module->info, "loaded_module"));
    json_set(state, "module", in_module);
    bool file = strcmp(module->kind, "python-file") == 0 || module_is_native(module);
    json_set_str(local, "path", file ? module->source : NULL);
    json_set(state, "local", local);
    json_set(state, "remote", remote_state(control, index));
    if (module->error) {
        json_set_str(state, "message", module->error);
    }
    return state;
}

struct json_object *control_action_modes(const struct control *control)
{
    struct json_object *modes = json_object_new_object();
    for (uint32_t i = 0; i < control->module_count; i++) {
        if (!control->modules[i]->asked) {
            continue;
        }
        bool serves = control->published[i].choice == CHOICE_TARGET;
        struct json_object *entry = json_object_new_object();
        json_set_str(entry, "mode", serves ? place_name(control->served[i]) : NULL);
        json_set(modes, control->modules[i]->name, entry);
    }
    return modes;
}

static bool is_live(const struct control *control, uint32_t module,
                    const struct action_entry *entry)
{
    return entry->live && !entry->hidden && control->modules[module]->listed &&
           control->published[module].choice != CHOICE_NONE;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(json_object_get_string(*(struct json_object *const *)a),
                  json_object_get_string(*(struct json_object *const *)b));
}

static bool array_has(struct json_object *array, const char *text)
{
    for (size_t i = 0; i < json_object_array_length(array); i++) {
        if (strcmp(json_object_get_string(json_object_array_get_idx(array, i)), text) == 0) {
            return true;
        }
    }
    return false;
}

struct json_object *control_action_names(const struct control *control, const char *prefix)
{
    struct json_object *names = json_object_new_array();
    for (uint32_t i = 0; i < control->module_count; i++) {
        const struct module *module = control->modules[i];
        for (size_t k = 0; k < module->action_count; k++) {
            const char *name = module->actions[k]->name;
            if (is_live(control, i, module->actions[k]) &&
                strncmp(name, prefix, strlen(prefix)) == 0 && !array_has(names, name)) {
                (void)json_object_array_add(names, json_object_new_string(name));
            }
        }
    }
    json_object_array_sort(names, by_text);
    return names;
}

struct json_object *control_module_names(const struct control *control, bool detailed)
{
    struct json_object *result = detailed ? json_object_new_object() : json_object_new_array();
    for (uint32_t i = 0; i < control->module_count; i++) {
        const struct module *module = control->modules[i];
        if (!module->listed || control->published[i].choice != CHOICE_TARGET) {
            continue;
        }
        const char *loaded = text_of(module->info, "loaded_module");
        const char *name = loaded ? loaded : module->source;
        if (!detailed) {
            (void)json_object_array_add(result, json_object_new_string(name));
            continue;
        }
        struct json_object *actions = json_object_new_array();
        for (size_t k = 0; k < module->action_count; k++) {
            if (is_live(control, i, module->actions[k])) {
                (void)json_object_array_add(actions,
                                            json_object_new_string(module->actions[k]->name));
            }
        }
        json_set(result, name, actions);
    }
    return result;
}

struct json_object *control_action_sets(const struct control *control)
{
    struct json_object *sets = json_object_new_object();
    struct json_object *local = json_object_new_array(), *remote = json_object_new_array();
    struct json_object *imported = json_object_new_array();
    for (uint32_t i = 0; i < control->module_count; i++) {
        const struct module *module = control->modules[i];
        if (module->listed && module->wanted != PLACE_NONE) {
            bool by_name = strcmp(module->kind, "python-module") == 0;
            struct json_object *list = is_server(module) ? remote : by_name ? imported : local;
            (void)json_object_array_add(list, json_object_new_string(module->source));
        }
    }
    json_set(sets, "local", local);
    json_set(sets, "remote", remote);
    json_set(sets, "module", imported);
    return sets;
}

struct json_object *control_actions_full(const struct control *control)
{
    struct json_object *full = json_object_new_object();
    for (uint32_t i = 0; i < control->module_count; i++) {
        const struct module *module = control->modules[i];
        struct json_object *known = json_member(module->info, "actions", json_type_object);
        for (size_t k = 0; k < module->action_count; k++) {
            const struct action_entry *entry = module->actions[k];
            struct json_object *spec = json_member(known, entry->name, json_type_object);
            if (!spec || !is_live(control, i, entry)) {
                continue;
            }
            struct json_object *copy = NULL;
            if (json_object_deep_copy(spec, &copy, NULL) == 0) {
                json_set_str(copy, "module", module->name);
                json_set(full, entry->name, copy);
            }
        }
    }
    return full;
}

struct json_object *control_walker_names(const struct control *control)
{
    struct json_object *names = json_object_new_array();
    for (uint32_t i = 0; i < control->module_count; i++) {
        struct json_object *walkers =
            json_member(control->modules[i]->info, "walkers", json_type_array);
        bool live = control->modules[i]->listed && control->published[i].choice != CHOICE_NONE;
        for (size_t k = 0; live && walkers && k < json_object_array_length(walkers); k++) {
            (void)json_object_array_add(names, json_ref(json_object_array_get_idx(walkers, k)));
        }
    }
    return names;
}

const char *control_module_of_action(const struct control *control, const char *action)
{
    const struct module *found = NULL;
    for (uint32_t i = 0; i < control->module_count; i++) {
        const struct module *module = control->modules[i];
        for (size_t k = 0; k < module->action_count; k++) {
            if (strcmp(module->actions[k]->name, action) == 0 &&
                is_live(control, i, module->actions[k]) &&
                (!found || module->position > found->position)) {
                found = module;
            }
        }
    }
    return found ? found->name : NULL;
}

char *control_module_by_any_name(const struct control *control, const char *name)
{
    for (uint32_t i = 0; i < control->module_count; i++) {
        const struct module *module = control->modules[i];
        const char *loaded = json_str(module->info, "loaded_module");
        if (module->listed &&
            (strcmp(module->name, name) == 0 || strcmp(module->source, name) == 0 ||
             (loaded && strcmp(loaded, name) == 0))) {
            return xstrdup(module->name);
        }
    }
    return NULL;
}

int64_t control_memory_mb(const struct control *control, const char *name)
{
    const struct module *module = module_find(control, name, NULL);
    if (!module) {
        return 0;
    }
    double declared_mb = json_double(module->config, "local_mem_requirement", 0);
    return declared_mb > 0 ? (int64_t)declared_mb : json_int(module->info, "mem_kb", 0) / 1024;
}

bool control_is_known(const struct control *control, const char *name)
{
    return module_find(control, name, NULL) != NULL;
}

bool control_was_asked(const struct control *control, const char *name)
{
    const struct module *module = module_find(control, name, NULL);
    return module && module->asked;
}

enum place control_wanted(const struct control *control, const char *name)
{
    const struct module *module = module_find(control, name, NULL);
    return module ? module->wanted : PLACE_NONE;
}

bool control_serves(const struct control *control, const char *name, enum place place)
{
    uint32_t index = 0;
    return module_find(control, name, &index) &&
           control->published[index].choice == CHOICE_TARGET && control->served[index] == place;
}

const char *control_error(const struct control *control, const char *name)
{
    const struct module *module = module_find(control, name, NULL);
    return module ? module->error : NULL;
}

/* ---- jsorc status ---- */

static struct json_object *figures(const struct call_stats *stats, size_t count)
{
    struct json_object *object = json_object_new_object();
    struct histogram *all = histogram_new();
    uint64_t calls = 0, errors = 0, exec_ns = 0;
    for (size_t i = 0; i < count; i++) {
        struct histogram *latency = atomic_load(&stats[i].latency);
        calls += atomic_load(&stats[i].calls);
        errors += atomic_load(&stats[i].errors);
        exec_ns += atomic_load(&stats[i].exec_ns);
        if (latency) {
            histogram_merge(all, latency);
        }
    }
    uint64_t good = histogram_count(all);
    json_set_int(object, "calls", (int64_t)calls);
    json_set_int(object, "failed", (int64_t)errors);
    json_set_double(object, "p50_ms", good ? histogram_quantile(all, 0.5) / 1e6 : NAN);
    json_set_double(object, "p99_ms", good ? histogram_quantile(all, 0.99) / 1e6 : NAN);
    json_set_double(object, "exec_ms", good ? (double)exec_ns / (double)good / 1e6 : NAN);
    histogram_free(all);
    return object;
}

static const char *state_of(const struct control *control, uint32_t index)
{
    const struct module *module = control->modules[index];
    static const char *const choices[] = {[CHOICE_TARGET] = "ready",
                                          [CHOICE_WAIT] = "starting",
                                          [CHOICE_FAILED] = "failed",
                                          [CHOICE_NONE] = "unloaded"};
    const struct plan_route *route = &control->published[index];
    if (route->choice == CHOICE_TARGET && module->wanted != control->served[index]) {
        return "moving";
    }
    return choices[route->choice];
}

static struct json_object *module_status(const struct control *control, uint32_t index)
{
    const struct module *module = control->modules[index];
    struct json_object *object = json_object_new_object();
    const struct plan_route *route = &control->published[index];
    const struct instance *instance =
        route->choice == CHOICE_TARGET ? instance_by_id(control, route->instance) : NULL;
    bool serves = route->choice == CHOICE_TARGET;
    json_set_str(object, "name", module->name);
    json_set_str(object, "kind", module->kind);
    json_set_str(object, "source", module->source);
    json_set_str(object, "place", serves ? place_name(control->served[index]) : NULL);
    json_set_str(object, "wanted", place_name(module->wanted));
    json_set_str(object, "state", state_of(control, index));
    json_set_str(object, "worker", instance && instance->pod ? instance->pod->name : NULL);
    json_set_int(object, "pid", instance && instance->pod ? instance->pod->pid : 0);
    /* Of a pod its own memory; in the runtime worker what loading it added. */
    int64_t added_kb = json_int(module->info, "mem_kb", 0);
    int64_t mem_kb = instance && !instance->runtime && instance->memory.pss_kb
                         ? instance->memory.pss_kb
                         : added_kb;
    json_set_int(object, "mem_kb", mem_kb);
    json_set_double(object, "load_ms", json_double(module->info, "load_ms", 0));
    json_set_int(object, "restarts", module->restarts);
    json_set_str(object, "error", module->error);
    json_set(object, "walkers", json_ref(json_member(module->info, "walkers", json_type_array)));
    struct json_object *actions = json_object_new_object();
    for (size_t i = 0; i < module->action_count; i++) {
        if (is_live(control, index, module->actions[i])) {
            json_set(actions, module->actions[i]->name, figures(module->actions[i]->stats, 2));
        }
    }
    json_set(object, "actions", actions);
    return object;
}

static struct json_object *instance_status(const struct instance *instance)
{
    static const char *const states[] = {[INSTANCE_STARTING] = "starting",
                                         [INSTANCE_READY] = "ready",
                                         [INSTANCE_DRAINING] = "draining",
                                         [INSTANCE_STOPPING] = "stopping"};
    static const char *const healths[] = {
        [HEALTH_GOOD] = "good", [HEALTH_WORN] = "worn", [HEALTH_HUNG] = "hung"};
    const struct control *control = instance->control;
    struct json_object *object = json_object_new_object();
    struct json_object *modules = json_object_new_array();
    for (uint32_t i = 0; i < instance->loaded_count; i++) {
        const char *name = control->modules[instance->loaded[i].module]->name;
        (void)json_object_array_add(modules, json_object_new_string(name));
    }
    json_set_str(object, "name", instance->pod ? instance->pod->name : "server");
    json_set_str(object, "role", instance->runtime ? "runtime" : "pod");
    json_set_int(object, "generation", instance->generation);
    json_set_int(object, "pid", instance->pod ? instance->pod->pid : 0);
    json_set_str(object, "state", states[instance->state]);
    json_set_str(object, "health", healths[instance->health]);
    json_set_int(object, "pss_kb", instance->memory.pss_kb);
    json_set_int(object, "peak_kb", instance->memory.peak_kb);
    json_set_int(object, "in_flight",
                 instance->target ? (int64_t)atomic_load(&instance->target->in_flight) : 0);
    json_set(object, "modules", modules);
    return object;
}

static struct json_object *moves_status(const struct control *control)
{
    struct json_object *moves = json_object_new_array();
    uint64_t first = control->move_count > MOVES_KEPT ? control->move_count - MOVES_KEPT : 0;
    for (uint64_t i = first; i < control->move_count; i++) {
        const struct move *move = &control->moves[i % MOVES_KEPT];
        struct json_object *object = json_object_new_object();
        json_set_str(object, "module", move->module);
        json_set_str(object, "from", place_name(move->from));
        json_set_str(object, "to", place_name(move->to));
        json_set_double(object, "at", (double)move->at_ms / 1000);
        json_set_int(object, "took_ms", (int64_t)move->took_ms);
        (void)json_object_array_add(moves, object);
    }
    return moves;
}

struct json_object *control_status(const struct control *control)
{
    struct json_object *status = json_object_new_object();
    struct json_object *modules = json_object_new_array();
    struct json_object *workers = json_object_new_array();
    for (uint32_t i = 0; i < control->module_count; i++) {
        if (control->modules[i]->listed) {
            (void)json_object_array_add(modules, module_status(control, i));
        }
    }
    for (uint32_t i = 0; i < control->instance_count; i++) {
        (void)json_object_array_add(workers, instance_status(control->instances[i]));
    }
    json_set(status, "modules", modules);
    json_set(status, "workers", workers);
    json_set(status, "walker_runs", figures(&control->walker_stats, 1));
    json_set(status, "moves", moves_status(control));
    json_set_int(status, "move_count", (int64_t)control->move_count);
    json_set_double(status, "uptime_s", (double)(clock_unix_ms() - control->started_ms) / 1000);
    return status;
}
