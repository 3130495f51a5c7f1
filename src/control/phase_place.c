/* Brings modules where a policy wants them, by setting module->wanted as a person's load does.
 * module->kept is where a module goes back to; only that is saved (modules.c). */
#include <string.h>

#include "action/publisher.h"
#include "base/clock.h"
#include "control/control_priv.h"
#include "control/phases.h"

static struct module *module_at(const struct control *control, size_t index)
{
    return control->modules[control->phases.modules[index]];
}

static void want(struct control *control, uint32_t index, enum place place)
{
    struct module *module = control->modules[index];
    if (module->wanted == place || module->wanted == PLACE_NONE) {
        return;
    }
    module->wanted = place;
    module->changes++;
    module->broken = false;
    module->retry_ms = 0;
    control->wanted_since_ms[index] = clock_now_ms();
    control->must_publish = true;
}

void phase_note_changes(struct control *control)
{
    for (size_t i = 0; i < control->phases.module_count; i++) {
        control->phases.changes[i] = module_at(control, i)->changes;
    }
}

/* Where the placement has the module; PLACE_NONE = it is there, or is not the policy's to move. */
static enum place place_for(const struct control *control, placement_t placement, size_t i)
{
    const struct module *module = module_at(control, i);
    enum place place = placement_local(placement, i) ? PLACE_MODULE : PLACE_REMOTE;
    bool fixed = policy_problem(control->phases.talk.policy)->modules[i].fixed;
    bool moves = !fixed && module->wanted != PLACE_NONE && module->wanted != place;
    return moves ? place : PLACE_NONE;
}

static void move(struct control *control, size_t i, enum place place)
{
    struct module *module = module_at(control, i);
    module->kept = module->kept == PLACE_NONE ? module->wanted : module->kept;
    control->phases.given_up &= ~((placement_t)1 << i);
    want(control, control->phases.modules[i], place);
}

void phase_apply(struct control *control, placement_t placement)
{
    const struct phases *phases = &control->phases;
    static const enum place ORDER[] = {PLACE_REMOTE, PLACE_MODULE};
    size_t moved = 0, most = phases->pressed ? 1 : phases->module_count;
    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; i < phases->module_count && moved < most; i++) {
            if (place_for(control, placement, i) == ORDER[k]) {
                move(control, i, ORDER[k]);
                moved++;
            }
        }
    }
    phase_note_changes(control);
}

bool phase_is_behind(const struct control *control, placement_t placement)
{
    bool behind = false;
    for (size_t i = 0; i < control->phases.module_count; i++) {
        behind |= place_for(control, placement, i) != PLACE_NONE;
    }
    return behind;
}

void phase_keep(struct control *control)
{
    if (control->phases.pressed) {
        return;
    }
    for (size_t i = 0; i < control->phases.module_count; i++) {
        struct module *module = module_at(control, i);
        bool changed = module->kept != PLACE_NONE && module->kept != module->wanted;
        bool given_up = (control->phases.given_up >> i) & 1;
        if (given_up) {
            continue;
        }
        module->kept = PLACE_NONE;
        if (changed) {
            module_save_later(control, module, UNSAVED_KEPT);
        }
    }
}

void phase_abandon(struct control *control)
{
    for (uint32_t i = 0; i < control->module_count; i++) {
        struct module *module = control->modules[i];
        if (module->kept != PLACE_NONE) {
            want(control, i, module->kept);
            module->kept = PLACE_NONE;
        }
    }
}

placement_t phase_missing(const struct control *control, placement_t *ret_failed)
{
    placement_t absent = 0;
    bool frozen = control->plan.frozen_by != NO_MODULE;
    *ret_failed = 0;
    for (size_t i = 0; i < control->phases.module_count; i++) {
        const struct module *module = module_at(control, i);
        uint32_t index = control->phases.modules[i];
        bool serves = control->published[index].choice == CHOICE_TARGET &&
                      control->served[index] == module->wanted;
        bool given_up = (control->phases.given_up >> i) & 1;
        if (module->wanted != PLACE_NONE && !serves && !given_up) {
            bool failed = module->broken || (frozen && module->wanted == PLACE_MODULE);
            absent |= (placement_t)1 << i;
            *ret_failed |= (placement_t)failed << i;
        }
    }
    return absent;
}

bool phase_is_calm(const struct control *control)
{
    bool calm = publisher_settled(control->parts.publisher) && !control->must_publish;
    for (uint32_t i = 0; i < control->instance_count; i++) {
        calm &= control->instances[i]->state != INSTANCE_DRAINING &&
                control->instances[i]->state != INSTANCE_STARTING;
    }
    return calm;
}

bool phase_is_placed(const struct module *module)
{
    return module->listed && module->wanted != PLACE_NONE;
}

size_t phase_listed(const struct control *control)
{
    size_t listed = 0;
    for (uint32_t i = 0; i < control->module_count; i++) {
        listed += phase_is_placed(control->modules[i]);
    }
    return listed;
}

bool phase_is_disturbed(const struct control *control)
{
    const struct phases *phases = &control->phases;
    bool disturbed = phase_listed(control) != phases->listed;
    for (size_t i = 0; i < phases->module_count; i++) {
        disturbed |= module_at(control, i)->changes != phases->changes[i];
    }
    return disturbed;
}
