#include "control/decide.h"

#include <assert.h>
#include <string.h>

/* What the parts of one decision share. What is where is looked up once (look): a decision costs
 * modules plus instances, not their product. */
struct turn {
    const struct observation *seen;
    uint64_t now_ms;
    struct plan *plan;
    uint32_t serving;                          /* newest ready generation */
    uint32_t starting;                         /* the generation that is on its way */
    uint32_t ready_pod[DECIDE_MODULES_MAX];    /* newest of the module; NO_INSTANCE = none */
    uint32_t starting_pod[DECIDE_MODULES_MAX]; /* likewise */
    bool here[DECIDE_MODULES_MAX];             /* loaded in the serving generation */
    bool planned[DECIDE_MODULES_MAX];          /* to be in the runtime worker */
    bool routed[DECIDE_INSTANCES_MAX];         /* calls go there */
};

static const struct seen_instance *instance_at(const struct turn *turn, uint32_t index)
{
    return index == NO_INSTANCE ? NULL : &turn->seen->instances[index];
}

/* The revision of module in the instance, or -1. */
static int64_t loaded_revision(const struct seen_instance *instance, uint32_t module)
{
    for (uint32_t i = 0; instance && i < instance->loaded_count; i++) {
        if (instance->loaded[i].module == module) {
            return instance->loaded[i].revision;
        }
    }
    return -1;
}

static void wake_at(struct turn *turn, uint64_t due_ms)
{
    if (due_ms > turn->now_ms && due_ms < turn->plan->wake_ms) {
        turn->plan->wake_ms = due_ms;
    }
}

static void look_at_pod(struct turn *turn, uint32_t index)
{
    const struct seen_instance *pod = &turn->seen->instances[index];
    uint32_t *newest = pod->state == INSTANCE_READY      ? turn->ready_pod
                       : pod->state == INSTANCE_STARTING ? turn->starting_pod
                                                         : NULL;
    for (uint32_t i = 0; newest && i < pod->loaded_count; i++) {
        newest[pod->loaded[i].module] = index;
    }
}

/* Finds what there is of each module; later instances are newer. */
static void look(struct turn *turn)
{
    turn->serving = turn->starting = NO_INSTANCE;
    for (uint32_t m = 0; m < turn->seen->module_count; m++) {
        turn->ready_pod[m] = turn->starting_pod[m] = NO_INSTANCE;
        turn->here[m] = turn->planned[m] = false;
    }
    for (uint32_t i = 0; i < turn->seen->instance_count; i++) {
        const struct seen_instance *instance = &turn->seen->instances[i];
        turn->routed[i] = false;
        if (!instance->runtime) {
            look_at_pod(turn, i);
        } else if (instance->state == INSTANCE_READY) {
            turn->serving = i;
        } else if (instance->state == INSTANCE_STARTING) {
            turn->starting = i;
        }
    }
    const struct seen_instance *serving = instance_at(turn, turn->serving);
    for (uint32_t i = 0; serving && i < serving->loaded_count; i++) {
        turn->here[serving->loaded[i].module] = true;
    }
}

static bool serves(const struct turn *turn, uint32_t index)
{
    const struct seen_instance *instance = instance_at(turn, index);
    return instance && instance->health != HEALTH_HUNG && instance->health != HEALTH_AWAY;
}

/* ---- the runtime worker ---- */

static void plan_set(struct turn *turn)
{
    for (uint32_t m = 0; m < turn->seen->module_count; m++) {
        const struct seen_module *module = &turn->seen->modules[m];
        bool here = turn->here[m];
        bool in = false;
        if (module->wanted == PLACE_MODULE) {
            /* One that could not be loaded must not keep the others from moving, nor make them
             * load again and again with it: it proves itself in a pod of its own first. */
            in = here || !module->broken;
        } else if (module->wanted == PLACE_REMOTE) {
            /* Stays until its pod can take the calls. */
            in = here && !serves(turn, turn->ready_pod[m]);
        }
        turn->planned[m] = in;
        if (in) {
            turn->plan->runtime_set[turn->plan->runtime_count++] = m;
        }
    }
}

