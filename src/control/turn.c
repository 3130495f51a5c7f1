/* One turn of the control: look, decide, act, and tell those who wait. */
#include <errno.h>

#include "action/publisher.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "control/control_priv.h"
#include "measure/histogram.h"

#define TICK_MS  1000 /* at the latest */
#define DRAIN_MS 10   /* while something drains or a snapshot is not yet seen by all loops */

static struct seen_module seen_modules[DECIDE_MODULES_MAX]; /* control thread only */
static struct seen_instance seen_instances[DECIDE_INSTANCES_MAX];

static void observe(struct control *control, uint64_t now_ms, struct observation *ret)
{
    bool settled = publisher_settled(control->parts.publisher);
    for (uint32_t i = 0; i < control->module_count; i++) {
        const struct module *module = control->modules[i];
        seen_modules[i] = (struct seen_module){.wanted = module->wanted,
                                               .revision = module->revision,
                                               .walkers = module->walkers,
                                               .broken = module->broken,
                                               .retry_ms = module->retry_ms};
    }
    for (uint32_t i = 0; i < control->instance_count; i++) {
        struct instance *instance = control->instances[i];
        instance_check(instance, now_ms);
        seen_instances[i] = (struct seen_instance){
            .runtime = instance->runtime,
            .state = instance->state,
            .health = instance->health,
            .since_ms = instance->since_ms,
            .in_flight = target_set_in_flight(instance->targets),
            .unseen = settled && !control->must_publish,
            .loaded = instance->loaded,
            .loaded_count = instance->loaded_count,
        };
    }
    *ret = (struct observation){.modules = seen_modules,
                                .module_count = control->module_count,
                                .instances = seen_instances,
                                .instance_count = control->instance_count,
                                .runtime_retry_ms = control->runtime_retry_ms,
                                .drain_timeout_ms = control->settings.drain_timeout_ms};
}

static void act(struct control *control, uint64_t now_ms)
{
    const struct plan *plan = &control->plan;
    struct instance *ended[DECIDE_INSTANCES_MAX]; /* indices change when instances go */
    for (uint32_t i = 0; i < plan->drain_count; i++) {
        instance_drain(control->instances[plan->drain[i]], now_ms);
    }
    for (uint32_t i = 0; i < plan->stop_count; i++) {
        ended[i] = control->instances[plan->stop[i]];
    }
    /* The new placement first: nothing that was routed to may end before. */
    if (control_must_publish(control)) {
        control_publish(control);
    }
    for (uint32_t i = 0; i < plan->stop_count; i++) {
        instance_stop(ended[i], now_ms);
    }
    if (control->released) { /* what would start now would only have to end */
        return;
    }
    /* Old workers that do not end fill the table: what is to be started waits for its place. */
    uint32_t room = DECIDE_INSTANCES_MAX - control->instance_count;
    for (uint32_t i = 0; i < plan->start_remote_count && room > 1; i++, room--) {
        instance_start_remote(control, plan->start_remote[i]);
    }
    if (plan->start_runtime && room > 0) {
        instance_start_runtime(control, plan->runtime_set, plan->runtime_count);
    }
}

/* ---- those who wait for a load ---- */

/* A ready generation still has the module: its walkers call it there. */
static bool is_in_runtime(const struct control *control, uint32_t module)
{
    for (uint32_t i = 0; i < control->instance_count; i++) {
        const struct instance *instance = control->instances[i];
        if (instance->runtime && instance->state == INSTANCE_READY &&
            instance_find(instance, module)) {
            return true;
        }
    }
    return false;
}

/* The module for whose sake the runtime worker stays as it is; NULL = none. */
static const struct module *frozen_by_module(const struct control *control)
{
    uint32_t index = control->plan.frozen_by;
    return index == NO_MODULE ? NULL : control->modules[index];
}

/* 1 = it is done, 0 = not yet, negative = it failed: -EIO itself, -EAGAIN for another's sake. */
static int waiter_state(const struct control *control, const struct waiter *waiter)
{
    const struct module *module = control->modules[waiter->module];
    const struct plan_route *route = &control->published[waiter->module];
    if (module->changes != waiter->change || module->wanted != waiter->place) {
        return -ECANCELED;
    }
    if (module->broken && module->failed_ms >= waiter->begun_ms) {
        return -EIO;
    }
    const struct module *frozen_by = frozen_by_module(control);
    if (frozen_by && waiter->place == PLACE_MODULE && frozen_by->failed_ms >= waiter->begun_ms) {
        return -EAGAIN;
    }
    bool leaves = waiter->place != PLACE_MODULE && !frozen_by;
    if (!publisher_settled(control->parts.publisher) ||
        (leaves && is_in_runtime(control, waiter->module))) {
        return 0;
    }
    if (waiter->place == PLACE_NONE) {
        return 1;
    }
    if (route->choice != CHOICE_TARGET || control->served[waiter->module] != waiter->place) {
        return 0;
    }
    for (uint32_t i = 0; i < control->instance_count; i++) {
        const struct instance *instance = control->instances[i];
        const struct seen_loaded *loaded = instance_find(instance, waiter->module);
        if (instance->id == route->instance && loaded && loaded->revision == module->revision) {
            return 1;
        }
    }
    return 0;
}

/* It was named by this load alone, say by a file that is none: nothing of it is to be kept. */
static bool is_known_by_its_load_only(const struct module *module)
{
    bool configured = module->config && json_object_object_length(module->config) > 0;
    return !module->proven && !configured;
}

/* A load that failed leaves the module what it was, where it serves; one that serves nowhere is
 * given up unless it was well before. */
