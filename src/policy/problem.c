#include "policy/problem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

void policy_problem_done(struct policy_problem *problem)
{
    for (size_t i = 0; i < problem->module_count; i++) {
        free(problem->modules[i].name);
    }
    for (size_t i = 0; i < problem->walker_count; i++) {
        free(problem->walkers[i].name);
        free(problem->walkers[i].calls);
    }
    free(problem->modules);
    free(problem->walkers);
    *problem = (struct policy_problem){0};
}

void policy_problem_copy(const struct policy_problem *from, struct policy_problem *ret_problem)
{
    struct policy_problem copy = *from;
    copy.modules = xcalloc(from->module_count + 1, sizeof(*copy.modules));
    copy.walkers = xcalloc(from->walker_count + 1, sizeof(*copy.walkers));
    for (size_t i = 0; i < from->module_count; i++) {
        copy.modules[i] = from->modules[i];
        copy.modules[i].name = xstrdup(from->modules[i].name);
    }
    for (size_t i = 0; i < from->walker_count; i++) {
        const struct policy_walker *walker = &from->walkers[i];
        copy.walkers[i] = *walker;
        copy.walkers[i].name = xstrdup(walker->name);
        copy.walkers[i].calls = xcalloc(walker->call_count + 1, sizeof(*walker->calls));
        for (size_t j = 0; j < walker->call_count; j++) {
            copy.walkers[i].calls[j] = walker->calls[j];
        }
    }
    *ret_problem = copy;
}

void policy_measurement_init(struct policy_measurement *measurement,
                             const struct policy_problem *problem)
{
    *measurement = (struct policy_measurement){
        .mean_latency_s = NAN,
        .throughput_s = NAN,
        .phase_s = NAN,
        .users = NAN,
        .think_s = NAN,
        .rate_s = NAN,
        .actions = xcalloc(problem->module_count + 1, sizeof(*measurement->actions)),
        .walkers = xcalloc(problem->walker_count + 1, sizeof(*measurement->walkers)),
        .action_count = problem->module_count,
        .walker_count = problem->walker_count,
    };
    for (size_t i = 0; i < problem->module_count; i++) {
        measurement->actions[i].mean_s = NAN;
        measurement->actions[i].exec_s = NAN;
    }
    for (size_t i = 0; i < problem->walker_count; i++) {
        measurement->walkers[i].mean_s = NAN;
    }
}

void policy_measurement_done(struct policy_measurement *measurement)
{
    free(measurement->actions);
    free(measurement->walkers);
    *measurement = (struct policy_measurement){0};
}

size_t policy_module_find(const struct policy_problem *problem, struct slice name)
{
    size_t i = 0;
    while (i < problem->module_count && !slice_eq(slice_str(problem->modules[i].name), name)) {
        i++;
    }
    return i;
}

placement_t policy_may_local(const struct policy_problem *problem)
{
    placement_t may = 0;
    for (size_t i = 0; i < problem->module_count; i++) {
        const struct policy_module *module = &problem->modules[i];
        may |= (placement_t)(!module->fixed || module->now == PLACE_MODULE) << i;
    }
    return may;
}

placement_t policy_must_local(const struct policy_problem *problem)
{
    placement_t must = 0;
    for (size_t i = 0; i < problem->module_count; i++) {
        const struct policy_module *module = &problem->modules[i];
        must |= (placement_t)(module->fixed && module->now == PLACE_MODULE) << i;
    }
    return must;
}

double policy_memory(const struct policy_problem *problem, placement_t placement)
{
    double sum = 0;
    for (size_t i = 0; i < problem->module_count; i++) {
        double mem_bytes = problem->modules[i].mem_bytes;
        sum += placement_local(placement, i) && !isnan(mem_bytes) ? mem_bytes : 0;
    }
    return sum;
}

bool policy_feasible(const struct policy_problem *problem, placement_t placement)
{
    placement_t must = policy_must_local(problem);
    if ((placement & ~policy_may_local(problem)) || (placement & must) != must) {
        return false;
    }
    /* What may not be moved away is no reason to refuse everything else. */
    return placement == must || policy_memory(problem, placement) <= problem->budget_bytes;
}

placement_t policy_placement_renamed(const struct policy_problem *from,
                                     const struct policy_problem *to, placement_t placement)
{
    placement_t renamed = 0;
    for (size_t i = 0; i < from->module_count; i++) {
        size_t at = policy_module_find(to, slice_str(from->modules[i].name));
        if (at < to->module_count && placement_local(placement, i)) {
            renamed |= (placement_t)1 << at;
        }
    }
    return renamed;
}

placement_t policy_placement_now(const struct policy_problem *problem, bool *ret_known)
{
    placement_t placement = 0;
    bool known = problem->module_count > 0;
    for (size_t i = 0; i < problem->module_count; i++) {
        placement |= (placement_t)(problem->modules[i].now == PLACE_MODULE) << i;
        known &= problem->modules[i].now != PLACE_NONE;
    }
    *ret_known = known;
    return placement;
}
