/* Calls that left the process, as their callers saw them: from before the arguments were encoded
 * until the result was there. The daemon counts such a call itself, but sees less of it; its
 * duration it takes from here. Any thread; without locks, and without allocation but for the first
 * of its kind. */
#pragma once

#include "measure/action_stats.h"

#define NESTED_CHAINS      64
#define NESTED_ACTIONS_MAX 4096 /* as many as there can be; further ones are not measured */

enum worker_place { /* of an action, as the daemon told it with the answer */
                    WORKER_PLACE_UNKNOWN,
                    WORKER_PLACE_MODULE,
                    WORKER_PLACE_REMOTE,
                    WORKER_PLACES
};

const char *worker_place_name(enum worker_place place); /* "module", "remote"; "" = unknown */
enum worker_place worker_place_from(struct slice name);

struct nested_series {     /* of one action */
    struct name_node node; /* the action's, as called */
    struct action_stats places[WORKER_PLACES];
};

struct nested_stats {
    struct stats_budget *budget; /* borrowed */
    atomic_uint count;
    name_chain chains[NESTED_CHAINS]; /* of struct nested_series; owned */
};

/* The memory is zeroed. */
void nested_stats_init(struct nested_stats *stats, struct stats_budget *budget);
void nested_stats_done(struct nested_stats *stats);

/* Adds a call without error. place: a known one. */
void nested_stats_add(struct nested_stats *stats, struct slice action, enum worker_place place,
                      struct slice walker, uint64_t seen_ns);

/* The series after node, NULL = the first; NULL = no more. */
const struct nested_series *nested_stats_next(const struct nested_stats *stats,
                                              const struct nested_series *node);