static bool has_planned_set(const struct turn *turn, const struct seen_instance *instance)
{
    if (!instance || instance->loaded_count != turn->plan->runtime_count) {
        return false;
    }
    for (uint32_t i = 0; i < instance->loaded_count; i++) {
        const struct seen_loaded *loaded = &instance->loaded[i];
        const struct seen_module *module = &turn->seen->modules[loaded->module];
        bool current = loaded->revision == module->revision || module->wanted != PLACE_MODULE;
        if (!turn->planned[loaded->module] || !current) {
            return false;
        }
    }
    return true;
}

/* A module that serves now but did not load in the next generation: everything stays as it is
 * until it has loaded in a pod of its own. */
static bool frozen(struct turn *turn)
{
    for (uint32_t i = 0; i < turn->plan->runtime_count; i++) {
        const struct seen_module *module = &turn->seen->modules[turn->plan->runtime_set[i]];
        if (module->broken) {
            turn->plan->frozen_by = turn->plan->runtime_set[i];
            return true;
        }
    }
    return false;
}

static void plan_runtime(struct turn *turn)
{
    const struct seen_instance *serving = instance_at(turn, turn->serving);
    const struct seen_instance *starting = instance_at(turn, turn->starting);
    plan_set(turn);
    bool fits = has_planned_set(turn, serving);
    bool needed = turn->plan->runtime_count > 0 && (!fits || serving->health != HEALTH_GOOD);
    if (starting && (!needed || !has_planned_set(turn, starting))) {
        turn->plan->stop[turn->plan->stop_count++] = turn->starting; /* overtaken */
        starting = NULL;
        turn->starting = NO_INSTANCE;
    }
    if (!needed || starting || frozen(turn)) {
        return;
    }
    if (turn->seen->runtime_retry_ms > turn->now_ms) {
        wake_at(turn, turn->seen->runtime_retry_ms);
        return;
    }
    turn->plan->start_runtime = true;
}

/* ---- pods ---- */

static void plan_remote(struct turn *turn, uint32_t m)
{
    const struct seen_module *module = &turn->seen->modules[m];
    uint32_t ready = turn->ready_pod[m];
    uint32_t starting = turn->starting_pod[m];
    bool on_trial = module->wanted == PLACE_MODULE && module->broken;
    if (module->wanted != PLACE_REMOTE && !on_trial) {
        if (starting != NO_INSTANCE) {
            turn->plan->stop[turn->plan->stop_count++] = starting;
        }
        return;
    }
    enum instance_health health =
        ready == NO_INSTANCE ? HEALTH_HUNG : instance_at(turn, ready)->health;
    bool good = ready != NO_INSTANCE &&
                loaded_revision(instance_at(turn, ready), m) == module->revision &&
                (health == HEALTH_GOOD || health == HEALTH_AWAY);
    bool coming = starting != NO_INSTANCE &&
                  loaded_revision(instance_at(turn, starting), m) == module->revision;
    if (starting != NO_INSTANCE && !coming) {
        turn->plan->stop[turn->plan->stop_count++] = starting;
    }
    if (good || coming) {
        return;
    }
    if (module->retry_ms > turn->now_ms) {
        wake_at(turn, module->retry_ms);
        return;
    }
    turn->plan->start_remote[turn->plan->start_remote_count++] = m;
}

/* ---- routes ---- */

static struct plan_route route_of(const struct turn *turn, uint32_t m)
{
    const struct seen_module *module = &turn->seen->modules[m];
    uint32_t pod = turn->ready_pod[m];
    uint32_t runtime = turn->here[m] ? turn->serving : NO_INSTANCE;
    if (module->wanted == PLACE_NONE) {
        return (struct plan_route){CHOICE_NONE, NO_INSTANCE};
    }
    uint32_t first = module->wanted == PLACE_MODULE ? runtime : pod;
    uint32_t second = module->wanted == PLACE_MODULE ? pod : runtime;
    if (serves(turn, first)) {
        return (struct plan_route){CHOICE_TARGET, first};
    }
    if (serves(turn, second)) {
        return (struct plan_route){CHOICE_TARGET, second};
    }
    return (struct plan_route){module->broken ? CHOICE_FAILED : CHOICE_WAIT, NO_INSTANCE};
}

