/* What a target sent back, or why it sent nothing, and what follows for the call and the target. */
#include "action/target.h"
#include "base/cleanup.h"
#include "call/caller_priv.h"
#include "call/outcome.h"
#include "call/pool.h"
#include "loop/loop.h"

#define SHUN_MS          250  /* a target that failed is left to recover, if there are others */
#define SHUN_DOUBLINGS   5    /* 8 s at most: then one call finds out */
#define BREAKER_FAILURES 5    /* in a row, then a guarded server is left alone */
#define BREAKER_OPEN_MS  5000 /* for so long; then one call tries */

/* A guarded server that failed several times in a row gets one call, then a pause again. */
bool call_breaker_open(const struct caller *caller, struct target *target)
{
    if (!target->guarded || atomic_load(&target->failures) < BREAKER_FAILURES) {
        return false;
    }
    uint64_t now_ms = loop_now_ms(caller->loop);
    uint64_t until_ms = atomic_load(&target->open_until_ms);
    return now_ms < until_ms || !atomic_compare_exchange_strong(&target->open_until_ms, &until_ms,
                                                                now_ms + BREAKER_OPEN_MS);
}

static void report(struct caller *caller, struct target *target)
{
    if (caller->trouble) {
        caller->trouble(caller->trouble_arg, target);
    }
}

/* trouble: how often in a row it failed, or ran over the limit. */
static void shun(const struct caller *caller, struct target *target, unsigned trouble)
{
    unsigned doublings = trouble - 1 < SHUN_DOUBLINGS ? trouble - 1 : SHUN_DOUBLINGS;
    atomic_store(&target->shun_until_ms, loop_now_ms(caller->loop) + (SHUN_MS << doublings));
}

static void note_failure(struct caller *caller, struct target *target)
{
    unsigned failures = atomic_fetch_add(&target->failures, 1) + 1;
    uint64_t now_ms = loop_now_ms(caller->loop);
    shun(caller, target, failures);
    if (target->guarded && failures >= BREAKER_FAILURES) {
        atomic_store(&target->open_until_ms, now_ms + BREAKER_OPEN_MS);
    }
    report(caller, target);
}

/* It was certainly not executed: to another target, or to this one in a moment. */
static void send_again(struct call *call, const struct target *target)
{
    call->tried_target = target->id;
    if (++call->attempts >= CALL_ATTEMPTS_MAX) {
        call_fail(call, target->external ? CALL_UNREACHABLE : CALL_UNAVAILABLE, NULL);
        return;
    }
    call->not_before_ms = loop_now_ms(call->caller->loop) + (CALL_WAIT_MS << call->attempts);
    call_route(call);
}

void call_on_reply(void *arg, enum http_outcome outcome, const struct http_reply *reply)
{
    struct call *call = arg;
    struct caller *caller = call->caller;
    struct pool *pool = call->pool;
    struct target *target = target_ref(pool_target(pool)); /* the pool may go */
    struct http_client *client = TAKE(call->client);
    bool again = reply && call_redirect(call, target, reply);
    char why[CALL_WHY_MAX];

    (void)atomic_fetch_sub(&target->in_flight, 1);
    if (outcome != HTTP_REPLIED) {
        pool_drop(pool, client);
    }
    switch (outcome) {
    case HTTP_REPLIED:
        atomic_store_explicit(&target->overruns, 0, memory_order_relaxed);
        if (!target->guarded || reply->status < 500) {
            atomic_store_explicit(&target->failures, 0, memory_order_relaxed);
        } else {
            note_failure(caller, target);
        }
        if (!again && call_foreign_error(target, reply, why)) {
            call_fail(call, CALL_FOREIGN, why);
        } else if (!again) {
            call_answer(call, reply);
        }
        pool_give(pool, client); /* the reply lies in its buffer until here */
        break;
    case HTTP_UNSENT:
        note_failure(caller, target);
        send_again(call, target);
        break;
    case HTTP_TIMED_OUT:
        /* With the fewest calls under way it would draw them all. */
        (void)atomic_fetch_add(&target->timeouts, 1);
        shun(caller, target, atomic_fetch_add(&target->overruns, 1) + 1);
        report(caller, target);
        call_fail(call, CALL_TIMED_OUT, NULL);
        break;
    case HTTP_LOST:
    case HTTP_BROKEN:
        note_failure(caller, target);
        if (call->idempotent) {
            send_again(call, target);
        } else {
            call_fail(call, outcome == HTTP_LOST ? CALL_LOST : CALL_BROKEN, NULL);
        }
        break;
    }
    if (again) {
        call_route(call);
    }
    target_unref(target);
}
