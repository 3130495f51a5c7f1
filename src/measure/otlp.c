#include "measure/otlp.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json_put.h"
#include "measure/exchange.h"

enum span_kind { SPAN_INTERNAL = 1, SPAN_SERVER = 2, SPAN_CLIENT = 3 }; /* of trace.proto */

#define STATUS_ERROR 2 /* likewise */

struct span {
    const unsigned char *id;
    const unsigned char *parent; /* NULL = none */
    const char *verb;            /* first word of its name */
    enum span_kind kind;
    uint64_t began_ns;
    uint64_t ended_ns;
    bool failed;
};

/* ---- attributes ---- */

static void put_string_attribute(struct buf *out, const char **comma, const char *key,
                                 struct slice value)
{
    if (value.size == 0) {
        return;
    }
    json_put_text(out, *comma);
    json_put_text(out, "{\"key\":\"");
    json_put_text(out, key);
    json_put_text(out, "\",\"value\":{\"stringValue\":");
    json_put_string(out, value);
    json_put_text(out, "}}");
    *comma = ",";
}

static void put_int_attribute(struct buf *out, const char **comma, const char *key, uint64_t value)
{
    json_put_text(out, *comma);
    json_put_text(out, "{\"key\":\"");
    json_put_text(out, key);
    json_put_text(out, "\",\"value\":{\"intValue\":\""); /* 64 bits: a string in JSON */
    json_put_number(out, value);
    json_put_text(out, "\"}}");
    *comma = ",";
}

/* Names of https://opentelemetry.io/docs/specs/semconv/http/ where there is one. */
static void put_request_attributes(struct buf *out, const struct exchange *exchange)
{
    const struct slice *texts = exchange->texts;
    const char *comma = "";
    char address[INET6_ADDRSTRLEN];
    bool remote = (exchange->family == AF_INET || exchange->family == AF_INET6) &&
                  inet_ntop(exchange->family, exchange->address, address, sizeof(address));
    put_string_attribute(out, &comma, "http.request.method", texts[EXCHANGE_METHOD]);
    put_string_attribute(out, &comma, "url.path", texts[EXCHANGE_PATH]);
    put_int_attribute(out, &comma, "http.response.status_code", (uint64_t)exchange->status);
    put_int_attribute(out, &comma, "http.request.body.size", exchange->bytes_in);
    put_int_attribute(out, &comma, "http.response.body.size", exchange->bytes_out);
    put_string_attribute(out, &comma, "client.address",
                         remote ? slice_str(address) : (struct slice){0});
    put_string_attribute(out, &comma, "jsorc.request_id", texts[EXCHANGE_REQUEST_ID]);
    put_string_attribute(out, &comma, "jsorc.kind", texts[EXCHANGE_KIND]);
    put_string_attribute(out, &comma, "jsorc.name", texts[EXCHANGE_NAME]);
    put_string_attribute(out, &comma, "jsorc.walker", texts[EXCHANGE_WALKER]);
    if (exchange->user_id > 0) {
        put_int_attribute(out, &comma, "jsorc.user", (uint64_t)exchange->user_id);
    }
}

static void put_call_attributes(struct buf *out, const struct exchange *exchange)
{
    const char *comma = "";
    put_string_attribute(out, &comma, "jsorc.place", exchange->texts[EXCHANGE_PLACE]);
    put_string_attribute(out, &comma, "jsorc.name", exchange->texts[EXCHANGE_NAME]);
    put_string_attribute(out, &comma, "jsorc.walker", exchange->texts[EXCHANGE_WALKER]);
}

/* ---- spans ---- */

static void put_id(struct buf *out, const char *member, const unsigned char *id, size_t size)
{
    char text[33] = "";
    trace_hex(id, size, text);
    json_put_text(out, member);
    json_put_text(out, text);
    json_put_text(out, "\",");
}

/* "action text.split", "walker intake", or what else is known of it. */
static void put_name(struct buf *out, const struct exchange *exchange, const char *verb)
{
    const struct slice *texts = exchange->texts;
    bool ran = slice_eq(texts[EXCHANGE_KIND], SLICE("walker"));
    struct slice name = texts[ran ? EXCHANGE_WALKER : EXCHANGE_NAME];
    struct slice first = verb ? slice_str(verb) : texts[EXCHANGE_KIND];
    char text[2 * EXCHANGE_TEXT_MAX + 2];
    size_t size = first.size;
    memcpy(text, first.data, first.size);
    if (name.size > 0) {
        text[size++] = ' ';
        memcpy(text + size, name.data, name.size);
        size += name.size;
    }
    json_put_string(out, (struct slice){text, size});
}

