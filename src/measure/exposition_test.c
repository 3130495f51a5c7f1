#include "measure/exposition.h"

#include <string.h>

#include "base/buf.h"
#include "base/test.h"
#include "measure/histogram.h"

static void writes_labels_and_escapes_them(void)
{
    struct buf out = {0};
    struct exposition exposition = {.out = &out};
    exposition_begin(&exposition, METRIC_ACTION_CALLS);
    exposition_value(&exposition, (const char *const[]){"a.b", "module", NULL}, 12345678901);
    exposition_value(&exposition, (const char *const[]){"a.\"b\\\n", "remote", "tidy"}, 0.5);
    EXPECT_INT(buf_append(&out, "", 1), 0);
    const char *lines = strstr(out.data, "\njsorc_");
    EXPECT(strstr(out.data, "# TYPE jsorc_action_calls_total counter\n") != NULL);
    EXPECT_STR(lines, "\njsorc_action_calls_total{action=\"a.b\",place=\"module\",walker=\"\"} "
                      "12345678901\n"
                      "jsorc_action_calls_total{action=\"a.\\\"b\\\\\\n\",place=\"remote\","
                      "walker=\"tidy\"} 0.5\n");
    buf_done(&out);
}

static void writes_classic_buckets_of_a_histogram(void)
{
    struct buf out = {0};
    struct exposition exposition = {.out = &out};
    struct histogram *histogram = histogram_new();
    histogram_add(histogram, 20000);        /* 20 us */
    histogram_add(histogram, 3000000000);   /* 3 s */
    histogram_add(histogram, 120000000000); /* 2 min: beyond the last bound */
    exposition_begin(&exposition, METRIC_MOVE_DURATION);
    exposition_histogram(&exposition, NULL, histogram, 123000020000);
    EXPECT_INT(buf_append(&out, "", 1), 0);
    EXPECT(strstr(out.data, "# TYPE jsorc_move_duration_seconds histogram\n") != NULL);
    EXPECT(strstr(out.data, "_bucket{le=\"1e-05\"} 0\n") != NULL);
    EXPECT(strstr(out.data, "_bucket{le=\"2.5e-05\"} 1\n") != NULL);
    EXPECT(strstr(out.data, "_bucket{le=\"2.5\"} 1\n") != NULL);
    EXPECT(strstr(out.data, "_bucket{le=\"5\"} 2\n") != NULL);
    EXPECT(strstr(out.data, "_bucket{le=\"60\"} 2\n") != NULL);
    EXPECT(strstr(out.data, "_bucket{le=\"+Inf\"} 3\n") != NULL);
    EXPECT(strstr(out.data, "_seconds_sum 123.00002\n") != NULL);
    EXPECT(strstr(out.data, "_seconds_count 3\n") != NULL);
    histogram_free(histogram);
    buf_done(&out);
}

static void describes_every_metric_once(void)
{
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        const struct metric_row *row = &METRIC_TABLE[i];
        EXPECT(row->name && row->help);
        for (size_t k = 0; k < i; k++) {
            EXPECT(strcmp(row->name, METRIC_TABLE[k].name) != 0);
        }
        const char *total = strstr(row->name, "_total");
        EXPECT((total != NULL) == (row->type == METRIC_COUNTER));
    }
}

TEST_MAIN(writes_labels_and_escapes_them, writes_classic_buckets_of_a_histogram,
          describes_every_metric_once)
