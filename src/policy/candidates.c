/* Which placements are simulated. Mean-value formulas take a thousandth of the time of a
 * simulation, but missed the optimum by 7 to 14 % in the first trial; so they only screen, and only
 * where there are more placements than can be simulated.
 *
 * A place where a module was never measured is assumed to be as fast as the other one, times the
 * ratio seen at other modules, with the policy's `optimism` as OPTIMISM_SIGMAS standard deviations:
 * that is what makes it be tried. */
#include "policy/candidates.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"

#define ALL_MODULES_MAX 12    /* 4096 placements are screened one by one; of more, by search */
#define SCREENED_MAX    40000 /* placements that a search screens: about 0.2 s */
#define FOUND_MAX       4096
#define QUICK_CALLS     3000  /* simulated for each candidate */
#define LONG_CALLS      20000 /* for the best of them and for the measured ones */
#define LONG_COUNT      16
/* All simulations of a look, the quick ones and the long ones: about 0.1 s each (learned_effort).
 * 7 modules stay below. */
#define QUICK_WORK_MAX  15e6
#define LONG_WORK_MAX   15e6
#define QUICK_COUNT_MIN 32 /* candidates that are looked at less closely rather than not at all */
/* What is hoped is that many standard deviations from what is likely. */
#define OPTIMISM_SIGMAS 1.5
#define DISTANCE_SCALE  3.0 /* between two placements that differ in all that matters */
#define DISTANCE_MIN    0.02

/* ---- which placements ---- */

struct search {
    const struct learned *learned;
    const struct candidate_rules *rules;
    const struct twin_model *hoped;   /* with optimistic service times */
    placement_t base;                 /* modules that are local in any case */
    uint8_t free[POLICY_MODULES_MAX]; /* modules that may be here or there */
    size_t free_count;
    struct candidate *found; /* owned; found[found_count] */
    size_t found_count;
    uint32_t screened;
};

static placement_t called_modules(const struct learned *learned)
{
    placement_t called = 0;
    for (size_t m = 0; m < learned->problem->module_count; m++) {
        called |= (placement_t)(learned->calls_per_run[m] > 0) << m;
    }
    return called;
}

static void find_free(struct search *search)
{
    const struct policy_problem *problem = search->learned->problem;
    const struct candidate_rules *rules = search->rules;
    placement_t must = policy_must_local(problem), may = policy_may_local(problem);
    placement_t called = called_modules(search->learned);
    placement_t local = (rules->never[TWIN_REMOTE] & ~rules->never[TWIN_LOCAL] & may) | must;
    placement_t remote = ~may | (rules->never[TWIN_LOCAL] & ~rules->never[TWIN_REMOTE] & ~must);
    /* What is never called stays, unless its memory could be of use. */
    placement_t idle = rules->held & ~called & ~remote;
    if (policy_memory(problem, idle | called | local) <= problem->budget_bytes) {
        local |= idle;
    }
    search->base = must;
    double base_bytes = policy_memory(problem, must);
    for (size_t m = 0; m < problem->module_count; m++) {
        double mem_bytes = policy_memory(problem, (placement_t)1 << m);
        bool fits = base_bytes + mem_bytes <= problem->budget_bytes;
        if (placement_local(must, m) || placement_local(remote, m) || !fits) {
            continue;
        }
        if (placement_local(local, m)) {
            search->base |= (placement_t)1 << m;
            base_bytes += mem_bytes;
        } else if (placement_local(called, m)) {
            search->free[search->free_count++] = (uint8_t)m;
        }
    }
}

static int by_screened(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (x->screened_s != y->screened_s) {
        return x->screened_s < y->screened_s ? -1 : 1;
    }
    return (x->placement > y->placement) - (x->placement < y->placement);
}

/* Screens a placement and keeps it among the found; INFINITY if it is not feasible. */
static double look_at(struct search *search, placement_t placement)
{
    if (!policy_feasible(search->learned->problem, placement)) {
        return INFINITY;
    }
    search->screened++;
    double screened_s =
        candidate_screen_s(search->hoped, search->learned->calls_per_run, placement);
    if (search->found_count == FOUND_MAX) { /* keep the better half */
        qsort(search->found, search->found_count, sizeof(*search->found), by_screened);
        search->found_count /= 2;
    }
    search->found[search->found_count++] =
        (struct candidate){.placement = placement, .screened_s = screened_s};
    return screened_s;
}

static void look_at_all(struct search *search)
{
    for (uint64_t set = 0; set >> search->free_count == 0; set++) {
        placement_t placement = search->base;
        for (size_t i = 0; i < search->free_count; i++) {
            placement |= ((set >> i) & 1) << search->free[i];
        }
        (void)look_at(search, placement);
    }
}

