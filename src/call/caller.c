/* Where a call goes: the route in this turn's snapshot, the connections to its target. */
#include "call/caller.h"

#include <assert.h>
#include <stdlib.h>

#include "action/place.h"
#include "action/publisher.h"
#include "action/snapshot.h"
#include "action/target.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "call/caller_priv.h"
#include "call/outcome.h"
#include "call/pool.h"
#include "http/body.h"
#include "http/server.h"
#include "loop/loop.h"

struct caller *caller_new(struct loop *loop, unsigned index, struct publisher *publisher,
                          const struct call_settings *settings)
{
    struct caller *caller = xcalloc(1, sizeof(*caller));
    caller->loop = loop;
    caller->index = index;
    caller->publisher = publisher;
    caller->settings = *settings;
    caller->parked_last = &caller->parked;
    caller->parked_timer = (struct loop_timer){.fn = caller_on_parked_timer, .arg = caller};
    return caller;
}

void caller_on_trouble(struct caller *caller, call_trouble_fn fn, void *arg)
{
    caller->trouble = fn;
    caller->trouble_arg = arg;
}

const struct snapshot *caller_snapshot(const struct caller *caller)
{
    return caller->snapshot;
}

unsigned caller_parked(const struct caller *caller)
{
    return atomic_load(&caller->parked_count);
}

uint64_t caller_failures(const struct caller *caller, enum call_outcome outcome)
{
    return atomic_load(&caller->failures[outcome]);
}

static struct pool *pool_for(struct caller *caller, struct target *target)
{
    struct pool *pool = target->pools[caller->index];
    if (!pool && caller->pool_count < CALL_POOLS_MAX) {
        pool = pool_new(caller->loop, caller->index, target, caller->settings.idle_timeout_ms);
        caller->pools[caller->pool_count++] = pool;
    }
    return pool;
}

static void send_call(struct call *call, const struct module_route *module, struct target *target)
{
    struct caller *caller = call->caller;
    if (call_breaker_open(caller, target)) {
        call_fail(call, CALL_REFUSED, NULL);
        return;
    }
    struct pool *pool = pool_for(caller, target);
    if (!pool || pool_busy(pool) >= CALL_SENT_MAX) {
        call->not_before_ms = 0;
        call_park(call);
        return;
    }
    char head[CALL_HEAD_MAX];
    struct slice body =
        call->form ? slice_str(json_text(call->form)) : http_request_body(call->request);
    size_t head_size = call_head(call, target, body.size, head);
    if (head_size == 0) {
        call_fail(call, CALL_UNKNOWN, NULL);
        return;
    }
    struct http_note *note = http_request_note(call->request);
    note->place = place_name(module->remote ? PLACE_REMOTE : PLACE_MODULE);
    if (note->trace.known) {
        note->hop_began_ns = clock_now_ns();
        if (target->external) { /* it will not tell of an execution */
            memset(note->trace.exec_id, 0, sizeof(note->trace.exec_id));
        }
    }
    call->pool = pool;
    call->client = pool_take(pool);
    (void)atomic_fetch_add(&target->in_flight, 1);
    http_client_send(call->client,
                     &(struct http_send){.head = {head, head_size},
                                         .body = body,
                                         .timeout_ms = call->timeout_ms,
                                         .connect_timeout_ms = caller->settings.connect_timeout_ms,
                                         .reply_bytes_max = caller->settings.reply_bytes_max},
                     call_on_reply, call);
}

static void route_to(struct call *call, const struct module_route *module)
{
    struct caller *caller = call->caller;
    if (module->state == ROUTE_FAILED) {
        call_fail(call, CALL_UNAVAILABLE, module->why);
        return;
    }
    struct target *target = module->state == ROUTE_READY ? call_pick(call, module->targets) : NULL;
    bool again = target && target->id == call->tried_target;
    if (!target || (again && loop_now_ms(caller->loop) < call->not_before_ms)) {
        call_park(call); /* none yet; or the same again: give it a moment */
    } else {
        send_call(call, module, target);
    }
}

