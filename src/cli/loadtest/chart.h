/* Plots as SVG text, for a page that must show them without a script, without a network, and in
 * print. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct buf;

#define CHART_LINES_MAX 16

struct chart_point {
    double x;
    double y;
};

struct chart_line {
    const char *name; /* borrowed */
    const char *colour;
    size_t count;
    struct chart_point *points; /* owned by the caller; in the order of x */
};

enum chart_scale {
    CHART_LINEAR, /* from 0 */
    CHART_LOG,    /* of positive values; others are left out */
    CHART_NINES,  /* x only: percentiles, each further nine as wide as the one before */
};

struct chart {
    const char *title;
    const char *x_title;
    const char *y_title;
    enum chart_scale x_scale;
    enum chart_scale y_scale;
    size_t count;
    const struct chart_line *lines;
};

/* Appends an <svg> element; nothing but a note when there is no point. */
void chart_lines(struct buf *out, const struct chart *chart);

struct chart_interval {
    const char *name; /* borrowed */
    const char *colour;
    double value, low, high; /* NaN low and high: no interval */
};

/* Values on a logarithmic axis with their intervals, and a mark at 1. */
void chart_ratios(struct buf *out, const char *title, const struct chart_interval *rows,
                  size_t count);

struct chart_band {
    double from, to; /* of [0, whole] */
    const char *colour;
    const char *title; /* shown by the browser on it */
};

/* One row of bands below a time axis of `whole` seconds, as wide as chart_lines' plot. */
void chart_bands(struct buf *out, const char *name, const struct chart_band *bands, size_t count,
                 double whole);

/* Appends text with what has a meaning in HTML and XML replaced. */
void chart_escape(struct buf *out, const char *text);

/* The i-th of a palette that colour-blind readers can tell apart (Okabe and Ito, 2008). */
const char *chart_colour(size_t i);
