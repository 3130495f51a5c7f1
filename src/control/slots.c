/* The slots that modules lie in. Instances, waiters and the policy know a module by its slot's
 * number; I/O loops do not, but they, and whoever compares figures, hold pointers to its names and
 * figures. So a forgotten module's slot may be given to another one as soon as nobody goes by its
 * number any more, and what it was is only put aside: its figures go on to be what they were. */
#include <errno.h>

#include "action/publisher.h"
#include "base/alloc.h"
#include "base/err.h"
#include "control/control_priv.h"

#define FORGOTTEN_MAX 8192 /* put aside; some 10 KB each with the figures of a few actions */

static bool is_awaited(const struct control *control, uint32_t index)
{
    for (const struct waiter *waiter = control->waiters; waiter; waiter = waiter->next) {
        if (waiter->module == index) {
            return true;
        }
    }
    return false;
}

static bool runs(const struct control *control, uint32_t index)
{
    for (uint32_t i = 0; i < control->instance_count; i++) {
        if (instance_find(control->instances[i], index)) {
            return true;
        }
    }
    return false;
}

static bool is_in_problem(const struct phases *phases, uint32_t index)
{
    for (size_t i = 0; phases->talk.name && i < phases->module_count; i++) {
        if (phases->modules[i] == index) {
            return true;
        }
    }
    return false;
}

static bool is_free(const struct control *control, uint32_t index)
{
    const struct module *module = control->modules[index];
    return !module->listed && module->wanted == PLACE_NONE &&
           control->published[index].choice == CHOICE_NONE && !runs(control, index) &&
           !is_awaited(control, index) && !is_in_problem(&control->phases, index);
}

/* What only a module that is known needs is given back. */
static void put_aside(struct control *control, uint32_t index)
{
    struct module *module = control->modules[index];
    module->config = json_put(module->config);
    module->ctx = json_put(module->ctx);
    module->info = json_put(module->info);
    module->elsewhere = json_put(module->elsewhere);
    str_replace(&module->error, NULL);
    control->forgotten =
        xrealloc(control->forgotten, (control->forgotten_count + 1) * sizeof(struct module *));
    control->forgotten[control->forgotten_count++] = module;
}

/* A slot of a forgotten module; DECIDE_MODULES_MAX = none. */
static uint32_t find_free(const struct control *control)
{
    uint32_t index = DECIDE_MODULES_MAX;
    if (control->forgotten_count < FORGOTTEN_MAX) {
        for (index = 0; index < control->module_count && !is_free(control, index);) {
            index++;
        }
    }
    return index;
}

struct module *module_add(struct control *control, const char *name, uint32_t *ret_index,
                          struct err *err)
{
    uint32_t index = control->module_count;
    if (index == DECIDE_MODULES_MAX) {
        index = find_free(control);
        if (index == DECIDE_MODULES_MAX) {
            bool full = control->forgotten_count == FORGOTTEN_MAX;
            (void)err_set(err, ENOSPC, "more than %d modules; %s", DECIDE_MODULES_MAX,
                          full ? "too many were unloaded since the daemon began: start it anew"
                               : "unload some ('jsorc actions unload module NAME')");
            return NULL;
        }
        put_aside(control, index);
    } else {
        control->module_count++;
    }
    struct module *module = xcalloc(1, sizeof(*module));
    module->name = xstrdup(name);
    control->modules[index] = module;
    control->published[index] = (struct plan_route){CHOICE_NONE, NO_INSTANCE};
    control->plan.routes[index] = control->published[index];
    control->served[index] = PLACE_NONE;
    control->last_place[index] = PLACE_NONE;
    control->wanted_since_ms[index] = 0;
    *ret_index = index;
    return module;
}

void module_take_back(struct control *control, uint32_t index)
{
    if (index == control->module_count - 1) {
        control->modules[--control->module_count] = module_free(control->modules[index]);
    } /* else it stays as one that is forgotten, and its slot is free again */
}

void modules_free(struct control *control)
{
    for (uint32_t i = 0; i < control->module_count; i++) {
        (void)module_free(control->modules[i]);
    }
    for (size_t i = 0; i < control->forgotten_count; i++) {
        (void)module_free(control->forgotten[i]);
    }
    free(control->forgotten);
}
