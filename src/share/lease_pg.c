/* The lease as a row of the state's database. Its number is what store_transact_leading asks for.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/err.h"
#include "share/lease.h"
#include "store/store_shared.h"

struct lease_pg {
    struct lease base;
    struct store *store; /* borrowed */
    char *holder;
};

static void take(struct lease *base, int64_t ttl_ms, lease_done_fn done, void *arg)
{
    struct lease_pg *lease = (struct lease_pg *)base;
    struct store_lease row;
    struct err err = {0};
    if (store_lease_take(lease->store, lease->holder, ttl_ms, &row, &err) < 0) {
        done(arg, NULL, &err);
        return;
    }
    struct lease_state state = {.number = row.number, .mine = row.mine};
    (void)snprintf(state.holder, sizeof(state.holder), "%s", row.holder);
    done(arg, &state, NULL);
}

static void release(struct lease *base)
{
    (void)store_lease_release(((struct lease_pg *)base)->store, NULL);
}

static bool is_released(const struct lease *base)
{
    (void)base; /* release waits for the answer */
    return true;
}

static struct lease *lease_free(struct lease *base)
{
    struct lease_pg *lease = (struct lease_pg *)base;
    free(lease->holder);
    free(lease);
    return NULL;
}

static const struct lease_ops OPS = {.name = "postgresql",
                                     .take = take,
                                     .release = release,
                                     .is_released = is_released,
                                     .free = lease_free};

struct lease *lease_pg_new(struct store *store, const char *holder)
{
    struct lease_pg *lease = xcalloc(1, sizeof(*lease));
    lease->base.ops = &OPS;
    lease->store = store;
    lease->holder = xstrdup(holder);
    return &lease->base;
}