void call_route(struct call *call)
{
    struct caller *caller = call->caller;
    const struct snapshot *snapshot = caller->snapshot;
    const struct module_route *module = NULL;
    if (!snapshot) { /* the daemon has just begun */
        call_park(call);
        return;
    }
    if (call->walker) {
        module = &snapshot->runtime;
        call_book(call, snapshot->walker_stats);
        call->timeout_ms = snapshot->walker_timeout_ms;
        call->idempotent = false;
        if (module->state == ROUTE_FAILED && !module->why) {
            call_fail(call, CALL_NO_WALKERS, NULL);
            return;
        }
    } else {
        const struct action_route *route = snapshot_find(snapshot, slice_str(call->name));
        if (!route && snapshot->incomplete) {
            call_park(call);
            return;
        }
        if (!route) { /* of a module that never loaded nobody knows the actions */
            module = snapshot_failed_module(snapshot, slice_str(call->name));
            call_fail(call, module ? CALL_UNAVAILABLE : CALL_UNKNOWN, module ? module->why : NULL);
            return;
        }
        module = route->module;
        call_book(call, route->stats);
        call->timeout_ms = route->timeout_ms;
        call->idempotent = route->idempotent;
    }
    route_to(call, module);
}

void caller_action(struct caller *caller, struct http_request *request,
                   const struct action_call *action)
{
    struct call *call = call_new(caller, request, action->name);
    struct http_note *note = http_request_note(request);
    note->name = slice_str(call->name);
    note->walker = action->walker;
    call->caller_walker = action->walker;
    call->timed = action->timed;
    call_route(call);
}

/* Workers read JSON: a form, an upload or a query is rewritten to it here. 0, or the -errno of
 * body_object. */
static int walker_form(const struct http_request *request, struct json_object **ret_form,
                       struct err *err)
{
    struct slice type = http_request_header(request, "content-type");
    struct slice query = http_request_query(request);
    const struct slice json = SLICE("application/json");
    bool is_json = type.size == 0 || (type.size >= json.size &&
                                      slice_eq_nocase((struct slice){type.data, json.size}, json));
    if (is_json && query.size == 0) {
        return 0;
    }
    return body_object(type, http_request_body(request), query, ret_form, err);
}

void caller_walker(struct caller *caller, struct http_request *request,
                   const struct walker_call *walker)
{
    struct json_object *form = NULL;
    struct err err = {0};
    int failed = walker_form(request, &form, &err);
    if (failed) {
        http_respond_detail(request, body_status(failed), err.text);
        return;
    }
    struct call *call = call_new(caller, request, walker->path);
    call->walker = walker->op;
    call->form = form;
    size_t size =
        walker->user.size < sizeof(call->user) ? walker->user.size : sizeof(call->user) - 1;
    if (size > 0) {
        memcpy(call->user, walker->user.data, size);
    }
    call->user[size] = '\0';
    call_route(call);
}

/* Connections to targets that no snapshot names any more are closed as soon as they are idle. */
static void close_retired(struct caller *caller)
{
    size_t kept = 0;
    for (size_t i = 0; i < caller->pool_count; i++) {
        struct pool *pool = caller->pools[i];
        bool retired = atomic_load(&pool_target(pool)->retired);
        if (retired && pool_busy(pool) == 0) {
            pool_free(pool);
            continue;
        }
        if (retired) {
            pool_close_idle(pool);
        }
        caller->pools[kept++] = pool;
    }
    caller->pool_count = kept;
}

void caller_turn(struct caller *caller)
{
    caller->snapshot = publisher_take(caller->publisher, caller->index);
    if (caller->snapshot && caller->snapshot->version != caller->version) {
        caller->version = caller->snapshot->version;
        close_retired(caller);
        caller_unpark(caller, true);
    }
}

struct caller *caller_free(struct caller *caller)
{
    if (!caller) {
        return NULL;
    }
    loop_timer_clear(caller->loop, &caller->parked_timer);
    for (size_t i = 0; i < caller->pool_count; i++) {
        assert(pool_busy(caller->pools[i]) == 0);
        pool_free(caller->pools[i]);
    }
    while (caller->free_calls) {
        struct call *call = caller->free_calls;
        caller->free_calls = call->next;
        free(call);
    }
    free(caller);
    return NULL;
}
