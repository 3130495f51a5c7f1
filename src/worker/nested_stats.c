#include "worker/nested_stats.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/hash.h"

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
    series->action = xstrndup(action.data, action.size);
    for (int place = 0; place < WORKER_PLACES; place++) {
        action_stats_init(&series->places[place], STATS_WALKERS_MAX, stats->budget);
    }
    return series;
}

static void series_free(struct nested_series *series)
{
    for (int place = 0; place < WORKER_PLACES; place++) {
        action_stats_done(&series->places[place]);
    }
    free(series->action);
    free(series);
}

void nested_stats_done(struct nested_stats *stats)
{
    for (size_t i = 0; i < NESTED_CHAINS; i++) {
        struct nested_series *node = atomic_exchange(&stats->chains[i], NULL);
        while (node) {
            struct nested_series *next = node->next;
            series_free(node);
            node = next;
        }
    }
}

static size_t chain_of(struct slice action)
{
    return hash_name(action) % NESTED_CHAINS;
}

static struct nested_series *find(struct nested_series *node, struct slice action)
{
    while (node && !slice_eq(slice_str(node->action), action)) {
        node = node->next;
    }
    return node;
}

/* NULL = there are too many. */
static struct nested_series *series_of(struct nested_stats *stats, struct slice action)
{
    _Atomic(struct nested_series *) *chain = &stats->chains[chain_of(action)];
    struct nested_series *found = find(atomic_load_explicit(chain, memory_order_acquire), action);
    if (found) {
        return found;
    }
    if (atomic_fetch_add(&stats->count, 1) >= NESTED_ACTIONS_MAX) {
        (void)atomic_fetch_sub(&stats->count, 1);
        return NULL;
    }
    struct nested_series *fresh = series_new(stats, action);
    fresh->next = atomic_load(chain);
    do {
        found = find(fresh->next, action);
        if (found) { /* another thread was first */
            (void)atomic_fetch_sub(&stats->count, 1);
            series_free(fresh);
            return found;
        }
    } while (!atomic_compare_exchange_weak(chain, &fresh->next, fresh));
    return fresh;
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
    size_t chain = node ? chain_of(slice_str(node->action)) + 1 : 0;
    if (node && node->next) {
        return node->next;
    }
    for (; chain < NESTED_CHAINS; chain++) {
        const struct nested_series *first =
            atomic_load_explicit(&stats->chains[chain], memory_order_acquire);
        if (first) {
            return first;
        }
    }
    return NULL;
}
