#include "measure/histogram.h"

#include <math.h>
#include <stdlib.h>

#include "base/test.h"

static void tells_each_value_to_one_percent(void)
{
    struct histogram *histogram = NULL;
    for (double value = 1; value < 5e12; value *= 1.37) {
        histogram = histogram_new();
        histogram_add(histogram, (uint64_t)value);
        double told = histogram_quantile(histogram, 0.5);
        EXPECT(fabs(told - floor(value)) <= 0.01 * value);
        histogram_free(histogram);
    }
}

static void finds_quantiles_of_a_known_series(void)
{
    struct histogram *histogram = histogram_new();
    for (int i = 1; i <= 10000; i++) {
        histogram_add(histogram, (uint64_t)i * 1000);
    }
    EXPECT_INT(histogram_count(histogram), 10000);
    EXPECT(fabs(histogram_quantile(histogram, 0.5) - 5000e3) < 50e3);
    EXPECT(fabs(histogram_quantile(histogram, 0.99) - 9900e3) < 99e3);
    EXPECT(fabs(histogram_quantile(histogram, 1) - 10000e3) < 100e3);
    EXPECT(fabs(histogram_quantile(histogram, 0) - 1e3) < 10);
    histogram_free(histogram);
}

static void counts_up_to_bounds(void)
{
    struct histogram *histogram = histogram_new();
    const uint64_t bounds_ns[] = {1010, 5000000, 1000000000};
    uint64_t counts[3];
    EXPECT_INT(histogram_counts_to(histogram, bounds_ns, 3, counts), 0);
    EXPECT_INT(counts[2], 0);
    for (int i = 1; i <= 10000; i++) {
        histogram_add(histogram, (uint64_t)i * 1000);
    }
    EXPECT_INT(histogram_counts_to(histogram, bounds_ns, 3, counts), 10000);
    EXPECT_INT(counts[0], 1);
    EXPECT(counts[1] > 4950 && counts[1] < 5050);
    EXPECT_INT(counts[2], 10000);
    histogram_free(histogram);
}

static void takes_away_what_was_before(void)
{
    struct histogram *before = histogram_new(), *after = histogram_new();
    histogram_add(before, 1000);
    histogram_add(before, 70000);
    histogram_merge(after, before);
    histogram_add(after, 2000);
    histogram_add_count(after, HISTOGRAM_BUCKETS, 5); /* no such bucket */
    histogram_subtract(after, before);
    EXPECT_INT(histogram_count(after), 1);
    EXPECT(fabs(histogram_quantile(after, 0.5) - 2000) < 20);
    histogram_free(before);
    histogram_free(after);
}

static void merges_and_bounds(void)
{
    struct histogram *a = histogram_new(), *b = histogram_new();
    EXPECT(histogram_quantile(a, 0.5) == 0);
    histogram_add(b, UINT64_MAX);
    histogram_add(b, 5);
    histogram_merge(a, b);
    histogram_merge(a, b);
    EXPECT_INT(histogram_count(a), 4);
    EXPECT(histogram_quantile(a, 0.25) == 5);
    EXPECT(histogram_quantile(a, 1) > 0.99 * (double)HISTOGRAM_MAX_NS);
    histogram_free(a);
    histogram_free(b);
}

TEST_MAIN(tells_each_value_to_one_percent, finds_quantiles_of_a_known_series, counts_up_to_bounds,
          takes_away_what_was_before, merges_and_bounds)
