#include "call/caller.h"

#include <assert.h>
#include <stdio.h>

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
#include "measure/call_stats.h"

#define BREAKER_FAILURES 5    /* in a row, then an external server is left alone */
#define BREAKER_OPEN_MS  5000 /* for so long; then one call tries */
#define POOLS_MAX        4096 /* targets with connections of this loop */

struct caller {
    struct loop *loop; /* borrowed */
    unsigned index;
    struct publisher *publisher; /* borrowed */
    struct call_settings settings;
    const struct snapshot *snapshot; /* of this turn; borrowed */
    uint64_t version;
    call_trouble_fn trouble;
    void *trouble_arg;

    struct pool *pools[POOLS_MAX];
    size_t pool_count;

    struct call *parked; /* oldest first */
    struct call **parked_last;
    unsigned parked_count;
    struct loop_timer parked_timer;

    struct call *free_calls;
    unsigned in_flight;
};

static void send_call(struct call *call, const struct module_route *module);
static void route_call(struct call *call);

static void on_parked_timer(void *arg);

struct caller *caller_new(struct loop *loop, unsigned index, struct publisher *publisher,
                          const struct call_settings *settings)
{
    struct caller *caller = xcalloc(1, sizeof(*caller));
    caller->loop = loop;
    caller->index = index;
    caller->publisher = publisher;
    caller->settings = *settings;
    caller->parked_last = &caller->parked;
    caller->parked_timer = (struct loop_timer){.fn = on_parked_timer, .arg = caller};
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

unsigned caller_in_flight(const struct caller *caller)
{
    return caller->in_flight;
}

/* ---- the life of a call ---- */

static struct call *call_new(struct caller *caller, struct http_request *request, struct slice name)
{
    struct call *call = caller->free_calls;
    if (call) {
        caller->free_calls = call->next;
    } else {
        call = xcalloc(1, sizeof(*call));
    }
    size_t size = name.size < sizeof(call->name) ? name.size : sizeof(call->name) - 1;
    memcpy(call->name, name.data, size);
    call->name[size] = '\0';
    call->user[0] = '\0';
    call->caller = caller;
    call->request = request;
    call->walker = false;
    call->since_ms = loop_now_ms(caller->loop);
    call->not_before_ms = 0;
    call->tried_target = 0;
    call->attempts = 0;
    call->without_slash = false;
    call->redirected = false;
    call->path = NULL;
    call->form = NULL;
    call->stats = NULL;
    caller->in_flight++;
    return call;
}

static void call_end(struct call *call)
{
    struct caller *caller = call->caller;
    free(call->path);
    call->path = NULL;
    call->request = NULL;
    call->form = json_put(call->form);
    call->next = caller->free_calls;
    caller->free_calls = call;
    caller->in_flight--;
}

static void count(const struct call *call, bool failed, const struct http_reply *reply)
{
    if (call->stats) {
        call_stats_add(call->stats,
                       &(struct call_sample){
                           .latency_ns = clock_now_ns() - http_request_start_ns(call->request),
                           .exec_ns = reply ? call_exec_ns(reply->server_timing) : 0,
                           .bytes_in = http_request_body(call->request).size,
                           .bytes_out = reply ? reply->body.size : 0,
                           .failed = failed,
                       });
    }
}

/* why, if given, is added to the table's text: what the module's last failure was. */
static void call_fail(struct call *call, enum call_outcome outcome, const char *why)
{
    const struct call_outcome_row *row = call_outcome_row(outcome);
    char text[1024];
    _Pragma("GCC diagnostic push")
        _Pragma("GCC diagnostic ignored \"-Wformat-nonliteral\"") int used =
            snprintf(text, sizeof(text), row->text, call->name);
    _Pragma("GCC diagnostic pop") if (why && used > 0 && (size_t)used < sizeof(text))
    {
        (void)snprintf(text + used, sizeof(text) - (size_t)used, ": %s", why);
    }
    count(call, true, NULL);
    CLEANUP(json_put) struct json_object *body = json_object_new_object();
    json_set_str(body, "detail", text);
    json_set_str(body, "type", row->type);
    http_respond(call->request, &(struct http_response){
                                    .status = row->status,
                                    .content_type = "application/json",
                                    .headers = row->status == 503 ? SLICE("Retry-After: 1\r\n")
                                                                  : (struct slice){0},
                                    .body = slice_str(json_text(body)),
                                });
    call_end(call);
}

static void park(struct call *call)
{
    struct caller *caller = call->caller;
    if (caller->parked_count >= CALL_PARKED_MAX) {
        call_fail(call, CALL_OVERLOADED, NULL);
        return;
    }
    call->next = NULL;
    *caller->parked_last = call;
    caller->parked_last = &call->next;
    caller->parked_count++;
    loop_timer_set(caller->loop, &caller->parked_timer, loop_now_ms(caller->loop) + CALL_WAIT_MS);
}

/* Takes all parked calls off the list and routes those that may go on now; the others come back. */
static void unpark(struct caller *caller, bool fresh_snapshot)
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
            route_call(call);
        } else {
            park(call);
        }
    }
}

