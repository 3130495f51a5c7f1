/* The adaptive policy in simulated systems, and told by hand what a simulation never shows. */
#include "base/alloc.h"
#include "policy/policy_testtalk.h"
#include "policy/sim.h"

/* Local calls take twice what remote ones do, but 8 users share one runtime worker. */
#define THREE_MODULES                                                                              \
    "{\"modules\":[{\"name\":\"a\",\"mem_mb\":400,\"hop_s\":0.002},"                               \
    "{\"name\":\"b\",\"mem_mb\":300,\"hop_s\":0.002},{\"name\":\"c\",\"mem_mb\":900}],"            \
    "\"budget_mb\":800,\"walkers\":[{\"name\":\"w\",\"calls\":[\"a\",\"b\",\"c\"]}],"              \
    "\"users\":8}"

/* latency_s: NAN = no traffic. */
static void told(struct policy *policy, double latency_s, double errors, placement_t not_placed)
{
    told_both(policy, latency_s, isnan(latency_s) ? 0 : 8 / latency_s, errors, not_placed);
}

static uint32_t settle(const struct sim_instance *instance, struct policy *policy, uint64_t phase)
{
    uint32_t phases = 0;
    while (!asked(policy).done && phases < 100) {
        struct policy_measurement seen;
        sim_measure(instance, asked(policy).placement, phase + phases++, &seen);
        policy_tell(policy, &seen);
        policy_measurement_done(&seen);
    }
    return phases;
}

static void settles_near_the_oracle_in_few_phases(void)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct sim_instance instance;
        double best_s = 0;
        CLEANUP(policy_free) struct policy *policy = NULL;
        sim_generate(seed, 3, 4, &instance);
        EXPECT_INT(policy_new("adaptive", &instance.problem, NULL, seed, &policy, NULL), 0);
        EXPECT(settle(&instance, policy, 0) <= instance.problem.module_count + 1);
        (void)sim_oracle(&instance, &best_s);
        EXPECT(sim_latency_s(&instance, asked(policy).placement) < 1.1 * best_s);
        sim_instance_done(&instance);
    }
}

static void never_asks_for_more_than_the_budget(void)
{
    CLEANUP(policy_free) struct policy *policy = started("adaptive", THREE_MODULES, "{}");
    for (int i = 0; i < 6; i++) {
        EXPECT(policy_feasible(policy_problem(policy), asked(policy).placement));
        told(policy, 0.1 + 0.01 * i, 0, 0);
    }
    EXPECT(asked(policy).done);
}

static void a_failing_placement_is_not_kept(void)
{
    CLEANUP(policy_free) struct policy *policy = started("adaptive", THREE_MODULES, "{}");
    placement_t failing = asked(policy).placement;
    told(policy, 0.001, 20000, 0); /* the fastest by far */
    for (int i = 0; i < 5 && !asked(policy).done; i++) {
        EXPECT(asked(policy).placement != failing);
        told(policy, 0.1, 0, 0);
    }
    EXPECT(asked(policy).done);
    EXPECT(asked(policy).placement != failing);
}

static void what_nothing_but_fails_is_not_tried_twice(void)
{
    CLEANUP(policy_free) struct policy *policy = started("adaptive", THREE_MODULES, "{}");
    for (int i = 0; i < 4 && !asked(policy).done; i++) {
        told(policy, NAN, 100, 0);
    }
    EXPECT(asked(policy).done);
}

static void a_place_that_cannot_be_reached_is_not_asked_for_again(void)
{
    CLEANUP(policy_free) struct policy *policy = started("adaptive", THREE_MODULES, "{}");
    placement_t first = asked(policy).placement;
    told(policy, NAN, 0, 1); /* a could not be brought there */
    for (int i = 0; i < 4; i++) {
        EXPECT((asked(policy).placement & 1) != (first & 1));
        told(policy, 0.1, 0, 0);
    }
    EXPECT(asked(policy).done);
}

/* In the runtime worker a call takes far longer, so pods are what is wanted. */
static void told_slow_at_home(struct policy *policy)
{
    struct policy_measurement seen;
    bool local = placement_local(asked(policy).placement, 0);
    policy_measurement_init(&seen, policy_problem(policy));
    seen.mean_latency_s = local ? 0.5 : 0.06;
    seen.throughput_s = 2;
    seen.actions[0].calls = 20;
    seen.actions[0].mean_s = seen.mean_latency_s;
    seen.actions[0].exec_s = local ? 0.5 : 0.05;
    policy_tell(policy, &seen);
    policy_measurement_done(&seen);
}

