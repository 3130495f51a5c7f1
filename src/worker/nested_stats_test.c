#include "worker/nested_stats.h"

#include <pthread.h>
#include <stdio.h>

#include "base/test.h"
#include "measure/histogram.h"

static unsigned count_of(const struct nested_stats *stats)
{
    unsigned count = 0;
    for (const struct nested_series *at = NULL; (at = nested_stats_next(stats, at));) {
        count++;
    }
    return count;
}

static void keeps_actions_places_and_walkers_apart(void)
{
    struct stats_budget budget = {0};
    struct nested_stats stats = {0};
    nested_stats_init(&stats, &budget);
    for (uint64_t i = 1; i <= 3; i++) {
        nested_stats_add(&stats, SLICE("text.split"), WORKER_PLACE_REMOTE, SLICE("tidy"), i * 1000);
    }
    nested_stats_add(&stats, SLICE("text.split"), WORKER_PLACE_MODULE, SLICE("tidy"), 7);
    nested_stats_add(&stats, SLICE("text.join"), WORKER_PLACE_REMOTE, SLICE("other"), 8);
    EXPECT_INT(count_of(&stats), 2);
    for (const struct nested_series *at = NULL; (at = nested_stats_next(&stats, at));) {
        if (strcmp(at->node.name, "text.split") == 0) {
            const struct walker_stats *node =
                action_stats_next(&at->places[WORKER_PLACE_REMOTE], NULL);
            EXPECT_STR(node->node.name, "tidy");
            EXPECT_INT(atomic_load(&node->stats.calls), 3);
            EXPECT_INT(atomic_load(&node->stats.latency_ns), 6000);
            EXPECT_INT(histogram_count(atomic_load(&node->stats.latency)), 3);
            EXPECT(action_stats_next(&at->places[WORKER_PLACE_UNKNOWN], NULL) == NULL);
        }
    }
    nested_stats_done(&stats);
}

static void measures_no_more_actions_than_it_may(void)
{
    struct stats_budget budget = {0};
    struct nested_stats stats = {0};
    char name[32];
    nested_stats_init(&stats, &budget);
    for (int i = 0; i < NESTED_ACTIONS_MAX + 10; i++) {
        int size = snprintf(name, sizeof(name), "load.a%d", i);
        nested_stats_add(&stats, (struct slice){name, (size_t)size}, WORKER_PLACE_REMOTE,
                         (struct slice){0}, 1);
    }
    EXPECT_INT(count_of(&stats), NESTED_ACTIONS_MAX);
    nested_stats_done(&stats);
}

enum { THREADS = 4, ROUNDS = 2000, ACTIONS = 50 };

static void *add_many(void *arg)
{
    char name[32];
    for (int i = 0; i < ROUNDS; i++) {
        int size = snprintf(name, sizeof(name), "load.a%d", i % ACTIONS);
        nested_stats_add(arg, (struct slice){name, (size_t)size}, WORKER_PLACE_REMOTE,
                         SLICE("tidy"), 1);
    }
    return NULL;
}

static void loses_nothing_when_threads_meet(void)
{
    struct stats_budget budget = {0};
    struct nested_stats stats = {0};
    pthread_t threads[THREADS];
    uint64_t calls = 0;
    nested_stats_init(&stats, &budget);
    for (int i = 0; i < THREADS; i++) {
        EXPECT_INT(pthread_create(&threads[i], NULL, add_many, &stats), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    for (const struct nested_series *at = NULL; (at = nested_stats_next(&stats, at));) {
        const struct walker_stats *node = action_stats_next(&at->places[WORKER_PLACE_REMOTE], NULL);
        calls += atomic_load(&node->stats.calls);
    }
    EXPECT_INT(count_of(&stats), ACTIONS);
    EXPECT_INT(calls, THREADS * ROUNDS);
    nested_stats_done(&stats);
}

static void reads_the_places_that_it_writes(void)
{
    for (enum worker_place place = WORKER_PLACE_MODULE; place < WORKER_PLACES; place++) {
        EXPECT_INT(worker_place_from(slice_str(worker_place_name(place))), place);
    }
    EXPECT_INT(worker_place_from(SLICE("")), WORKER_PLACE_UNKNOWN);
    EXPECT_INT(worker_place_from(SLICE("elsewhere")), WORKER_PLACE_UNKNOWN);
}

TEST_MAIN(keeps_actions_places_and_walkers_apart, measures_no_more_actions_than_it_may,
          loses_nothing_when_threads_meet, reads_the_places_that_it_writes)
