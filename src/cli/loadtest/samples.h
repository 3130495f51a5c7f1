/* The latencies of a measurement: each of them up to a limit, their histogram beyond. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct histogram;

#define SAMPLES_EXACT_MAX 100000 /* 800 KB; more are told to within 1 % */

struct samples {
    double *exact_ms; /* [min(count, SAMPLES_EXACT_MAX)]; owned; sorted when `sorted` */
    size_t capacity;
    size_t count;
    bool sorted;
    double sum_ms;
    double min_ms;
    double max_ms;
    struct histogram *all; /* owned */
};

void samples_init(struct samples *samples);
void samples_done(struct samples *samples);
void samples_add(struct samples *samples, uint64_t latency_ns);

/* Adds those of from. */
void samples_merge(struct samples *into, const struct samples *from);

/* Percentile 0..100 in ms; NaN without samples. Exact (stats_percentile) unless samples_approx. */
double samples_percentile(struct samples *samples, double percentile);
double samples_mean_ms(const struct samples *samples); /* NaN without samples */
bool samples_approx(const struct samples *samples);
