/* Each test is a world in a few rows and what has to be done about it. */
#include "control/decide.h"

#include "base/test.h"

static struct plan plan; /* large: not on the stack */

static void run(const struct seen_module *modules, uint32_t module_count,
                const struct seen_instance *instances, uint32_t instance_count)
{
    struct observation seen = {.modules = modules,
                               .module_count = module_count,
                               .instances = instances,
                               .instance_count = instance_count,
                               .drain_timeout_ms = 1000};
    decide(&seen, 10000, &plan);
}

#define LOADED(...)                                                                                \
    .loaded = (const struct seen_loaded[]){__VA_ARGS__},                                           \
    .loaded_count = sizeof((const struct seen_loaded[]){__VA_ARGS__}) / sizeof(struct seen_loaded)

#define EXPECT_NOTHING_TO_DO()                                                                     \
    do {                                                                                           \
        EXPECT(!plan.start_runtime);                                                               \
        EXPECT_INT(plan.start_remote_count, 0);                                                    \
        EXPECT_INT(plan.drain_count, 0);                                                           \
        EXPECT_INT(plan.stop_count, 0);                                                            \
    } while (0)

static void starts_what_is_wanted_and_lets_calls_wait(void)
{
    const struct seen_module modules[] = {
        {.wanted = PLACE_MODULE}, {.wanted = PLACE_REMOTE}, {.wanted = PLACE_NONE}};
    run(modules, 3, NULL, 0);
    EXPECT(plan.start_runtime);
    EXPECT_INT(plan.runtime_count, 1);
    EXPECT_INT(plan.runtime_set[0], 0);
    EXPECT_INT(plan.start_remote_count, 1);
    EXPECT_INT(plan.start_remote[0], 1);
    EXPECT_INT(plan.routes[0].choice, CHOICE_WAIT);
    EXPECT_INT(plan.routes[1].choice, CHOICE_WAIT);
    EXPECT_INT(plan.routes[2].choice, CHOICE_NONE);
}

static void does_nothing_when_all_is_as_wanted(void)
{
    const struct seen_module modules[] = {{.wanted = PLACE_MODULE, .walkers = true},
                                          {.wanted = PLACE_REMOTE}};
    const struct seen_instance instances[] = {
        {.runtime = true, .state = INSTANCE_READY, LOADED({0, 0})},
        {.state = INSTANCE_READY, LOADED({1, 0})}};
    run(modules, 2, instances, 2);
    EXPECT_NOTHING_TO_DO();
    EXPECT_INT(plan.routes[0].instance, 0);
    EXPECT_INT(plan.routes[1].instance, 1);
    EXPECT_INT(plan.runtime.choice, CHOICE_TARGET);
    EXPECT_INT(plan.runtime.instance, 0);
}

static void keeps_a_module_in_the_runtime_until_its_pod_is_ready(void)
{
    const struct seen_module modules[] = {{.wanted = PLACE_REMOTE}, {.wanted = PLACE_MODULE}};
    const struct seen_instance before[] = {
        {.runtime = true, .state = INSTANCE_READY, LOADED({0, 0}, {1, 0})},
        {.state = INSTANCE_STARTING, LOADED({0, 0})}};
    run(modules, 2, before, 2);
    EXPECT_NOTHING_TO_DO();
    EXPECT_INT(plan.routes[0].instance, 0);

    const struct seen_instance after[] = {
        {.runtime = true, .state = INSTANCE_READY, LOADED({0, 0}, {1, 0})},
        {.state = INSTANCE_READY, LOADED({0, 0})}};
    run(modules, 2, after, 2);
    EXPECT_INT(plan.routes[0].instance, 1); /* shift */
    EXPECT_INT(plan.routes[1].instance, 0);
    EXPECT(plan.start_runtime); /* and a generation without it, which frees its memory */
    EXPECT_INT(plan.runtime_count, 1);
    EXPECT_INT(plan.runtime_set[0], 1);
    EXPECT_INT(plan.drain_count, 0);
}

