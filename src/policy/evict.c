/* The least that covers what is too much: a greedy choice that loses at most twice what the best
 * one would (Csirik, Frenk, Labbe and Zhang, "Heuristics for the 0-1 min-knapsack problem", Acta
 * Cybernetica 10, 1991). */
#include "policy/evict.h"

#include <math.h>

struct choice {
    placement_t out;
    double loss_s, bytes;
};

static double bytes_of(const struct policy_problem *problem, size_t module)
{
    return policy_memory(problem, (placement_t)1 << module);
}

static struct choice with(const struct policy_problem *problem, struct choice choice, size_t module,
                          const double *loss_s)
{
    choice.out ^= (placement_t)1 << module;
    double sign = placement_local(choice.out, module) ? 1 : -1;
    choice.loss_s += sign * fmax(loss_s[module], 0);
    choice.bytes += sign * bytes_of(problem, module);
    return choice;
}

static bool is_less(const struct choice *a, const struct choice *b)
{
    return a->loss_s < b->loss_s || (a->loss_s <= b->loss_s && a->bytes < b->bytes);
}

/* The one of set with the least (sign 1) or the most (-1) loss for its memory; of equal ones the
 * one that takes most. Those that take nothing are not asked. */
static size_t extreme(const struct policy_problem *problem, placement_t set, const double *loss_s,
                      double sign)
{
    size_t found = problem->module_count;
    double found_value = INFINITY, found_bytes = 0;
    for (size_t m = 0; m < problem->module_count; m++) {
        double bytes = bytes_of(problem, m);
        if (!placement_local(set, m) || bytes <= 0) {
            continue;
        }
        double value = sign * fmax(loss_s[m], 0) / bytes;
        if (value < found_value || (value <= found_value && bytes > found_bytes)) {
            found = m;
            found_value = value;
            found_bytes = bytes;
        }
    }
    return found;
}

/* Without what need not leave after all. */
static struct choice spared(const struct policy_problem *problem, struct choice choice,
                            const double *loss_s, double excess_bytes)
{
    placement_t asked = choice.out;
    while (asked) {
        size_t dear = extreme(problem, asked, loss_s, -1);
        asked &= ~((placement_t)1 << dear);
        if (choice.bytes - bytes_of(problem, dear) >= excess_bytes) {
            choice = with(problem, choice, dear, loss_s);
        }
    }
    return choice;
}

placement_t evict(const struct policy_problem *problem, placement_t placement,
                  const double loss_s[POLICY_MODULES_MAX])
{
    double excess_bytes = policy_memory(problem, placement) - problem->budget_bytes;
    placement_t left = placement & ~policy_must_local(problem);
    struct choice part = {0}, best = {.loss_s = INFINITY};
    size_t next = 0;
    if (!(excess_bytes > 0)) {
        return placement;
    }
    while ((next = extreme(problem, left, loss_s, 1)) < problem->module_count) {
        struct choice more = with(problem, part, next, loss_s);
        left &= ~((placement_t)1 << next);
        if (more.bytes < excess_bytes) {
            part = more;
        } else { /* enough; but the part may be made enough by another for less */
            struct choice enough = spared(problem, more, loss_s, excess_bytes);
            best = is_less(&enough, &best) ? enough : best;
        }
    }
    return placement & ~(isinf(best.loss_s) ? part.out : best.out);
}
