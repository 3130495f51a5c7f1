/* Which of several targets takes a call: one with the least outstanding requests (as nginx's
 * least_conn, Envoy's LEAST_REQUEST over all hosts), those that failed a moment ago last. */
#include "action/target.h"
#include "call/caller_priv.h"
#include "loop/loop.h"

struct target *call_pick(const struct call *call, const struct target_set *set)
{
    struct caller *caller = call->caller;
    if (set->count == 1) {
        return set->items[0];
    }
    uint64_t now_ms = loop_now_ms(caller->loop);
    uint32_t start = caller->picks++ % set->count;
    struct target *best = NULL;
    unsigned best_trouble = 0, best_in_flight = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        struct target *target = set->items[(start + i) % set->count];
        bool shunned = atomic_load_explicit(&target->shun_until_ms, memory_order_relaxed) > now_ms;
        unsigned trouble = target->id == call->tried_target ? 2 : shunned ? 1 : 0;
        unsigned in_flight = atomic_load_explicit(&target->in_flight, memory_order_relaxed);
        if (!best || trouble < best_trouble ||
            (trouble == best_trouble && in_flight < best_in_flight)) {
            best = target;
            best_trouble = trouble;
            best_in_flight = in_flight;
        }
    }
    return best;
}
