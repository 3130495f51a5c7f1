#include "control/control.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "control/control_priv.h"
#include "http/client.h"
#include "measure/benchmark.h"
#include "measure/histogram.h"

static void on_timer(void *arg)
{
    control_turn(arg);
}

static void on_wake(void *arg)
{
    struct control *control = arg;
    atomic_store(&control->woken, false);
    control_turn(control);
}

struct control *control_new(const struct control_parts *parts,
                            const struct control_settings *settings)
{
    struct control *control = xcalloc(1, sizeof(*control));
    control->parts = *parts;
    control->settings = *settings;
    control->thinking = (struct thinking){.jobs = parts->jobs, .loop = parts->loop};
    control->timer = (struct loop_timer){.fn = on_timer, .arg = control};
    control->wake_task = (struct loop_task){.fn = on_wake, .arg = control};
    control->started_ms = clock_unix_ms();
    control->started_ns = clock_now_ns();
    control->must_publish = true;
    control->leads = true;
    control->counts.moving = histogram_new();
    control->counts.turning = histogram_new();
    action_stats_init(&control->walker_stats, CONTROL_WALKERS_MAX, &control->stats_budget);
    for (uint32_t i = 0; i < DECIDE_MODULES_MAX; i++) {
        control->published[i] = (struct plan_route){CHOICE_NONE, NO_INSTANCE};
    }
    control->published_runtime = (struct plan_route){CHOICE_NONE, NO_INSTANCE};
    return control;
}

struct module *module_free(struct module *module)
{
    for (size_t i = 0; i < module->action_count; i++) {
        action_stats_done(&module->actions[i]->stats[0]);
        action_stats_done(&module->actions[i]->stats[1]);
        free(module->actions[i]->name);
        free(module->actions[i]);
    }
    free(module->actions);
    module_forget_former(module);
    free(module->name);
    free(module->kind);
    free(module->source);
    free(module->loaded_by);
    free(module->error);
    (void)json_put(module->config);
    (void)json_put(module->ctx);
    (void)json_put(module->info);
    (void)json_put(module->elsewhere);
    free(module);
    return NULL;
}

struct control *control_free(struct control *control)
{
    if (!control) {
        return NULL;
    }
    loop_timer_clear(control->parts.loop, &control->timer);
    refreshes_end(control, false);
    outlooks_end(control, false);
    while (control->instance_count > 0) {
        instance_forget(control->instances[0]);
    }
    modules_free(control);
    while (control->waiters) {
        struct waiter *waiter = control->waiters;
        control->waiters = waiter->next;
        free(waiter);
    }
    for (size_t i = 0; i < MOVES_KEPT; i++) {
        free(control->moves[i].module);
    }
    if (control->auth) {
        control->parts.auth_unref(control->auth);
    }
    benchmark_unref(control->benchmark);
    phases_done(&control->phases);
    thinking_done(&control->thinking); /* the job pool has ended */
    phase_lines_drop(control);
    action_stats_done(&control->walker_stats);
    histogram_free(control->counts.moving);
    histogram_free(control->counts.turning);
    free(control);
    return NULL;
}

int control_restore(struct control *control, struct err *err)
{
    int failed = modules_restore(control, err);
    if (!failed) {
        names_review(control);
        for (uint32_t i = 0; i < control->module_count; i++) {
            control->modules[i]->revision = 0; /* the pods that run tell the last one */
        }
        instances_adopt(control);
        phases_restore(control);
    }
    return failed;
}

void control_start(struct control *control)
{
    control_turn(control);
}

void control_stop(struct control *control, uint64_t grace_ms, void (*done)(void *arg), void *arg)
{
    uint64_t now_ms = clock_now_ms();
    control->stopping = true;
    control->stopped = done;
    control->stopped_arg = arg;
    control->stop_deadline_ms = now_ms + grace_ms + 1000;
    uint64_t ask_ms =
        grace_ms < control->settings.stop_grace_ms ? grace_ms : control->settings.stop_grace_ms;
    for (uint32_t i = control->instance_count; i-- > 0;) { /* backwards: servers go at once */
        struct instance *instance = control->instances[i];
        instance->state = INSTANCE_STOPPING;
        if (instance->pod && !instance->pod->ops->pods_stay) {
            instance->pod->ops->stop(instance->pod, ask_ms);
        } else {
            instance_forget(instance);
        }
    }
    control_wake(control);
}

void control_wake(struct control *control)
{
    if (!atomic_exchange(&control->woken, true)) {
        loop_post(control->parts.loop, &control->wake_task);
    }
}

void control_set_auth(struct control *control, struct auth_table *table)
{
    if (control->auth) {
        control->parts.auth_unref(control->auth);
    }
    control->auth = table;
    control->must_publish = true;
    control_wake(control);
}

/* At once: who is told that it began may send the next request. */
void control_set_benchmark(struct control *control, struct benchmark *benchmark)
{
    benchmark_unref(control->benchmark);
    control->benchmark = benchmark_ref(benchmark);
    control->must_publish = true;
    control_turn(control);
}

void control_on_placement(struct control *control, void (*fn)(void *arg), void *arg)
{
    control->on_placement = fn;
    control->on_placement_arg = arg;
}
