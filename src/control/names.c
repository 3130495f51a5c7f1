/* Who serves an action's name when several modules have it: of those that are loaded, the one that
 * was loaded last. What is called from outside finds it through the snapshot. A walker finds what
 * is loaded beside it by itself, so the runtime worker is told which names are not its modules' to
 * serve; when that changes, another generation follows. */
#include <json-c/linkhash.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "control/control_priv.h"

/* name -> the module that was loaded last, of those that are wanted and have it. */
struct names {
    struct lh_table *table; /* keys and values are borrowed */
};

static void put_all(struct lh_table *table, const struct module *module)
{
    for (size_t i = 0; i < module->action_count; i++) {
        const struct action_entry *entry = module->actions[i];
        if (!entry->live || entry->hidden) {
            continue;
        }
        struct lh_entry *slot = lh_table_lookup_entry(table, entry->name);
        const struct module *other = slot ? lh_entry_v(slot) : NULL;
        if (!slot && lh_table_insert(table, entry->name, module) != 0) {
            abort();
        } else if (other && other->position < module->position) {
            lh_entry_set_val(slot, (void *)(uintptr_t)module);
        }
    }
}

struct names *names_new(const struct control *control)
{
    size_t count = 0;
    for (uint32_t i = 0; i < control->module_count; i++) {
        count += control->modules[i]->action_count;
    }
    struct names *names = xcalloc(1, sizeof(*names));
    names->table = lh_kchar_table_new((int)(2 * count + 1), NULL);
    if (!names->table) {
        abort();
    }
    for (uint32_t i = 0; i < control->module_count; i++) {
        if (control->modules[i]->wanted != PLACE_NONE) {
            put_all(names->table, control->modules[i]);
        }
    }
    return names;
}

struct names *names_free(struct names *names)
{
    if (names) {
        lh_table_free(names->table);
        free(names);
    }
    return NULL;
}

bool names_cover(const struct names *names, const struct module *module, const char *name)
{
    void *found = NULL;
    return lh_table_lookup_ex(names->table, name, &found) &&
           ((const struct module *)found)->position > module->position;
}

/* Names that the module has and must not serve; NULL = none. */
static struct json_object *names_elsewhere(const struct names *all, const struct module *module)
{
    struct json_object *names = NULL;
    for (size_t i = 0; i < module->action_count; i++) {
        const struct action_entry *entry = module->actions[i];
        if (entry->live && (entry->hidden || names_cover(all, module, entry->name))) {
            names = names ? names : json_object_new_array();
            (void)json_object_array_add(names, json_object_new_string(entry->name));
        }
    }
    return names;
}

void names_review(struct control *control)
{
    CLEANUP(names_free) struct names *all = NULL;
    for (uint32_t i = 0; i < control->module_count; i++) {
        struct module *module = control->modules[i];
        if (module->wanted != PLACE_MODULE) { /* a pod has no walkers that look beside them */
            continue;
        }
        all = all ? all : names_new(control);
        struct json_object *names = names_elsewhere(all, module);
        if (json_object_equal(names, module->elsewhere)) {
            (void)json_put(names);
            continue;
        }
        (void)json_put(module->elsewhere);
        module->elsewhere = names;
        module->revision++;
    }
}
