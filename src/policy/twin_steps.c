#include "policy/twin_steps.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"

#define RATIO_MAX 16 /* calls for each one listed; a larger ratio is a wrong list */

struct maker {
    const struct twin_model *model;
    struct steps *steps;
};

static void add(struct maker *maker, struct step step)
{
    maker->steps->items[maker->steps->count++] = step;
}

/* Half of a hop's work: of its way there, or back. */
static void add_hop(struct maker *maker, uint16_t module)
{
    double work_s = maker->model->hop_work * maker->model->hop_s[module] / 2;
    if (work_s > 0) {
        add(maker,
            (struct step){
                .kind = STEP_SERVE, .module = (uint8_t)module, .hop = true, .mean_s = work_s});
    }
}

static void add_call(struct maker *maker, placement_t placement, uint16_t module, uint32_t draw)
{
    const struct twin_model *model = maker->model;
    bool local = placement_local(placement, module);
    double delay_s = local ? 0 : model->hop_s[module] * (1 - model->hop_work);
    if (!local) {
        add_hop(maker, module);
    }
    if (delay_s > 0) {
        add(maker, (struct step){.kind = STEP_DELAY, .module = (uint8_t)module, .mean_s = delay_s});
    }
    add(maker, (struct step){.kind = STEP_SERVE,
                             .server = (uint8_t)(local ? 0 : 1 + module),
                             .module = (uint8_t)module,
                             .draw = draw,
                             .mean_s = model->exec_s[module][local ? TWIN_LOCAL : TWIN_REMOTE]});
    if (!local) {
        add_hop(maker, module);
    }
}

static void add_own(struct maker *maker, double slice_s, uint32_t draw)
{
    if (slice_s > 0) {
        add(maker,
            (struct step){.kind = STEP_SERVE, .module = STEP_OWN, .draw = draw, .mean_s = slice_s});
    }
}

static void add_walker(struct maker *maker, placement_t placement, size_t number)
{
    const struct policy_walker *walker = &maker->model->problem->walkers[number];
    double slice_s = maker->model->own_s[number] / (double)(walker->call_count + 1);
    uint32_t draw = 1; /* 0 is the walker's choice */
    add_own(maker, slice_s, draw++);
    for (size_t i = 0; i < walker->call_count; i++) {
        uint16_t module = walker->calls[i];
        double ratio = fmin(maker->model->ratio[module], RATIO_MAX);
        double whole = floor(ratio);
        for (int j = 0; j < (int)whole; j++) {
            add_call(maker, placement, module, draw + (uint32_t)j);
        }
        if (ratio - whole > 1e-3) {
            uint32_t at = maker->steps->count;
            add(maker, (struct step){
                           .kind = STEP_CHANCE, .draw = draw + RATIO_MAX, .mean_s = ratio - whole});
            add_call(maker, placement, module, draw + RATIO_MAX + 1);
            maker->steps->items[at].skip = (uint16_t)(maker->steps->count - at - 1);
        }
        draw += RATIO_MAX + 2;
        add_own(maker, slice_s, draw++);
    }
}

void steps_make(const struct twin_model *model, placement_t placement, struct steps *ret_steps)
{
    struct maker whole = {model, ret_steps}, *maker = &whole;
    ret_steps->count = 0;
    const struct policy_problem *problem = maker->model->problem;
    size_t most = 0;
    for (size_t i = 0; i < problem->walker_count; i++) {
        const struct policy_walker *walker = &problem->walkers[i];
        most += 1 + walker->call_count;
        for (size_t j = 0; j < walker->call_count; j++) {
            size_t calls = (size_t)fmin(maker->model->ratio[walker->calls[j]], RATIO_MAX) + 1;
            most += 2 + 4 * calls;
        }
    }
    maker->steps->items = xcalloc(most + 1, sizeof(*maker->steps->items));
    for (size_t i = 0; i < problem->walker_count; i++) {
        maker->steps->walker[i] = maker->steps->count;
        add_walker(maker, placement, i);
    }
    maker->steps->walker[problem->walker_count] = maker->steps->count;
    assert(maker->steps->count <= most);
}

void steps_done(struct steps *steps)
{
    free(steps->items);
    steps->items = NULL;
}
