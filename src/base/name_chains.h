/* Things by name that are only ever added, found and added by any thread without locks: chains by
 * the names' hash, the newest first. The owner embeds a struct name_node as the first member of its
 * things and an array of chains, zeroed; a thing lives as long as the array. */
#pragma once

#include <stddef.h>

#include "base/slice.h"

struct name_node {
    struct name_node *next;
    char *name; /* owned by the thing */
};

typedef _Atomic(struct name_node *) name_chain;

/* NULL = there is none of that name. */
struct name_node *name_chains_find(name_chain *chains, size_t count, struct slice name);

/* Adds fresh and returns it; or returns the one that another thread has added meanwhile under that
 * name, and fresh stays the caller's. */
struct name_node *name_chains_add(name_chain *chains, size_t count, struct name_node *fresh);

/* The one after node, NULL = the first; NULL = no more. Sees what was there at the begin, and may
 * see what is added meanwhile. */
struct name_node *name_chains_next(const name_chain *chains, size_t count,
                                   const struct name_node *node);

/* Empties the chains, when no other thread looks any more. */
void name_chains_done(name_chain *chains, size_t count, void (*free_node)(struct name_node *node));
