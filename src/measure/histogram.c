#include "measure/histogram.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/alloc.h"

#define SUB_BITS  6 /* 64 buckets a power of two */
#define SUB_COUNT (1u << SUB_BITS)
#define GROUPS    (HISTOGRAM_BUCKETS / SUB_COUNT)

struct group {
    atomic_uint_fast64_t counts[SUB_COUNT];
};

/* The durations of one action lie within a few powers of two: only those take memory. */
struct histogram {
    _Atomic(struct group *) groups[GROUPS]; /* owned; NULL = all zero */
};

struct histogram *histogram_new(void)
{
    return xcalloc(1, sizeof(struct histogram));
}

struct histogram *histogram_free(struct histogram *histogram)
{
    for (size_t i = 0; histogram && i < GROUPS; i++) {
        free(atomic_load_explicit(&histogram->groups[i], memory_order_relaxed));
    }
    free(histogram);
    return NULL;
}

static size_t bucket_of(uint64_t value)
{
    if (value >= (uint64_t)HISTOGRAM_MAX_NS) {
        value = (uint64_t)HISTOGRAM_MAX_NS - 1;
    }
    if (value < 2 * SUB_COUNT) {
        return (size_t)value;
    }
    unsigned shift = 63u - (unsigned)__builtin_clzll(value) - SUB_BITS;
    return shift * SUB_COUNT + (size_t)(value >> shift);
}

/* The middle of a bucket. */
static double value_of(size_t bucket)
{
    if (bucket < 2 * SUB_COUNT) {
        return (double)bucket;
    }
    size_t shift = bucket / SUB_COUNT - 1;
    double low = (double)((uint64_t)(bucket - shift * SUB_COUNT) << shift);
    return low + (double)(UINT64_C(1) << shift) / 2;
}

static struct group *make_group(struct histogram *histogram, size_t index)
{
    struct group *fresh = xcalloc(1, sizeof(*fresh)), *there = NULL;
    if (atomic_compare_exchange_strong(&histogram->groups[index], &there, fresh)) {
        return fresh;
    }
    free(fresh); /* another thread was first */
    return there;
}

static atomic_uint_fast64_t *slot(struct histogram *histogram, size_t bucket)
{
    size_t index = bucket / SUB_COUNT;
    struct group *group = atomic_load_explicit(&histogram->groups[index], memory_order_acquire);
    group = group ? group : make_group(histogram, index);
    return &group->counts[bucket % SUB_COUNT];
}

static uint64_t count_of(const struct histogram *histogram, size_t bucket)
{
    const struct group *group =
        atomic_load_explicit(&histogram->groups[bucket / SUB_COUNT], memory_order_acquire);
    return group ? atomic_load_explicit(&group->counts[bucket % SUB_COUNT], memory_order_relaxed)
                 : 0;
}

void histogram_add(struct histogram *histogram, uint64_t duration_ns)
{
    (void)atomic_fetch_add_explicit(slot(histogram, bucket_of(duration_ns)), 1,
                                    memory_order_relaxed);
}

void histogram_add_count(struct histogram *histogram, size_t bucket, uint64_t count)
{
    if (bucket < HISTOGRAM_BUCKETS && count > 0) {
        (void)atomic_fetch_add_explicit(slot(histogram, bucket), count, memory_order_relaxed);
    }
}

bool histogram_next(const struct histogram *histogram, size_t *bucket, uint64_t *ret_count)
{
    size_t i = *bucket;
    while (i < HISTOGRAM_BUCKETS) {
        if (!atomic_load_explicit(&histogram->groups[i / SUB_COUNT], memory_order_relaxed)) {
            i = (i / SUB_COUNT + 1) * SUB_COUNT;
            continue;
        }
        uint64_t count = count_of(histogram, i);
        if (count > 0) {
            *bucket = i;
            *ret_count = count;
            return true;
        }
        i++;
    }
    return false;
}

uint64_t histogram_count(const struct histogram *histogram)
{
    uint64_t all = 0, count;
    for (size_t i = 0; histogram_next(histogram, &i, &count); i++) {
        all += count;
    }
    return all;
}

uint64_t histogram_counts_to(const struct histogram *histogram, const uint64_t *bounds_ns,
                             size_t size, uint64_t *ret_counts)
{
    uint64_t all = 0, count;
    size_t at = 0;
    for (size_t i = 0; histogram_next(histogram, &i, &count); i++) {
        while (at < size && value_of(i) > (double)bounds_ns[at]) {
            ret_counts[at++] = all;
        }
        all += count;
    }
    while (at < size) {
        ret_counts[at++] = all;
    }
    return all;
}

double histogram_quantile(const struct histogram *histogram, double share)
{
    double wanted = share * (double)histogram_count(histogram);
    uint64_t seen = 0, count;
    size_t last = 0;
    for (size_t i = 0; histogram_next(histogram, &i, &count); i++) {
        seen += count;
        last = i;
        if ((double)seen >= wanted) {
            break;
        }
    }
    return seen ? value_of(last) : 0;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    uint64_t count;
    for (size_t i = 0; histogram_next(from, &i, &count); i++) {
        histogram_add_count(into, i, count);
    }
}

void histogram_subtract(struct histogram *into, const struct histogram *from)
{
    uint64_t count;
    for (size_t i = 0; histogram_next(from, &i, &count); i++) {
        (void)atomic_fetch_sub_explicit(slot(into, i), count, memory_order_relaxed);
    }
}
