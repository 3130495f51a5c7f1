#include "cli/loadtest/chart.h"

#include <math.h>
#include <stdio.h>

#include "base/buf.h"

#define WIDTH    720.0
#define HEIGHT   300.0
#define LEFT     64.0
#define RIGHT    16.0
#define TOP      30.0
#define BOTTOM   44.0
#define TICK_MAX 12
#define ROW      26.0
#define NAME     270.0 /* left of the rows of chart_ratios and chart_bands */

struct axis {
    enum chart_scale scale;
    double low, high; /* of the scaled values */
    double from, to;  /* pixels */
};

const char *chart_colour(size_t i)
{
    static const char *const colours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                          "#e69f00", "#56b4e9", "#7f7f7f"};
    return colours[i % (sizeof(colours) / sizeof(colours[0]))];
}

void chart_escape(struct buf *out, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '<':
            buf_printf(out, "&lt;");
            break;
        case '>':
            buf_printf(out, "&gt;");
            break;
        case '&':
            buf_printf(out, "&amp;");
            break;
        case '"':
            buf_printf(out, "&quot;");
            break;
        default:
            buf_printf(out, "%.1s", text);
        }
    }
}

static double scaled(enum chart_scale scale, double value)
{
    switch (scale) {
    case CHART_LOG:
        return value > 0 ? log10(value) : NAN;
    case CHART_NINES: /* 90 % -> 1, 99 % -> 2; the last one has nowhere to go */
        return value < 100 ? -log10(1 - value / 100) : NAN;
    case CHART_LINEAR:
        break;
    }
    return value;
}

static double place(const struct axis *axis, double value)
{
    double at = scaled(axis->scale, value);
    return axis->from + (at - axis->low) / (axis->high - axis->low) * (axis->to - axis->from);
}

static struct axis axis_of(const struct chart *chart, bool is_y)
{
    struct axis axis = {.scale = is_y ? chart->y_scale : chart->x_scale,
                        .low = INFINITY,
                        .high = -INFINITY,
                        .from = is_y ? HEIGHT - BOTTOM : LEFT,
                        .to = is_y ? TOP : WIDTH - RIGHT};
    for (size_t i = 0; i < chart->count; i++) {
        for (size_t j = 0; j < chart->lines[i].count; j++) {
            const struct chart_point *point = &chart->lines[i].points[j];
            double at = scaled(axis.scale, is_y ? point->y : point->x);
            axis.low = isnan(at) ? axis.low : fmin(axis.low, at);
            axis.high = isnan(at) ? axis.high : fmax(axis.high, at);
        }
    }
    if (axis.scale != CHART_LOG) {
        axis.low = 0;
    }
    if (axis.high - axis.low < 1e-9) {
        axis.high = axis.low + 1;
    }
    if (is_y) { /* some room above the highest */
        axis.high += (axis.high - axis.low) * 0.05;
    }
    return axis;
}

/* Values at which the axis is marked. */
static size_t ticks_of(const struct axis *axis, double *ticks)
{
    static const double nines[] = {0, 50, 90, 99, 99.9, 99.99};
    static const double steps[] = {1, 2, 5};
    size_t count = 0;
    if (axis->scale == CHART_NINES) {
        for (size_t i = 0; i < sizeof(nines) / sizeof(nines[0]); i++) {
            if (scaled(CHART_NINES, nines[i]) <= axis->high) {
                ticks[count++] = nines[i];
            }
        }
        return count;
    }
    if (axis->scale == CHART_LOG) {
        bool dense = axis->high - axis->low < 3;
        for (int power = (int)floor(axis->low); power <= (int)ceil(axis->high); power++) {
            for (size_t i = 0; i < (dense ? 3 : 1) && count < TICK_MAX; i++) {
                double at = power + log10(steps[i]);
                if (at >= axis->low - 1e-9 && at <= axis->high + 1e-9) {
                    ticks[count++] = steps[i] * pow(10, power);
                }
            }
        }
        return count;
    }
    double rough = (axis->high - axis->low) / 6, base = pow(10, floor(log10(rough)));
    double step = rough / base < 2 ? 2 * base : rough / base < 5 ? 5 * base : 10 * base;
    for (double at = 0; at <= axis->high && count < TICK_MAX; at += step) {
        ticks[count++] = at;
    }
    return count;
}

static void begin(struct buf *out, double height, const char *title)
{
    buf_printf(out,
               "<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" "
               "xmlns=\"http://www.w3.org/2000/svg\"><title>",
               WIDTH, height);
    chart_escape(out, title);
    buf_printf(out, "</title>\n");
}

static void add_text(struct buf *out, double x, double y, const char *anchor, const char *text)
{
    buf_printf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor);
    chart_escape(out, text);
    buf_printf(out, "</text>\n");
}

static void add_rule(struct buf *out, const char *kind, double x1, double y1, double x2, double y2)
{
    buf_printf(out, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", kind,
               x1, y1, x2, y2);
}