static void on_parked_timer(void *arg)
{
    unpark(arg, false);
}

/* ---- what came back ---- */

static void report(struct caller *caller, struct target *target)
{
    if (caller->trouble) {
        caller->trouble(caller->trouble_arg, target);
    }
}

static void note_failure(struct caller *caller, struct target *target)
{
    unsigned failures = atomic_fetch_add(&target->failures, 1) + 1;
    if (target->external && failures >= BREAKER_FAILURES) {
        atomic_store(&target->open_until_ms, loop_now_ms(caller->loop) + BREAKER_OPEN_MS);
    }
    report(caller, target);
}

/* It was certainly not executed: to another target, or to this one in a moment. */
static void send_again(struct call *call, uint32_t target_id)
{
    call->tried_target = target_id;
    if (++call->attempts >= CALL_ATTEMPTS_MAX) {
        call_fail(call, CALL_UNAVAILABLE, NULL);
        return;
    }
    call->not_before_ms = loop_now_ms(call->caller->loop) + (CALL_WAIT_MS << call->attempts);
    route_call(call);
}

static void answer(struct call *call, const struct http_reply *reply)
{
    char type[100];
    char timing[100];
    size_t type_size = reply->content_type.size < sizeof(type) ? reply->content_type.size : 0;
    if (type_size > 0) {
        memcpy(type, reply->content_type.data, type_size);
    }
    type[type_size] = '\0';
    int timing_size = 0;
    if (reply->server_timing.size > 0 && reply->server_timing.size < 64) {
        timing_size = snprintf(timing, sizeof(timing), "Server-Timing: %.*s\r\n",
                               (int)reply->server_timing.size, reply->server_timing.data);
    }
    count(call, reply->status >= 500, reply);
    http_respond(call->request, &(struct http_response){
                                    .status = reply->status,
                                    .content_type = type_size ? type : NULL,
                                    .headers = {timing, (size_t)timing_size},
                                    .body = reply->body,
                                });
    call_end(call);
}

static void on_reply(void *arg, enum http_outcome outcome, const struct http_reply *reply)
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
        if (!target->external || reply->status < 500) {
            atomic_store_explicit(&target->failures, 0, memory_order_relaxed);
        } else {
            note_failure(caller, target);
        }
        if (!again && call_foreign_error(target, reply, why)) {
            call_fail(call, CALL_FOREIGN, why);
        } else if (!again) {
            answer(call, reply);
        }
        pool_give(pool, client); /* the reply lies in its buffer until here */
        break;
    case HTTP_UNSENT:
        note_failure(caller, target);
        send_again(call, target->id);
        break;
    case HTTP_TIMED_OUT:
        (void)atomic_fetch_add(&target->timeouts, 1);
        report(caller, target);
        call_fail(call, CALL_TIMED_OUT, NULL);
        break;
    case HTTP_LOST:
    case HTTP_BROKEN:
        note_failure(caller, target);
        if (call->idempotent) {
            send_again(call, target->id);
        } else {
            call_fail(call, outcome == HTTP_LOST ? CALL_LOST : CALL_BROKEN, NULL);
        }
        break;
    }
    if (again) {
        route_call(call);
    }
    target_unref(target);
}

