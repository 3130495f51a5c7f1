/* The twin against what queueing theory knows exactly. */
#include "policy/twin.h"

#include <math.h>

#include "base/json.h"
#include "base/test.h"
#include "policy/policy_json.h"

static struct policy_problem problem;

/* w calls a and b. */
static void make_model(struct twin_model *model, double users, double think_s)
{
    CLEANUP(json_put) struct json_object *object = NULL;
    EXPECT_INT(json_parse(SLICE("{\"modules\":[{\"name\":\"a\"},{\"name\":\"b\"}],"
                                "\"walkers\":[{\"name\":\"w\",\"calls\":[\"a\",\"b\"]}]}"),
                          &object, NULL),
               0);
    policy_problem_done(&problem);
    EXPECT_INT(policy_problem_read(object, &problem, NULL), 0);
    *model = (struct twin_model){.problem = &problem,
                                 .share = {1},
                                 .exec_s = {{0.03, 0.01}, {0.06, 0.02}},
                                 .hop_s = {0.005, 0.005},
                                 .ratio = {1, 1},
                                 .users = users,
                                 .think_s = think_s,
                                 .cores = INFINITY};
    twin_spread(model, 0);
}

static double latency_s(const struct twin_model *model, placement_t placement)
{
    struct twin_effort effort = {
        .seed = 1, .warmup_runs = 500, .runs = 20000, .time_max_s = INFINITY};
    struct twin_result result;
    twin_run(model, placement, &effort, &result);
    return result.latency_s;
}

static bool near(double a, double b, double share)
{
    return fabs(a - b) <= share * fabs(b);
}

static void one_user_waits_for_nobody(void)
{
    struct twin_model model;
    make_model(&model, 1, 0);
    EXPECT(near(latency_s(&model, 3), 0.01 + 0.02, 1e-6));
    EXPECT(near(latency_s(&model, 1), 0.01 + 0.005 + 0.06, 1e-6));
    EXPECT(near(latency_s(&model, 0), 0.03 + 0.06 + 2 * 0.005, 1e-6));
    model.own_s[0] = 0.003;
    EXPECT(near(latency_s(&model, 3), 0.033, 1e-6));
    model.ratio[0] = 2.5;
    EXPECT(near(latency_s(&model, 3), 0.003 + 2.5 * 0.01 + 0.02, 0.01));
    model.hop_work = 0.5; /* work or delay, alone it takes as long */
    EXPECT(near(latency_s(&model, 2), 0.003 + 2.5 * 0.035 + 0.02, 0.01));
}

static void a_crowd_waits_for_the_slowest_worker(void)
{
    struct twin_model model;
    make_model(&model, 20, 0);
    EXPECT(near(latency_s(&model, 3), 20 * 0.03, 0.01)); /* users times the bottleneck */
    EXPECT(near(latency_s(&model, 0), 20 * 0.06, 0.01));
    model.shared = true;
    EXPECT(near(latency_s(&model, 3), 20 * 0.03, 0.01));
    model.think_s = 0.3;
    EXPECT(near(latency_s(&model, 3), 20 * 0.03 - 0.3, 0.02));
}

/* An open queue with exponential service: 1 / (service rate - arrival rate). Log-normal times of
 * the same variance have the same mean (Pollaczek-Khinchine). */
static void an_open_queue_is_as_long_as_it_should_be(void)
{
    struct twin_model model;
    make_model(&model, 0, 0);
    model.ratio[1] = 0;
    model.rate_s = 50;                                         /* half of what a can do */
    EXPECT(near(latency_s(&model, 3), 0.01 + 0.01 / 2, 0.03)); /* constant: M/D/1 */
    twin_spread(&model, 1);
    EXPECT(near(latency_s(&model, 3), 0.02, 0.06)); /* as M/M/1 */
    model.shared = true;
    EXPECT(near(latency_s(&model, 3), 0.02, 0.06)); /* M/G/1 with sharing: whatever the spread */
}

static void more_than_it_can_do_is_for_ever(void)
{
    struct twin_model model;
    make_model(&model, 0, 0);
    model.rate_s = 200;
    EXPECT(isinf(latency_s(&model, 3)));
}

