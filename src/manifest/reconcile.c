#include "manifest/reconcile.h"

#include <assert.h>
#include <string.h>

static bool same_version(const char *a, const char *b)
{
    return strcmp(a ? a : "1", b ? b : "1") == 0;
}

static bool is_current(const struct reconcile_object *object)
{
    bool same = object->seen_hash && object->wanted_hash &&
                strcmp(object->seen_hash, object->wanted_hash) == 0 &&
                same_version(object->seen_version, object->wanted_version);
    /* What the server writes in another way (500m for 0.5) looks drifted for ever: it is if it has
     * changed since we applied it. */
    bool repaired = object->mark_at_end != 0 && object->mark == object->mark_at_end;
    return same && (!object->drifted || repaired);
}

/* Without regard to the others and to time. */
static enum reconcile_step step_of(const struct reconcile_object *object, bool may_delete_claims)
{
    if (object->busy || object->unread) {
        return RECONCILE_WAIT;
    }
    if (object->wanted) {
        if (object->seen && object->going) {
            return RECONCILE_WAIT; /* made anew once it is gone */
        }
        return object->seen && is_current(object) ? RECONCILE_KEEP : RECONCILE_APPLY;
    }
    if (!object->seen) {
        return RECONCILE_KEEP;
    }
    if (manifest_is_guarded(object->kind) && !may_delete_claims) {
        return RECONCILE_GUARD;
    }
    return object->going ? RECONCILE_WAIT : RECONCILE_DELETE;
}

/* One that comes before it in the order and was not tried yet, or is under way. One that failed
 * holds up nobody: what can be made is made. */
static bool must_wait(const struct reconcile_object *objects, size_t count, size_t index,
                      const enum reconcile_step *steps, uint64_t now_ms)
{
    unsigned rank = manifest_rank(objects[index].kind);
    for (size_t i = 0; i < count; i++) {
        const struct reconcile_object *other = &objects[i];
        unsigned other_rank = manifest_rank(other->kind);
        bool making = steps[index] == RECONCILE_APPLY;
        bool before = making ? other_rank < rank && other->wanted
                             : other_rank > rank && !other->wanted && !other->going;
        bool open = steps[i] == (making ? RECONCILE_APPLY : RECONCILE_DELETE) ||
                    (steps[i] == RECONCILE_WAIT && (other->busy || other->unread));
        if (before && open && other->retry_ms <= now_ms) {
            return true;
        }
    }
    return false;
}

void reconcile_decide(const struct reconcile_object *objects, size_t count, bool may_delete_claims,
                      uint64_t now_ms, struct reconcile_plan *ret_plan)
{
    assert(count == 0 || ret_plan->steps);
    enum reconcile_step *steps = ret_plan->steps;
    bool held[MANIFEST_OBJECTS_MAX * 2]; /* those wanted and those no longer */
    assert(count <= sizeof(held) / sizeof(held[0]));
    ret_plan->settled = true;
    ret_plan->wake_ms = UINT64_MAX;
    for (size_t i = 0; i < count; i++) {
        steps[i] = step_of(&objects[i], may_delete_claims);
    }
    for (size_t i = 0; i < count; i++) {
        bool acts = steps[i] == RECONCILE_APPLY || steps[i] == RECONCILE_DELETE;
        bool late = acts && objects[i].retry_ms > now_ms;
        if (late && objects[i].retry_ms < ret_plan->wake_ms) {
            ret_plan->wake_ms = objects[i].retry_ms;
        }
        held[i] = late || (acts && must_wait(objects, count, i, steps, now_ms));
        ret_plan->settled &= steps[i] == RECONCILE_KEEP || steps[i] == RECONCILE_GUARD;
    }
    for (size_t i = 0; i < count; i++) {
        steps[i] = held[i] ? RECONCILE_WAIT : steps[i];
    }
}

uint64_t reconcile_backoff_ms(unsigned failures, uint64_t random)
{
    uint64_t wait_ms = RECONCILE_BACKOFF_MS_MIN;
    for (unsigned i = 1; i < failures && wait_ms < RECONCILE_BACKOFF_MS_MAX; i++) {
        wait_ms *= 2;
    }
    wait_ms = wait_ms < RECONCILE_BACKOFF_MS_MAX ? wait_ms : RECONCILE_BACKOFF_MS_MAX;
    return wait_ms / 2 + random % (wait_ms / 2 + 1);
}
