/* What other daemons with the same state changed in it, and who of them decides. All carry out the
 * same wanted placement, each with workers of its own; what a policy tries is the leader's alone
 * until it is kept. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "control/control_priv.h"
#include "store/store.h"

struct follow {
    struct control *control;
    bool stored[DECIDE_MODULES_MAX];
};

/* NULL is as good as {}: both mean that nothing was given. */
static bool is_equal(struct json_object *object, struct json_object *other)
{
    bool empty = !object || json_object_object_length(object) == 0;
    bool other_empty = !other || json_object_object_length(other) == 0;
    return empty || other_empty ? empty == other_empty : json_object_equal(object, other);
}

static bool is_same(const char *text, const char *other)
{
    return text && other && strcmp(text, other) == 0;
}

/* What runs of the module is not what is stored: another source, other arguments, or it was loaded
 * again, which gives it another position. */
static bool is_renewed(const struct module *module, const struct store_module *row,
                       struct json_object *ctx)
{
    bool loaded = module->wanted != PLACE_NONE && place_of(row->place) != PLACE_NONE;
    return !module->listed || !is_same(module->source, row->source) ||
           !is_same(module->kind, row->kind) || !is_equal(module->ctx, ctx) ||
           (loaded && module->position != row->position);
}

static void take_over(struct control *control, struct module *module,
                      const struct store_module *row, struct json_object *ctx)
{
    str_replace(&module->kind, row->kind);
    str_replace(&module->source, row->source);
    str_replace(&module->loaded_by, row->loaded_by);
    (void)json_put(module->ctx);
    module->ctx = json_ref(ctx);
    module->position = row->position;
    module->listed = true;
    control->last_position =
        row->position > control->last_position ? row->position : control->last_position;
}

static void bring_to(struct control *control, uint32_t index, enum place place)
{
    struct module *module = control->modules[index];
    module->wanted = place;
    module->kept = PLACE_NONE;
    module->asked |= place != PLACE_NONE;
    module->changes++;
    module->broken = false;
    module->retry_ms = 0;
    control->wanted_since_ms[index] = clock_now_ms();
    control->must_publish = true;
    log_info("module follows the state", "module=%s place=%s", module->name, place_name(place));
}

static int follow_one(void *arg, const struct store_module *row)
{
    struct follow *follow = arg;
    struct control *control = follow->control;
    uint32_t index = 0;
    struct err err = {0};
    struct module *module = module_find(control, row->name, &index);
    if (!module) {
        module = module_add(control, row->name, &index, &err);
    }
    if (!module) {
        log_warn("module is not followed", "module=%s error=\"%s\"", row->name, err.text);
        return 0;
    }
    CLEANUP(json_put) struct json_object *ctx = NULL;
    (void)json_parse_object(slice_str(row->ctx), &ctx, NULL);
    follow->stored[index] = true;
    bool renewed = is_renewed(module, row, ctx);
    bool known = module->listed;
    bool ours = module->unsaved & UNSAVED_LOAD; /* later than what is stored */
    bool moved = !ours && place_of(row->place) != module_place(module);
    take_over(control, module, row, ctx);
    module_take_config(control, module, row->config);
    module_take_learnt(control, module, row->learnt);
    if (renewed) {
        module_forget_former(module);
        module->revision++;
    }
    if (renewed || moved) {
        bring_to(control, index, place_of(row->place));
        /* What the leader did not move itself was moved by a person, at another daemon. */
        module->pinned = known && moved && control->leads && control->phases.talk.name;
    }
    return 0;
}

int control_follow(struct control *control, struct err *err)
{
    struct follow follow = {.control = control};
    int failed = store_module_each(control->parts.store, follow_one, &follow, err);
    for (uint32_t i = 0; !failed && i < control->module_count; i++) {
        if (control->modules[i]->listed && !follow.stored[i]) {
            bring_to(control, i, PLACE_NONE);
            module_forget(control->modules[i]);
        }
    }
    control_wake(control);
    return failed ? err_wrap(err, "cannot follow the modules of the state") : 0;
}

void control_lead(struct control *control, bool leads)
{
    if (control->leads == leads) {
        return;
    }
    control->leads = leads;
    if (control->parts.cluster && control->parts.cluster->ops->lead) {
        control->parts.cluster->ops->lead(control->parts.cluster, leads);
    }
    for (uint32_t i = 0; !leads && i < control->module_count; i++) {
        control->modules[i]->unsaved &= UNSAVED_LOAD; /* the rest is for whoever leads now */
    }
    phases_restart(control);
    control_wake(control);
}
