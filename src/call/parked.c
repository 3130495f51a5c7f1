/* Calls that wait: for their module to be started, or for a moment before they are sent again. */
#include "call/caller_priv.h"
#include "call/outcome.h"
#include "http/server.h"
#include "loop/loop.h"

void call_park(struct call *call)
{
    struct caller *caller = call->caller;
    if (caller->parked_count >= CALL_PARKED_MAX) {
        call_fail(call, CALL_OVERLOADED, NULL);
        return;
    }
    call->next = NULL;
    *caller->parked_last = call;
    caller->parked_last = &call->next;
    if (caller->parked_count++ == 0) { /* set once: each later one would put it off */
        loop_timer_set(caller->loop, &caller->parked_timer,
                       loop_now_ms(caller->loop) + CALL_WAIT_MS);
    }
}

/* Takes all parked calls off the list and routes those that may go on now; the others come back. */
void caller_unpark(struct caller *caller, bool fresh_snapshot)
{
    struct call *next, *list = caller->parked;
    caller->parked = NULL;
    caller->parked_last = &caller->parked;
    caller->parked_count = 0;
    uint64_t now_ms = loop_now_ms(caller->loop);
    for (struct call *call = list; call; call = next) {
        next = call->next;
        if (http_request_gone(call->request)) { /* nobody waits any more */
            call_fail(call, CALL_UNAVAILABLE, NULL);
        } else if (now_ms - call->since_ms > caller->settings.park_timeout_ms) {
            call_fail(call, CALL_UNAVAILABLE, NULL);
        } else if (fresh_snapshot || now_ms >= call->not_before_ms) {
            call_route(call);
        } else {
            call_park(call);
        }
    }
}

void caller_on_parked_timer(void *arg)
{
    caller_unpark(arg, false);
}
