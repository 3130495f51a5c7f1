/* The original's rule, driven by tables of latencies. */
#include "policy/policy_testtalk.h"

#define TWO_MODULES                                                                                \
    "{\"modules\":[{\"name\":\"a\",\"mem_mb\":400},{\"name\":\"b\",\"mem_mb\":700}],"              \
    "\"walkers\":[{\"name\":\"w\",\"calls\":[\"a\",\"b\"]}],\"users\":1}"

/* latency_s: NAN = no traffic. */
static void told(struct policy *policy, double latency_s, double errors, placement_t not_placed)
{
    told_both(policy, latency_s, isnan(latency_s) ? NAN : 10, errors, not_placed);
}

static void enumerates_what_fits_local_first(void)
{
    static const struct {
        const char *params;
        placement_t order[4]; /* bit 0 = a, bit 1 = b; 1 = local */
        int count;
    } rows[] = {
        {"{\"node_mem\":2048}", {3, 1, 2, 0}, 4},
        {"{\"node_mem\":1024}", {1, 0}, 2}, /* 0.8 * 1024 - 300 = 519 MB */
        {"{\"node_mem\":0}", {0}, 1},
        {"{}", {3, 1, 2, 0}, 4},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CLEANUP(policy_free)
        struct policy *policy = started("evaluation", TWO_MODULES, rows[i].params);
        for (int j = 0; j < rows[i].count; j++) {
            EXPECT_INT(asked(policy).placement, rows[i].order[j]);
            EXPECT(!asked(policy).done);
            told(policy, 1, 0, 0);
        }
        EXPECT(asked(policy).done);
        EXPECT_INT(asked(policy).placement, rows[i].order[0]); /* ties: the first */
    }
}

static void keeps_the_fastest_that_does_not_fail(void)
{
    static const struct {
        double latency_s[4], errors[4];
        placement_t not_placed[4];
        placement_t kept;
    } rows[] = {
        {{4, 3, 2, 1}, {0}, {0}, 0},
        {{4, 3, 1, 2}, {0}, {0}, 2},
        {{4, 3, 0.1, 2}, {0, 0, 50, 0}, {0}, 0},     /* fast, for it fails */
        {{4, 3, NAN, 2}, {0, 0, 100, 0}, {0}, 0},    /* nothing but failures */
        {{4, 3, 0.1, 2}, {0}, {0, 0, 2, 0}, 0},      /* was never there */
        {{4, 3, 2, 1}, {100, 20, 200, 200}, {0}, 1}, /* all fail: the least */
        {{4, 3, 0.1, 2}, {0, 0, 0.5, 0}, {0}, 2},    /* one in 200 is no failing placement */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CLEANUP(policy_free) struct policy *policy = started("evaluation", TWO_MODULES, "{}");
        for (int j = 0; j < 4; j++) {
            told(policy, rows[i].latency_s[j], rows[i].errors[j], rows[i].not_placed[j]);
        }
        EXPECT(asked(policy).done);
        EXPECT_INT(asked(policy).placement, rows[i].kept);
    }
}

static void goes_back_while_there_is_no_traffic(void)
{
    CLEANUP(policy_free) struct policy *policy = started("evaluation", TWO_MODULES, "{}");
    told(policy, 1, 0, 0);                  /* 3 */
    told(policy, NAN, 0, 0);                /* 1 is on trial */
    EXPECT_INT(asked(policy).placement, 3); /* the best so far */
    EXPECT(!asked(policy).done);
    EXPECT_STR(asked(policy).why, "no traffic");
    told(policy, NAN, 0, 0);
    EXPECT_INT(asked(policy).placement, 3);
    told(policy, 1, 0, 0);
    EXPECT_INT(asked(policy).placement, 1); /* again, from its beginning */
    told(policy, 0.5, 0, 0);
    told(policy, 2, 0, 0);
    told(policy, 2, 0, 0);
    EXPECT_INT(asked(policy).placement, 1);
    EXPECT(asked(policy).done);
}

static void holds_a_placement_for_eval_phase(void)
{
    CLEANUP(policy_free)
    struct policy *policy = started("evaluation", TWO_MODULES, "{\"eval_phase\":30}");
    for (int i = 0; i < 3; i++) {
        EXPECT_INT(asked(policy).placement, 3);
        told(policy, 1, 0, 0);
    }
    EXPECT_INT(asked(policy).placement, 1);
}

/* Tells a round of four with the same latencies, and returns how many phases it then rests. */
static int rested(struct policy *policy)
{
    for (int i = 0; i < 4; i++) {
        EXPECT(!asked(policy).done);
        told(policy, 4 - i, 0, 0);
    }
    int count = 0;
    while (asked(policy).done && count < 1000) {
        told(policy, 1, 0, 0);
        count++;
    }
    return count;
}

