/* The placement as the I/O loops see it: which action goes to which target. Immutable once
 * published; the control thread makes a new one for each change and replaces the old one whole. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct auth_table;
struct action_stats;
struct benchmark;
struct target_set;

#define ACTION_COUNT_MAX 4096 /* beyond this, something registers in a loop */

enum route_state {
    ROUTE_READY,   /* targets is set */
    ROUTE_WAITING, /* a target is being made: hold the call */
    ROUTE_FAILED,  /* there is none; why is set if that is for a failure */
};

/* Where calls of one module go. */
struct module_route {
    char *name; /* owned */
    enum route_state state;
    struct target_set *targets; /* a reference; NULL unless READY */
    char *why;                  /* owned; for FAILED */
    bool remote;                /* placed remote (else module) */
};

struct action_route {
    char *name;                        /* "text.split"; owned */
    const struct module_route *module; /* in the same snapshot */
    struct action_stats *stats;        /* borrowed; lives as long as the daemon */
    uint64_t timeout_ms;
    bool idempotent;
};

struct snapshot {
    uint64_t version;
    bool incomplete; /* a module is being loaded for the first time: unknown names may come */
    size_t action_count;
    struct action_route *actions; /* sorted by name */
    size_t module_count;
    struct module_route *modules;
    struct module_route runtime;       /* for walkers */
    struct action_stats *walker_stats; /* borrowed: of walker runs */
    uint64_t walker_timeout_ms;
    struct auth_table *auth;     /* owned reference */
    struct benchmark *benchmark; /* owned reference; NULL = none is active */
};

struct snapshot *snapshot_free(struct snapshot *snapshot, void (*auth_unref)(struct auth_table *));

/* NULL = no such action. */
const struct action_route *snapshot_find(const struct snapshot *snapshot, struct slice name);

/* The module of which the action would be by its name, if that has failed; NULL = there is none. Of
 * several the one with the longest name. */
const struct module_route *snapshot_failed_module(const struct snapshot *snapshot,
                                                  struct slice action);

/* Sorts the actions; the caller has filled them in. */
void snapshot_sort(struct snapshot *snapshot);