static void put_span(struct buf *out, const struct exchange *exchange, const struct span *span,
                     int64_t unix_offset_ns)
{
    put_id(out, "{\"traceId\":\"", exchange->trace.trace_id, sizeof(exchange->trace.trace_id));
    put_id(out, "\"spanId\":\"", span->id, 8);
    if (span->parent) {
        put_id(out, "\"parentSpanId\":\"", span->parent, 8);
    }
    json_put_text(out, "\"name\":");
    put_name(out, exchange, span->verb);
    json_put_text(out, ",\"kind\":");
    json_put_number(out, span->kind);
    json_put_text(out, ",\"startTimeUnixNano\":\"");
    json_put_number(out, span->began_ns + (uint64_t)unix_offset_ns);
    json_put_text(out, "\",\"endTimeUnixNano\":\"");
    json_put_number(out, span->ended_ns + (uint64_t)unix_offset_ns);
    json_put_text(out, "\",\"attributes\":[");
    if (span->kind == SPAN_SERVER) {
        put_request_attributes(out, exchange);
    } else {
        put_call_attributes(out, exchange);
    }
    json_put_text(out, "],\"status\":{");
    if (span->failed) {
        json_put_text(out, "\"code\":");
        json_put_number(out, STATUS_ERROR);
    }
    json_put_text(out, "}}");
}

static bool is_set(const unsigned char id[8])
{
    static const unsigned char none[8];
    return memcmp(id, none, sizeof(none)) != 0;
}

unsigned otlp_spans(const struct exchange *exchange)
{
    return exchange->hop_began_ns == 0 ? 1 : is_set(exchange->trace.exec_id) ? 3 : 2;
}

unsigned otlp_add(struct buf *out, const struct exchange *exchange, int64_t unix_offset_ns,
                  unsigned first)
{
    const struct trace_context *trace = &exchange->trace;
    unsigned count = otlp_spans(exchange);
    /* A client's error is not ours, a walker that failed with a good status is. */
    bool failed = exchange->status >= 500 || (exchange->failed && exchange->status < 400);
    uint64_t hop_ns = exchange->ended_ns - exchange->hop_began_ns;
    /* Not told (the worker ended): what it called meanwhile still needs a parent. */
    uint64_t exec_ns =
        exchange->exec_ns > 0 && exchange->exec_ns < hop_ns ? exchange->exec_ns : hop_ns;
    uint64_t exec_began_ns = exchange->hop_began_ns + (hop_ns - exec_ns) / 2;
    const struct span spans[] = {
        {trace->span_id, is_set(trace->parent_id) ? trace->parent_id : NULL, NULL, SPAN_SERVER,
         exchange->began_ns, exchange->ended_ns, failed},
        {trace->hop_id, trace->span_id, "call", SPAN_CLIENT, exchange->hop_began_ns,
         exchange->ended_ns, failed},
        {trace->exec_id, trace->hop_id, "run", SPAN_INTERNAL, exec_began_ns,
         exec_began_ns + exec_ns, failed},
    };
    for (unsigned i = 0; i < count; i++) {
        json_put_text(out, first == 0 && i == 0 ? "" : ",");
        put_span(out, exchange, &spans[i], unix_offset_ns);
    }
    return count;
}

void otlp_begin(struct buf *out, const char *version)
{
    const char *comma = "";
    json_put_text(out, "{\"resourceSpans\":[{\"resource\":{\"attributes\":[");
    put_string_attribute(out, &comma, "service.name", SLICE("jsorc"));
    put_string_attribute(out, &comma, "service.version", slice_str(version));
    put_int_attribute(out, &comma, "process.pid", (uint64_t)getpid());
    json_put_text(out, "]},\"scopeSpans\":[{\"scope\":{\"name\":\"jsorc\"},\"spans\":[");
}

void otlp_end(struct buf *out)
{
    json_put_text(out, "]}]}]}");
}
