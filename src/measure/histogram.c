#include "measure/histogram.h"

#include <stdatomic.h>
#include <stddef.h>

#include "base/alloc.h"

#define SUB_BITS  6 /* 64 buckets a power of two */
#define SUB_COUNT (1u << SUB_BITS)

struct histogram {
    atomic_uint_fast64_t counts[HISTOGRAM_BUCKETS];
};

struct histogram *histogram_new(void)
{
    return xcalloc(1, sizeof(struct histogram));
}

struct histogram *histogram_free(struct histogram *histogram)
{
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

void histogram_add(struct histogram *histogram, uint64_t duration_ns)
{
    atomic_fetch_add_explicit(&histogram->counts[bucket_of(duration_ns)], 1, memory_order_relaxed);
}

uint64_t histogram_count(const struct histogram *histogram)
{
    uint64_t count = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        count += atomic_load_explicit(&histogram->counts[i], memory_order_relaxed);
    }
    return count;
}

double histogram_quantile(const struct histogram *histogram, double share)
{
    uint64_t count = histogram_count(histogram);
    if (count == 0) {
        return 0;
    }
    double wanted = share * (double)count;
    uint64_t seen = 0;
    size_t last = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint64_t here = atomic_load_explicit(&histogram->counts[i], memory_order_relaxed);
        seen += here;
        last = here ? i : last;
        if (here && (double)seen >= wanted) {
            return value_of(i);
        }
    }
    return value_of(last);
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint64_t count = atomic_load_explicit(&from->counts[i], memory_order_relaxed);
        if (count > 0) {
            atomic_fetch_add_explicit(&into->counts[i], count, memory_order_relaxed);
        }
    }
}
