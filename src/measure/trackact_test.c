#include "measure/trackact.h"

#include "base/json.h"
#include "base/test.h"
#include "measure/action_stats.h"
#include "measure/figures.h"

/* Two actions, the second one at both places. */
static struct stats_budget budget;
static struct action_stats split, upper[2];

static void begin(void)
{
    action_stats_init(&split, STATS_WALKERS_MAX, &budget);
    action_stats_init(&upper[0], STATS_WALKERS_MAX, &budget);
    action_stats_init(&upper[1], STATS_WALKERS_MAX, &budget);
}

static void end(void)
{
    action_stats_done(&split);
    action_stats_done(&upper[0]);
    action_stats_done(&upper[1]);
    memset(&split, 0, sizeof(split));
    memset(upper, 0, sizeof(upper));
}

static void call(struct action_stats *stats, const char *walker, uint64_t latency_ms, bool failed)
{
    struct call_sample sample = {.latency_ns = latency_ms * 1000000,
                                 .exec_ns = latency_ms * 500000,
                                 .bytes_in = 10,
                                 .bytes_out = 20,
                                 .failed = failed};
    call_stats_add(action_stats_of(stats, slice_str(walker)), &sample);
}

static struct figures *figures_now(void)
{
    struct figures *figures = figures_new(0);
    figures_add(figures, "text", "text.split", PLACE_MODULE, &split);
    figures_add(figures, "text", "text.upper", PLACE_MODULE, &upper[0]);
    figures_add(figures, "text", "text.upper", PLACE_REMOTE, &upper[1]);
    figures_add(figures, NULL, NULL, PLACE_MODULE, &split); /* as if they were walkers' runs */
    return figures;
}

static void expect_report(const struct trackact *trackact, const char *wanted)
{
    CLEANUP(figures_free) struct figures *figures = figures_now();
    CLEANUP(json_put) struct json_object *report = trackact_report(trackact, figures);
    EXPECT_STR(json_text(report), wanted);
}

/* The report without "actions_stats". */
static void expect_means(const struct trackact *trackact, const char *wanted)
{
    CLEANUP(figures_free) struct figures *figures = figures_now();
    CLEANUP(json_put) struct json_object *report = trackact_report(trackact, figures);
    for (size_t i = 0; i < json_object_array_length(report); i++) {
        json_object_object_del(json_object_array_get_idx(report, i), "actions_stats");
    }
    EXPECT_STR(json_text(report), wanted);
}

static void change(struct trackact *trackact, int64_t unix_ms, const char *mode)
{
    CLEANUP(json_put) struct json_object *state = json_object_new_object();
    json_set_str(state, "text", mode);
    trackact_change(trackact, unix_ms, state);
}

static void counts_from_the_start_over_walkers_and_places(void)
{
    begin();
    call(&split, "", 1000, false); /* before the start */
    CLEANUP(trackact_free) struct trackact *trackact = trackact_new(1500, figures_now());
    expect_report(trackact, "[{\"ts\":1.5,\"actions_calls\":{},\"actions_stats\":{}}]");
    call(&split, "", 1000, true);
    call(&upper[0], "tidy", 1000, false);
    call(&upper[1], "", 3000, false);
    call(&upper[1], "", 5000, true);
    CLEANUP(figures_free) struct figures *figures = figures_now();
    CLEANUP(json_put) struct json_object *report = trackact_report(trackact, figures);
    struct json_object *entry = json_object_array_get_idx(report, 0);
    EXPECT_STR(json_text(json_member(entry, "actions_calls", json_type_object)),
               "{\"text.upper\":2.0}");
    struct json_object *stats = json_member(entry, "actions_stats", json_type_object);
    EXPECT_STR(json_text(json_member(stats, "text.split", json_type_object)),
               "{\"count\":1,\"errors\":1,\"mean\":null,\"p50\":null,\"p95\":null,\"p99\":null,"
               "\"exec\":null,\"bytes_out\":20,\"bytes_in\":10,\"places\":{\"module\":1,\"remote\":"
               "0}}");
    struct json_object *row = json_member(stats, "text.upper", json_type_object);
    EXPECT_INT(json_int(row, "count", 0), 3);
    EXPECT_INT(json_int(row, "errors", 0), 1);
    EXPECT(json_double(row, "mean", 0) == 2 && json_double(row, "exec", 0) == 1);
    double p50_s = json_double(row, "p50", 0), p99_s = json_double(row, "p99", 0);
    EXPECT(p50_s > 0.99 && p50_s < 1.01 && p99_s > 2.97 && p99_s < 3.03);
    EXPECT_STR(json_text(json_member(row, "places", json_type_object)),
               "{\"module\":1,\"remote\":2}");
    end();
}

static void an_entry_ends_with_the_figures_at_the_change(void)
{
    begin();
    CLEANUP(trackact_free) struct trackact *trackact = trackact_new(1000, figures_now());
    call(&upper[0], "", 1000, false);
    change(trackact, 2000, "remote");
    call(&upper[0], "", 3000, false); /* the worker told it a little later */
    expect_means(trackact, "[{\"ts\":1.0,\"actions_calls\":{\"text.upper\":2.0}}]");
    trackact_settle(trackact, figures_now());
    call(&upper[1], "", 4000, false);
    trackact_settle(trackact, figures_now()); /* no change waits: nothing happens */
    expect_means(trackact, "[{\"ts\":1.0,\"actions_calls\":{\"text.upper\":2.0}},"
                           "{\"ts\":2.0,\"actions_state\":{\"text\":\"remote\"},"
                           "\"actions_calls\":{\"text.upper\":4.0}}]");
    change(trackact, 3000, "none");
    change(trackact, 3001, "module");
    trackact_settle(trackact, figures_now());
    call(&upper[0], "", 5000, false);
    expect_means(trackact,
                 "[{\"ts\":1.0,\"actions_calls\":{\"text.upper\":2.0}},"
                 "{\"ts\":2.0,\"actions_state\":{\"text\":\"remote\"},"
                 "\"actions_calls\":{\"text.upper\":4.0}},"
                 "{\"ts\":3.0,\"actions_state\":{\"text\":\"none\"},\"actions_calls\":{}},"
                 "{\"ts\":3.001,\"actions_state\":{\"text\":\"module\"},"
                 "\"actions_calls\":{\"text.upper\":5.0}}]");
    end();
}

static void the_oldest_make_room(void)
{
    begin();
    CLEANUP(trackact_free) struct trackact *trackact = trackact_new(0, figures_now());
    for (int i = 1; i <= TRACKACT_ENTRIES_MAX + 4; i++) {
        change(trackact, i, "module");
        trackact_settle(trackact, figures_now());
    }
    CLEANUP(figures_free) struct figures *figures = figures_now();
    CLEANUP(json_put) struct json_object *report = trackact_report(trackact, figures);
    EXPECT_INT(json_object_array_length(report), TRACKACT_ENTRIES_MAX);
    struct json_object *first = json_object_array_get_idx(report, 0);
    EXPECT_INT(json_int(first, "dropped", 0), 5);
    EXPECT(json_double(first, "ts", 0) == 0.005);
    EXPECT(!json_object_object_get_ex(json_object_array_get_idx(report, 1), "dropped", NULL));
    end();
}

TEST_MAIN(counts_from_the_start_over_walkers_and_places,
          an_entry_ends_with_the_figures_at_the_change, the_oldest_make_room)