/* ---- where it goes ---- */

static struct pool *pool_for(struct caller *caller, struct target *target)
{
    struct pool *pool = target->pools[caller->index];
    if (!pool && caller->pool_count < POOLS_MAX) {
        pool = pool_new(caller->loop, caller->index, target, caller->settings.idle_timeout_ms);
        caller->pools[caller->pool_count++] = pool;
    }
    return pool;
}

/* An external server that failed several times in a row gets one call, then a pause again. */
static bool breaker_open(const struct caller *caller, struct target *target)
{
    if (!target->external || atomic_load(&target->failures) < BREAKER_FAILURES) {
        return false;
    }
    uint64_t now_ms = loop_now_ms(caller->loop);
    uint64_t until_ms = atomic_load(&target->open_until_ms);
    return now_ms < until_ms || !atomic_compare_exchange_strong(&target->open_until_ms, &until_ms,
                                                                now_ms + BREAKER_OPEN_MS);
}

static void send_call(struct call *call, const struct module_route *module)
{
    struct caller *caller = call->caller;
    struct target *target = module->target;
    if (breaker_open(caller, target)) {
        call_fail(call, CALL_REFUSED, NULL);
        return;
    }
    struct pool *pool = pool_for(caller, target);
    if (!pool || pool_busy(pool) >= CALL_SENT_MAX) {
        call->not_before_ms = 0;
        park(call);
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
    call->pool = pool;
    call->client = pool_take(pool);
    (void)atomic_fetch_add(&target->in_flight, 1);
    http_client_send(call->client,
                     &(struct http_send){.head = {head, head_size},
                                         .body = body,
                                         .timeout_ms = call->timeout_ms,
                                         .connect_timeout_ms = caller->settings.connect_timeout_ms,
                                         .reply_bytes_max = caller->settings.reply_bytes_max},
                     on_reply, call);
}

static void route_call(struct call *call)
{
    struct caller *caller = call->caller;
    const struct snapshot *snapshot = caller->snapshot;
    const struct module_route *module = NULL;
    if (!snapshot) { /* the daemon has just begun */
        park(call);
        return;
    }
    if (call->walker) {
        module = &snapshot->runtime;
        call->stats = snapshot->walker_stats;
        call->timeout_ms = snapshot->walker_timeout_ms;
        call->idempotent = false;
        if (module->state == ROUTE_FAILED && !module->why) {
            call_fail(call, CALL_NO_WALKERS, NULL);
            return;
        }
    } else {
        const struct action_route *route = snapshot_find(snapshot, slice_str(call->name));
        if (!route && snapshot->incomplete) {
            park(call);
            return;
        }
        if (!route) {
            call_fail(call, CALL_UNKNOWN, NULL);
            return;
        }
        module = route->module;
        call->stats = route->stats;
        call->timeout_ms = route->timeout_ms;
        call->idempotent = route->idempotent;
    }
    if (module->state == ROUTE_FAILED) {
        call_fail(call, CALL_UNAVAILABLE, module->why);
    } else if (module->state == ROUTE_WAITING) {
        park(call);
    } else if (module->target->id == call->tried_target &&
               loop_now_ms(caller->loop) < call->not_before_ms) {
        park(call); /* the same target again: give it a moment */
    } else {
        send_call(call, module);
    }
}

void caller_action(struct caller *caller, struct http_request *request, struct slice name)
{
    route_call(call_new(caller, request, name));
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

void caller_walker(struct caller *caller, struct http_request *request, struct slice path,
                   struct slice user)
{
    struct json_object *form = NULL;
    struct err err = {0};
    int failed = walker_form(request, &form, &err);
    if (failed) {
        http_respond_detail(request, body_status(failed), err.text);
        return;
    }
    struct call *call = call_new(caller, request, path);
    call->walker = true;
    call->form = form;
    size_t size = user.size < sizeof(call->user) ? user.size : sizeof(call->user) - 1;
    if (size > 0) {
        memcpy(call->user, user.data, size);
    }
    call->user[size] = '\0';
    route_call(call);
}

/* ---- the turn of the loop ---- */

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
        unpark(caller, true);
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
