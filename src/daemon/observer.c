#include "daemon/observer.h"

#include "base/clock.h"
#include "base/random.h"
#include "http/server.h"
#include "measure/access_log.h"
#include "measure/exchange.h"
#include "measure/request_stats.h"
#include "measure/tracer.h"

void observer_init(struct observer *observer, struct access_log *access_log, struct tracer *tracer)
{
    *observer = (struct observer){.requests = request_stats_new(),
                                  .access_log = access_log,
                                  .tracer = tracer,
                                  .random = random_seed()};
}

void observer_done(struct observer *observer)
{
    observer->requests = request_stats_free(observer->requests);
}

static void make_id(struct observer *observer, struct http_note *note)
{
    uint64_t number = random_bits(&observer->random);
    trace_hex((const unsigned char *)&number, sizeof(number), note->request_id);
    note->request_id[2 * sizeof(number)] = '\0';
}

void observer_begin(struct observer *observer, struct http_request *request)
{
    struct http_note *note = http_request_note(request);
    struct slice given = http_request_id(request);
    if (given.size > 0) {
        memcpy(note->request_id, given.data, given.size);
        note->request_id[given.size] = '\0';
    } else {
        make_id(observer, note);
    }
    if (observer->tracer) {
        if (!trace_context_read(&note->trace, http_request_header(request, "traceparent"))) {
            note->trace.sampled = tracer_samples(observer->tracer, random_bits(&observer->random));
        }
        trace_context_make(&note->trace, &observer->random);
    }
}

/* Probes and scrapes are of no interest, unless whoever sent them traces them. */
static bool is_traced(const struct http_note *note)
{
    static const unsigned char none[8];
    return note->trace.known && note->trace.sampled &&
           (note->kind != REQUEST_OTHER || memcmp(note->trace.parent_id, none, sizeof(none)) != 0);
}

static void tell(const struct observer *observer, const struct http_request *request,
                 const struct http_response *response, uint64_t now_ns)
{
    const struct http_note *note = http_request_noted(request);
    struct exchange exchange = {
        .began_ns = http_request_start_ns(request),
        .ended_ns = now_ns,
        .hop_began_ns = note->hop_began_ns,
        .exec_ns = note->exec_ns,
        .bytes_in = http_request_body(request).size,
        .bytes_out = response->body.size,
        .user_id = note->user_id,
        .status = response->status,
        .failed = note->failed,
        .trace = note->trace,
        .texts = {[EXCHANGE_REQUEST_ID] = slice_str(note->request_id),
                  [EXCHANGE_METHOD] = slice_str(http_request_method_name(request)),
                  [EXCHANGE_PATH] = http_request_path(request),
                  [EXCHANGE_KIND] = slice_str(request_kind_name((enum request_kind)note->kind)),
                  [EXCHANGE_NAME] = note->name,
                  [EXCHANGE_WALKER] = note->walker,
                  [EXCHANGE_PLACE] = slice_str(note->place)},
    };
    exchange_set_remote(&exchange, http_request_peer(request));
    if (observer->access_log) {
        access_log_add(observer->access_log, &exchange);
    }
    if (observer->tracer && is_traced(note)) {
        tracer_add(observer->tracer, &exchange);
    }
}

void observer_answer(void *arg, const struct http_request *request,
                     const struct http_response *response)
{
    const struct observer *observer = arg;
    const struct http_note *note = http_request_noted(request);
    uint64_t now_ns = clock_now_ns();
    request_stats_add(observer->requests, (enum request_kind)note->kind, response->status,
                      now_ns - http_request_start_ns(request), http_request_body(request).size,
                      response->body.size);
    if (observer->access_log || observer->tracer) {
        tell(observer, request, response, now_ns);
    }
}
