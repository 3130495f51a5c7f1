/* The life of a call, from its request to its answer and the figures of both. */
#include <stdio.h>
#include <stdlib.h>

#include "action/snapshot.h"
#include "action/target.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/json_peek.h"
#include "call/caller_priv.h"
#include "call/outcome.h"
#include "http/server.h"
#include "loop/loop.h"
#include "measure/action_stats.h"
#include "measure/benchmark.h"

struct call *call_new(struct caller *caller, struct http_request *request, struct slice name)
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
    call->walker = NULL;
    call->caller_walker = (struct slice){0};
    call->timed = false;
    call->since_ms = loop_now_ms(caller->loop);
    call->not_before_ms = 0;
    call->tried_target = 0;
    call->attempts = 0;
    call->without_slash = false;
    call->redirected = false;
    call->path = NULL;
    call->form = NULL;
    call->action_stats = NULL;
    call->stats = NULL;
    return call;
}

void call_end(struct call *call)
{
    struct caller *caller = call->caller;
    free(call->path);
    call->path = NULL;
    call->request = NULL;
    call->form = json_put(call->form);
    call->next = caller->free_calls;
    caller->free_calls = call;
}

void call_book(struct call *call, struct action_stats *stats)
{
    if (call->action_stats == stats || call->caller->settings.unmeasured) {
        return;
    }
    if (call->stats) {
        (void)atomic_fetch_sub_explicit(&call->stats->in_flight, 1, memory_order_relaxed);
    }
    call->action_stats = stats;
    call->stats = stats ? action_stats_of(stats, call->caller_walker) : NULL;
    if (call->stats) {
        (void)atomic_fetch_add_explicit(&call->stats->in_flight, 1, memory_order_relaxed);
    }
}

/* Which walker ran is known from the worker's answer: "NAME", or "NAME; failed"; of a walker
 * that does not exist "; failed". */
static struct slice walker_that_ran(const struct http_reply *reply, bool *failed)
{
    static const struct slice mark = {"; failed", 8};
    struct slice walker = reply->walker;
    if (walker.size >= mark.size && slice_eq(slice_from(walker, walker.size - mark.size), mark)) {
        *failed = true;
        walker.size -= mark.size;
    }
    return walker;
}

/* The walker's name as the client wrote it, into name[size]; "" when it gave none. It stands in the
 * path, or in the body, which nobody has read here. */
static void walker_asked_for(const struct call *call, char *name, size_t size)
{
    static const char wapi[] = "/wapi/";
    name[0] = '\0';
    if (strncmp(call->name, wapi, sizeof(wapi) - 1) == 0) {
        const char *start = call->name + sizeof(wapi) - 1;
        (void)snprintf(name, size, "%.*s", (int)strcspn(start, "/"), start);
    } else if (call->form) {
        const char *given = json_str(call->form, "name");
        (void)snprintf(name, size, "%s", given ? given : "");
    } else {
        (void)json_peek_str(http_request_body(call->request), "name", name, size);
    }
}

_Static_assert(BENCHMARK_LANE_IO + TARGET_LOOPS_MAX <= BENCHMARK_LANES_MAX, "a lane each loop");

/* The benchmark that a walker's run belongs to; NULL = none is active. */
static struct benchmark *benchmark_of(const struct call *call)
{
    const struct snapshot *snapshot = call->caller->snapshot;
    return call->walker && snapshot ? snapshot->benchmark : NULL;
}

static void add_to_benchmark(const struct call *call, struct slice walker, uint64_t latency_ns,
                             bool failed)
{
    char name[CALL_NAME_MAX];
    if (walker.size == 0) { /* no worker has said which */
        walker_asked_for(call, name, sizeof(name));
        walker = slice_str(name);
    }
    benchmark_add(benchmark_of(call), BENCHMARK_LANE_IO + call->caller->index,
                  slice_str(call->walker), walker, latency_ns, failed);
}