static void the_pause_doubles_when_a_round_confirms(void)
{
    CLEANUP(policy_free)
    struct policy *policy =
        started("evaluation", TWO_MODULES, "{\"perf_phase\":100,\"perf_phase_max\":300}");
    EXPECT_INT(rested(policy), 10);
    EXPECT_INT(rested(policy), 20);
    EXPECT_INT(rested(policy), 30); /* the end of it */
    EXPECT_INT(rested(policy), 30);
}

static void no_round_begins_without_traffic(void)
{
    CLEANUP(policy_free) struct policy *policy = started("evaluation", TWO_MODULES, "{}");
    for (int i = 0; i < 4; i++) {
        told(policy, 1, 0, 0);
    }
    for (int i = 0; i < 100; i++) {
        told(policy, NAN, 0, 0);
        EXPECT(asked(policy).done);
    }
    EXPECT_INT(asked(policy).placement, 3);
}

static void fixed_modules_are_not_tried(void)
{
    CLEANUP(policy_free)
    struct policy *policy =
        started("evaluation",
                "{\"modules\":[{\"name\":\"a\",\"place\":\"module\",\"fixed\":true},"
                "{\"name\":\"b\"},{\"name\":\"c\",\"place\":\"remote\",\"fixed\":true}]}",
                "{}");
    EXPECT_INT(asked(policy).placement, 3);
    told(policy, 2, 0, 0);
    EXPECT_INT(asked(policy).placement, 1);
    told(policy, 1, 0, 0);
    EXPECT(asked(policy).done);
    EXPECT_INT(asked(policy).placement, 1);
}

static void changed(struct policy *policy, const char *text)
{
    CLEANUP(json_put) struct json_object *object = NULL;
    struct policy_problem problem = {0};
    EXPECT_INT(json_parse(slice_str(text), &object, NULL), 0);
    EXPECT_INT(policy_problem_read(object, &problem, NULL), 0);
    policy_change(policy, &problem);
    policy_problem_done(&problem);
}

#define TWO_WITH(more)                                                                             \
    "{\"modules\":[{\"name\":\"a\",\"mem_mb\":400},{\"name\":\"b\",\"mem_mb\":700}]," more         \
    "\"walkers\":[{\"name\":\"w\",\"calls\":[\"a\",\"b\"]},{\"name\":\"v\",\"calls\":[\"a\"]}]}"

static void a_new_walker_does_not_begin_a_round_anew(void)
{
    CLEANUP(policy_free) struct policy *policy = started("evaluation", TWO_MODULES, "{}");
    told(policy, 4, 0, 0); /* 3 */
    told(policy, 1, 0, 0); /* 1 */
    changed(policy, TWO_WITH(""));
    EXPECT_INT(asked(policy).placement, 2);
    told(policy, 3, 0, 0);
    told(policy, 3, 0, 0); /* 0 */
    EXPECT(asked(policy).done);
    EXPECT_INT(asked(policy).placement, 1);
    changed(policy, TWO_MODULES);
    EXPECT(asked(policy).done);
    EXPECT_INT(asked(policy).placement, 1);
}

static void another_budget_only_leaves_out_what_does_not_fit(void)
{
    CLEANUP(policy_free) struct policy *policy = started("evaluation", TWO_MODULES, "{}");
    told(policy, 4, 0, 0); /* 3 */
    told(policy, 1, 0, 0); /* 1 */
    EXPECT_INT(asked(policy).placement, 2);
    changed(policy, TWO_WITH("\"budget_mb\":600,")); /* b does not fit any more */
    EXPECT_INT(asked(policy).placement, 0);
    told(policy, 3, 0, 0);
    EXPECT(asked(policy).done);
    EXPECT_INT(asked(policy).placement, 1);
    changed(policy, TWO_WITH("\"budget_mb\":300,")); /* nor what was kept */
    EXPECT(!asked(policy).done);
    EXPECT_INT(asked(policy).placement, 0);
    told(policy, 3, 0, 0);
    EXPECT(asked(policy).done);
    EXPECT_INT(asked(policy).placement, 0);
}

static void other_modules_are_another_round(void)
{
    CLEANUP(policy_free) struct policy *policy = started("evaluation", TWO_MODULES, "{}");
    told(policy, 4, 0, 0);
    changed(policy, "{\"modules\":[{\"name\":\"a\"},{\"name\":\"c\"},{\"name\":\"b\"}]}");
    EXPECT_INT(asked(policy).placement, 7);
    EXPECT(!asked(policy).done);
}

TEST_MAIN(a_new_walker_does_not_begin_a_round_anew,
          another_budget_only_leaves_out_what_does_not_fit, other_modules_are_another_round,
          enumerates_what_fits_local_first, keeps_the_fastest_that_does_not_fail,
          goes_back_while_there_is_no_traffic, holds_a_placement_for_eval_phase,
          the_pause_doubles_when_a_round_confirms, no_round_begins_without_traffic,
          fixed_modules_are_not_tried)
