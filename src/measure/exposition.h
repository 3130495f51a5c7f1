/* Writes metrics in the text format of Prometheus, version 0.0.4
 * (https://prometheus.io/docs/instrumenting/exposition_formats/). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "measure/metric.h"

struct buf;
struct histogram;

#define EXPOSITION_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct exposition {
    struct buf *out; /* borrowed */
    enum metric metric;
    bool written[METRIC_COUNT];
};

/* Its lines follow; all lines of a metric stand together, so once each. */
void exposition_begin(struct exposition *exposition, enum metric metric);

/* labels: the values in the order of the table, NULL = ""; NULL for a metric without labels. */
void exposition_value(struct exposition *exposition, const char *const *labels, double value);

/* histogram may be NULL: nothing yet. sum_ns: of all its values. */
void exposition_histogram(struct exposition *exposition, const char *const *labels,
                          const struct histogram *histogram, uint64_t sum_ns);

/* A metric with one value and no labels. */
void exposition_single(struct exposition *exposition, enum metric metric, double value);
