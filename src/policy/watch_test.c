#include "policy/watch.h"

#include <math.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/test.h"
#include "policy/policy_json.h"
#include "policy/random.h"

struct world { /* what a phase shows, apart from its noise */
    double latency_s, users, share, errors;
};

static struct policy_problem problem;

static void make_problem(void)
{
    CLEANUP(json_put) struct json_object *object = NULL;
    EXPECT_INT(json_parse(SLICE("{\"modules\":[{\"name\":\"a\"}],\"walkers\":[{\"name\":\"v\"},"
                                "{\"name\":\"w\"}],\"users\":8}"),
                          &object, NULL),
               0);
    policy_problem_done(&problem);
    EXPECT_INT(policy_problem_read(object, &problem, NULL), 0);
}

/* Phases of the world until something is said to have shifted, at most max; NULL = nothing. */
static const char *watched(struct watch *watch, struct world world, double noise, int max,
                           struct random *random)
{
    const char *shifted = NULL;
    for (int i = 0; i < max && !shifted; i++) {
        struct policy_measurement seen;
        policy_measurement_init(&seen, &problem);
        seen.mean_latency_s = world.latency_s * exp(noise * random_normal(random));
        seen.throughput_s = world.users / seen.mean_latency_s;
        seen.errors = world.errors;
        seen.walkers[0].runs = round(1000 * world.share * exp(noise * random_normal(random)));
        seen.walkers[1].runs = 1000 - seen.walkers[0].runs;
        shifted = watch_add(watch, &seen, 0, 10);
        policy_measurement_done(&seen);
    }
    return shifted;
}

static void noise_alone_is_no_shift(void)
{
    static const double noises[] = {0, 0.02, 0.05, 0.1};
    make_problem();
    for (uint64_t i = 0; i < 20; i++) {
        struct watch watch;
        struct random random = {.seed = i};
        watch_init(&watch, 0.15, 0);
        EXPECT(!watched(&watch, (struct world){0.1, 8, 0.5, 0}, noises[i % 4], 360, &random));
    }
}

static void what_lasts_is_seen_within_a_window(void)
{
    static const struct {
        struct world after;
        const char *shifted;
    } rows[] = {
        {{0.1, 8, 0.5, 0}, NULL},       {{0.105, 8, 0.5, 0}, NULL}, /* too little to matter */
        {{0.14, 8, 0.5, 0}, "latency"}, {{0.07, 8, 0.5, 0}, "latency"},
        {{0.1, 32, 0.5, 0}, "load"},    {{0.1, 2, 0.5, 0}, "load"},
        {{0.1, 8, 0.8, 0}, "mix"},      {{0.1, 8, 0.5, 100}, "errors"},
    };
    make_problem();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct watch watch;
        struct random random = {.seed = i};
        watch_init(&watch, 0.15, 0);
        EXPECT(!watched(&watch, (struct world){0.1, 8, 0.5, 0}, 0.02, 30, &random));
        const char *shifted = watched(&watch, rows[i].after, 0.02, WATCH_WINDOW, &random);
        EXPECT_STR(shifted ? shifted : "nothing", rows[i].shifted ? rows[i].shifted : "nothing");
    }
}

static void one_freak_phase_is_no_shift(void)
{
    struct watch watch;
    struct random random = {.seed = 1};
    make_problem();
    watch_init(&watch, 0.15, 0);
    for (int i = 0; i < 10; i++) {
        EXPECT(!watched(&watch, (struct world){0.1, 8, 0.5, 0}, 0.02, 12, &random));
        EXPECT(!watched(&watch, (struct world){1, 8, 0.5, 0}, 0.02, 1, &random));
    }
}

static void errors_that_were_there_are_no_news(void)
{
    struct watch watch;
    struct random random = {.seed = 1};
    make_problem();
    watch_init(&watch, 0.15, 0.2);
    EXPECT(!watched(&watch, (struct world){0.1, 8, 0.5, 300}, 0.02, 50, &random));
}

TEST_MAIN(noise_alone_is_no_shift, what_lasts_is_seen_within_a_window, one_freak_phase_is_no_shift,
          errors_that_were_there_are_no_news)