static void moves_into_the_runtime_without_a_gap(void)
{
    const struct seen_module modules[] = {{.wanted = PLACE_MODULE}, {.wanted = PLACE_MODULE}};
    const struct seen_instance before[] = {
        {.runtime = true, .state = INSTANCE_READY, LOADED({1, 0})},
        {.state = INSTANCE_READY, LOADED({0, 0})},
        {.runtime = true, .state = INSTANCE_STARTING, LOADED({0, 0}, {1, 0})}};
    run(modules, 2, before, 3);
    EXPECT_NOTHING_TO_DO();
    EXPECT_INT(plan.routes[0].instance, 1);
    EXPECT_INT(plan.routes[1].instance, 0);

    const struct seen_instance after[] = {
        {.runtime = true, .state = INSTANCE_READY, LOADED({1, 0})},
        {.state = INSTANCE_READY, LOADED({0, 0})},
        {.runtime = true, .state = INSTANCE_READY, LOADED({0, 0}, {1, 0})}};
    run(modules, 2, after, 3);
    EXPECT_INT(plan.routes[0].instance, 2);
    EXPECT_INT(plan.routes[1].instance, 2);
    EXPECT_INT(plan.drain_count, 2);
    EXPECT(!plan.start_runtime);
}

static void stops_a_draining_instance_only_when_it_is_empty_or_late(void)
{
    const struct {
        struct seen_instance instance;
        uint32_t stops;
    } rows[] = {
        {{.state = INSTANCE_DRAINING, .since_ms = 9900, .in_flight = 0, .unseen = true}, 1},
        {{.state = INSTANCE_DRAINING, .since_ms = 9900, .in_flight = 1, .unseen = true}, 0},
        {{.state = INSTANCE_DRAINING, .since_ms = 9900, .in_flight = 0, .unseen = false}, 0},
        {{.state = INSTANCE_DRAINING, .since_ms = 9000, .in_flight = 1, .unseen = true}, 1},
        {{.state = INSTANCE_DRAINING, .since_ms = 9900, .in_flight = 1, .health = HEALTH_HUNG}, 1},
        {{.state = INSTANCE_STOPPING, .since_ms = 0, .unseen = true}, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        run(NULL, 0, &rows[i].instance, 1);
        EXPECT_INT(plan.stop_count, rows[i].stops);
        EXPECT_INT(plan.drain_count, 0);
    }
}

static void abandons_a_generation_that_was_overtaken(void)
{
    const struct seen_module modules[] = {{.wanted = PLACE_MODULE}, {.wanted = PLACE_NONE}};
    const struct seen_instance instances[] = {
        {.runtime = true, .state = INSTANCE_STARTING, LOADED({0, 0}, {1, 0})}};
    run(modules, 2, instances, 1);
    EXPECT_INT(plan.stop_count, 1);
    EXPECT(plan.start_runtime);
    EXPECT_INT(plan.runtime_count, 1);
}

static void loads_a_newer_revision_beside_the_one_that_serves(void)
{
    const struct seen_module modules[] = {{.wanted = PLACE_MODULE, .revision = 2},
                                          {.wanted = PLACE_REMOTE, .revision = 5}};
    const struct seen_instance instances[] = {
        {.runtime = true, .state = INSTANCE_READY, LOADED({0, 1})},
        {.state = INSTANCE_READY, LOADED({1, 4})}};
    run(modules, 2, instances, 2);
    EXPECT(plan.start_runtime);
    EXPECT_INT(plan.start_remote_count, 1);
    EXPECT_INT(plan.routes[0].instance, 0);
    EXPECT_INT(plan.routes[1].instance, 1);
    EXPECT_INT(plan.drain_count, 0);
}

static void leaves_a_broken_module_out_so_that_others_can_move(void)
{
    const struct seen_module modules[] = {
        {.wanted = PLACE_MODULE, .broken = true, .retry_ms = 15000}, {.wanted = PLACE_MODULE}};
    run(modules, 2, NULL, 0);
    EXPECT(plan.start_runtime);
    EXPECT_INT(plan.runtime_count, 1);
    EXPECT_INT(plan.runtime_set[0], 1);
    EXPECT_INT(plan.start_remote_count, 0);
    EXPECT_INT(plan.routes[0].choice, CHOICE_FAILED);
    EXPECT_INT(plan.wake_ms, 15000);
}

static void tries_a_broken_module_again_in_a_pod_of_its_own(void)
{
    const struct seen_module modules[] = {
        {.wanted = PLACE_MODULE, .broken = true, .retry_ms = 9000}, {.wanted = PLACE_MODULE}};
    const struct seen_instance instances[] = {
        {.runtime = true, .state = INSTANCE_READY, LOADED({1, 0})}};
    run(modules, 2, instances, 1);
    EXPECT(!plan.start_runtime); /* the others do not load again with it */
    EXPECT_INT(plan.start_remote_count, 1);
    EXPECT_INT(plan.start_remote[0], 0);

    const struct seen_instance on_trial[] = {
        {.runtime = true, .state = INSTANCE_READY, LOADED({1, 0})},
        {.state = INSTANCE_STARTING, LOADED({0, 0})}};
    run(modules, 2, on_trial, 2);
    EXPECT_NOTHING_TO_DO();

    /* It loaded: its pod serves until a generation has it. */
    const struct seen_module mended[] = {{.wanted = PLACE_MODULE}, {.wanted = PLACE_MODULE}};
    const struct seen_instance proven[] = {
        {.runtime = true, .state = INSTANCE_READY, LOADED({1, 0})},
        {.state = INSTANCE_READY, LOADED({0, 0})}};
    run(mended, 2, proven, 2);
    EXPECT(plan.start_runtime);
    EXPECT_INT(plan.runtime_count, 2);
    EXPECT_INT(plan.routes[0].choice, CHOICE_TARGET);
    EXPECT_INT(plan.routes[0].instance, 1);
    EXPECT_INT(plan.drain_count, 0);
}

static void keeps_the_old_generation_when_a_serving_module_does_not_load_again(void)
{
    const struct seen_module modules[] = {
        {.wanted = PLACE_MODULE, .revision = 1, .broken = true, .retry_ms = 15000},
        {.wanted = PLACE_MODULE}};
    const struct seen_instance instances[] = {
        {.runtime = true, .state = INSTANCE_READY, LOADED({0, 0})}};
    run(modules, 2, instances, 1);
    EXPECT_NOTHING_TO_DO();
    EXPECT_INT(plan.frozen_by, 0);
    EXPECT_INT(plan.routes[0].choice, CHOICE_TARGET);
    EXPECT_INT(plan.routes[1].choice, CHOICE_WAIT);
    EXPECT_INT(plan.wake_ms, 15000);
}

static void replaces_a_worn_instance_while_it_still_serves(void)
{
    const struct seen_module modules[] = {{.wanted = PLACE_MODULE, .walkers = true},
                                          {.wanted = PLACE_REMOTE}};
    const struct seen_instance instances[] = {
        {.runtime = true, .state = INSTANCE_READY, .health = HEALTH_WORN, LOADED({0, 0})},
        {.state = INSTANCE_READY, .health = HEALTH_WORN, LOADED({1, 0})}};
    run(modules, 2, instances, 2);
    EXPECT(plan.start_runtime);
    EXPECT_INT(plan.start_remote_count, 1);
    EXPECT_INT(plan.routes[0].choice, CHOICE_TARGET);
    EXPECT_INT(plan.routes[1].choice, CHOICE_TARGET);
}

static void sends_nothing_to_an_instance_that_hangs(void)
{
    const struct seen_module modules[] = {{.wanted = PLACE_MODULE, .walkers = true}};
    const struct seen_instance instances[] = {
        {.runtime = true, .state = INSTANCE_READY, .health = HEALTH_HUNG, LOADED({0, 0})}};
    run(modules, 1, instances, 1);
    EXPECT(plan.start_runtime);
    EXPECT_INT(plan.routes[0].choice, CHOICE_WAIT);
    EXPECT_INT(plan.runtime.choice, CHOICE_WAIT);
    EXPECT_INT(plan.drain_count, 1);
}

static void waits_with_a_crashing_runtime(void)
{
    const struct seen_module modules[] = {{.wanted = PLACE_MODULE}};
    struct observation seen = {.modules = modules, .module_count = 1, .runtime_retry_ms = 12000};
    decide(&seen, 10000, &plan);
    EXPECT(!plan.start_runtime);
    EXPECT_INT(plan.wake_ms, 12000);
    EXPECT_INT(plan.routes[0].choice, CHOICE_WAIT);
}

static void drops_what_is_not_wanted_any_more(void)
{
    const struct seen_module modules[] = {{.wanted = PLACE_NONE}, {.wanted = PLACE_NONE}};
    const struct seen_instance instances[] = {
        {.runtime = true, .state = INSTANCE_READY, LOADED({0, 0})},
        {.state = INSTANCE_READY, LOADED({1, 0})},
        {.state = INSTANCE_STARTING, LOADED({1, 0})}};
    run(modules, 2, instances, 3);
    EXPECT_INT(plan.drain_count, 2);
    EXPECT_INT(plan.stop_count, 1);
    EXPECT_INT(plan.stop[0], 2);
}

/* Its provider brings replicas back; nothing is started in its place, and it is not taken away. */
static void waits_for_the_replicas_of_a_pod_that_has_none(void)
{
    const struct seen_module modules[] = {{.wanted = PLACE_REMOTE}};
    const struct seen_instance alone[] = {
        {.state = INSTANCE_READY, .health = HEALTH_AWAY, LOADED({0, 0})}};
    run(modules, 1, alone, 1);
    EXPECT_NOTHING_TO_DO();
    EXPECT_INT(plan.routes[0].choice, CHOICE_WAIT);

    const struct seen_instance beside[] = {
        {.runtime = true, .state = INSTANCE_READY, LOADED({0, 0})},
        {.state = INSTANCE_READY, .health = HEALTH_AWAY, LOADED({0, 0})}};
    run(modules, 1, beside, 2);
    EXPECT_NOTHING_TO_DO(); /* the runtime worker keeps it until the pod can take the calls */
    EXPECT_INT(plan.routes[0].choice, CHOICE_TARGET);
    EXPECT_INT(plan.routes[0].instance, 0);

    const struct seen_module elsewhere[] = {{.wanted = PLACE_MODULE}};
    run(elsewhere, 1, beside, 2);
    EXPECT_INT(plan.drain_count, 1); /* nobody waits for it */
    EXPECT_INT(plan.drain[0], 1);
}

/* Why it does not start is known, and that may pass: it is not stopped. */
static void keeps_a_pod_that_is_stuck_while_it_starts(void)
{
    const struct seen_module modules[] = {{.wanted = PLACE_REMOTE, .broken = true}};
    const struct seen_instance instances[] = {{.state = INSTANCE_STARTING, LOADED({0, 0})}};
    run(modules, 1, instances, 1);
    EXPECT_NOTHING_TO_DO();
    EXPECT_INT(plan.routes[0].choice, CHOICE_FAILED);
}

TEST_MAIN(starts_what_is_wanted_and_lets_calls_wait, does_nothing_when_all_is_as_wanted,
          keeps_a_module_in_the_runtime_until_its_pod_is_ready,
          moves_into_the_runtime_without_a_gap,
          stops_a_draining_instance_only_when_it_is_empty_or_late,
          abandons_a_generation_that_was_overtaken,
          loads_a_newer_revision_beside_the_one_that_serves,
          leaves_a_broken_module_out_so_that_others_can_move,
          tries_a_broken_module_again_in_a_pod_of_its_own,
          keeps_the_old_generation_when_a_serving_module_does_not_load_again,
          replaces_a_worn_instance_while_it_still_serves, sends_nothing_to_an_instance_that_hangs,
          waits_with_a_crashing_runtime, drops_what_is_not_wanted_any_more,
          waits_for_the_replicas_of_a_pod_that_has_none, keeps_a_pod_that_is_stuck_while_it_starts)
