/* What runs: generations of the runtime worker, pods, and servers of others, from their start to
 * their end. Events only change the instance and wake the control; what follows from them is
 * decided in the next turn. */
#include <assert.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "control/control_priv.h"
#include "http/client.h"

const struct seen_loaded *instance_find(const struct instance *instance, uint32_t module)
{
    for (uint32_t i = 0; i < instance->loaded_count; i++) {
        if (instance->loaded[i].module == module) {
            return &instance->loaded[i];
        }
    }
    return NULL;
}

static void set_state(struct instance *instance, enum instance_state state)
{
    instance->state = state;
    instance->since_ms = clock_now_ms();
    control_wake(instance->control);
}

struct instance *instance_new(struct control *control, bool runtime)
{
    assert(control->instance_count < DECIDE_INSTANCES_MAX);
    struct instance *instance = xcalloc(1, sizeof(*instance));
    instance->id = ++control->last_instance_id;
    instance->control = control;
    instance->runtime = runtime;
    instance->generation = ++control->generation;
    instance->state = INSTANCE_STARTING;
    instance->start_ms = instance->since_ms = clock_now_ms();
    instance->look = look_new(false);
    control->instances[control->instance_count++] = instance;
    return instance;
}

void instance_forget(struct instance *instance)
{
    struct control *control = instance->control;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < control->instance_count; i++) {
        if (control->instances[i] != instance) {
            control->instances[kept++] = control->instances[i];
        }
    }
    control->instance_count = kept;
    target_set_retire(instance->targets, NULL);
    target_set_unref(instance->targets);
    http_client_free(instance->probe);
    look_forget(instance);
    (void)json_put(instance->first_info);
    free(instance->trouble);
    free(instance->trouble_text);
    server_free(instance->server);
    if (instance->pod) {
        instance->pod->ops->free_pod(instance->pod);
    }
    free(instance->loaded);
    free(instance);
    control->must_publish = true;
    control_wake(control);
}

uint32_t target_id_new(struct control *control)
{
    return ++control->last_target_id;
}

struct target *instance_target(const struct instance *instance)
{
    return instance->targets ? instance->targets->items[0] : NULL;
}

static const char *instance_name(const struct instance *instance)
{
    return instance->pod ? instance->pod->name : "server";
}

/* ---- what the provider tells ---- */

static void on_ready(void *arg, struct json_object *info)
{
    struct instance *instance = arg;
    struct target *target =
        target_new_local(target_id_new(instance->control), instance->pod->socket_path);
    instance_first_probe(instance, target, json_member(info, "modules", json_type_object));
}

static void stop(struct instance *instance)
{
    set_state(instance, INSTANCE_STOPPING);
    if (instance->pod) {
        instance->pod->ops->stop(instance->pod, instance->control->settings.stop_grace_ms);
    }
}

static bool has_walkers(struct json_object *info)
{
    struct json_object *walkers = json_member(info, "walkers", json_type_array);
    return walkers && json_object_array_length(walkers) > 0;
}

void instance_ready(struct instance *instance, struct target_set *targets,
                    struct json_object *modules)
{
    struct control *control = instance->control;
    for (uint32_t i = 0; !instance->runtime && i < instance->loaded_count; i++) {
        uint32_t index = instance->loaded[i].module;
        struct module *module = control->modules[index];
        struct json_object *info = json_member(modules, module->name, json_type_object);
        if (!has_walkers(info)) {
            continue;
        }
        target_set_unref(targets);
        if (module->wanted == PLACE_MODULE) { /* it was on trial, and has loaded */
            module_loaded(control, index, info);
            stop(instance);
        } else {
            instance_failed(instance, module->name, "it " MODULE_HAS_WALKERS, NULL);
        }
        return;
    }
    instance->targets = targets;
    for (uint32_t i = 0; i < instance->loaded_count; i++) {
        uint32_t index = instance->loaded[i].module;
        struct json_object *info =
            json_member(modules, control->modules[index]->name, json_type_object);
        if (info) {
            module_loaded(control, index, info);
        }
        if (instance->loaded[i].revision == control->modules[index]->revision) {
            module_forget_former(control->modules[index]);
        }
    }
    figures_note_start(instance);
    if (instance->runtime) {
        control->runtime_retry_ms = 0;
    }
    log_info("worker ready", "worker=%s pid=%d modules=%u start_ms=%llu", instance_name(instance),
             instance->pod ? instance->pod->pid : 0, instance->loaded_count,
             (unsigned long long)(clock_now_ms() - instance->start_ms));
    set_state(instance, INSTANCE_READY);
}