static void a_place_that_failed_is_tried_again_after_a_while(void)
{
    CLEANUP(policy_free)
    struct policy *policy =
        started("adaptive",
                "{\"modules\":[{\"name\":\"a\",\"place\":\"module\",\"hop_s\":0.01}],\"walkers\":[{"
                "\"name\":\"w\",\"calls\":[\"a\"]}],\"users\":1,\"phase_s\":10}",
                "{}");
    static const int pauses[] = {60, 120, 240}; /* phases of 10 s */
    told_slow_at_home(policy);
    for (size_t i = 0; i < 3; i++) {
        EXPECT_INT(asked(policy).placement, 0);
        told(policy, NAN, 0, 1); /* no pod came */
        int phases = 0;
        for (; asked(policy).placement == 1 && phases < 1000; phases++) {
            told_slow_at_home(policy);
        }
        EXPECT_INT(phases, pauses[i]);
    }
    for (int i = 0; i < 20; i++) {
        told_slow_at_home(policy); /* now one came */
        EXPECT_INT(asked(policy).placement, 0);
    }
    EXPECT(asked(policy).done);
}

static void no_traffic_ends_a_trial_and_a_round(void)
{
    CLEANUP(policy_free) struct policy *policy = started("adaptive", THREE_MODULES, "{}");
    placement_t first = asked(policy).placement;
    told(policy, 0.1, 0, 0);
    EXPECT(asked(policy).placement != first);
    for (int i = 0; i < 20; i++) {
        told(policy, NAN, 0, 0);
        EXPECT_INT(asked(policy).placement, first);
        EXPECT_INT(asked(policy).done, i >= 2); /* one phase more than there are modules, in all */
        EXPECT_STR(asked(policy).why, "no traffic");
    }
    told(policy, 0.1, 0, 0); /* now there is something to learn from: a round of its own */
    EXPECT(!asked(policy).done && asked(policy).placement != first);
    for (int i = 0; i < 3 && !asked(policy).done; i++) {
        told(policy, 0.1, 0, 0);
    }
    EXPECT(asked(policy).done);
}

static void a_phase_without_traffic_costs_no_phase_more(void)
{
    CLEANUP(policy_free) struct policy *policy = started("adaptive", THREE_MODULES, "{}");
    for (int i = 0; i < 4; i++) {
        EXPECT(!asked(policy).done || i == 3);
        told(policy, i % 2 ? 0.1 + i : NAN, 0, 0);
    }
    EXPECT(asked(policy).done);
}

static void begins_where_the_modules_are(void)
{
    CLEANUP(policy_free)
    struct policy *policy =
        started("adaptive",
                "{\"modules\":[{\"name\":\"a\",\"place\":\"remote\"},{\"name\":\"b\",\"place\":"
                "\"module\"}],\"walkers\":[{\"name\":\"w\",\"calls\":[\"a\"]}],\"users\":1}",
                "{}");
    EXPECT_INT(asked(policy).placement, 2);
    EXPECT_STR(asked(policy).why, "first");
}

static void fixed_modules_stay(void)
{
    CLEANUP(policy_free)
    struct policy *policy =
        started("adaptive",
                "{\"modules\":[{\"name\":\"a\",\"place\":\"remote\",\"fixed\":true},{\"name\":"
                "\"b\",\"place\":\"module\",\"fixed\":true},{\"name\":\"c\"}],\"budget_mb\":0,"
                "\"walkers\":[{\"name\":\"w\",\"calls\":[\"a\",\"b\",\"c\"]}],\"users\":4}",
                "{}");
    for (int i = 0; i < 5; i++) {
        EXPECT_INT(asked(policy).placement & 3, 2);
        told(policy, 0.1, 0, 0);
    }
}

static void a_steady_hour_makes_no_moves(void)
{
    struct sim_instance instance;
    CLEANUP(policy_free) struct policy *policy = NULL;
    sim_generate(3, 3, 4, &instance);
    EXPECT_INT(policy_new("adaptive", &instance.problem, NULL, 1, &policy, NULL), 0);
    (void)settle(&instance, policy, 0);
    placement_t kept = asked(policy).placement;
    for (uint64_t phase = 0; phase < 360; phase++) {
        struct policy_measurement seen;
        sim_measure(&instance, kept, 100 + phase, &seen);
        policy_tell(policy, &seen);
        policy_measurement_done(&seen);
        EXPECT(asked(policy).done);
        EXPECT_INT(asked(policy).placement, kept);
    }
    sim_instance_done(&instance);
}

static void changed(struct policy *policy, const char *text)
{
    CLEANUP(json_put) struct json_object *object = NULL;
    struct policy_problem problem;
    EXPECT_INT(json_parse(slice_str(text), &object, NULL), 0);
    EXPECT_INT(policy_problem_read(object, &problem, NULL), 0);
    policy_change(policy, &problem);
    policy_problem_done(&problem);
    EXPECT_STR(asked(policy).why, "changed");
    EXPECT(policy_feasible(policy_problem(policy), asked(policy).placement));
}

