#include "cli/loadtest/chart.h"

#include <math.h>
#include <string.h>

#include "base/buf.h"
#include "base/test.h"

static const char *text_of(struct buf *out)
{
    EXPECT_INT(buf_append(out, "", 1), 0);
    return out->data + out->start;
}

static void names_are_escaped(void)
{
    struct buf out = {0};
    chart_escape(&out, "<a href=\"x\">&");
    EXPECT_STR(text_of(&out), "&lt;a href=&quot;x&quot;&gt;&amp;");
    buf_done(&out);
}

static void no_figures_give_a_note_and_no_plot(void)
{
    struct buf out = {0};
    struct chart_line line = {.name = "none", .colour = "#000"};
    chart_lines(&out, &(struct chart){.title = "t", .count = 1, .lines = &line});
    EXPECT(strstr(text_of(&out), "no figures") && !strstr(out.data, "<svg"));
    buf_done(&out);
}

/* The last percentile has no place on an axis of nines: what would be infinite is left out. */
static void values_without_a_place_are_left_out(void)
{
    struct buf out = {0};
    struct chart_point points[] = {{0, 1}, {99, 10}, {100, 20}, {50, 0}};
    struct chart_line line = {.name = "a", .colour = "#000", .count = 4, .points = points};
    chart_lines(&out, &(struct chart){.title = "t",
                                      .x_title = "x",
                                      .y_title = "y",
                                      .x_scale = CHART_NINES,
                                      .y_scale = CHART_LOG,
                                      .count = 1,
                                      .lines = &line});
    const char *text = text_of(&out);
    const char *list = strstr(text, "points=\"") + strlen("points=\"");
    int commas = 0;
    for (const char *at = list; *at != '"'; at++) {
        commas += *at == ',';
    }
    EXPECT_INT(commas, 2);
    EXPECT(!strstr(text, "nan") && !strstr(text, "inf"));
    buf_done(&out);
}

static void one_point_is_a_plot(void)
{
    struct buf out = {0};
    struct chart_point point = {3, 7};
    struct chart_line line = {.name = "a", .colour = "#000", .count = 1, .points = &point};
    chart_lines(
        &out,
        &(struct chart){.title = "t", .x_title = "x", .y_title = "y", .count = 1, .lines = &line});
    EXPECT(strstr(text_of(&out), "<polyline") && !strstr(out.data, "nan"));
    buf_done(&out);
}

static void a_ratio_may_have_no_interval_or_an_endless_one(void)
{
    struct buf out = {0};
    struct chart_interval rows[] = {{"one", "#000", 1.5, NAN, NAN},
                                    {"two", "#000", 2, 1e-12, 1e12},
                                    {"none", "#000", NAN, NAN, NAN}};
    chart_ratios(&out, "t", rows, 3);
    const char *text = text_of(&out);
    EXPECT(!strstr(text, "nan") && !strstr(text, "inf"));
    EXPECT(strstr(text, "whisker") && strstr(text, ">none<"));
    EXPECT(strstr(text, "class=\"one\"")); /* the mark at 1 */
    buf_done(&out);
}

TEST_MAIN(names_are_escaped, no_figures_give_a_note_and_no_plot,
          values_without_a_place_are_left_out, one_point_is_a_plot,
          a_ratio_may_have_no_interval_or_an_endless_one)