/* A generation failed without a word about which module it was: those that no serving generation
 * has are under suspicion, all of them if there is no other. */
static void blame(struct instance *instance, const char *text, const char *hint)
{
    struct control *control = instance->control;
    bool blamed = false;
    for (int pass = 0; pass < 2 && !blamed; pass++) {
        for (uint32_t i = 0; i < instance->loaded_count; i++) {
            uint32_t index = instance->loaded[i].module;
            bool serves = false;
            for (uint32_t k = 0; k < control->instance_count; k++) {
                serves |= control->instances[k]->state == INSTANCE_READY &&
                          instance_find(control->instances[k], index) != NULL;
            }
            if (!serves || pass == 1) {
                module_failed(control, index, text, hint);
                blamed = true;
            }
        }
    }
}

void instance_failed(struct instance *instance, const char *module, const char *text,
                     const char *hint)
{
    struct control *control = instance->control;
    uint32_t index = 0;
    if (instance->state == INSTANCE_STOPPING) {
        return; /* overtaken, and its end was ours */
    }
    control->counts.start_failures[instance->runtime] += !instance->server;
    if (module && module_find(control, module, &index)) {
        module_failed(control, index, text, hint);
    } else {
        blame(instance, text, hint);
    }
    stop(instance);
}

static void on_failed(void *arg, const struct pod_failure *failure)
{
    instance_failed(arg, failure->module, failure->text, failure->hint);
}

/* It ended by itself while it served: wait a little longer each time it happens. */
static void note_crash(struct instance *instance, const char *how)
{
    struct control *control = instance->control;
    uint64_t now_ms = clock_now_ms();
    control->counts.unexpected_ends[instance->runtime]++;
    log_warn("worker ended", "worker=%s how=\"%s\"", instance_name(instance), how);
    for (uint32_t i = 0; i < instance->loaded_count; i++) {
        control->modules[instance->loaded[i].module]->restarts++;
    }
    if (instance->runtime) {
        bool soon = now_ms - control->runtime_failed_ms < STABLE_MS;
        control->runtime_failures = soon ? control->runtime_failures + 1 : 0;
        control->runtime_failed_ms = now_ms;
        control->runtime_retry_ms =
            control->runtime_failures ? now_ms + backoff_ms(control->runtime_failures) : 0;
        return;
    }
    for (uint32_t i = 0; i < instance->loaded_count; i++) {
        struct module *module = control->modules[instance->loaded[i].module];
        bool soon = now_ms - module->failed_ms < STABLE_MS;
        module->failures = soon ? module->failures + 1 : 0;
        module->failed_ms = now_ms;
        module->retry_ms = module->failures ? now_ms + backoff_ms(module->failures) : 0;
    }
}

static void on_exited(void *arg, const char *how, bool expected)
{
    struct instance *instance = arg;
    bool served = instance->state == INSTANCE_READY || instance->state == INSTANCE_DRAINING;
    if (served && !expected) {
        note_crash(instance, how);
    } else if (instance->state == INSTANCE_STARTING) { /* ready, and gone before its probe */
        instance_failed(instance, NULL, "the worker ended right after its start", NULL);
    }
    instance_forget(instance);
}

/* ---- start ---- */

void instance_listen(struct instance *instance)
{
    instance->events = (struct pod_events){.ready = on_ready,
                                           .failed = on_failed,
                                           .exited = on_exited,
                                           .replicas = instance_replicas,
                                           .trouble = instance_trouble,
                                           .arg = instance};
}

static void set_loaded(struct instance *instance, const uint32_t *set, uint32_t count)
{
    instance->loaded = xcalloc(count, sizeof(instance->loaded[0]));
    instance->loaded_count = count;
    for (uint32_t i = 0; i < count; i++) {
        instance->loaded[i] =
            (struct seen_loaded){set[i], instance->control->modules[set[i]]->revision};
    }
}

