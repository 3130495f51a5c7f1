/* Counts of durations with bounded relative error, added to by many threads without locks.
 *
 * Buckets are exact up to 127 ns and then 64 to each power of two (the layout of HdrHistogram,
 * https://hdrhistogram.github.io/HdrHistogram/): a value is told to within 1/128 of itself. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_MAX_NS  (INT64_C(1) << 43) /* about 2.4 h; longer counts as this */
#define HISTOGRAM_BUCKETS 2432

struct histogram;

struct histogram *histogram_new(void);
struct histogram *histogram_free(struct histogram *histogram); /* NULL allowed */

/* Any thread; a few nanoseconds. Allocates only for the first value of its power of two. */
void histogram_add(struct histogram *histogram, uint64_t duration_ns);

uint64_t histogram_count(const struct histogram *histogram);

/* How many values are at most bounds_ns[i] (ascending), for each i < size, into ret_counts[size];
 * returns how many there are in all. A value within 1/128 of a bound may be told on its other side.
 */
uint64_t histogram_counts_to(const struct histogram *histogram, const uint64_t *bounds_ns,
                             size_t size, uint64_t *ret_counts);

/* The duration below which share (0..1) of the values lie, in ns; 0 when there are none. While
 * others add, the result belongs to some moment during the call. */
double histogram_quantile(const struct histogram *histogram, double share);

/* Adds the counts of from. */
void histogram_merge(struct histogram *into, const struct histogram *from);

/* Takes away the counts of from, which into had at an earlier time. */
void histogram_subtract(struct histogram *into, const struct histogram *from);

/* The first bucket at or after *bucket that has counts: its number and count. Begin with 0 and add
 * 1 to go on. False = no more. */
bool histogram_next(const struct histogram *histogram, size_t *bucket, uint64_t *ret_count);

/* What histogram_next told, of another process. A bucket that does not exist is ignored. */
void histogram_add_count(struct histogram *histogram, size_t bucket, uint64_t count);
