/* Counts of durations with bounded relative error, added to by many threads without locks.
 *
 * Buckets are exact up to 127 ns and then 64 to each power of two (the layout of HdrHistogram,
 * https://hdrhistogram.github.io/HdrHistogram/): a value is told to within 1/128 of itself. */
#pragma once

#include <stdint.h>

#define HISTOGRAM_MAX_NS  (INT64_C(1) << 43) /* about 2.4 h; longer counts as this */
#define HISTOGRAM_BUCKETS 2432

struct histogram;

struct histogram *histogram_new(void);
struct histogram *histogram_free(struct histogram *histogram); /* NULL allowed */

/* Any thread; a few nanoseconds. */
void histogram_add(struct histogram *histogram, uint64_t duration_ns);

uint64_t histogram_count(const struct histogram *histogram);

/* The duration below which share (0..1) of the values lie, in ns; 0 when there are none. While
 * others add, the result belongs to some moment during the call. */
double histogram_quantile(const struct histogram *histogram, double share);

/* Adds the counts of from. */
void histogram_merge(struct histogram *into, const struct histogram *from);