static char *memory_problem(double budget_mb, double mem_a_mb)
{
    return xasprintf("{\"modules\":[{\"name\":\"a\",\"mem_mb\":%g,\"place\":\"module\"},"
                     "{\"name\":\"b\",\"mem_mb\":200,\"place\":\"module\"},"
                     "{\"name\":\"c\",\"mem_mb\":200,\"place\":\"module\"},"
                     "{\"name\":\"d\",\"mem_mb\":200,\"place\":\"module\"}],\"budget_mb\":%g,"
                     "\"walkers\":[{\"name\":\"w\",\"calls\":[\"a\",\"b\",\"b\",\"c\",\"c\","
                     "\"c\",\"d\",\"d\",\"d\",\"d\"]}],\"users\":1}",
                     mem_a_mb, budget_mb);
}

static void a_new_module_is_looked_at_with_what_is_known(void)
{
    CLEANUP(policy_free) struct policy *policy = started("adaptive", THREE_MODULES, "{}");
    for (int i = 0; i < 6; i++) {
        told(policy, 0.1, 0, 0);
    }
    placement_t kept = asked(policy).placement;
    changed(policy, "{\"modules\":[{\"name\":\"d\"},{\"name\":\"b\",\"mem_mb\":300},"
                    "{\"name\":\"a\",\"mem_mb\":400}],\"budget_mb\":800,\"walkers\":[{"
                    "\"name\":\"w\",\"calls\":[\"a\",\"b\",\"d\"]}],\"users\":8}");
    /* a and b stay where they were, by name */
    EXPECT_INT(placement_local(asked(policy).placement, 2), placement_local(kept, 0));
    EXPECT_INT(placement_local(asked(policy).placement, 1), placement_local(kept, 1));
    for (int i = 0; i < 8; i++) {
        told(policy, 0.1, 0, 0);
    }
    EXPECT(asked(policy).done);
}

/* Four modules that are better off in the runtime worker: d most, a least. */
static struct policy *settled_all_local(double budget_mb, double mem_a_mb)
{
    CLEANUP(str_free) char *text = memory_problem(budget_mb, mem_a_mb);
    struct policy *policy = started("adaptive", text, "{}");
    for (int i = 0; i < 10 && !asked(policy).done; i++) {
        struct policy_measurement seen;
        policy_measurement_init(&seen, policy_problem(policy));
        seen.mean_latency_s = 0.01;
        for (size_t m = 0; m < 4; m++) {
            bool local = placement_local(asked(policy).placement, m);
            seen.mean_latency_s += (local ? 0.001 : 0.021) * (double)(m + 1);
            seen.actions[m].calls = 100 * (double)(m + 1);
            seen.actions[m].exec_s = 0.001;
            seen.actions[m].mean_s = local ? 0.001 : 0.021;
        }
        seen.throughput_s = 10;
        policy_tell(policy, &seen);
        policy_measurement_done(&seen);
    }
    EXPECT(asked(policy).done);
    EXPECT_INT(asked(policy).placement, 15);
    return policy;
}

static void budget_becomes(struct policy *policy, double budget_mb, double mem_a_mb)
{
    CLEANUP(str_free) char *text = memory_problem(budget_mb, mem_a_mb);
    changed(policy, text);
}

static void less_memory_moves_out_what_helps_least(void)
{
    CLEANUP(policy_free) struct policy *policy = settled_all_local(1000, 200);
    budget_becomes(policy, 700, 200);
    EXPECT_INT(asked(policy).placement, 14);
    budget_becomes(policy, 500, 200);
    EXPECT_INT(asked(policy).placement, 12);
    budget_becomes(policy, 700, 200); /* b comes back, for it helps more than a */
    EXPECT_INT(asked(policy).placement, 14);
    budget_becomes(policy, 1000, 200);
    EXPECT_INT(asked(policy).placement, 15);
}

static void a_little_less_memory_moves_out_a_little(void)
{
    CLEANUP(policy_free) struct policy *policy = settled_all_local(1300, 600);
    budget_becomes(policy, 1190, 600); /* any will do; a takes 600 and helps least */
    EXPECT_INT(asked(policy).placement, 14);
    budget_becomes(policy, 0, 600);
    EXPECT_INT(asked(policy).placement, 0);
}

TEST_MAIN(settles_near_the_oracle_in_few_phases, never_asks_for_more_than_the_budget,
          a_failing_placement_is_not_kept, what_nothing_but_fails_is_not_tried_twice,
          a_place_that_cannot_be_reached_is_not_asked_for_again,
          a_place_that_failed_is_tried_again_after_a_while, no_traffic_ends_a_trial_and_a_round,
          a_phase_without_traffic_costs_no_phase_more, begins_where_the_modules_are,
          fixed_modules_stay, a_steady_hour_makes_no_moves,
          a_new_module_is_looked_at_with_what_is_known, less_memory_moves_out_what_helps_least,
          a_little_less_memory_moves_out_a_little)