static void give_up(struct control *control, const struct waiter *waiter)
{
    struct module *module = control->modules[waiter->module];
    bool serves = control->published[waiter->module].choice == CHOICE_TARGET;
    if (serves) {
        module_put_former_back(module);
        module->wanted = control->served[waiter->module];
        module->broken = false;
        for (uint32_t i = 0; i < control->instance_count; i++) {
            const struct seen_loaded *loaded = instance_find(control->instances[i], waiter->module);
            if (control->instances[i]->id == control->published[waiter->module].instance &&
                loaded) {
                module->revision = loaded->revision;
            }
        }
    } else if (is_known_by_its_load_only(module) &&
               control_unload(control, module->name, true, NULL) == 0) {
        return;
    } else if (!module->proven) {
        module->wanted = PLACE_NONE;
    }
    /* Else the next daemon would try again what was given up. */
    module_save_later(control, module, UNSAVED_LOAD);
}

/* What to know of a module though it is there; owned by the caller; NULL = nothing. */
static char *note_of(const struct module *module)
{
    bool server = strcmp(module->kind, "server") == 0;
    if (server && module->ctx && json_object_object_length(module->ctx) > 0) {
        return xstrdup("its ctx was not used: a server has done its own setup");
    }
    const char *note = json_str(module->info, "note");
    return note ? xstrdup(note) : NULL;
}

/* What is to be told of a verdict; owned by the caller; NULL = nothing. */
static char *waiter_text(const struct control *control, const struct waiter *waiter)
{
    const struct module *frozen_by = frozen_by_module(control);
    switch (waiter->verdict) {
    case -ETIMEDOUT:
        return xstrdup("it is still starting");
    case -ECANCELED:
        return xstrdup("another change of this module came later");
    case -EIO:
        return xstrdup(control->modules[waiter->module]->error);
    case -EAGAIN:
        return xasprintf("the runtime worker cannot be renewed: its module '%s' serves but does "
                         "not load any more: %s",
                         frozen_by->name, frozen_by->error);
    case 1:
        return waiter->place == PLACE_NONE ? NULL : note_of(control->modules[waiter->module]);
    default:
        return NULL;
    }
}

static void tell_waiters(struct control *control, uint64_t now_ms)
{
    struct waiter **at = &control->waiters;
    struct waiter *told = NULL;
    while (*at) {
        struct waiter *waiter = *at;
        int state = waiter_state(control, waiter);
        if (state == 0 && now_ms < waiter->deadline_ms) {
            at = &waiter->next;
            continue;
        }
        *at = waiter->next;
        waiter->next = told;
        told = waiter;
        waiter->verdict = state == 0 ? -ETIMEDOUT : state;
    }
    while (told) { /* apart from the walk above: done may load again */
        struct waiter *waiter = told;
        int state = waiter->verdict;
        told = waiter->next;
        CLEANUP(str_free) char *why = waiter_text(control, waiter);
        if (state == -EIO || state == -EAGAIN) {
            give_up(control, waiter);
            control_wake(control);
        }
        waiter->done(waiter->arg, state > 0 ? 0 : state, why);
        free(waiter);
    }
}

void control_release(struct control *control)
{
    control->released = true;
    refreshes_end(control, true);
    outlooks_end(control, true);
    thought_drop(TAKE(control->phases.thought)); /* else the end waited for it */
    while (control->waiters) {
        struct waiter *waiter = control->waiters;
        control->waiters = waiter->next;
        waiter->done(waiter->arg, -ECANCELED, "jsorc ends; the load is taken up at its next start");
        free(waiter);
    }
}

/* ---- the end ---- */

static void finish_stop(struct control *control, uint64_t now_ms)
{
    if (control->stopping && control->stopped &&
        (control->instance_count == 0 || now_ms >= control->stop_deadline_ms)) {
        void (*stopped)(void *arg) = TAKE(control->stopped);
        stopped(control->stopped_arg);
    }
}

static void schedule(struct control *control, uint64_t now_ms)
{
    uint64_t due_ms = now_ms + TICK_MS;
    due_ms = control->plan.wake_ms < due_ms ? control->plan.wake_ms : due_ms;
    bool busy = !publisher_settled(control->parts.publisher) || control->must_publish;
    for (uint32_t i = 0; i < control->instance_count; i++) {
        busy |= control->instances[i]->state == INSTANCE_DRAINING;
    }
    uint64_t phase_ms = phases_due_ms(control);
    if (phase_ms > now_ms && phase_ms < due_ms) { /* one that is past waits for an event */
        due_ms = phase_ms;
    }
    due_ms = busy ? now_ms + DRAIN_MS : due_ms;
    loop_timer_set(control->parts.loop, &control->timer, due_ms);
}

/* Before those who wait for a load hear of it: what they ask for next finds the change noted. */
static void tell_placement(struct control *control)
{
    bool moved = control->placement_moved;
    control->placement_moved = false;
    if (moved && control->on_placement) {
        control->on_placement(control->on_placement_arg);
    }
}

void control_turn(struct control *control)
{
    uint64_t begun_ns = clock_now_ns(), now_ms = begun_ns / 1000000;
    control->counts.turn_began_ns = begun_ns;
    if (!control->stopping) {
        struct observation seen;
        saves_turn(control, now_ms);
        phases_turn(control, now_ms);
        if (control->must_publish) {
            names_review(control);
        }
        observe(control, now_ms, &seen);
        decide(&seen, now_ms, &control->plan);
        act(control, now_ms);
        cluster_settle(control);
        tell_placement(control);
        tell_waiters(control, now_ms);
    } else {
        control->plan.wake_ms = UINT64_MAX;
        finish_stop(control, now_ms);
    }
    publisher_reclaim(control->parts.publisher);
    schedule(control, now_ms);
    uint64_t took_ns = clock_now_ns() - begun_ns;
    control->counts.turning_ns += took_ns;
    histogram_add(control->counts.turning, took_ns);
}
