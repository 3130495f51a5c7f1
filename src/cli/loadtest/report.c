#include "cli/loadtest/report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/json.h"
#include "cli/loadtest/chart.h"
#include "cli/loadtest/figure_text.h"

#define POINTS_MAX 4096 /* of one line */
#define BANDS_MAX  1024

#define MODULE_COLOUR "#0072b2"
#define REMOTE_COLOUR "#e69f00"
#define NO_COLOUR     "#bbbbbb"

static const char HEAD[] =
    "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<title>jsorc load test</title>\n<style>\n"
    "body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;"
    "color:#222;background:#fff}\n"
    "table{border-collapse:collapse;margin:1rem 0;font-variant-numeric:tabular-nums}\n"
    "th,td{padding:.2rem .7rem;border-bottom:1px solid #ddd;text-align:right}\n"
    "th:first-child,td:first-child{text-align:left}\n"
    "svg{width:100%;height:auto;font:12px system-ui,sans-serif;fill:#222}\n"
    "svg .grid{stroke:#ddd}svg .one{stroke:#555;stroke-dasharray:4 3}\n"
    "svg .line{fill:none;stroke-width:2}svg .whisker{stroke-width:3;opacity:.55}\n"
    "h2{margin-top:2.5rem;border-bottom:2px solid #222}h3{margin-bottom:.2rem}\n"
    "pre{overflow:auto;background:#f4f4f4;padding:.7rem;font-size:12px}.note{color:#555}\n"
    "@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}svg{fill:#ddd}"
    "th,td{border-color:#444}svg .grid{stroke:#3a3a3a}svg .one{stroke:#aaa}"
    "pre{background:#242424}.note{color:#aaa}h2{border-color:#ddd}}\n"
    "</style>\n</head>\n<body>\n<h1>jsorc load test</h1>\n";

static void add_number(struct buf *out, struct json_object *object, const char *name, int decimals)
{
    double value = json_double(object, name, NAN);
    if (isnan(value)) {
        buf_printf(out, "<td>–</td>");
    } else {
        buf_printf(out, "<td>%.*f</td>", decimals, value);
    }
}

/* ---- what was measured, and on what ---- */

static void add_config(struct buf *out, struct json_object *config)
{
    struct json_object *machine = json_member(config, "machine", json_type_object);
    buf_printf(out, "<table>\n");
    struct json_object *const lists[] = {machine, config};
    for (size_t i = 0; i < 2; i++) {
        if (!lists[i]) {
            continue;
        }
        json_object_object_foreach(lists[i], name, value)
        {
            if (json_object_is_type(value, json_type_object)) {
                continue;
            }
            buf_printf(out, "<tr><td>");
            chart_escape(out, name);
            buf_printf(out, "</td><td>");
            chart_escape(out, value ? json_object_get_string(value) : "–");
            buf_printf(out, "</td></tr>\n");
        }
    }
    buf_printf(out, "</table>\n");
}

/* ---- one application ---- */

static void add_text(struct buf *out, const char *text, bool known)
{
    buf_printf(out, "<td>%s</td>", known ? text : "–");
}

/* Of a summary, or of what came once the policy had settled. */
static void add_row(struct buf *out, const char *name, const char *part,
                    struct json_object *figures)
{
    static const struct {
        const char *member;
        int decimals;
    } columns[] = {{"count", 0}, {"errors_percent", 2}, {"throughput", 2}},
      percentiles[] = {{"p50_ms", 2},  {"p90_ms", 2}, {"p99_ms", 2},
                       {"p999_ms", 2}, {"phases", 1}, {"trials", 1}};
    char text[FIGURE_TEXT_SIZE];
    buf_printf(out, "<tr><td>");
    chart_escape(out, name);
    buf_printf(out, "%s</td>", part);
    for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
        add_number(out, figures, columns[i].member, columns[i].decimals);
    }
    bool known = figure_mean_text(figures, text);
    add_text(out, text, known);
    for (size_t i = 0; i < sizeof(percentiles) / sizeof(percentiles[0]); i++) {
        add_number(out, figures, percentiles[i].member, percentiles[i].decimals);
    }
    known = figure_speed_up_text(figures, text);
    add_text(out, text, known);
    buf_printf(out, "</tr>\n");
}

static void add_figures(struct buf *out, struct json_object *cells)
{
    bool live = false;
    buf_printf(out, "<table>\n<tr><th>policy</th><th>requests</th><th>errors %%</th><th>per s</th>"
                    "<th>mean ms</th><th>p50</th><th>p90</th><th>p99</th><th>p99.9</th>"
                    "<th>phases</th><th>trials</th><th>speed-up</th></tr>\n");
    json_object_object_foreach(cells, key, cell)
    {
        struct json_object *summary = json_member(cell, "summary", json_type_object);
        struct json_object *settled = NULL;
        add_row(out, key, "", summary);
        if (json_object_object_get_ex(summary, "settled", &settled)) {
            live = true;
            add_row(out, key, settled ? ", settled" : ", not settled", settled);
        }
    }
    buf_printf(out, "</table>\n");
    if (live) {
        buf_printf(out, "<p class=\"note\">Settled: requests that were due after the last trial of "
                        "their repetition. The row above it has the trials, too. Phases and trials "
                        "are those of one repetition.</p>\n");
    }
}

