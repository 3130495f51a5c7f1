#include "measure/call_stats.h"

#include <stddef.h>

#include "measure/histogram.h"

void call_stats_done(struct call_stats *stats)
{
    histogram_free(atomic_exchange(&stats->latency, NULL));
}

struct histogram *call_stats_latency(struct call_stats *stats)
{
    struct histogram *histogram = atomic_load_explicit(&stats->latency, memory_order_acquire);
    if (histogram) {
        return histogram;
    }
    struct histogram *fresh = histogram_new();
    if (atomic_compare_exchange_strong(&stats->latency, &histogram, fresh)) {
        return fresh;
    }
    histogram_free(fresh); /* another thread was first */
    return histogram;
}

static void add(atomic_uint_fast64_t *sum, uint64_t value)
{
    atomic_fetch_add_explicit(sum, value, memory_order_relaxed);
}

void call_stats_add(struct call_stats *stats, const struct call_sample *sample)
{
    add(&stats->calls, 1);
    add(&stats->bytes_in, sample->bytes_in);
    add(&stats->bytes_out, sample->bytes_out);
    if (sample->failed) {
        add(&stats->errors, 1);
        return;
    }
    if (sample->exec_ns > 0) {
        add(&stats->executions, 1);
        add(&stats->exec_ns, sample->exec_ns);
        add(&stats->nested_ns, sample->nested_ns);
    }
    if (!sample->timed_elsewhere) {
        add(&stats->latency_ns, sample->latency_ns);
        histogram_add(call_stats_latency(stats), sample->latency_ns);
    }
}
