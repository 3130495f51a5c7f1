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

const struct instance *instance_by_id(const struct control *control, uint32_t id)
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

/* ret_message: what keeps its pod from its work; borrowed, NULL = nothing. */
static struct json_object *remote_state(const struct control *control, uint32_t index,
                                        const char **ret_message)
{
    const struct module *module = control->modules[index];
    struct json_object *remote = json_object_new_object();
    const struct instance *pod = pod_in_state(control, index, INSTANCE_READY);
    bool serves =
        control->published[index].choice == CHOICE_TARGET && control->served[index] == PLACE_REMOTE;
    const char *status = NULL;
    if (pod) {
        /* One that became ready since the last turn does not serve yet, and who polls for READY
         * means to call. */
        bool awaited = module->wanted == PLACE_REMOTE && !serves;
        status = awaited ? "STARTING" : "READY";
    }
    if (!pod && (pod = pod_in_state(control, index, INSTANCE_STARTING))) {
        status = module->broken && module->wanted == PLACE_REMOTE ? "FAILED" : "STARTING";
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
    } else if (pod && pod->pod && pod->pod->url) {
        url = xstrdup(pod->pod->url);
    } else if (pod && pod->pod && pod->pod->socket_path) {
        url = xasprintf("unix:%s", pod->pod->socket_path);
    }
    json_set_str(remote, "url", url);
    json_set_str(remote, "status", status);
    if (pod && pod->trouble) {
        json_set_str(remote, "reason", pod->trouble);
        *ret_message = pod->trouble_text;
    } else if (module->broken && module->wanted == PLACE_REMOTE) {
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
    const char *message = NULL;
    json_set(state, "remote", remote_state(control, index, &message));
    message = module->error ? module->error : message;
    if (message) {
        json_set_str(state, "message", message);
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

bool action_is_live(const struct control *control, uint32_t module,
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
            if (action_is_live(control, i, module->actions[k]) &&
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
            if (action_is_live(control, i, module->actions[k])) {
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
            if (!spec || !action_is_live(control, i, entry)) {
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

struct json_object *control_walkers_full(const struct control *control)
{
    struct json_object *all = json_object_new_array();
    for (uint32_t i = 0; i < control->module_count; i++) {
        struct json_object *info = control->modules[i]->info;
        struct json_object *walkers = json_member(info, "walkers", json_type_array);
        struct json_object *specs = json_member(info, "walker_specs", json_type_object);
        bool live = control->modules[i]->listed && control->published[i].choice != CHOICE_NONE;
        for (size_t k = 0; live && walkers && k < json_object_array_length(walkers); k++) {
            struct json_object *name = json_object_array_get_idx(walkers, k);
            struct json_object *spec =
                json_member(specs, json_object_get_string(name), json_type_object);
            struct json_object *row = json_object_new_object();
            json_set(row, "name", json_ref(name));
            json_set(row, "params", json_ref(json_member(spec, "params", json_type_array)));
            json_set_str(row, "doc", json_str(spec, "doc"));
            (void)json_object_array_add(all, row);
        }
    }
    return all;
}

const char *control_module_of_action(const struct control *control, const char *action)
{
    const struct module *found = NULL;
    for (uint32_t i = 0; i < control->module_count; i++) {
        const struct module *module = control->modules[i];
        for (size_t k = 0; k < module->action_count; k++) {
            if (strcmp(module->actions[k]->name, action) == 0 &&
                action_is_live(control, i, module->actions[k]) &&
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

bool control_has_config(const struct control *control, const char *name, struct json_object *config)
{
    const struct module *module = module_find(control, name, NULL);
    return module && json_object_equal(module->config, config);
}

enum place control_kept(const struct control *control, const char *name)
{
    const struct module *module = module_find(control, name, NULL);
    return module ? module_place(module) : PLACE_NONE;
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
