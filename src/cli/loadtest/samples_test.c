#include "cli/loadtest/samples.h"

#include <math.h>

#include "base/test.h"

static void tells_percentiles_of_few_samples_exactly(void)
{
    struct samples samples;
    samples_init(&samples);
    EXPECT(isnan(samples_percentile(&samples, 50)) && isnan(samples_mean_ms(&samples)));
    for (uint64_t i = 4; i >= 1; i--) {
        samples_add(&samples, i * 1000000);
    }
    EXPECT(fabs(samples_percentile(&samples, 90) - 3.7) < 1e-9);
    EXPECT(fabs(samples_mean_ms(&samples) - 2.5) < 1e-9);
    samples_add(&samples, 100 * 1000000); /* also after they were sorted */
    EXPECT(fabs(samples_percentile(&samples, 100) - 100) < 1e-9);
    EXPECT(fabs(samples.min_ms - 1) < 1e-9 && fabs(samples.max_ms - 100) < 1e-9);
    EXPECT(!samples_approx(&samples));
    samples_done(&samples);
}

static void tells_percentiles_of_many_to_a_hundredth(void)
{
    struct samples samples;
    samples_init(&samples);
    for (uint64_t i = 1; i <= 2 * SAMPLES_EXACT_MAX; i++) {
        samples_add(&samples, i * 1000);
    }
    EXPECT(samples_approx(&samples));
    EXPECT(fabs(samples_percentile(&samples, 50) / 100 - 1) < 0.01);
    EXPECT(fabs(samples_percentile(&samples, 99) / 198 - 1) < 0.01);
    EXPECT(samples_percentile(&samples, 100) <= samples.max_ms);
    EXPECT(fabs(samples_mean_ms(&samples) - 100.0005) < 1e-6);
    samples_done(&samples);
}

static void samples_of_two_are_those_of_both(void)
{
    struct samples one, other;
    samples_init(&one);
    samples_init(&other);
    samples_add(&one, 3000000);
    samples_merge(&one, &other); /* nothing */
    samples_add(&other, 1000000);
    samples_add(&other, 2000000);
    samples_merge(&one, &other);
    EXPECT_INT(one.count, 3);
    EXPECT(fabs(samples_percentile(&one, 50) - 2) < 1e-9);
    EXPECT(fabs(one.min_ms - 1) < 1e-9 && fabs(samples_mean_ms(&one) - 2) < 1e-9);
    samples_done(&one);
    samples_done(&other);
}

TEST_MAIN(tells_percentiles_of_few_samples_exactly, tells_percentiles_of_many_to_a_hundredth,
          samples_of_two_are_those_of_both)
