#include "cli/loadtest/samples.h"

#include <math.h>

#include "base/alloc.h"
#include "load/stats.h"
#include "measure/histogram.h"

void samples_init(struct samples *samples)
{
    *samples = (struct samples){.all = histogram_new()};
}

void samples_done(struct samples *samples)
{
    free(samples->exact_ms);
    histogram_free(samples->all);
    *samples = (struct samples){0};
}

/* Before it is counted. */
static void keep(struct samples *samples, double latency_ms)
{
    if (samples->count < SAMPLES_EXACT_MAX) {
        if (samples->count == samples->capacity) {
            samples->capacity = samples->capacity ? 2 * samples->capacity : 256;
            samples->exact_ms =
                xrealloc(samples->exact_ms, samples->capacity * sizeof(*samples->exact_ms));
        }
        samples->exact_ms[samples->count] = latency_ms;
        samples->sorted = false;
    }
}

void samples_add(struct samples *samples, uint64_t latency_ns)
{
    double latency_ms = (double)latency_ns / 1e6;
    keep(samples, latency_ms);
    samples->min_ms = samples->count == 0 ? latency_ms : fmin(samples->min_ms, latency_ms);
    samples->max_ms = fmax(samples->max_ms, latency_ms);
    samples->sum_ms += latency_ms;
    samples->count++;
    histogram_add(samples->all, latency_ns);
}

void samples_merge(struct samples *into, const struct samples *from)
{
    if (from->count == 0) {
        return;
    }
    into->min_ms = into->count == 0 ? from->min_ms : fmin(into->min_ms, from->min_ms);
    into->max_ms = fmax(into->max_ms, from->max_ms);
    into->sum_ms += from->sum_ms;
    size_t kept = samples_approx(from) ? SAMPLES_EXACT_MAX : from->count;
    for (size_t i = 0; i < kept; i++) {
        keep(into, from->exact_ms[i]);
        into->count++;
    }
    into->count += from->count - kept;
    histogram_merge(into->all, from->all);
}

bool samples_approx(const struct samples *samples)
{
    return samples->count > SAMPLES_EXACT_MAX;
}

double samples_percentile(struct samples *samples, double percentile)
{
    if (samples->count == 0) {
        return NAN;
    }
    if (samples_approx(samples)) {
        double value_ms = histogram_quantile(samples->all, percentile / 100) / 1e6;
        return fmin(fmax(value_ms, samples->min_ms), samples->max_ms);
    }
    if (!samples->sorted) {
        stats_sort(samples->exact_ms, samples->count);
        samples->sorted = true;
    }
    return stats_percentile(samples->exact_ms, samples->count, percentile);
}

double samples_mean_ms(const struct samples *samples)
{
    return samples->count > 0 ? samples->sum_ms / (double)samples->count : NAN;
}
