#include "measure/benchmark.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/test.h"

static void unref(struct benchmark **benchmark)
{
    benchmark_unref(*benchmark);
}
#define HELD __attribute__((cleanup(unref)))

static void add_ms(struct benchmark *benchmark, const char *op, const char *name, double latency_ms)
{
    benchmark_add(benchmark, BENCHMARK_LANE_IO, slice_str(op), slice_str(name),
                  (uint64_t)(latency_ms * 1e6), false);
}

static struct json_object *leaf_of(struct json_object *report, const char *op, const char *name)
{
    return json_member(json_member(report, op, json_type_object), name, json_type_object);
}

static double figure(struct json_object *report, const char *op, const char *name, const char *key)
{
    return json_double(leaf_of(report, op, name), key, -1);
}

#define EXPECT_NEAR(actual, wanted) EXPECT(fabs((actual) - (wanted)) < 1e-9 * fabs(wanted) + 1e-12)

static void interpolates_between_the_closest_ranks(void)
{
    HELD struct benchmark *benchmark = benchmark_new(0, false);
    const double latencies_ms[] = {3, 1, 4, 2};
    for (size_t i = 0; i < 4; i++) {
        add_ms(benchmark, "walker_run", "a", latencies_ms[i]);
    }
    CLEANUP(json_put) struct json_object *report = benchmark_report(benchmark, 2000000000);
    static const struct {
        const char *key;
        double wanted;
    } rows[] = {{"50th_latency", 2.5},
                {"90th_latency", 3.7},
                {"95th_latency", 3.85},
                {"99th_latency", 3.97},
                {"999th_latency", 3.997},
                {"min_latency", 1},
                {"max_latency", 4},
                {"average_latency", 2.5},
                {"throughput", 2},
                {"count", 4},
                {"errors", 0}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        EXPECT_NEAR(figure(report, "walker_run", "a", rows[i].key), rows[i].wanted);
        EXPECT_NEAR(figure(report, "walker_run", "all", rows[i].key), rows[i].wanted);
    }
    EXPECT(!json_object_object_get_ex(leaf_of(report, "walker_run", "a"), "approx", NULL));
    EXPECT_INT(json_object_object_length(report), 1);
}

static void a_single_sample_is_each_percentile(void)
{
    HELD struct benchmark *benchmark = benchmark_new(0, false);
    add_ms(benchmark, "config_set", "", 7);
    CLEANUP(json_put) struct json_object *report = benchmark_report(benchmark, 1000);
    EXPECT_NEAR(figure(report, "config_set", "_default_", "50th_latency"), 7.0);
    EXPECT_NEAR(figure(report, "config_set", "_default_", "999th_latency"), 7.0);
}

static void pools_the_names_and_lanes_of_an_operation(void)
{
    HELD struct benchmark *benchmark = benchmark_new(0, false);
    for (unsigned lane = 0; lane < BENCHMARK_LANES_MAX; lane++) {
        benchmark_add(benchmark, lane, SLICE("walker_run"), SLICE("b"), 1000000, lane == 3);
        benchmark_add(benchmark, lane, SLICE("walker_run"), SLICE("a"), 3000000, false);
    }
    CLEANUP(json_put) struct json_object *report = benchmark_report(benchmark, 1000000000);
    EXPECT_INT(figure(report, "walker_run", "a", "count"), BENCHMARK_LANES_MAX);
    EXPECT_INT(figure(report, "walker_run", "b", "errors"), 1);
    EXPECT_INT(figure(report, "walker_run", "all", "count"), 2 * BENCHMARK_LANES_MAX);
    EXPECT_INT(figure(report, "walker_run", "all", "errors"), 1);
    EXPECT_NEAR(figure(report, "walker_run", "all", "average_latency"), 2.0);
    EXPECT_NEAR(figure(report, "walker_run", "all", "throughput"), 2.0 * BENCHMARK_LANES_MAX);
}

