/* Figures of one action at one place, a series for each walker that calls it. Readers and writers
 * on any thread; a series lives as long as its action_stats. */
#pragma once

#include "base/name_chains.h"
#include "measure/call_stats.h"

#define STATS_WALKERS_MAX 64         /* of one action and place; further ones share a series */
#define STATS_SERIES_MAX  4096       /* of walkers in all: about 2 KB each */
#define STATS_NAME_MAX    200        /* bytes of a walker's name; longer ones share a series */
#define STATS_OTHER       "(others)" /* the walker's name in that series; no walker can have it */
#define STATS_CHAINS      16

struct walker_stats {
    struct name_node node; /* the walker's name */
    struct call_stats stats;
};

struct stats_budget { /* shared by all action_stats of a daemon */
    atomic_uint used; /* of STATS_SERIES_MAX */
};

struct action_stats {
    struct call_stats outside; /* of no walker */
    unsigned walkers_max;
    struct stats_budget *budget; /* borrowed */
    atomic_uint walker_count;
    name_chain chains[STATS_CHAINS]; /* of struct walker_stats; owned */
};

/* The memory is zeroed. */
void action_stats_init(struct action_stats *stats, unsigned walkers_max,
                       struct stats_budget *budget);
void action_stats_done(struct action_stats *stats);

/* The series of walker (empty = outside); made when it is its first call. Never NULL. */
struct call_stats *action_stats_of(struct action_stats *stats, struct slice walker);
/* The same, but NULL when there is none. */
struct call_stats *action_stats_find(struct action_stats *stats, struct slice walker);

/* The series after node, NULL = the first; NULL = no more. */
const struct walker_stats *action_stats_next(const struct action_stats *stats,
                                             const struct walker_stats *node);
