#include "policy/learned.h"

#include <math.h>

#include "policy/policy_testtalk.h"

#define TWO_WALKERS                                                                                \
    "{\"modules\":[{\"name\":\"a\"}],\"walkers\":[{\"name\":\"v\",\"calls\":[\"a\"]},"             \
    "{\"name\":\"w\",\"calls\":[\"a\",\"a\"]}],\"users\":8,\"think_s\":0.05}"

static void read_problem(struct policy_problem *ret_problem)
{
    CLEANUP(json_put) struct json_object *object = NULL;
    EXPECT_INT(json_parse(slice_str(TWO_WALKERS), &object, NULL), 0);
    EXPECT_INT(policy_problem_read(object, ret_problem, NULL), 0);
}

/* What one phase with these figures leaves. */
static struct record *told(struct learned *learned, const char *measurement)
{
    CLEANUP(json_put) struct json_object *object = NULL;
    struct policy_measurement seen;
    EXPECT_INT(json_parse(slice_str(measurement), &object, NULL), 0);
    EXPECT_INT(policy_measurement_read(object, learned->problem, &seen, NULL), 0);
    struct record *record = learned_add(learned, 1, &seen);
    policy_measurement_done(&seen);
    return record;
}

/* 8 users at 80 runs a second and pauses of 50 ms: 50 ms a run, by Little's law. */
static void a_freak_mean_is_not_believed(void)
{
    static const struct {
        const char *measurement;
        double latency_s;
    } rows[] = {
        {"{\"mean_latency_s\":0.055,\"throughput\":80,\"actions\":{\"a\":{\"calls\":1600,\"mean_"
         "s\":"
         "0.02}},\"walkers\":{\"v\":{\"runs\":400},\"w\":{\"runs\":400}}}",
         0.055}, /* noise */
        {"{\"mean_latency_s\":0.15,\"throughput\":80,\"actions\":{\"a\":{\"calls\":1600,\"mean_s\":"
         "0.02}},\"walkers\":{\"v\":{\"runs\":400},\"w\":{\"runs\":400}}}",
         0.05}, /* calls and throughput agree with each other, not with the mean */
        {"{\"mean_latency_s\":0.15,\"throughput\":80,\"actions\":{\"a\":{\"calls\":1600,\"mean_s\":"
         "0.07}},\"walkers\":{\"v\":{\"runs\":400},\"w\":{\"runs\":400}}}",
         0.15}, /* calls take as long: there are more users than was said */
        {"{\"mean_latency_s\":0.15,\"throughput\":80,\"errors\":300}", 0.15},
        {"{\"mean_latency_s\":0.15,\"throughput\":80}", 0.15},
        {"{\"mean_latency_s\":0.15}", 0.15},
    };
    struct policy_problem problem;
    read_problem(&problem);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct learned learned;
        learned_init(&learned, &problem);
        EXPECT(fabs(told(&learned, rows[i].measurement)->latency_s - rows[i].latency_s) < 1e-9);
        learned_done(&learned);
    }
    policy_problem_done(&problem);
}

static void a_phase_is_compared_under_its_own_mix_of_walkers(void)
{
    struct policy_problem problem;
    struct learned learned;
    struct twin_model model;
    read_problem(&problem);
    learned_init(&learned, &problem);
    struct record *record = told(&learned, "{\"mean_latency_s\":0.05,\"throughput\":80,\"walkers\":"
                                           "{\"v\":{\"runs\":600},\"w\":{\"runs\":200}}}");
    learned_model_of(&learned, record, &model);
    EXPECT(fabs(model.share[0] - 0.75) < 1e-9 && fabs(model.share[1] - 0.25) < 1e-9);
    EXPECT(fabs(record_scatter(record) - 1.0 / 800) < 1e-9);
    learned_done(&learned);

    learned_init(&learned, &problem); /* nobody told the runs: nothing is known of the scatter */
    EXPECT(record_scatter(told(&learned, "{\"mean_latency_s\":0.05}")) == 0);
    learned_done(&learned);
    policy_problem_done(&problem);
}

/* Two users with pauses of 50 ms; one phase of three met only one at once, and tells pauses to fit.
 */
static void a_record_is_of_the_load_of_all_its_phases(void)
{
    struct policy_problem problem;
    struct learned learned;
    struct twin_model model;
    read_problem(&problem);
    learned_init(&learned, &problem);
    struct record *record =
        told(&learned, "{\"mean_latency_s\":0.05,\"throughput\":20,\"users\":2,\"think_s\":0.05}");
    (void)told(&learned, "{\"mean_latency_s\":0.05,\"throughput\":20,\"users\":1,\"think_s\":0}");
    EXPECT(fabs(record->load.users - 1.5) < 1e-9 && fabs(record->load.think_s - 0.025) < 1e-9);
    (void)told(&learned,
               "{\"mean_latency_s\":0.05,\"throughput\":20,\"users\":2,\"think_s\":0.05}");
    learned_model_of(&learned, record, &model);
    EXPECT(model.users == 2 && fabs(model.think_s - 0.05) < 1e-9);
    learned_done(&learned);
    policy_problem_done(&problem);
}

/* What one phase miscounts is outvoted; what it says after a shift is not. */
static void the_load_now_is_that_since_the_last_shift(void)
{
    struct policy_problem problem;
    struct learned learned;
    read_problem(&problem);
    learned_init(&learned, &problem);
    EXPECT(learned.load.users == 8);
    for (int i = 0; i < 3; i++) {
        (void)told(&learned,
                   "{\"mean_latency_s\":0.05,\"throughput\":20,\"users\":2,\"think_s\":0.05}");
    }
    (void)told(&learned, "{\"mean_latency_s\":0.05,\"throughput\":20,\"users\":1,\"think_s\":0}");
    EXPECT(learned.load.users == 2 && fabs(learned.load.think_s - 0.05) < 1e-9);
    learned_age(&learned, true);
    (void)told(&learned, "{\"mean_latency_s\":0.05,\"throughput\":20,\"users\":1,\"think_s\":0}");
    EXPECT(learned.load.users == 1 && learned.load.think_s == 0);
    (void)told(&learned, "{\"mean_latency_s\":0.05,\"throughput\":20,\"users\":0,\"rate_s\":20}");
    EXPECT(isnan(learned.load.users) && learned.load.rate_s == 20); /* open now: no mean of both */
    learned_done(&learned);
    policy_problem_done(&problem);
}

TEST_MAIN(a_record_is_of_the_load_of_all_its_phases, the_load_now_is_that_since_the_last_shift,
          a_freak_mean_is_not_believed, a_phase_is_compared_under_its_own_mix_of_walkers)
