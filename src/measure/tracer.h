/* Sends the spans of requests to an OpenTelemetry collector (OTLP over HTTP, JSON). Who answers a
 * request only copies what is known of it; a thread of its own writes and sends. What the collector
 * does not take in time is dropped and counted. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct err;
struct exchange;
struct tracer;

#define TRACER_QUEUE_BYTES    (4 * 1024 * 1024) /* about 10000 requests */
#define TRACER_LINGER_MS      1000              /* between two posts */
#define TRACER_POST_BYTES     (1024 * 1024)     /* of one post, about; more are sent as several */
#define TRACER_POST_TIMEOUT_S 10
#define TRACER_END_MS         2000 /* for what is left at the end */

struct tracer_config {
    const char *url; /* of the collector: "http://127.0.0.1:4318"; "/v1/traces" is added. Copied */
    const char *version;
    double ratio; /* of the traces that begin here, 0..1; a client's own decision holds */
};

/* NULL and err when the URL is none or there is no thread to be had. One a process. */
struct tracer *tracer_new(const struct tracer_config *config, struct err *err);

/* Sends what is left, about TRACER_END_MS long at most; what comes later is lost. */
void tracer_stop(struct tracer *tracer);

/* Nobody may add any more. NULL allowed. */
struct tracer *tracer_free(struct tracer *tracer);

/* Whether a trace that begins here is kept; random: any number. Any thread. */
bool tracer_samples(const struct tracer *tracer, uint64_t random);

/* Any thread. */
void tracer_add(struct tracer *tracer, const struct exchange *exchange);

uint64_t tracer_exported(const struct tracer *tracer); /* spans; any thread */
uint64_t tracer_dropped(const struct tracer *tracer);
