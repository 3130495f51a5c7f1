/* Traces in the JSON of OpenTelemetry, https://opentelemetry.io/docs/specs/otlp/#otlphttp and
 * opentelemetry-proto's trace.proto: an ExportTraceServiceRequest. Pure. */
#pragma once

#include <stdint.h>

struct buf;
struct exchange;

/* otlp_begin, otlp_add as often as wanted, otlp_end: one document in out. */
void otlp_begin(struct buf *out, const char *version);

/* The spans of one request: itself, the hop to a worker, and the execution there. When the latter
 * began is not known: it is put in the middle of the hop. unix_offset_ns: from a point in time of
 * the exchange to Unix time. first: none was added before. Returns how many spans that are. */
unsigned otlp_add(struct buf *out, const struct exchange *exchange, int64_t unix_offset_ns,
                  unsigned first);
unsigned otlp_spans(const struct exchange *exchange); /* so many otlp_add adds */

void otlp_end(struct buf *out);
