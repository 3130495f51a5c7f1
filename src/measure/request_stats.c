#include "measure/request_stats.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "measure/exposition.h"
#include "measure/histogram.h"

const char *request_kind_name(enum request_kind kind)
{
    static const char *const names[] = {"other", "action", "walker", "api"};
    return names[kind];
}

struct request_stats *request_stats_new(void)
{
    struct request_stats *stats = xcalloc(1, sizeof(*stats));
    for (int kind = 0; kind < REQUEST_KINDS; kind++) {
        stats->kinds[kind].duration = histogram_new();
    }
    return stats;
}

struct request_stats *request_stats_free(struct request_stats *stats)
{
    for (int kind = 0; stats && kind < REQUEST_KINDS; kind++) {
        histogram_free(stats->kinds[kind].duration);
    }
    free(stats);
    return NULL;
}

static void add(atomic_uint_fast64_t *sum, uint64_t value)
{
    (void)atomic_fetch_add_explicit(sum, value, memory_order_relaxed);
}

void request_stats_add(struct request_stats *stats, enum request_kind kind, int status,
                       uint64_t duration_ns, size_t bytes_in, size_t bytes_out)
{
    int known = status < REQUEST_STATUS_MIN || status > REQUEST_STATUS_MAX ? 500 : status;
    add(&stats->kinds[kind].by_status[known - REQUEST_STATUS_MIN], 1);
    add(&stats->kinds[kind].duration_ns, duration_ns);
    add(&stats->kinds[kind].bytes_in, bytes_in);
    add(&stats->kinds[kind].bytes_out, bytes_out);
    histogram_add(stats->kinds[kind].duration, duration_ns);
}

static void expose_counts(struct exposition *exposition, const struct request_stats *const *all,
                          size_t count)
{
    exposition_begin(exposition, METRIC_HTTP_REQUESTS);
    for (int kind = 0; kind < REQUEST_KINDS; kind++) {
        for (int at = 0; at <= REQUEST_STATUS_MAX - REQUEST_STATUS_MIN; at++) {
            uint64_t requests = 0;
            for (size_t i = 0; i < count; i++) {
                requests += atomic_load(&all[i]->kinds[kind].by_status[at]);
            }
            if (requests > 0) {
                char code[16];
                (void)snprintf(code, sizeof(code), "%d", at + REQUEST_STATUS_MIN);
                exposition_value(exposition, (const char *const[]){request_kind_name(kind), code},
                                 (double)requests);
            }
        }
    }
}

static void expose_durations(struct exposition *exposition, const struct request_stats *const *all,
                             size_t count)
{
    exposition_begin(exposition, METRIC_HTTP_REQUEST_DURATION);
    for (int kind = 0; kind < REQUEST_KINDS; kind++) {
        struct histogram *durations = histogram_new();
        uint64_t sum_ns = 0;
        for (size_t i = 0; i < count; i++) {
            histogram_merge(durations, all[i]->kinds[kind].duration);
            sum_ns += atomic_load(&all[i]->kinds[kind].duration_ns);
        }
        exposition_histogram(exposition, (const char *const[]){request_kind_name(kind)}, durations,
                             sum_ns);
        histogram_free(durations);
    }
}

static void expose_bytes(struct exposition *exposition, const struct request_stats *const *all,
                         size_t count, enum metric metric)
{
    exposition_begin(exposition, metric);
    for (int kind = 0; kind < REQUEST_KINDS; kind++) {
        uint64_t bytes = 0;
        for (size_t i = 0; i < count; i++) {
            bytes +=
                atomic_load(metric == METRIC_HTTP_REQUEST_BYTES ? &all[i]->kinds[kind].bytes_in
                                                                : &all[i]->kinds[kind].bytes_out);
        }
        exposition_value(exposition, (const char *const[]){request_kind_name(kind)}, (double)bytes);
    }
}

void request_stats_expose(struct exposition *exposition, const struct request_stats *const *all,
                          size_t count)
{
    expose_counts(exposition, all, count);
    expose_durations(exposition, all, count);
    expose_bytes(exposition, all, count, METRIC_HTTP_REQUEST_BYTES);
    expose_bytes(exposition, all, count, METRIC_HTTP_RESPONSE_BYTES);
}