static void add_axes(struct buf *out, const struct chart *chart, const struct axis *x,
                     const struct axis *y)
{
    double ticks[TICK_MAX];
    char text[32];
    size_t count = ticks_of(x, ticks);
    for (size_t i = 0; i < count; i++) {
        double at = place(x, ticks[i]);
        (void)snprintf(text, sizeof(text), "%g", ticks[i]);
        add_rule(out, "grid", at, TOP, at, HEIGHT - BOTTOM);
        add_text(out, at, HEIGHT - BOTTOM + 15, "middle", text);
    }
    count = ticks_of(y, ticks);
    for (size_t i = 0; i < count; i++) {
        double at = place(y, ticks[i]);
        (void)snprintf(text, sizeof(text), "%g", ticks[i]);
        add_rule(out, "grid", LEFT, at, WIDTH - RIGHT, at);
        add_text(out, LEFT - 6, at + 4, "end", text);
    }
    add_text(out, (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, "middle", chart->x_title);
    add_text(out, 4, TOP - 10, "start", chart->y_title);
}

static void add_line(struct buf *out, const struct chart_line *line, const struct axis *x,
                     const struct axis *y)
{
    buf_printf(out, "<polyline class=\"line\" stroke=\"%s\" points=\"", line->colour);
    for (size_t i = 0; i < line->count; i++) {
        double px = place(x, line->points[i].x), py = place(y, line->points[i].y);
        if (!isnan(px) && !isnan(py)) {
            buf_printf(out, "%.1f,%.1f ", px, py);
        }
    }
    buf_printf(out, "\"><title>");
    chart_escape(out, line->name);
    buf_printf(out, "</title></polyline>\n");
}

void chart_lines(struct buf *out, const struct chart *chart)
{
    size_t points = 0;
    for (size_t i = 0; i < chart->count; i++) {
        points += chart->lines[i].count;
    }
    if (points == 0) {
        buf_printf(out, "<p>no figures</p>\n");
        return;
    }
    struct axis x = axis_of(chart, false), y = axis_of(chart, true);
    begin(out, HEIGHT, chart->title);
    add_axes(out, chart, &x, &y);
    double at = WIDTH - RIGHT;
    for (size_t i = chart->count; i-- > 0;) {
        const struct chart_line *line = &chart->lines[i];
        add_line(out, line, &x, &y);
        add_text(out, at, TOP - 10, "end", line->name);
        at -= 10 + 7.6 * (double)strlen(line->name); /* about, in that font */
        buf_printf(out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"12\" height=\"4\" fill=\"%s\"/>\n",
                   at - 8, TOP - 15, line->colour);
        at -= 20;
    }
    buf_printf(out, "</svg>\n");
}

void chart_ratios(struct buf *out, const char *title, const struct chart_interval *rows,
                  size_t count)
{
    struct axis axis = {CHART_LOG, log10(0.8), log10(1.25), NAME, WIDTH - RIGHT};
    for (size_t i = 0; i < count; i++) {
        double low = isnan(rows[i].low) ? rows[i].value : rows[i].low;
        double high = isnan(rows[i].high) ? rows[i].value : rows[i].high;
        if (low > 0 && high > 0) { /* an interval of few repetitions may be endless: cut it */
            axis.low = fmin(axis.low, log10(fmax(low, rows[i].value / 10)) - 0.05);
            axis.high = fmax(axis.high, log10(fmin(high, rows[i].value * 10)) + 0.05);
        }
    }
    double height = TOP + ROW * (double)count + 26, ticks[TICK_MAX];
    size_t tick_count = ticks_of(&axis, ticks);
    char text[64];
    begin(out, height, title);
    for (size_t i = 0; i < tick_count; i++) {
        double at = place(&axis, ticks[i]);
        (void)snprintf(text, sizeof(text), "%gx", ticks[i]);
        add_rule(out, ticks[i] == 1 ? "one" : "grid", at, TOP - 8, at, height - 22);
        add_text(out, at, height - 6, "middle", text);
    }
    for (size_t i = 0; i < count; i++) {
        const struct chart_interval *row = &rows[i];
        double y = TOP + ROW * ((double)i + 0.5) - 6, at = place(&axis, row->value);
        add_text(out, NAME - 10, y + 4, "end", row->name);
        if (isnan(at)) {
            continue;
        }
        if (!isnan(row->low)) {
            double from = fmax(place(&axis, row->low), axis.from);
            double to = fmin(place(&axis, row->high), axis.to);
            buf_printf(out,
                       "<line class=\"whisker\" stroke=\"%s\" x1=\"%.1f\" y1=\"%.1f\" "
                       "x2=\"%.1f\" y2=\"%.1f\"/>\n",
                       row->colour, from, y, to, y);
        }
        buf_printf(out,
                   "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"5\" fill=\"%s\"><title>%.3f</title>"
                   "</circle>\n",
                   at, y, row->colour, row->value);
    }
    buf_printf(out, "</svg>\n");
}

void chart_bands(struct buf *out, const char *name, const struct chart_band *bands, size_t count,
                 double whole)
{
    begin(out, 16, name);
    add_text(out, NAME - 10, 12, "end", name);
    for (size_t i = 0; i < count && whole > 0; i++) {
        double from = NAME + bands[i].from / whole * (WIDTH - RIGHT - NAME);
        double to = NAME + bands[i].to / whole * (WIDTH - RIGHT - NAME);
        buf_printf(out, "<rect x=\"%.1f\" y=\"2\" width=\"%.1f\" height=\"12\" fill=\"%s\"><title>",
                   from, fmax(0, to - from), bands[i].colour);
        chart_escape(out, bands[i].title);
        buf_printf(out, "</title></rect>\n");
    }
    buf_printf(out, "</svg>\n");
}