/* The best neighbour: one module moved, or one in and another out. */
static double step(struct search *search, placement_t *placement)
{
    double best_s = INFINITY;
    placement_t best = *placement;
    for (size_t i = 0; i < search->free_count; i++) {
        for (size_t j = i; j < search->free_count && search->screened < SCREENED_MAX; j++) {
            placement_t a = (placement_t)1 << search->free[i];
            placement_t b = (placement_t)1 << search->free[j];
            bool swap = ((*placement & a) != 0) != ((*placement & b) != 0);
            if (i != j && !swap) {
                continue;
            }
            double screened_s = look_at(search, *placement ^ (a | b));
            if (screened_s < best_s) {
                best_s = screened_s;
                best = *placement ^ (a | b);
            }
        }
    }
    *placement = best;
    return best_s;
}

static void descend(struct search *search, placement_t placement)
{
    double now_s = look_at(search, placement), next_s = 0;
    while (search->screened < SCREENED_MAX && (next_s = step(search, &placement)) < now_s) {
        now_s = next_s;
    }
}

/* What saves the most time for its memory first. */
static placement_t packed(const struct search *search)
{
    placement_t placement = search->base, rest = 0;
    const struct policy_problem *problem = search->learned->problem;
    const struct twin_model *model = search->hoped;
    for (size_t i = 0; i < search->free_count; i++) {
        rest |= (placement_t)1 << search->free[i];
    }
    while (rest) {
        double most = -INFINITY;
        size_t at = 0;
        for (size_t i = 0; i < search->free_count; i++) {
            size_t m = search->free[i];
            double saved_s =
                model->exec_s[m][TWIN_REMOTE] + model->hop_s[m] - model->exec_s[m][TWIN_LOCAL];
            double value = search->learned->calls_per_run[m] * saved_s /
                           fmax(policy_memory(problem, (placement_t)1 << m), 1);
            if (placement_local(rest, m) && value > most) {
                most = value;
                at = m;
            }
        }
        placement_t one = (placement_t)1 << at;
        rest &= ~one;
        if (policy_feasible(problem, placement | one)) {
            placement |= one;
        }
    }
    return placement;
}

static void look_around(struct search *search)
{
    descend(search, packed(search));
    descend(search, search->base);
    for (size_t r = 0; r < search->learned->record_count; r++) {
        descend(search, search->learned->records[r].placement);
    }
}

static bool is_allowed(const struct search *search, placement_t placement)
{
    const struct candidate_rules *rules = search->rules;
    placement_t both = rules->never[0] & rules->never[1];
    return policy_feasible(search->learned->problem, placement) &&
           !(placement & rules->never[TWIN_LOCAL] & ~both) &&
           !(~placement & rules->never[TWIN_REMOTE] & ~both);
}

/* ---- what is expected of them ---- */

static double twin_log_s(const struct learned *learned, const struct twin_model *model,
                         placement_t placement, const struct twin_effort *effort)
{
    struct twin_result result;
    twin_run(model, placement, effort, &result);
    if (result.cut && result.runs <= 0) { /* a crowd that is not through in that time */
        result.latency_s = candidate_screen_s(model, learned->calls_per_run, placement);
    }
    double latency_s = fmin(result.latency_s, OVERLOAD_S);
    return log(latency_s > 0 ? latency_s : OVERLOAD_S);
}

/* The twin's queue grows for ever. */
static bool is_overloaded(double log_s)
{
    return log_s >= log(OVERLOAD_S);
}

static bool is_gamble(const struct learned *learned, placement_t placement)
{
    placement_t called = called_modules(learned);
    return (called & placement & ~learned->known[TWIN_LOCAL]) ||
           (called & ~placement & ~learned->known[TWIN_REMOTE]);
}

static void predict(const struct search *search, struct candidate *candidate,
                    const struct twin_effort *effort)
{
    const struct learned *learned = search->learned;
    candidate->log_s = twin_log_s(learned, &learned->model, candidate->placement, effort);
    candidate->gamble = is_gamble(learned, candidate->placement);
    candidate->hope = 0;
    if (candidate->gamble) {
        double hoped = twin_log_s(learned, search->hoped, candidate->placement, effort);
        candidate->hope = fmax(0, candidate->log_s - hoped);
    }
}

static int by_promise(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    double px = x->log_s - x->hope, py = y->log_s - y->hope;
    if (px != py) {
        return px < py ? -1 : 1;
    }
    return (x->placement > y->placement) - (x->placement < y->placement);
}

static void weigh_modules(const struct learned *learned, double *ret_weight)
{
    double sum_s = 0;
    for (size_t m = 0; m < learned->problem->module_count; m++) {
        ret_weight[m] =
            learned->calls_per_run[m] *
            (learned->model.exec_s[m][0] + learned->model.exec_s[m][1] + learned->model.hop_s[m]);
        sum_s += ret_weight[m];
    }
    for (size_t m = 0; m < learned->problem->module_count; m++) {
        ret_weight[m] = DISTANCE_MIN + (sum_s > 0 ? DISTANCE_SCALE * ret_weight[m] / sum_s : 0);
    }
}