/* Among the figures of its action or walker. */
static void add_to_stats(struct call *call, struct slice walker, struct call_sample *sample,
                         const struct http_reply *reply)
{
    struct call_stats *stats = call->stats;
    (void)atomic_fetch_sub_explicit(&stats->in_flight, 1, memory_order_relaxed);
    if (call->walker && reply) {
        stats = action_stats_of(call->action_stats, walker);
    }
    sample->exec_ns = http_request_noted(call->request)->exec_ns;
    sample->nested_ns = reply ? call_nested_ns(reply->server_timing) : 0;
    sample->bytes_in = http_request_body(call->request).size;
    sample->bytes_out = reply ? reply->body.size : 0;
    call_stats_add(stats, sample);
}

/* The call has ended. reply: NULL = without one. */
static void count(struct call *call, bool failed, const struct http_reply *reply)
{
    struct http_note *note = http_request_note(call->request);
    struct slice walker = {0};
    if (call->walker && reply) {
        walker = walker_that_ran(reply, &failed);
        note->walker = walker;
    }
    note->exec_ns = reply ? call_exec_ns(reply->server_timing) : 0;
    note->failed = failed;
    if (!call->stats && !benchmark_of(call)) {
        return; /* nobody asks how long it took */
    }
    struct call_sample sample = {.latency_ns =
                                     clock_now_ns() - http_request_start_ns(call->request),
                                 .failed = failed,
                                 .timed_elsewhere = call->timed};
    if (call->stats) {
        add_to_stats(call, walker, &sample, reply);
    }
    if (benchmark_of(call)) {
        add_to_benchmark(call, walker, sample.latency_ns, failed);
    }
}

/* What a person knows the call by. */
static const char *label_of(const struct call *call, char *label, size_t size)
{
    if (!call->walker) {
        return call->name;
    }
    walker_asked_for(call, label, size);
    return label[0] ? label : call->walker;
}

void call_fail(struct call *call, enum call_outcome outcome, const char *why)
{
    const struct call_outcome_row *row = call_outcome_row(outcome);
    char text[CALL_DETAIL_MAX];
    char label[CALL_NAME_MAX];
    call_outcome_detail(outcome, label_of(call, label, sizeof(label)), why, text);
    count(call, true, NULL);
    (void)atomic_fetch_add(&call->caller->failures[outcome], 1);
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

#define LINES_MAX 512

/* What of the reply's head goes on, and what a caller that measures must know; into
 * lines[LINES_MAX]. */
static size_t put_lines(const struct call *call, const struct http_reply *reply, char *lines)
{
    const char *place = http_request_noted(call->request)->place;
    int size = 0;
    if (reply->server_timing.size > 0 && reply->server_timing.size < 80) {
        size = snprintf(lines, LINES_MAX, "Server-Timing: %.*s\r\n", (int)reply->server_timing.size,
                        reply->server_timing.data);
    }
    if (reply->disposition.size > 0 && reply->disposition.size < 300) { /* a walker's file */
        size += snprintf(lines + size, LINES_MAX - (size_t)size, "Content-Disposition: %.*s\r\n",
                         (int)reply->disposition.size, reply->disposition.data);
    }
    if (call->timed && place) {
        size += snprintf(lines + size, LINES_MAX - (size_t)size, "X-Jsorc-Place: %s\r\n", place);
    }
    return (size_t)size;
}

void call_answer(struct call *call, const struct http_reply *reply)
{
    char type[100];
    char lines[LINES_MAX];
    size_t type_size = reply->content_type.size < sizeof(type) ? reply->content_type.size : 0;
    if (type_size > 0) {
        memcpy(type, reply->content_type.data, type_size);
    }
    type[type_size] = '\0';
    size_t size = put_lines(call, reply, lines);
    count(call, call_status_failed(reply->status), reply);
    http_respond(call->request, &(struct http_response){
                                    .status = reply->status,
                                    .content_type = type_size ? type : NULL,
                                    .headers = {lines, size},
                                    .body = reply->body,
                                });
    call_end(call);
}