static void leaves_its_own_operations_out_unless_asked(void)
{
    for (int include = 0; include < 2; include++) {
        HELD struct benchmark *benchmark = benchmark_new(0, include);
        add_ms(benchmark, "jsorc_benchmark_start", "", 1);
        add_ms(benchmark, "config_set", "", 1);
        CLEANUP(json_put) struct json_object *report = benchmark_report(benchmark, 1000);
        EXPECT_INT(json_object_object_length(report), 1 + include);
        EXPECT_INT(leaf_of(report, "jsorc_benchmark_start", "all") != NULL, include);
    }
}

static void an_empty_benchmark_is_an_empty_object(void)
{
    HELD struct benchmark *benchmark = benchmark_new(0, false);
    CLEANUP(json_put) struct json_object *report = benchmark_report(benchmark, 0);
    EXPECT_STR(json_text(report), "{}");
}

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return left < right ? -1 : left > right;
}

/* Two clusters a factor of 100 apart, split at the 90th percentile: there ranks matter. */
static double latency_ms(unsigned i)
{
    double share = (double)(i * 2654435761u) / 4294967296.0;
    return (share < 0.9 ? 1 : 100) * (1 + share);
}

static void is_exact_up_to_the_limit_and_then_within_a_hundredth(void)
{
    HELD struct benchmark *benchmark = benchmark_new(0, false);
    static double sorted[BENCHMARK_EXACT_MAX + 1];
    static const double percents[] = {50, 90, 95, 99, 99.9};
    static const char *const keys[] = {"50th_latency", "90th_latency", "95th_latency",
                                       "99th_latency", "999th_latency"};
    for (unsigned extra = 0; extra < 2; extra++) {
        unsigned count = BENCHMARK_EXACT_MAX + extra;
        for (unsigned i = extra ? count - 1 : 0; i < count; i++) {
            add_ms(benchmark, "walker_run", "w", latency_ms(i));
        }
        for (unsigned i = 0; i < count; i++) {
            sorted[i] = floor(latency_ms(i) * 1e6) / 1e6; /* whole ns */
        }
        qsort(sorted, count, sizeof(sorted[0]), by_value);
        CLEANUP(json_put) struct json_object *report = benchmark_report(benchmark, 1000000000);
        struct json_object *leaf = leaf_of(report, "walker_run", "w");
        EXPECT_INT(json_flag(leaf, "approx", false), extra);
        EXPECT_INT(json_int(leaf, "count", 0), count);
        for (size_t k = 0; k < 5; k++) {
            double place = (count - 1) * percents[k] / 100;
            size_t rank = (size_t)place;
            double wanted =
                sorted[rank] + (place - (double)rank) * (sorted[rank + 1] - sorted[rank]);
            double told = json_double(leaf, keys[k], -1);
            EXPECT(fabs(told - wanted) <= (extra ? 0.01 : 1e-9) * wanted);
        }
        EXPECT_NEAR(json_double(leaf, "min_latency", -1), sorted[0]);
        EXPECT_NEAR(json_double(leaf, "max_latency", -1), sorted[count - 1]);
    }
}

static void all_is_approximate_when_it_alone_has_too_many(void)
{
    HELD struct benchmark *benchmark = benchmark_new(0, false);
    for (int i = 0; i < BENCHMARK_EXACT_MAX; i++) {
        add_ms(benchmark, "walker_run", "a", 1);
    }
    add_ms(benchmark, "walker_run", "b", 2);
    CLEANUP(json_put) struct json_object *report = benchmark_report(benchmark, 1000000000);
    EXPECT(!json_flag(leaf_of(report, "walker_run", "a"), "approx", false));
    EXPECT(!json_flag(leaf_of(report, "walker_run", "b"), "approx", false));
    EXPECT(json_flag(leaf_of(report, "walker_run", "all"), "approx", false));
}

