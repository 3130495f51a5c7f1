/* What repetitions of a measurement say: percentiles, means and how sure they are. Pure. */
#pragma once

#include <stddef.h>

/* Percentile (0..100) of sorted[count], count >= 1: position h = (count - 1) p / 100, between
 * the neighbours in proportion, as numerical libraries do by default and the original's benchmark
 * did. */
double stats_percentile(const double *sorted, size_t count, double percentile);

/* Sorts upwards. */
void stats_sort(double *values, size_t count);

struct stats_interval {
    double value; /* the estimate; NaN when count is 0 */
    double low;   /* NaN when count is below 2: one measurement says nothing of the next */
    double high;
};

/* The mean of values[count] with its 95 % confidence interval by Student's t. Each value is a
 * whole repetition, so they are independent as samples within one are not. Source: Georges,
 * Buytaert and Eeckhout, "Statistically rigorous Java performance evaluation", OOPSLA 2007. */
struct stats_interval stats_mean(const double *values, size_t count);

/* The ratio above / below of pairs, as the mean of their logarithms, with its 95 % confidence
 * interval by Student's t. Pairs were measured one after the other, so a slow minute of the
 * machine is in both. Ratios are averaged geometrically, which makes a over b the inverse of b
 * over a: Fleming and Wallace, "How not to lie with statistics", CACM 29(3), 1986. Pairs that
 * are not both above 0 are left out. */
struct stats_interval stats_ratio(const double *above, const double *below, size_t count);

/* 97.5 % quantile of Student's t with so many degrees of freedom, freedom >= 1: to 0.002. */
double stats_t(size_t freedom);