static void learn_residuals(const struct search *search, const struct twin_effort *effort,
                            struct candidates *candidates)
{
    const struct learned *learned = search->learned;
    struct krige *krige = &candidates->krige;
    krige->count = 0;
    weigh_modules(learned, krige->weight);
    for (size_t r = 0; r < learned->record_count && krige->count < KRIGE_POINTS_MAX; r++) {
        const struct record *record = &learned->records[r];
        if (!record_is_comparable(record)) {
            continue;
        }
        struct twin_model model;
        learned_model_of(learned, record, &model);
        double log_s = twin_log_s(learned, &model, record->placement, effort);
        if (is_overloaded(log_s)) {
            continue; /* that is no figure to be wrong by a factor */
        }
        krige->points[krige->count] = record->placement;
        krige->residual[krige->count] = log(record->latency_s) - log_s;
        krige->scatter[krige->count] = record_scatter(record);
        krige->phases[krige->count++] = record->phases;
    }
    krige_fit(krige);
    for (size_t i = 0; i < candidates->count; i++) {
        struct candidate *item = &candidates->items[i];
        double mean = 0, deviation = 0, unsure = item->hope / OPTIMISM_SIGMAS;
        krige_at(krige, item->placement, &mean, &deviation);
        item->mean = item->log_s + mean;
        item->deviation = sqrt(deviation * deviation + unsure * unsure);
        if (item->measured &&
            is_overloaded(item->log_s)) { /* it held out for the phase, at least */
            item->mean = log(item->measured_s);
        }
    }
}

/* The best of those found, each once, and the measured ones in any case. */
static void select_found(struct search *search, struct candidates *candidates)
{
    const struct learned *learned = search->learned;
    candidates->count = 0;
    for (size_t r = 0; r < learned->record_count; r++) {
        const struct record *record = &learned->records[r];
        if (!record->stale && !record->barred && record->latency_s > 0 &&
            candidates->count < CANDIDATES_MAX / 2 && is_allowed(search, record->placement)) {
            candidates->items[candidates->count++] = (struct candidate){
                .placement = record->placement,
                .measured = true,
                .measured_s = record->latency_s,
            };
        }
    }
    qsort(search->found, search->found_count, sizeof(*search->found), by_screened);
    size_t measured = candidates->count;
    for (size_t i = 0; i < search->found_count && candidates->count < CANDIDATES_MAX; i++) {
        placement_t placement = search->found[i].placement;
        bool twice = i > 0 && placement == search->found[i - 1].placement;
        struct record *record = NULL;
        for (size_t j = 0; j < measured; j++) {
            twice |= candidates->items[j].placement == placement;
        }
        for (size_t r = 0; r < learned->record_count; r++) {
            record = learned->records[r].placement == placement ? &learned->records[r] : record;
        }
        if (!twice && !(record && record->barred)) {
            candidates->items[candidates->count++] = search->found[i];
        }
    }
}

/* Quickly, then the measured ones and the best of the others with care. Each simulation is counted
 * twice: hopes are simulated, too. */
static void predict_all(const struct search *search, struct candidates *candidates)
{
    const struct learned *learned = search->learned;
    struct candidate *items = candidates->items;
    uint64_t seed = search->rules->seed;
    size_t measured = 0;
    while (measured < candidates->count && items[measured].measured) {
        measured++;
    }
    struct twin_effort quick = learned_effort(learned, QUICK_CALLS, INFINITY, seed);
    double affordable = QUICK_WORK_MAX / (2 * effort_work(learned, &quick));
    size_t most = measured + (size_t)fmin(fmax(affordable, QUICK_COUNT_MIN), CANDIDATES_MAX);
    candidates->count = candidates->count < most ? candidates->count : most;
    double quick_count = 2 * (double)candidates->count;
    double long_count = 2 * (double)(LONG_COUNT + measured) + (double)learned->record_count;
    quick = learned_effort(learned, QUICK_CALLS, QUICK_WORK_MAX / quick_count, seed);
    struct twin_effort careful =
        learned_effort(learned, LONG_CALLS, LONG_WORK_MAX / long_count, seed);
    for (size_t i = 0; i < candidates->count; i++) {
        predict(search, &items[i], &quick);
    }
    qsort(items, candidates->count, sizeof(*items), by_promise);
    for (size_t i = 0; i < candidates->count; i++) {
        if (i < LONG_COUNT || items[i].measured) {
            predict(search, &items[i], &careful);
        }
    }
    learn_residuals(search, &careful, candidates);
}

void candidates_make(const struct learned *learned, const struct candidate_rules *rules,
                     struct candidates *ret_candidates)
{
    struct twin_model hoped = learned->model;
    struct search search = {.learned = learned, .rules = rules, .hoped = &hoped};
    for (size_t m = 0; m < learned->problem->module_count; m++) {
        for (int side = 0; side < 2; side++) {
            if (!placement_local(learned->known[side], m)) {
                hoped.exec_s[m][side] *= rules->optimism;
            }
        }
    }
    search.found = xcalloc(FOUND_MAX, sizeof(*search.found));
    find_free(&search);
    if (search.free_count <= ALL_MODULES_MAX) {
        look_at_all(&search);
    } else {
        look_around(&search);
    }
    select_found(&search, ret_candidates);
    free(search.found);
    predict_all(&search, ret_candidates);
}
