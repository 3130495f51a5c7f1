#include "measure/exposition.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "measure/histogram.h"

static void put(struct exposition *exposition, const char *text, size_t size)
{
    if (buf_append(exposition->out, text, size) < 0) {
        abort();
    }
}

static void put_text(struct exposition *exposition, const char *text)
{
    put(exposition, text, strlen(text));
}

void exposition_begin(struct exposition *exposition, enum metric metric)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    const struct metric_row *row = &METRIC_TABLE[metric];
    assert(!exposition->written[metric]);
    exposition->written[metric] = true;
    exposition->metric = metric;
    buf_printf(exposition->out, "# HELP %s %s\n# TYPE %s %s\n", row->name, row->help, row->name,
               types[row->type]);
}

static void put_escaped(struct exposition *exposition, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '\\':
            put(exposition, "\\\\", 2);
            break;
        case '"':
            put(exposition, "\\\"", 2);
            break;
        case '\n':
            put(exposition, "\\n", 2);
            break;
        default:
            put(exposition, text, 1);
        }
    }
}

static void put_name(struct exposition *exposition, const char *suffix, const char *const *values,
                     const char *bound)
{
    const struct metric_row *row = &METRIC_TABLE[exposition->metric];
    const char *before = "{";
    put_text(exposition, row->name);
    put_text(exposition, suffix);
    for (size_t i = 0; row->labels[i]; i++) {
        put_text(exposition, before);
        put_text(exposition, row->labels[i]);
        put_text(exposition, "=\"");
        put_escaped(exposition, values[i] ? values[i] : "");
        put_text(exposition, "\"");
        before = ",";
    }
    if (bound) {
        put_text(exposition, before);
        put_text(exposition, "le=\"");
        put_text(exposition, bound);
        put_text(exposition, "\"");
        before = ",";
    }
    put_text(exposition, *before == ',' ? "} " : " ");
}

static void put_number(struct exposition *exposition, double value)
{
    if (isnan(value)) {
        put_text(exposition, "NaN\n");
    } else {
        buf_printf(exposition->out, "%.15g\n", value);
    }
}

void exposition_value(struct exposition *exposition, const char *const *labels, double value)
{
    put_name(exposition, "", labels, NULL);
    put_number(exposition, value);
}

void exposition_histogram(struct exposition *exposition, const char *const *labels,
                          const struct histogram *histogram, uint64_t sum_ns)
{
    uint64_t bounds_ns[METRIC_BOUNDS], counts[METRIC_BOUNDS] = {0}, all = 0;
    for (size_t i = 0; i < METRIC_BOUNDS; i++) {
        bounds_ns[i] = (uint64_t)llround(METRIC_BOUNDS_S[i] * 1e9);
    }
    if (histogram) {
        all = histogram_counts_to(histogram, bounds_ns, METRIC_BOUNDS, counts);
    }
    for (size_t i = 0; i < METRIC_BOUNDS; i++) {
        char bound[32];
        (void)snprintf(bound, sizeof(bound), "%.15g", METRIC_BOUNDS_S[i]);
        put_name(exposition, "_bucket", labels, bound);
        put_number(exposition, (double)counts[i]);
    }
    put_name(exposition, "_bucket", labels, "+Inf");
    put_number(exposition, (double)all);
    put_name(exposition, "_sum", labels, NULL);
    put_number(exposition, (double)sum_ns / 1e9);
    put_name(exposition, "_count", labels, NULL);
    put_number(exposition, (double)all);
}

void exposition_single(struct exposition *exposition, enum metric metric, double value)
{
    exposition_begin(exposition, metric);
    exposition_value(exposition, NULL, value);
}