#define RATIOS_MAX (CHART_LINES_MAX * 6) /* three figures, of all and once settled */

struct ratios {
    struct chart_interval rows[RATIOS_MAX];
    char names[RATIOS_MAX][64];
    size_t count;
};

static void add_ratios(struct ratios *ratios, const char *key, const char *part,
                       struct json_object *figures, const char *colour)
{
    static const struct {
        const char *member, *text;
    } metrics[] = {{"mean", "mean latency"}, {"throughput", "throughput"}, {"p99", "p99"}};
    struct json_object *over = json_member(figures, "over_all_remote", json_type_object);
    for (size_t i = 0; over && i < 3 && ratios->count < RATIOS_MAX; i++) {
        struct json_object *interval = json_member(over, metrics[i].member, json_type_object);
        char *name = ratios->names[ratios->count];
        (void)snprintf(name, sizeof(ratios->names[0]), "%s%s, %s", key, part, metrics[i].text);
        ratios->rows[ratios->count++] =
            (struct chart_interval){.name = name,
                                    .colour = colour,
                                    .value = json_double(interval, "value", NAN),
                                    .low = json_double(interval, "low", NAN),
                                    .high = json_double(interval, "high", NAN)};
    }
}

static void add_speed_ups(struct buf *out, struct json_object *cells)
{
    struct ratios ratios = {.count = 0};
    size_t colour = 0;
    json_object_object_foreach(cells, key, cell)
    {
        struct json_object *summary = json_member(cell, "summary", json_type_object);
        struct json_object *settled = json_member(summary, "settled", json_type_object);
        add_ratios(&ratios, key, "", summary, chart_colour(colour));
        add_ratios(&ratios, key, ", settled", settled, chart_colour(colour++));
    }
    if (ratios.count > 0) {
        buf_printf(out, "<h3>Speed-up over all_remote</h3>\n<p class=\"note\">Above 1 is better. "
                        "Bars: 95 %% confidence, Student's t over the pairs of repetitions; none "
                        "with a single repetition.</p>\n");
        chart_ratios(out, "Speed-up over all_remote", ratios.rows, ratios.count);
    }
}

/* The points of a list of [x, y] or of objects with those members; the caller's to free. */
static struct chart_line line_of(struct json_object *list, const char *x, const char *y)
{
    size_t count = list ? json_object_array_length(list) : 0;
    count = count > POINTS_MAX ? POINTS_MAX : count;
    struct chart_line line = {.points = xcalloc(count + 1, sizeof(struct chart_point))};
    for (size_t i = 0; i < count; i++) {
        struct json_object *item = json_object_array_get_idx(list, i);
        struct chart_point point;
        if (json_object_is_type(item, json_type_array)) {
            point.x = json_object_get_double(json_object_array_get_idx(item, 0));
            point.y = json_object_get_double(json_object_array_get_idx(item, 1));
        } else {
            point.x = json_double(item, x, NAN);
            point.y = json_double(item, y, NAN);
        }
        if (!isnan(point.x) && !isnan(point.y)) {
            line.points[line.count++] = point;
        }
    }
    return line;
}

static struct json_object *last_repetition(struct json_object *cell)
{
    struct json_object *rows = json_member(cell, "repetitions", json_type_array);
    size_t count = rows ? json_object_array_length(rows) : 0;
    return count ? json_object_array_get_idx(rows, count - 1) : NULL;
}

/* over_time: mean latency of the last repetition; else the distribution of all. */
static void add_lines(struct buf *out, struct json_object *cells, bool over_time)
{
    struct chart_line lines[CHART_LINES_MAX];
    size_t count = 0;
    json_object_object_foreach(cells, key, cell)
    {
        if (count == CHART_LINES_MAX) {
            break;
        }
        struct json_object *list =
            over_time ? json_member(last_repetition(cell), "series", json_type_array)
                      : json_member(cell, "distribution", json_type_array);
        lines[count] = line_of(list, "t", "mean_ms");
        lines[count].name = key;
        lines[count].colour = chart_colour(count);
        count++;
    }
    struct chart distribution = {.title = "Latency by percentile",
                                 .x_title = "percentile",
                                 .y_title = "ms",
                                 .x_scale = CHART_NINES,
                                 .y_scale = CHART_LOG,
                                 .count = count,
                                 .lines = lines};
    struct chart time = {.title = "Latency over time",
                         .x_title = "seconds since the load began, warm-up included",
                         .y_title = "mean ms",
                         .count = count,
                         .lines = lines};
    chart_lines(out, over_time ? &time : &distribution);
    for (size_t i = 0; i < count; i++) {
        free(lines[i].points);
    }
}

