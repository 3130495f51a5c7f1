#include "worker/nested_stats.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"

static const char *const place_names[WORKER_PLACES] = {
    [WORKER_PLACE_UNKNOWN] = "",
    [WORKER_PLACE_MODULE] = "module",
    [WORKER_PLACE_REMOTE] = "remote",
};

const char *worker_place_name(enum worker_place place)
{
    return place_names[place];
}

enum worker_place worker_place_from(struct slice name)
{
    for (enum worker_place place = WORKER_PLACE_MODULE; place < WORKER_PLACES; place++) {
        if (slice_eq(name, slice_str(place_names[place]))) {
            return place;
        }
    }
    return WORKER_PLACE_UNKNOWN;
}

void nested_stats_init(struct nested_stats *stats, struct stats_budget *budget)
{
    stats->budget = budget;
}

static struct nested_series *series_new(const struct nested_stats *stats, struct slice action)
{
    struct nested_series *series = xcalloc(1, sizeof(*series));
    series->node.name = xstrndup(action.data, action.size);
    for (int place = 0; place < WORKER_PLACES; place++) {
        action_stats_init(&series->places[place], STATS_WALKERS_MAX, stats->budget);
    }
    return series;
}

static void series_free(struct name_node *node)
{
    struct nested_series *series = (struct nested_series *)node;
    for (int place = 0; place < WORKER_PLACES; place++) {
        action_stats_done(&series->places[place]);
    }
    free(series->node.name);
    free(series);
}

void nested_stats_done(struct nested_stats *stats)
{
    name_chains_done(stats->chains, NESTED_CHAINS, series_free);
}

/* NULL = there are too many. */
static struct nested_series *series_of(struct nested_stats *stats, struct slice action)
{
    struct name_node *found = name_chains_find(stats->chains, NESTED_CHAINS, action);
    if (found) {
        return (struct nested_series *)found;
    }
    if (atomic_fetch_add(&stats->count, 1) >= NESTED_ACTIONS_MAX) {
        (void)atomic_fetch_sub(&stats->count, 1);
        return NULL;
    }
    struct nested_series *fresh = series_new(stats, action);
    found = name_chains_add(stats->chains, NESTED_CHAINS, &fresh->node);
    if (found != &fresh->node) { /* another thread was first */
        (void)atomic_fetch_sub(&stats->count, 1);
        series_free(&fresh->node);
    }
    return (struct nested_series *)found;
}

void nested_stats_add(struct nested_stats *stats, struct slice action, enum worker_place place,
                      struct slice walker, uint64_t seen_ns)
{
    assert(place != WORKER_PLACE_UNKNOWN);
    struct nested_series *series = series_of(stats, action);
    if (series) {
        call_stats_add(action_stats_of(&series->places[place], walker),
                       &(struct call_sample){.latency_ns = seen_ns});
    }
}

const struct nested_series *nested_stats_next(const struct nested_stats *stats,
                                              const struct nested_series *node)
{
    return (const struct nested_series *)name_chains_next(stats->chains, NESTED_CHAINS,
                                                          node ? &node->node : NULL);
}
