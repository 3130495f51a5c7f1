#include "service/promql.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "base/test.h"

#define ANSWER(rows)                                                                               \
    SLICE("{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[" rows "]}}")
#define ROW(labels, value) "{\"metric\":{" labels "},\"value\":[1700000000.1,\"" value "\"]}"

static void puts_window_and_namespace_into_the_query(void)
{
    CLEANUP(str_free) char *query = NULL;
    EXPECT_INT(promql_figures(PROMQL_PODS, 60, "acme", &query, NULL), 0);
    EXPECT(strstr(query, "(rate(container_cpu_usage_seconds_total{pod!=\"\",container!=\"\","
                         "namespace=\"acme\"}[60000ms]))"));
    EXPECT(strstr(query, ", \"figure\", \"network_tran_bytes\", \"\", \"\")"));
    EXPECT(!strchr(query, '%'));
    CLEANUP(str_free) char *nodes = NULL;
    EXPECT_INT(promql_figures(PROMQL_NODES, 0.25, "", &nodes, NULL), 0);
    EXPECT(strstr(nodes, "sum by (node) (rate(node_disk_read_bytes_total[250ms]))"));
}

static void refuses_a_namespace_that_would_leave_its_quotes(void)
{
    char *query = NULL;
    struct err err = {0};
    EXPECT_INT(promql_figures(PROMQL_PODS, 60, "a\"} or up{x=\"", &query, &err), -EINVAL);
    EXPECT_STR(err.text, "'a\"} or up{x=\"' is no namespace");
    EXPECT_INT(promql_placement("a b", &query, NULL), -EINVAL);
    EXPECT(query == NULL);
}

static void what_is_not_told_is_null_and_not_zero(void)
{
    CLEANUP(json_put) struct json_object *pods = NULL;
    struct slice answer =
        ANSWER(ROW("\"pod\":\"a-1\",\"figure\":\"cpu_utilization_cores\"", "0.31") "," ROW(
            "\"pod\":\"a-1\",\"figure\":\"mem_utilization_bytes\"",
            "NaN") "," ROW("\"pod\":\"a-1\",\"figure\":\"of_nobody\"",
                           "1") "," ROW("\"figure\":\"network_recv_bytes\"", "1"));
    EXPECT_INT(promql_read_figures(PROMQL_PODS, answer, &pods, NULL), 0);
    EXPECT_STR(json_text(pods),
               "{\"a-1\":{\"cpu_utilization_cores\":0.31,\"mem_utilization_bytes\":null,"
               "\"network_recv_bytes\":null,\"network_tran_bytes\":null}}");
}

static void pods_of_one_name_in_two_namespaces_are_told_apart(void)
{
    CLEANUP(json_put) struct json_object *pods = NULL;
    struct slice answer = ANSWER(
        ROW("\"namespace\":\"x\",\"pod\":\"a\",\"figure\":\"mem_utilization_bytes\"", "1") "," ROW(
            "\"namespace\":\"y\",\"pod\":\"a\",\"figure\":\"mem_utilization_bytes\"",
            "2") "," ROW("\"namespace\":\"y\",\"pod\":\"b\",\"figure\":\"mem_utilization_bytes\"",
                         "3"));
    EXPECT_INT(promql_read_figures(PROMQL_PODS, answer, &pods, NULL), 0);
    EXPECT_INT(json_double(json_member(pods, "x/a", json_type_object), "mem_utilization_bytes", 0),
               1);
    EXPECT_INT(json_double(json_member(pods, "y/a", json_type_object), "mem_utilization_bytes", 0),
               2);
    EXPECT_INT(json_double(json_member(pods, "b", json_type_object), "mem_utilization_bytes", 0),
               3);
}

static void reads_the_placement_and_leaves_prometheus_out(void)
{
    CLEANUP(json_put) struct json_object *nodes = NULL;
    CLEANUP(json_put) struct json_object *fewer = NULL;
    struct slice answer = ANSWER(ROW("\"node\":\"n1\",\"pod\":\"a\"", "1") "," ROW(
        "\"node\":\"n1\",\"pod\":\"prometheus-0\"", "1") "," ROW("\"pod\":\"b\"", "1"));
    EXPECT_INT(promql_read_placement(answer, false, &nodes, NULL), 0);
    EXPECT_STR(json_text(nodes), "{\"n1\":[\"a\",\"prometheus-0\"],\"\":[\"b\"]}");
    EXPECT_INT(promql_read_placement(answer, true, &fewer, NULL), 0);
    EXPECT_STR(json_text(fewer), "{\"n1\":[\"a\"],\"\":[\"b\"]}");
}

static void passes_its_error_on(void)
{
    struct json_object *pods = NULL;
    struct err err = {0};
    struct slice refused = SLICE("{\"status\":\"error\",\"error\":\"parse error\"}");
    EXPECT_INT(promql_read_figures(PROMQL_PODS, refused, &pods, &err), -EINVAL);
    EXPECT_STR(err.text, "Prometheus: parse error");
    EXPECT_INT(promql_read_figures(PROMQL_PODS, SLICE("<html>"), &pods, NULL), -EINVAL);
    EXPECT_INT(promql_read_names(SLICE("{\"status\":\"success\",\"data\":{}}"), &pods, NULL),
               -EINVAL);
    EXPECT_INT(promql_read_figures(PROMQL_PODS,
                                   SLICE("{\"status\":\"success\",\"data\":{\"result\":{}}}"),
                                   &pods, NULL),
               -EINVAL);
    EXPECT(pods == NULL);
}

static void reads_the_scrape_interval(void)
{
    double seconds = 0;
    EXPECT_INT(
        promql_read_interval(SLICE("{\"status\":\"success\",\"data\":{\"yaml\":\"global:\\n  "
                                   "scrape_interval: 1m30s\\n  scrape_timeout: 10s\\n\"}}"),
                             &seconds, NULL),
        0);
    EXPECT_INT(seconds, 90);
    EXPECT_INT(promql_read_interval(SLICE("{\"status\":\"success\",\"data\":{\"yaml\":\"\"}}"),
                                    &seconds, NULL),
               0);
    EXPECT_INT(seconds, 60);
}

static void reads_durations(void)
{
    static const struct {
        const char *text;
        double ms;
    } rows[] = {{"15s", 15000}, {"250ms", 250}, {"1h30m", 5400000}, {"15d", 1296000000}, {"0s", 0}};
    static const char *const wrong[] = {"", "s", "15", "1x", "-1s", "1s ", "1s2"};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        EXPECT_INT(promql_duration_s(rows[i].text) * 1000, rows[i].ms);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        EXPECT(promql_duration_s(wrong[i]) < 0);
    }
}

TEST_MAIN(puts_window_and_namespace_into_the_query, refuses_a_namespace_that_would_leave_its_quotes,
          what_is_not_told_is_null_and_not_zero, pods_of_one_name_in_two_namespaces_are_told_apart,
          reads_the_placement_and_leaves_prometheus_out, passes_its_error_on,
          reads_the_scrape_interval, reads_durations)