static const char *colour_of_place(const char *place)
{
    return !place ? NO_COLOUR : strcmp(place, "module") == 0 ? MODULE_COLOUR : REMOTE_COLOUR;
}

static void add_module_bands(struct buf *out, struct json_object *changes, const char *module,
                             double whole)
{
    struct chart_band bands[BANDS_MAX];
    char titles[BANDS_MAX][48];
    size_t count = json_object_array_length(changes);
    count = count > BANDS_MAX ? BANDS_MAX : count;
    for (size_t i = 0; i < count; i++) {
        struct json_object *change = json_object_array_get_idx(changes, i);
        struct json_object *next = i + 1 < count ? json_object_array_get_idx(changes, i + 1) : NULL;
        const char *place = json_str(json_member(change, "placement", json_type_object), module);
        double from = i ? json_double(change, "t", 0) : 0;
        double to = next ? json_double(next, "t", whole) : whole;
        (void)snprintf(titles[i], sizeof(titles[i]), "%s from %.1f s to %.1f s",
                       place ? place : "nowhere", from, to);
        bands[i] = (struct chart_band){fmin(from, whole), fmin(to, whole), colour_of_place(place),
                                       titles[i]};
    }
    chart_bands(out, module, bands, count, whole);
}

static double whole_of(struct json_object *row, struct json_object *changes)
{
    struct json_object *series = json_member(row, "series", json_type_array);
    size_t points = series ? json_object_array_length(series) : 0;
    size_t count = json_object_array_length(changes);
    double whole = points ? json_double(json_object_array_get_idx(series, points - 1), "t", 0) : 0;
    double last = json_double(json_object_array_get_idx(changes, count - 1), "t", 0);
    return fmax(fmax(whole, last), 1);
}

static void add_placements(struct buf *out, struct json_object *cells)
{
    buf_printf(out, "<h3>Placement over time</h3>\n<p class=\"note\">The last repetition. "
                    "<span style=\"color:" MODULE_COLOUR
                    "\">■</span> module (in the runtime worker), <span "
                    "style=\"color:" REMOTE_COLOUR "\">■</span> remote (in a pod).</p>\n");
    json_object_object_foreach(cells, key, cell)
    {
        struct json_object *row = last_repetition(cell);
        struct json_object *changes = json_member(row, "placements", json_type_array);
        if (!changes || json_object_array_length(changes) == 0) {
            continue;
        }
        struct json_object *first =
            json_member(json_object_array_get_idx(changes, 0), "placement", json_type_object);
        buf_printf(out, "<h4>");
        chart_escape(out, key);
        buf_printf(out, "</h4>\n");
        json_object_object_foreach(first, module, place)
        {
            (void)place;
            add_module_bands(out, changes, module, whole_of(row, changes));
        }
    }
}

static void add_decisions(struct buf *out, struct json_object *cells)
{
    json_object_object_foreach(cells, key, cell)
    {
        struct json_object *const lists[] = {json_member(cell, "decisions", json_type_array),
                                             json_member(cell, "tried", json_type_array)};
        for (size_t i = 0; i < 2; i++) {
            if (!lists[i] || json_object_array_length(lists[i]) == 0) {
                continue;
            }
            buf_printf(out, "<details><summary>%s of ", i ? "Trials" : "Decisions");
            chart_escape(out, key);
            buf_printf(out, "</summary>\n<pre>");
            chart_escape(out, json_object_to_json_string_ext(lists[i], JSON_C_TO_STRING_PRETTY));
            buf_printf(out, "</pre></details>\n");
        }
    }
}

char *report_html(struct json_object *result)
{
    struct buf out = {0};
    struct json_object *config = json_member(result, "config", json_type_object);
    buf_printf(&out, "%s", HEAD);
    if (json_flag(config, "interrupted", false)) {
        buf_printf(&out, "<p><strong>Interrupted: what was measured until then.</strong></p>\n");
    }
    json_object_object_foreach(result, app, cells)
    {
        if (strcmp(app, "config") == 0) {
            continue;
        }
        buf_printf(&out, "<h2 id=\"");
        chart_escape(&out, app);
        buf_printf(&out, "\">");
        chart_escape(&out, app);
        buf_printf(&out, "</h2>\n");
        add_figures(&out, cells);
        add_speed_ups(&out, cells);
        buf_printf(&out, "<h3>Latency by percentile</h3>\n");
        add_lines(&out, cells, false);
        buf_printf(&out, "<h3>Latency over time</h3>\n");
        add_lines(&out, cells, true);
        add_placements(&out, cells);
        add_decisions(&out, cells);
    }
    buf_printf(&out, "<h2>Machine and settings</h2>\n");
    add_config(&out, config);
    buf_printf(&out, "</body>\n</html>\n");
    char *text = xstrndup(out.data + out.start, buf_size(&out));
    buf_done(&out);
    return text;
}
