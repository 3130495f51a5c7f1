/* From the plan's routes to the snapshot that the I/O loops read. */
#include "action/publisher.h"
#include "action/snapshot.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "control/control_priv.h"
#include "measure/benchmark.h"
#include "measure/histogram.h"

/* A plan speaks of indices, which change when an instance goes; publications are compared by id. */
static struct plan_route by_id(const struct control *control, struct plan_route route)
{
    if (route.choice == CHOICE_TARGET) {
        route.instance = control->instances[route.instance]->id;
    }
    return route;
}

static bool same(struct plan_route a, struct plan_route b)
{
    return a.choice == b.choice && a.instance == b.instance;
}

bool control_must_publish(const struct control *control)
{
    if (control->must_publish ||
        !same(by_id(control, control->plan.runtime), control->published_runtime)) {
        return true;
    }
    for (uint32_t i = 0; i < control->module_count; i++) {
        if (!same(by_id(control, control->plan.routes[i]), control->published[i])) {
            return true;
        }
    }
    return false;
}

static void fill_route(const struct control *control, struct plan_route planned, const char *name,
                       const char *why, struct module_route *ret)
{
    ret->name = xstrdup(name);
    if (planned.choice == CHOICE_TARGET) {
        const struct instance *instance = control->instances[planned.instance];
        ret->state = ROUTE_READY;
        ret->targets = target_set_ref(instance->targets);
        ret->remote = !instance->runtime;
    } else if (planned.choice == CHOICE_WAIT) {
        ret->state = ROUTE_WAITING;
    } else {
        ret->state = ROUTE_FAILED;
        ret->why = why && planned.choice == CHOICE_FAILED ? xstrdup(why) : NULL;
    }
}

/* Why there are no walkers: a module that has some did not start, or one of which nobody knows yet
 * whether it has. NULL = none is wanted. */
static char *why_no_walkers(const struct control *control)
{
    for (uint32_t i = 0; i < control->module_count; i++) {
        const struct module *module = control->modules[i];
        bool may_have = module->walkers || (!module->info && module->wanted == PLACE_MODULE);
        if (control->plan.routes[i].choice == CHOICE_FAILED && may_have) {
            return xasprintf("module '%s' did not start: %s", module->name,
                             module->error ? module->error : "not known why");
        }
    }
    return NULL;
}

static size_t count_actions(const struct control *control)
{
    size_t count = 0;
    for (uint32_t i = 0; i < control->module_count; i++) {
        count += control->modules[i]->action_count;
    }
    return count;
}

static void fill_actions(struct control *control, const struct names *names, uint32_t index,
                         struct snapshot *snapshot)
{
    struct module *module = control->modules[index];
    struct module_route *route = &snapshot->modules[index];
    if (control->plan.routes[index].choice == CHOICE_NONE) {
        return;
    }
    for (size_t i = 0; i < module->action_count; i++) {
        struct action_entry *entry = module->actions[i];
        if (!entry->live || entry->hidden || snapshot->action_count == ACTION_COUNT_MAX ||
            names_cover(names, module, entry->name)) {
            continue;
        }
        snapshot->actions[snapshot->action_count++] = (struct action_route){
            .name = xstrdup(entry->name),
            .module = route,
            .stats = &entry->counts_as->stats[route->remote ? 1 : 0],
            .timeout_ms = entry->timeout_ms,
            .idempotent = entry->idempotent,
        };
    }
}

static void count_move(struct control *control, const struct move *move)
{
    struct control_counts *counts = &control->counts;
    counts->moves[move->from][move->to]++;
    counts->moving_ns += move->took_ms * 1000000;
    histogram_add(counts->moving, move->took_ms * 1000000);
}

/* A module that was out of service meanwhile has moved, too, if it comes back elsewhere. */
static void remember_place(struct control *control, uint32_t index, enum place place)
{
    enum place *last = &control->last_place[index];
    if (place != PLACE_NONE) {
        control->placement_moved |= *last != PLACE_NONE && *last != place;
        *last = place;
    }
}

/* Remembers what was published, and each shift as a move. */
static void remember(struct control *control)
{
    uint64_t now_ms = clock_now_ms();
    for (uint32_t i = 0; i < control->module_count; i++) {
        struct plan_route route = control->plan.routes[i];
        enum place place = PLACE_NONE;
        if (route.choice == CHOICE_TARGET) {
            place = control->instances[route.instance]->runtime ? PLACE_MODULE : PLACE_REMOTE;
        }
        if (place != control->served[i] && place != PLACE_NONE &&
            control->served[i] != PLACE_NONE) {
            struct move *move = &control->moves[control->move_count++ % MOVES_KEPT];
            str_replace(&move->module, control->modules[i]->name);
            move->from = control->served[i];
            move->to = place;
            move->at_ms = clock_unix_ms();
            move->took_ms = now_ms - control->wanted_since_ms[i];
            count_move(control, move);
            log_info("module moved", "module=%s from=%s to=%s took_ms=%llu", move->module,
                     place_name(move->from), place_name(move->to),
                     (unsigned long long)move->took_ms);
        }
        control->served[i] = route.choice == CHOICE_WAIT ? control->served[i] : place;
        remember_place(control, i, place);
        control->published[i] = by_id(control, route);
    }
    control->published_runtime = by_id(control, control->plan.runtime);
}

void control_publish(struct control *control)
{
    CLEANUP(names_free) struct names *names = names_new(control);
    struct snapshot *snapshot = xcalloc(1, sizeof(*snapshot));
    snapshot->module_count = control->module_count;
    snapshot->modules = xcalloc(control->module_count, sizeof(snapshot->modules[0]));
    snapshot->actions = xcalloc(count_actions(control), sizeof(snapshot->actions[0]));
    for (uint32_t i = 0; i < control->module_count; i++) {
        const struct module *module = control->modules[i];
        fill_route(control, control->plan.routes[i], module->name, module->error,
                   &snapshot->modules[i]);
        fill_actions(control, names, i, snapshot);
        /* A module that is loaded for the first time may bring any name. */
        snapshot->incomplete |= !module->info && control->plan.routes[i].choice == CHOICE_WAIT;
    }
    CLEANUP(str_free) char *why = why_no_walkers(control);
    fill_route(control, control->plan.runtime, "walkers", why, &snapshot->runtime);
    snapshot_sort(snapshot);
    snapshot->walker_stats = &control->walker_stats;
    snapshot->walker_timeout_ms = control->settings.call_timeout_ms;
    if (control->auth) {
        snapshot->auth = control->parts.auth_ref(control->auth);
    }
    snapshot->benchmark = benchmark_ref(control->benchmark);
    remember(control);
    control->must_publish = false;
    publisher_publish(control->parts.publisher, snapshot);
    control->parts.kick(control->parts.kick_arg);
}
