#include "measure/action_stats.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/hash.h"

void action_stats_init(struct action_stats *stats, unsigned walkers_max,
                       struct stats_budget *budget)
{
    stats->walkers_max = walkers_max;
    stats->budget = budget;
}

void action_stats_done(struct action_stats *stats)
{
    call_stats_done(&stats->outside);
    for (size_t i = 0; i < STATS_CHAINS; i++) {
        struct walker_stats *node = atomic_exchange(&stats->chains[i], NULL);
        while (node) {
            struct walker_stats *next = node->next;
            call_stats_done(&node->stats);
            free(node->walker);
            free(node);
            node = next;
        }
    }
}

static size_t chain_of(struct slice walker)
{
    return hash_name(walker) % STATS_CHAINS;
}

static struct walker_stats *find(struct walker_stats *node, struct slice walker)
{
    while (node && !slice_eq(slice_str(node->walker), walker)) {
        node = node->next;
    }
    return node;
}

/* Whether there is room for one more; it is taken then. */
static bool take_room(struct action_stats *stats)
{
    if (atomic_fetch_add(&stats->walker_count, 1) >= stats->walkers_max) {
        (void)atomic_fetch_sub(&stats->walker_count, 1);
        return false;
    }
    if (atomic_fetch_add(&stats->budget->used, 1) >= STATS_SERIES_MAX) {
        (void)atomic_fetch_sub(&stats->budget->used, 1);
        (void)atomic_fetch_sub(&stats->walker_count, 1);
        return false;
    }
    return true;
}

static struct call_stats *insert(struct action_stats *stats, struct slice walker)
{
    _Atomic(struct walker_stats *) *chain = &stats->chains[chain_of(walker)];
    struct walker_stats *fresh = xcalloc(1, sizeof(*fresh));
    fresh->walker = xstrndup(walker.data, walker.size);
    fresh->next = atomic_load(chain);
    do {
        struct walker_stats *there = find(fresh->next, walker);
        if (there) { /* another thread was first; the room it took stays taken */
            free(fresh->walker);
            free(fresh);
            return &there->stats;
        }
    } while (!atomic_compare_exchange_weak(chain, &fresh->next, fresh));
    return &fresh->stats;
}

struct call_stats *action_stats_find(struct action_stats *stats, struct slice walker)
{
    if (walker.size == 0) {
        return &stats->outside;
    }
    struct walker_stats *node =
        find(atomic_load_explicit(&stats->chains[chain_of(walker)], memory_order_acquire), walker);
    return node ? &node->stats : NULL;
}

struct call_stats *action_stats_of(struct action_stats *stats, struct slice walker)
{
    const struct slice other = SLICE(STATS_OTHER);
    struct call_stats *found = action_stats_find(stats, walker);
    if (found) {
        return found;
    }
    if (walker.size <= STATS_NAME_MAX && take_room(stats)) {
        return insert(stats, walker);
    }
    found = action_stats_find(stats, other);
    return found ? found : insert(stats, other);
}

const struct walker_stats *action_stats_next(const struct action_stats *stats,
                                             const struct walker_stats *node)
{
    size_t chain = node ? chain_of(slice_str(node->walker)) + 1 : 0;
    if (node && node->next) {
        return node->next;
    }
    for (; chain < STATS_CHAINS; chain++) {
        const struct walker_stats *first =
            atomic_load_explicit(&stats->chains[chain], memory_order_acquire);
        if (first) {
            return first;
        }
    }
    return NULL;
}
