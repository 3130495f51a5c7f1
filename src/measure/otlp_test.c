#include "measure/otlp.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/test.h"
#include "measure/exchange.h"

#define SECOND_NS UINT64_C(1000000000)

static struct exchange some_exchange(void)
{
    struct exchange exchange = {.began_ns = 10 * SECOND_NS,
                                .hop_began_ns = 11 * SECOND_NS,
                                .ended_ns = 15 * SECOND_NS,
                                .exec_ns = 2 * SECOND_NS,
                                .status = 200,
                                .texts = {[EXCHANGE_KIND] = SLICE("action"),
                                          [EXCHANGE_NAME] = SLICE("text.\"split\""),
                                          [EXCHANGE_METHOD] = SLICE("POST"),
                                          [EXCHANGE_PLACE] = SLICE("remote")}};
    uint64_t random = 7;
    trace_context_make(&exchange.trace, &random);
    return exchange;
}

/* The spans of one exchange, owned by the document in *ret. */
static struct json_object *spans_of(const struct exchange *exchange, struct json_object **ret)
{
    struct buf out = {0};
    otlp_begin(&out, "1.2.3");
    EXPECT_INT(otlp_add(&out, exchange, 5, 0), otlp_spans(exchange));
    EXPECT_INT(otlp_add(&out, exchange, 5, otlp_spans(exchange)), otlp_spans(exchange));
    otlp_end(&out);
    EXPECT_INT(json_parse_object(buf_slice(&out), ret, NULL), 0);
    buf_done(&out);
    struct json_object *resources = json_member(*ret, "resourceSpans", json_type_array);
    struct json_object *scopes =
        json_member(json_object_array_get_idx(resources, 0), "scopeSpans", json_type_array);
    struct json_object *spans =
        json_member(json_object_array_get_idx(scopes, 0), "spans", json_type_array);
    EXPECT_INT(json_object_array_length(spans), 2 * otlp_spans(exchange));
    return spans;
}

static void expect_span(struct json_object *span, const char *name, int kind, const char *began,
                        const char *ended)
{
    EXPECT_STR(json_str(span, "name"), name);
    EXPECT_INT(json_int(span, "kind", 0), kind);
    EXPECT_STR(json_str(span, "startTimeUnixNano"), began);
    EXPECT_STR(json_str(span, "endTimeUnixNano"), ended);
}

static void writes_request_hop_and_execution(void)
{
    struct json_object *document;
    struct exchange exchange = some_exchange();
    struct json_object *spans = spans_of(&exchange, &document);
    struct json_object *request = json_object_array_get_idx(spans, 0);
    struct json_object *hop = json_object_array_get_idx(spans, 1);
    struct json_object *run = json_object_array_get_idx(spans, 2);
    expect_span(request, "action text.\"split\"", 2, "10000000005", "15000000005");
    expect_span(hop, "call text.\"split\"", 3, "11000000005", "15000000005");
    expect_span(run, "run text.\"split\"", 1, "12000000005", "14000000005"); /* in the middle */
    EXPECT(json_str(request, "parentSpanId") == NULL);
    EXPECT_STR(json_str(hop, "parentSpanId"), json_str(request, "spanId"));
    EXPECT_STR(json_str(run, "parentSpanId"), json_str(hop, "spanId"));
    EXPECT_STR(json_str(run, "traceId"), json_str(request, "traceId"));
    EXPECT_INT(strlen(json_str(run, "traceId")), 32);
    (void)json_put(document);
}

static void leaves_out_what_did_not_happen(void)
{
    struct json_object *document;
    struct exchange exchange = some_exchange();
    memset(exchange.trace.exec_id, 0, 8); /* a server that tells nothing of its execution */
    EXPECT_INT(otlp_spans(&exchange), 2);
    (void)spans_of(&exchange, &document);
    (void)json_put(document);
    exchange.hop_began_ns = 0;
    EXPECT_INT(otlp_spans(&exchange), 1);
    (void)spans_of(&exchange, &document);
    (void)json_put(document);
}

static void tells_errors(void)
{
    struct json_object *document;
    struct exchange exchange = some_exchange();
    exchange.status = 502;
    exchange.exec_ns = 0;
    struct json_object *spans = spans_of(&exchange, &document);
    struct json_object *run = json_object_array_get_idx(spans, 2);
    EXPECT_INT(json_int(json_member(run, "status", json_type_object), "code", 0), 2);
    expect_span(run, "run text.\"split\"", 1, "11000000005", "15000000005");
    (void)json_put(document);
}

TEST_MAIN(writes_request_hop_and_execution, leaves_out_what_did_not_happen, tells_errors)
