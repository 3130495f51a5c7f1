/* What `jsorc status` shows: modules, workers, moves, with their figures. */
#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "control/control_priv.h"
#include "measure/figures.h"
#include "measure/histogram.h"

static struct json_object *total(const struct figures *all)
{
    struct json_object *object = json_object_new_object();
    struct figure sum;
    figures_sum(all, NULL, PLACE_NONE, NULL, &sum);
    bool good = histogram_count(sum.latency) > 0;
    json_set_int(object, "calls", (int64_t)sum.calls);
    json_set_int(object, "failed", (int64_t)sum.errors);
    json_set_double(object, "p50_ms", good ? histogram_quantile(sum.latency, 0.5) / 1e6 : NAN);
    json_set_double(object, "p99_ms", good ? histogram_quantile(sum.latency, 0.99) / 1e6 : NAN);
    json_set_double(object, "exec_ms",
                    sum.executions ? (double)sum.exec_ns / (double)sum.executions / 1e6 : NAN);
    histogram_free(sum.latency);
    return object;
}

/* Calls of everybody in all places together. */
static struct json_object *figures(const struct action_stats *stats, size_t count)
{
    CLEANUP(figures_free) struct figures *all = figures_new(0);
    for (size_t i = 0; i < count; i++) {
        figures_add(all, NULL, NULL, PLACE_NONE, &stats[i]);
    }
    return total(all);
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
    json_set_bool(object, "pinned", module->pinned);
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
        if (action_is_live(control, index, module->actions[i])) {
            json_set(actions, module->actions[i]->name, figures(module->actions[i]->stats, 2));
        }
    }
    json_set(object, "actions", actions);
    return object;
}

/* How calls reach a pod that is not on this host: at the addresses of its replicas, or through a
 * socket of its provider that leads there. NULL = none is known. */
static const char *access_of(const struct instance *instance)
{
    if (!instance->targets) {
        return NULL;
    }
    return instance->targets->items[0]->address.ss_family == AF_UNIX ? "forward" : "direct";
}

static struct json_object *instance_status(const struct instance *instance)
{
    static const char *const states[] = {[INSTANCE_STARTING] = "starting",
                                         [INSTANCE_READY] = "ready",
                                         [INSTANCE_DRAINING] = "draining",
                                         [INSTANCE_STOPPING] = "stopping"};
    static const char *const healths[] = {[HEALTH_GOOD] = "good",
                                          [HEALTH_WORN] = "worn",
                                          [HEALTH_HUNG] = "hung",
                                          [HEALTH_AWAY] = "away"};
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
    if (instance_is_away(instance)) {
        json_set_int(object, "replicas", instance->targets ? instance->targets->count : 0);
        json_set_str(object, "access", access_of(instance));
        json_set_str(object, "reason", instance->trouble);
    }
    json_set_int(object, "pss_kb", instance->memory.pss_kb);
    json_set_int(object, "peak_kb", instance->memory.peak_kb);
    json_set_int(object, "in_flight", target_set_in_flight(instance->targets));
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

static struct json_object *walkers_status(const struct control *control)
{
    struct json_object *walkers = json_object_new_object();
    const struct walker_stats *node = NULL;
    while ((node = action_stats_next(&control->walker_stats, node))) {
        CLEANUP(figures_free) struct figures *one = figures_new(0);
        figures_add_series(one, &(struct figure){.walker = node->node.name}, &node->stats);
        json_set(walkers, node->node.name, total(one));
    }
    return walkers;
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
    json_set(status, "walkers", walkers_status(control));
    json_set(status, "moves", moves_status(control));
    json_set_int(status, "move_count", (int64_t)control->move_count);
    json_set_double(status, "uptime_s", (double)(clock_unix_ms() - control->started_ms) / 1000);
    return status;
}
