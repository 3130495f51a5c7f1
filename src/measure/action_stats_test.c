#include "measure/action_stats.h"

#include <pthread.h>
#include <stdio.h>

#include "base/test.h"
#include "measure/figures.h"
#include "measure/histogram.h"

static struct action_stats stats;
static struct stats_budget budget;

static void begin(unsigned walkers_max)
{
    stats = (struct action_stats){0};
    budget = (struct stats_budget){0};
    action_stats_init(&stats, walkers_max, &budget);
}

static void add(struct call_stats *series, uint64_t latency_ns)
{
    call_stats_add(series,
                   &(struct call_sample){.latency_ns = latency_ns, .exec_ns = latency_ns / 2});
}

static void keeps_a_series_for_each_walker(void)
{
    begin(STATS_WALKERS_MAX);
    struct call_stats *tidy = action_stats_of(&stats, SLICE("tidy"));
    EXPECT(tidy != action_stats_of(&stats, SLICE("talk")));
    EXPECT(tidy == action_stats_of(&stats, SLICE("tidy")));
    EXPECT(action_stats_of(&stats, SLICE("")) == &stats.outside);
    EXPECT(action_stats_find(&stats, SLICE("other")) == NULL);
    EXPECT_INT(atomic_load(&budget.used), 2);
    action_stats_done(&stats);
}

static void books_walkers_beyond_the_limit_together(void)
{
    begin(3);
    char name[16];
    for (int i = 0; i < 10; i++) {
        (void)snprintf(name, sizeof(name), "walker_%d", i);
        add(action_stats_of(&stats, slice_str(name)), 1000);
    }
    EXPECT_INT(atomic_load(&action_stats_of(&stats, SLICE(STATS_OTHER))->calls), 7);
    char long_name[STATS_NAME_MAX + 2];
    memset(long_name, 'n', sizeof(long_name));
    EXPECT(action_stats_of(&stats, (struct slice){long_name, STATS_NAME_MAX + 1}) ==
           action_stats_of(&stats, SLICE(STATS_OTHER)));
    atomic_store(&budget.used, STATS_SERIES_MAX);
    struct action_stats full = {0};
    action_stats_init(&full, 3, &budget);
    EXPECT(action_stats_of(&full, SLICE("one")) == action_stats_of(&full, SLICE("two")));
    action_stats_done(&full);
    action_stats_done(&stats);
}

static void *call_all(void *arg)
{
    char name[16];
    (void)arg;
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(name, sizeof(name), "walker_%d", i % 50);
        add(action_stats_of(&stats, slice_str(name)), 1000);
    }
    return NULL;
}

static void loses_nothing_when_threads_meet(void)
{
    begin(STATS_WALKERS_MAX);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        EXPECT_INT(pthread_create(&threads[i], NULL, call_all, NULL), 0);
    }
    for (int i = 0; i < 4; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    CLEANUP(figures_free) struct figures *figures = figures_new(0);
    figures_add(figures, "text", "text.split", PLACE_MODULE, &stats);
    uint64_t calls = 0, kept = 0;
    for (size_t i = 0; i < figures->count; i++) {
        calls += figures->rows[i].calls;
        kept += histogram_count(figures->rows[i].latency);
    }
    EXPECT_INT(calls, 4000);
    EXPECT_INT(kept, 4000);
    action_stats_done(&stats);
}

static void tells_what_happened_in_between(void)
{
    begin(STATS_WALKERS_MAX);
    add(&stats.outside, 1000000);
    add(action_stats_of(&stats, SLICE("still")), 50);
    CLEANUP(figures_free) struct figures *before = figures_new(1000);
    figures_add(before, "text", "text.split", PLACE_REMOTE, &stats);
    for (int i = 0; i < 100; i++) {
        add(&stats.outside, 3000);
    }
    add(action_stats_of(&stats, SLICE("tidy")), 5000);
    call_stats_add(action_stats_of(&stats, SLICE("tidy")), &(struct call_sample){.failed = 1});
    CLEANUP(figures_free) struct figures *after = figures_new(5000);
    figures_add(after, "text", "text.split", PLACE_REMOTE, &stats);

    CLEANUP(figures_free) struct figures *window = figures_since(after, before);
    struct figure sum;
    EXPECT_INT(window->at_ns, 4000);
    EXPECT_INT(window->count, 2); /* nothing of `still` */
    figures_sum(window, "text.split", PLACE_REMOTE, "", &sum);
    EXPECT_INT(sum.calls, 100);
    EXPECT_INT(sum.latency_ns, 300000);
    EXPECT_INT(sum.exec_ns, 150000);
    EXPECT(histogram_quantile(sum.latency, 1) < 3100); /* the long one was before */
    histogram_free(sum.latency);
    figures_sum(window, "text.split", PLACE_NONE, "tidy", &sum);
    EXPECT_INT(sum.calls, 2);
    EXPECT_INT(sum.errors, 1);
    EXPECT_INT(sum.executions, 1);
    EXPECT_INT(histogram_count(sum.latency), 1);
    histogram_free(sum.latency);
    figures_sum(window, "text.split", PLACE_MODULE, NULL, &sum);
    EXPECT_INT(sum.calls, 0);
    histogram_free(sum.latency);
    action_stats_done(&stats);
}

static void tells_a_failure_that_was_half_booked_before_as_no_more_than_its_call(void)
{
    begin(STATS_WALKERS_MAX);
    atomic_store(&stats.outside.calls, 1);
    CLEANUP(figures_free) struct figures *before = figures_new(0);
    figures_add(before, "text", "text.split", PLACE_MODULE, &stats);
    atomic_store(&stats.outside.calls, 2);
    atomic_store(&stats.outside.errors, 2);
    CLEANUP(figures_free) struct figures *after = figures_new(1);
    figures_add(after, "text", "text.split", PLACE_MODULE, &stats);
    CLEANUP(figures_free) struct figures *window = figures_since(after, before);
    EXPECT_INT(window->rows[0].calls, 1);
    EXPECT_INT(window->rows[0].errors, 1);
    action_stats_done(&stats);
}

TEST_MAIN(keeps_a_series_for_each_walker, books_walkers_beyond_the_limit_together,
          loses_nothing_when_threads_meet, tells_what_happened_in_between,
          tells_a_failure_that_was_half_booked_before_as_no_more_than_its_call)