static void short_processors_slow_all_workers(void)
{
    struct twin_model model;
    make_model(&model, 2, 0);
    model.exec_s[0][TWIN_REMOTE] = model.exec_s[1][TWIN_REMOTE] = 0.05;
    model.hop_s[0] = model.hop_s[1] = 0;
    EXPECT(near(latency_s(&model, 0), 0.1, 0.05)); /* in turns, in parallel */
    model.cores = 1;
    EXPECT(near(latency_s(&model, 0), 0.2, 0.05));
}

static void figures_of_calls_add_up_to_the_latency(void)
{
    struct twin_model model;
    struct twin_result result;
    struct twin_effort effort = {
        .seed = 7, .warmup_runs = 100, .runs = 5000, .time_max_s = INFINITY};
    make_model(&model, 5, 0.01);
    twin_spread(&model, 0.7);
    for (int shared = 0; shared < 2; shared++) {
        for (placement_t placement = 0; placement < 4; placement++) {
            double sum_s = 0;
            model.shared = shared;
            model.hop_work = 0.5 * shared;
            twin_run(&model, placement, &effort, &result);
            for (int m = 0; m < 2; m++) {
                sum_s += result.wait_s[m] + result.exec_s[m] + result.hop_s[m];
            }
            EXPECT(near(sum_s, result.latency_s, 0.01));
            EXPECT(near(result.walker_s[0], result.latency_s, 1e-9));
            EXPECT(near(result.runs / result.span_s * (result.latency_s + 0.01), 5, 0.05));
        }
    }
}

static void the_same_seed_gives_the_same_bits(void)
{
    struct twin_model model;
    make_model(&model, 5, 0.01);
    twin_spread(&model, 1);
    EXPECT(latency_s(&model, 1) == latency_s(&model, 1));
}

static void spread_is_what_was_asked_for(void)
{
    static const double scvs[] = {0, 0.25, 1, 2};
    struct twin_model model = {0};
    for (size_t i = 0; i < sizeof(scvs) / sizeof(scvs[0]); i++) {
        double sum = 0, squares = 0;
        twin_spread(&model, scvs[i]);
        for (int j = 0; j < TWIN_SAMPLES; j++) {
            sum += model.samples[j] / TWIN_SAMPLES;
            squares += (model.samples[j] - 1) * (model.samples[j] - 1) / TWIN_SAMPLES;
        }
        EXPECT(near(sum, 1, 1e-9));
        EXPECT(fabs(squares - scvs[i]) <= 0.2 * scvs[i]); /* the tail beyond 256 quantiles */
    }
}

static void ends_when_it_is_told_to(void)
{
    struct twin_model model;
    struct twin_result result;
    atomic_bool stop = false;
    make_model(&model, 4, 0);
    struct twin_effort effort = {
        .seed = 1, .warmup_runs = 10, .runs = 1000, .time_max_s = INFINITY, .stop = &stop};
    twin_run(&model, 3, &effort, &result);
    EXPECT(!result.cut && result.runs == 1000);
    effort.events_max = 1000;
    twin_run(&model, 3, &effort, &result);
    EXPECT(result.cut && result.runs > 100 && result.runs <= 500); /* two events a run, at least */
    EXPECT(isfinite(result.latency_s));
    effort.events_max = 10;
    twin_run(&model, 3, &effort, &result);
    EXPECT(result.cut && result.runs == 0 && isinf(result.latency_s));
    effort.events_max = 0;
    stop = true;
    twin_run(&model, 3, &effort, &result);
    EXPECT(result.cut && result.runs == 0);
}

TEST_MAIN(one_user_waits_for_nobody, a_crowd_waits_for_the_slowest_worker,
          an_open_queue_is_as_long_as_it_should_be, more_than_it_can_do_is_for_ever,
          short_processors_slow_all_workers, figures_of_calls_add_up_to_the_latency,
          the_same_seed_gives_the_same_bits, spread_is_what_was_asked_for, ends_when_it_is_told_to)
