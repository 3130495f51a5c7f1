#include "load/stats.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#define REPETITIONS_MAX 1024 /* of one ratio; the command allows fewer */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void stats_sort(double *values, size_t count)
{
    qsort(values, count, sizeof(*values), compare);
}

double stats_percentile(const double *sorted, size_t count, double percentile)
{
    assert(count > 0);
    double position = (double)(count - 1) * percentile / 100;
    size_t index = (size_t)position;
    if (index + 1 >= count) {
        return sorted[count - 1];
    }
    return sorted[index] + (position - (double)index) * (sorted[index + 1] - sorted[index]);
}

/* A table for few degrees of freedom, where it matters; beyond, the first terms of the
 * Cornish-Fisher expansion (Abramowitz and Stegun 26.7.5) about the normal quantile. */
double stats_t(size_t freedom)
{
    static const double table[] = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262};
    assert(freedom >= 1);
    if (freedom <= sizeof(table) / sizeof(table[0])) {
        return table[freedom - 1];
    }
    double z = 1.959964, n = (double)freedom;
    double first = (pow(z, 3) + z) / 4;
    double second = (5 * pow(z, 5) + 16 * pow(z, 3) + 3 * z) / 96;
    double third = (3 * pow(z, 7) + 19 * pow(z, 5) + 17 * pow(z, 3) - 15 * z) / 384;
    return z + first / n + second / (n * n) + third / (n * n * n);
}

struct stats_interval stats_mean(const double *values, size_t count)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++) {
        sum += values[i];
    }
    double mean = count > 0 ? sum / (double)count : NAN;
    if (count < 2) {
        return (struct stats_interval){mean, NAN, NAN};
    }
    for (size_t i = 0; i < count; i++) {
        squares += (values[i] - mean) * (values[i] - mean);
    }
    double error = sqrt(squares / (double)(count - 1) / (double)count);
    double half = stats_t(count - 1) * error;
    return (struct stats_interval){mean, mean - half, mean + half};
}

struct stats_interval stats_ratio(const double *above, const double *below, size_t count)
{
    double logarithms[REPETITIONS_MAX];
    size_t used = 0;
    for (size_t i = 0; i < count && used < REPETITIONS_MAX; i++) {
        if (above[i] > 0 && below[i] > 0) {
            logarithms[used++] = log(above[i] / below[i]);
        }
    }
    struct stats_interval mean = stats_mean(logarithms, used);
    return (struct stats_interval){exp(mean.value), exp(mean.low), exp(mean.high)};
}
