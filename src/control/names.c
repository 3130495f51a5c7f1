/* Who serves an action's name when several modules have it: of those that are loaded, the one that
 * was loaded last. What is called from outside finds it through the snapshot. A walker finds what
 * is loaded beside it by itself, so the runtime worker is told which names are not its modules' to
 * serve; when that changes, another generation follows. */
#include "base/alloc.h"
#include "control/control_priv.h"

static const struct action_entry *find_live(const struct module *module, const char *name)
{
    for (size_t i = 0; i < module->action_count; i++) {
        const struct action_entry *entry = module->actions[i];
        if (entry->live && !entry->hidden && strcmp(entry->name, name) == 0) {
            return entry;
        }
    }
    return NULL;
}

bool module_is_covered(const struct control *control, uint32_t index, const char *name)
{
    for (uint32_t i = 0; i < control->module_count; i++) {
        const struct module *other = control->modules[i];
        if (i != index && other->wanted != PLACE_NONE &&
            other->position > control->modules[index]->position && find_live(other, name)) {
            return true;
        }
    }
    return false;
}

/* Names that the module has and must not serve; NULL = none. */
static struct json_object *names_elsewhere(const struct control *control, uint32_t index)
{
    const struct module *module = control->modules[index];
    struct json_object *names = NULL;
    for (size_t i = 0; i < module->action_count; i++) {
        const struct action_entry *entry = module->actions[i];
        if (entry->live && (entry->hidden || module_is_covered(control, index, entry->name))) {
            names = names ? names : json_object_new_array();
            (void)json_object_array_add(names, json_object_new_string(entry->name));
        }
    }
    return names;
}

void names_review(struct control *control)
{
    for (uint32_t i = 0; i < control->module_count; i++) {
        struct module *module = control->modules[i];
        if (module->wanted != PLACE_MODULE) { /* a pod has no walkers that look beside them */
            continue;
        }
        struct json_object *names = names_elsewhere(control, i);
        if (json_object_equal(names, module->elsewhere)) {
            (void)json_put(names);
            continue;
        }
        (void)json_put(module->elsewhere);
        module->elsewhere = names;
        module->revision++;
    }
}