/* In the order of loading: a later module's action takes the name of an earlier one's. */
static struct json_object *specs_in_order(const struct control *control, const uint32_t *set,
                                          uint32_t count, bool remote)
{
    struct json_object *specs = json_object_new_array();
    int64_t after = -1;
    for (uint32_t n = 0; n < count; n++) {
        const struct module *next = NULL;
        for (uint32_t i = 0; i < count; i++) {
            const struct module *module = control->modules[set[i]];
            if (module->position > after && (!next || module->position < next->position)) {
                next = module;
            }
        }
        if (!next) {
            break;
        }
        after = next->position;
        (void)json_object_array_add(specs, module_spec(next, remote));
    }
    return specs;
}

/* provider: NULL = there is none, which err tells. */
static void start_pod(struct instance *instance, struct provider *provider, struct pod_spec *spec,
                      struct err *err)
{
    struct control *control = instance->control;
    instance_listen(instance);
    control->counts.starts[instance->runtime]++;
    spec->generation = instance->generation;
    spec->threads_max = control->settings.threads_max;
    spec->unmeasured = control->settings.unmeasured;
    instance->pod = provider ? provider->ops->start(provider, spec, &instance->events, err) : NULL;
    if (!instance->pod) {
        instance_failed(instance, NULL, err->text, NULL);
        instance_forget(instance);
    }
}

void instance_start_runtime(struct control *control, const uint32_t *set, uint32_t count)
{
    struct instance *instance = instance_new(control, true);
    set_loaded(instance, set, count);
    CLEANUP(json_put) struct json_object *specs = specs_in_order(control, set, count, false);
    CLEANUP(str_free) char *name = xasprintf("runtime-%lld", (long long)instance->generation);
    struct err err = {0};
    struct pod_spec spec = {
        .name = name, .log_name = "runtime", .role = POD_RUNTIME, .modules = specs};
    for (uint32_t i = 0; i < count; i++) {
        const struct module *module = control->modules[set[i]];
        int64_t memory_max_mb = module_memory_max_mb(control, module);
        spec.python |= !module_is_native(module);
        spec.memory_max_mb =
            memory_max_mb > spec.memory_max_mb ? memory_max_mb : spec.memory_max_mb;
    }
    start_pod(instance, control->parts.provider, &spec, &err);
}

void instance_start_remote(struct control *control, uint32_t index)
{
    const struct module *module = control->modules[index];
    struct instance *instance = instance_new(control, false);
    set_loaded(instance, &index, 1);
    if (strcmp(module->kind, "server") == 0) {
        instance->server = server_start(instance, module->source);
        return;
    }
    CLEANUP(json_put)
    struct json_object *specs = specs_in_order(control, &index, 1, module->wanted == PLACE_REMOTE);
    CLEANUP(str_free)
    char *name = xasprintf("%s-%lld", module->name, (long long)instance->generation);
    struct err err = {0};
    struct pod_spec spec = {
        .name = name,
        .log_name = module->name,
        .role = POD_REMOTE,
        .python = !module_is_native(module),
        .modules = specs,
        .memory_max_mb = module_memory_max_mb(control, module),
    };
    pod_spec_away(module, &spec);
    start_pod(instance, provider_of(control, module, &err), &spec, &err);
}

/* ---- end ---- */

void instance_drain(struct instance *instance, uint64_t now_ms)
{
    instance->state = INSTANCE_DRAINING;
    instance->since_ms = now_ms;
    target_set_retire(instance->targets, NULL);
    instance->control->must_publish = true;
}

void instance_stop(struct instance *instance, uint64_t now_ms)
{
    /* A call that hangs would hold up an orderly end for nothing. */
    bool ill = instance->health != HEALTH_GOOD;
    uint64_t grace_ms = ill ? 500 : instance->control->settings.stop_grace_ms;
    bool looks = look_and_stop(instance, grace_ms);
    instance->state = INSTANCE_STOPPING;
    instance->since_ms = now_ms;
    if (looks) {
        return;
    }
    if (instance->pod) {
        instance->pod->ops->stop(instance->pod, grace_ms);
    } else {
        instance_forget(instance);
    }
}
