#include "measure/action_stats.h"

#include <stdlib.h>

#include "base/alloc.h"

void action_stats_init(struct action_stats *stats, unsigned walkers_max,
                       struct stats_budget *budget)
{
    stats->walkers_max = walkers_max;
    stats->budget = budget;
}

static void walker_free(struct name_node *node)
{
    struct walker_stats *walker = (struct walker_stats *)node;
    call_stats_done(&walker->stats);
    free(walker->node.name);
    free(walker);
}

void action_stats_done(struct action_stats *stats)
{
    call_stats_done(&stats->outside);
    name_chains_done(stats->chains, STATS_CHAINS, walker_free);
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

/* If another thread was first, the room that was taken stays taken. */
static struct call_stats *insert(struct action_stats *stats, struct slice walker)
{
    struct walker_stats *fresh = xcalloc(1, sizeof(*fresh));
    fresh->node.name = xstrndup(walker.data, walker.size);
    struct name_node *there = name_chains_add(stats->chains, STATS_CHAINS, &fresh->node);
    if (there != &fresh->node) {
        walker_free(&fresh->node);
    }
    return &((struct walker_stats *)there)->stats;
}

struct call_stats *action_stats_find(struct action_stats *stats, struct slice walker)
{
    if (walker.size == 0) {
        return &stats->outside;
    }
    struct name_node *node = name_chains_find(stats->chains, STATS_CHAINS, walker);
    return node ? &((struct walker_stats *)node)->stats : NULL;
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
    return (const struct walker_stats *)name_chains_next(stats->chains, STATS_CHAINS,
                                                         node ? &node->node : NULL);
}
