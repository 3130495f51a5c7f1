#include "load/stats.h"

#include <math.h>

#include "base/test.h"

static int near(double value, double wanted, double tolerance)
{
    return fabs(value - wanted) <= tolerance;
}

static void percentiles_lie_between_their_neighbours(void)
{
    const double values[] = {1, 2, 3, 4};
    EXPECT(near(stats_percentile(values, 4, 50), 2.5, 1e-12));
    EXPECT(near(stats_percentile(values, 4, 90), 3.7, 1e-12));
    EXPECT(near(stats_percentile(values, 4, 95), 3.85, 1e-12));
    EXPECT(near(stats_percentile(values, 4, 99), 3.97, 1e-12));
    EXPECT(near(stats_percentile(values, 4, 100), 4, 1e-12));
    EXPECT(near(stats_percentile(values, 1, 99), 1, 1e-12));
}

static void sorts_upwards(void)
{
    double values[] = {3, -1, 2};
    stats_sort(values, 3);
    EXPECT(values[0] < values[1] && values[1] < values[2]);
}

/* From printed tables of the distribution. */
static void knows_students_t(void)
{
    static const struct {
        size_t freedom;
        double t;
    } rows[] = {{1, 12.706}, {2, 4.303}, {9, 2.262}, {10, 2.228}, {20, 2.086}, {100, 1.984}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        EXPECT(near(stats_t(rows[i].freedom), rows[i].t, 0.002));
    }
}

static void a_mean_has_students_interval(void)
{
    const double values[] = {10, 12, 14}; /* deviation 2, error 2 / sqrt 3 */
    struct stats_interval mean = stats_mean(values, 3);
    EXPECT(near(mean.value, 12, 1e-12));
    EXPECT(near(mean.low, 12 - 4.303 * 2 / sqrt(3), 1e-9));
    EXPECT(near(mean.high, 12 + 4.303 * 2 / sqrt(3), 1e-9));
}

static void one_repetition_has_no_interval(void)
{
    const double one = 5;
    struct stats_interval mean = stats_mean(&one, 1), none = stats_mean(&one, 0);
    EXPECT(near(mean.value, 5, 0) && isnan(mean.low) && isnan(mean.high));
    EXPECT(isnan(none.value));
}

/* By hand: ratios 2 and 8, logarithms 1 and 3 (base 2): 2 ± 12.706 · 1, so 4, 4 / 2^12.706 ... */
static void ratios_are_averaged_by_their_logarithms(void)
{
    const double above[] = {2, 8, 5}, below[] = {1, 1, 0}; /* the last pair is none */
    struct stats_interval ratio = stats_ratio(above, below, 3);
    EXPECT(near(ratio.value, 4, 1e-9));
    EXPECT(near(ratio.high, exp2(2 + 12.706), 1e-3));
    struct stats_interval inverse = stats_ratio(below, above, 3);
    EXPECT(near(inverse.value * ratio.value, 1, 1e-9));
    EXPECT(near(inverse.low * ratio.high, 1, 1e-9));
}

TEST_MAIN(percentiles_lie_between_their_neighbours, sorts_upwards, knows_students_t,
          a_mean_has_students_interval, one_repetition_has_no_interval,
          ratios_are_averaged_by_their_logarithms)
