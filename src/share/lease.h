/* Which of several daemons decides for all: a lease that one holds for a time and renews. One table
 * of functions, so that the election can be where the daemons are: in the database of the state
 * (lease_pg.c), or in an object of the cluster that they run on (lease_kube.c).
 *
 * A holder may rely on its lease until ttl_ms after it began to ask for it: by then no other one
 * can have it. number grows with each new holder, so what an earlier one still writes is told by
 * it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct err;
struct lease;
struct store;

#define LEASE_HOLDER_MAX 200 /* bytes of a holder's name */

struct lease_state {
    char holder[LEASE_HOLDER_MAX + 1]; /* who has it now */
    int64_t number;
    bool mine;
};

/* state is NULL when nobody knows; err tells why. Both are borrowed until it returns. */
typedef void (*lease_done_fn)(void *arg, const struct lease_state *state, const struct err *err);

struct lease_ops {
    const char *name; /* "postgresql" */
    /* Takes the lease, or renews it, unless another one has it. done runs in the control thread,
     * once, from here or later; not again before it has. */
    void (*take)(struct lease *lease, int64_t ttl_ms, lease_done_fn done, void *arg);
    /* Gives it back if it is ours, so that another one need not wait for its end; as far as that is
     * possible now. done does not run any more. */
    void (*release)(struct lease *lease);
    bool (*is_released)(const struct lease *lease); /* or it was seen that this cannot be done */
    struct lease *(*free)(struct lease *lease);     /* done does not run any more; returns NULL */
};

struct lease { /* first in what implements it */
    const struct lease_ops *ops;
};

/* On the store (borrowed), under that name. */
struct lease *lease_pg_new(struct store *store, const char *holder);