static void names_beyond_the_limit_share_a_leaf(void)
{
    HELD struct benchmark *benchmark = benchmark_new(0, false);
    char name[BENCHMARK_NAME_MAX + 2];
    for (int i = 0; i < BENCHMARK_NAMES_MAX + 10; i++) {
        (void)snprintf(name, sizeof(name), "w%d", i);
        add_ms(benchmark, "walker_run", name, 1);
    }
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    add_ms(benchmark, "walker_run", name, 1); /* too long for a name */
    add_ms(benchmark, "config_set", "", 1);   /* operations have a place of their own */
    add_ms(benchmark, "walker_run", "w7", 1);
    CLEANUP(json_put) struct json_object *report = benchmark_report(benchmark, 1000000000);
    EXPECT_INT(figure(report, "walker_run", "w7", "count"), 2);
    EXPECT_INT(figure(report, "walker_run", "_default_", "count"), 11);
    EXPECT_INT(figure(report, "walker_run", "all", "count"), BENCHMARK_NAMES_MAX + 12);
    EXPECT_INT(figure(report, "config_set", "_default_", "count"), 1);
}

static void leaves_without_room_for_samples_are_approximate(void)
{
    HELD struct benchmark *benchmark = benchmark_new(0, false);
    char name[16];
    for (unsigned lane = 0; lane < BENCHMARK_LANES_MAX; lane++) {
        for (int i = 0; i < BENCHMARK_NAMES_MAX; i++) {
            (void)snprintf(name, sizeof(name), "w%03d", i);
            benchmark_add(benchmark, lane, lane == 0 ? SLICE("wapi") : SLICE("walker_run"),
                          slice_str(name), 1000000, false);
        }
    }
    _Static_assert(BENCHMARK_LANES_MAX * BENCHMARK_NAMES_MAX > BENCHMARK_CHUNKS_MAX, "too few");
    CLEANUP(json_put) struct json_object *report = benchmark_report(benchmark, 1000000000);
    EXPECT(!json_flag(leaf_of(report, "wapi", "w511"), "approx", false));
    struct json_object *last =
        leaf_of(report, "walker_run", "w511"); /* not kept in the last lane */
    EXPECT(json_flag(last, "approx", false));
    EXPECT_INT(json_int(last, "count", 0), BENCHMARK_LANES_MAX - 1);
    EXPECT(json_double(last, "min_latency", -1) == 1);
    EXPECT(fabs(json_double(last, "50th_latency", -1) - 1) < 0.01);
}

static void *add_many(void *arg)
{
    for (int i = 0; i < 20000; i++) {
        benchmark_add(arg, BENCHMARK_LANE_IO + 1, SLICE("walker_run"), SLICE("w"), 1000000, i % 2);
    }
    return NULL;
}

static void reports_while_another_thread_adds(void)
{
    HELD struct benchmark *benchmark = benchmark_new(0, false);
    pthread_t thread;
    EXPECT_INT(pthread_create(&thread, NULL, add_many, benchmark), 0);
    int64_t count = 0;
    bool whole = true;
    while (whole && count < 20000) {
        CLEANUP(json_put) struct json_object *report = benchmark_report(benchmark, 1000000000);
        struct json_object *leaf = leaf_of(report, "walker_run", "w");
        int64_t next = json_int(leaf, "count", 0);
        whole = next >= count && json_int(leaf, "errors", 0) <= next &&
                (!leaf || json_double(leaf, "50th_latency", -1) == 1);
        count = next;
    }
    EXPECT(whole);
    EXPECT_INT(pthread_join(thread, NULL), 0);
}

TEST_MAIN(interpolates_between_the_closest_ranks, a_single_sample_is_each_percentile,
          pools_the_names_and_lanes_of_an_operation, leaves_its_own_operations_out_unless_asked,
          an_empty_benchmark_is_an_empty_object,
          is_exact_up_to_the_limit_and_then_within_a_hundredth,
          all_is_approximate_when_it_alone_has_too_many, names_beyond_the_limit_share_a_leaf,
          leaves_without_room_for_samples_are_approximate, reports_while_another_thread_adds)