static void note_routed(struct turn *turn, struct plan_route route)
{
    if (route.choice == CHOICE_TARGET) {
        turn->routed[route.instance] = true;
    }
}

static void plan_routes(struct turn *turn)
{
    bool walkers_here = false, walkers_wanted = false;
    for (uint32_t m = 0; m < turn->seen->module_count; m++) {
        const struct seen_module *module = &turn->seen->modules[m];
        turn->plan->routes[m] = route_of(turn, m);
        note_routed(turn, turn->plan->routes[m]);
        walkers_here |= module->walkers && module->wanted != PLACE_NONE && turn->here[m];
        /* Until it was loaded once nobody knows whether it has walkers. */
        walkers_wanted |= turn->planned[m] && (module->walkers || !module->broken);
    }
    if (walkers_here && serves(turn, turn->serving)) {
        turn->plan->runtime = (struct plan_route){CHOICE_TARGET, turn->serving};
    } else {
        bool coming = turn->starting != NO_INSTANCE || turn->plan->start_runtime ||
                      turn->seen->runtime_retry_ms > turn->now_ms;
        turn->plan->runtime = (struct plan_route){
            walkers_wanted && coming ? CHOICE_WAIT : CHOICE_FAILED, NO_INSTANCE};
    }
    note_routed(turn, turn->plan->runtime);
}

/* ---- what is no longer needed ---- */

/* The pod of a module that is to have one, without a replica at the moment. */
static bool is_awaited(const struct turn *turn, uint32_t index)
{
    const struct seen_instance *instance = &turn->seen->instances[index];
    for (uint32_t i = 0; !instance->runtime && i < instance->loaded_count; i++) {
        uint32_t module = instance->loaded[i].module;
        if (instance->health == HEALTH_AWAY && turn->seen->modules[module].wanted == PLACE_REMOTE &&
            turn->ready_pod[module] == index) {
            return true;
        }
    }
    return false;
}

static void plan_ends(struct turn *turn)
{
    for (uint32_t i = 0; i < turn->seen->instance_count; i++) {
        const struct seen_instance *instance = &turn->seen->instances[i];
        /* A generation that serves nothing at the moment is kept while modules are planned for
         * it: it is the one they are waiting for. */
        bool kept = turn->routed[i] || is_awaited(turn, i) ||
                    (i == turn->serving && turn->plan->runtime_count > 0 &&
                     instance->health == HEALTH_GOOD);
        if (instance->state == INSTANCE_READY && !kept) {
            turn->plan->drain[turn->plan->drain_count++] = i;
        }
        if (instance->state == INSTANCE_DRAINING) {
            uint64_t due_ms = instance->since_ms + turn->seen->drain_timeout_ms;
            bool given_up = due_ms <= turn->now_ms || instance->health == HEALTH_HUNG;
            if (given_up || (instance->unseen && instance->in_flight == 0)) {
                turn->plan->stop[turn->plan->stop_count++] = i;
            } else {
                wake_at(turn, due_ms);
            }
        }
    }
}

void decide(const struct observation *observation, uint64_t now_ms, struct plan *ret_plan)
{
    assert(observation->module_count <= DECIDE_MODULES_MAX);
    assert(observation->instance_count <= DECIDE_INSTANCES_MAX);
    ret_plan->start_runtime = false;
    ret_plan->frozen_by = NO_MODULE;
    ret_plan->runtime_count = 0;
    ret_plan->start_remote_count = 0;
    ret_plan->drain_count = 0;
    ret_plan->stop_count = 0;
    ret_plan->wake_ms = UINT64_MAX;

    struct turn turn; /* look fills in the rest */
    turn.seen = observation;
    turn.now_ms = now_ms;
    turn.plan = ret_plan;
    look(&turn);
    plan_runtime(&turn);
    for (uint32_t m = 0; m < observation->module_count; m++) {
        plan_remote(&turn, m);
    }
    plan_routes(&turn);
    plan_ends(&turn);
}
