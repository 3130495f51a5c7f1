#include "action/publisher.h"

#include <assert.h>
#include <stdatomic.h>

#include "action/snapshot.h"
#include "action/target.h"
#include "base/alloc.h"

struct publisher {
    unsigned loops;
    void (*auth_unref)(struct auth_table *);
    uint64_t version; /* control thread */
    _Atomic(struct snapshot *) current;
    struct snapshot **old; /* oldest first; few, as loops turn within milliseconds */
    unsigned old_count;
    unsigned old_capacity;
    atomic_uint_fast64_t seen[TARGET_LOOPS_MAX]; /* version with which a loop's turn began */
};

struct publisher *publisher_new(unsigned loops, void (*auth_unref)(struct auth_table *))
{
    assert(loops <= TARGET_LOOPS_MAX);
    struct publisher *publisher = xcalloc(1, sizeof(*publisher));
    publisher->loops = loops;
    publisher->auth_unref = auth_unref;
    return publisher;
}

struct publisher *publisher_free(struct publisher *publisher)
{
    if (publisher) {
        for (unsigned i = 0; i < publisher->old_count; i++) {
            snapshot_free(publisher->old[i], publisher->auth_unref);
        }
        snapshot_free(atomic_load(&publisher->current), publisher->auth_unref);
        free(publisher->old);
        free(publisher);
    }
    return NULL;
}

static uint64_t oldest_seen(const struct publisher *publisher)
{
    uint64_t oldest = publisher->version;
    for (unsigned i = 0; i < publisher->loops; i++) {
        uint64_t seen = atomic_load(&publisher->seen[i]);
        oldest = seen < oldest ? seen : oldest;
    }
    return oldest;
}

void publisher_reclaim(struct publisher *publisher)
{
    uint64_t oldest = oldest_seen(publisher);
    unsigned kept = 0;
    for (unsigned i = 0; i < publisher->old_count; i++) {
        if (publisher->old[i]->version < oldest) {
            snapshot_free(publisher->old[i], publisher->auth_unref);
        } else {
            publisher->old[kept++] = publisher->old[i];
        }
    }
    publisher->old_count = kept;
}

void publisher_publish(struct publisher *publisher, struct snapshot *snapshot)
{
    publisher_reclaim(publisher);
    snapshot->version = ++publisher->version;
    struct snapshot *former = atomic_exchange(&publisher->current, snapshot);
    if (former) {
        if (publisher->old_count == publisher->old_capacity) {
            publisher->old_capacity = 2 * publisher->old_capacity + 8;
            publisher->old =
                xrealloc(publisher->old, publisher->old_capacity * sizeof(struct snapshot *));
        }
        publisher->old[publisher->old_count++] = former;
    }
}

bool publisher_settled(const struct publisher *publisher)
{
    return oldest_seen(publisher) == publisher->version;
}

const struct snapshot *publisher_take(struct publisher *publisher, unsigned loop)
{
    const struct snapshot *snapshot = atomic_load(&publisher->current);
    atomic_store(&publisher->seen[loop], snapshot ? snapshot->version : 0);
    return snapshot;
}
