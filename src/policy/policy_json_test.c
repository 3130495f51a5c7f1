#include "policy/policy_json.h"

#include <errno.h>
#include <math.h>

#include "base/err.h"
#include "base/json.h"
#include "base/test.h"

static struct json_object *parsed(const char *text)
{
    struct json_object *value = NULL;
    EXPECT_INT(json_parse(slice_str(text), &value, NULL), 0);
    return value;
}

static void numbers_read_back_as_they_were(void)
{
    static const double numbers[] = {0,
                                     1,
                                     0.1,
                                     1.0 / 3,
                                     2e-9,
                                     -5,
                                     1e300,
                                     1e15,
                                     123456.5,
                                     0x1p-1074,
                                     M_PI,
                                     1e22,
                                     4503599627370497.5,
                                     1000000000000001,
                                     0x1p62,
                                     0x1p63};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        CLEANUP(json_put) struct json_object *value = policy_number(numbers[i]);
        CLEANUP(json_put) struct json_object *again = parsed(json_text(value));
        EXPECT(json_object_get_double(again) == numbers[i]);
        EXPECT(json_object_equal(value, again));
    }
    EXPECT(policy_number(NAN) == NULL);
    EXPECT(policy_number(INFINITY) == NULL);
    CLEANUP(json_put) struct json_object *tenth = policy_number(0.1);
    EXPECT_STR(json_text(tenth), "0.1");
}

static void a_problem_reads_back_as_it_was(void)
{
    static const char text[] =
        "{\"modules\":[{\"name\":\"a\",\"mem_mb\":200,\"hop_s\":0.004,\"load_s\":3,\"place\":"
        "\"module\",\"fixed\":true},{\"name\":\"a.b\"}],\"budget_mb\":1000,\"walkers\":[{\"name\":"
        "\"w\",\"calls\":[\"a\",\"a.b\",\"a.c\"],\"weight\":2}],\"users\":8,\"unknown\":[1]}";
    CLEANUP(json_put) struct json_object *object = parsed(text);
    struct policy_problem problem, again;
    EXPECT_INT(policy_problem_read(object, &problem, NULL), 0);
    EXPECT(problem.modules[0].mem_bytes == 200.0 * 1024 * 1024);
    EXPECT(problem.modules[0].fixed && problem.modules[0].now == PLACE_MODULE);
    EXPECT(isnan(problem.modules[1].mem_bytes) && isnan(problem.modules[1].hop_s));
    EXPECT_INT(problem.walkers[0].calls[1], 1);
    EXPECT_INT(problem.walkers[0].calls[2], 0); /* a function of the module a */
    EXPECT(problem.think_s == 0 && problem.phase_s == 10 && isnan(problem.rate_s));

    CLEANUP(json_put) struct json_object *written = policy_problem_write(&problem);
    EXPECT_INT(policy_problem_read(written, &again, NULL), 0);
    CLEANUP(json_put) struct json_object *twice = policy_problem_write(&again);
    EXPECT_STR(json_text(twice), json_text(written));
    policy_problem_done(&problem);
    policy_problem_done(&again);
}

static void wrong_problems_say_where(void)
{
    static const struct {
        const char *text, *error;
    } rows[] = {
        {"{}", "'modules' must be a list of 1 to 64: [{\"name\": \"a\"}]"},
        {"{\"modules\":[]}", "'modules' must be a list of 1 to 64: [{\"name\": \"a\"}]"},
        {"{\"modules\":[1]}", "module 1: 'name' must be a text of 1 to 256 bytes"},
        {"{\"modules\":[{\"name\":\"a\"},{\"name\":\"a\"}]}", "module 'a' is there twice"},
        {"{\"modules\":[{\"name\":\"a\",\"mem_mb\":\"1\"}]}",
         "module 'a': 'mem_mb' must be a number from 0 to 1e+15"},
        {"{\"modules\":[{\"name\":\"a\",\"hop_s\":-1}]}",
         "module 'a': 'hop_s' must be a number from 0 to 1e+15"},
        {"{\"modules\":[{\"name\":\"a\",\"place\":\"pod\"}]}",
         "module 'a': 'place' must be \"module\" or \"remote\""},
        {"{\"modules\":[{\"name\":\"a\"}],\"walkers\":{}}",
         "'walkers' must be a list of at most 256"},
        {"{\"modules\":[{\"name\":\"a\"}],\"walkers\":[{\"name\":\"w\",\"calls\":[\"b\"]}]}",
         "walker 'w': 'calls' names 'b', but no module is called so"},
        {"{\"modules\":[{\"name\":\"a\"}],\"walkers\":[{\"name\":\"w\"},{\"name\":\"w\"}]}",
         "walker 'w' is there twice"},
        {"{\"modules\":[{\"name\":\"a\"}],\"users\":1e300}",
         "'users' must be a number from 0 to 1e+15"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CLEANUP(json_put) struct json_object *object = parsed(rows[i].text);
        struct policy_problem problem;
        struct err err = {0};
        EXPECT_INT(policy_problem_read(object, &problem, &err), -EINVAL);
        EXPECT_STR(err.text, rows[i].error);
    }
}

static void actions_count_for_the_longest_module_name(void)
{
    CLEANUP(json_put)
    struct json_object *object =
        parsed("{\"modules\":[{\"name\":\"a\"},{\"name\":\"a.b\"},{\"name\":\"c\"}]}");
    CLEANUP(json_put)
    struct json_object *seen = parsed(
        "{\"actions\":{\"a.f\":{\"calls\":1,\"mean_s\":4},\"a.g\":{\"calls\":3,\"mean_s\":8,"
        "\"exec_s\":2,\"errors\":1},\"a.b.f\":{\"calls\":5},\"ab\":{\"calls\":7},\"c\":{}}}");
    struct policy_problem problem;
    struct policy_measurement figures;
    EXPECT_INT(policy_problem_read(object, &problem, NULL), 0);
    EXPECT_INT(policy_measurement_read(seen, &problem, &figures, NULL), 0);
    EXPECT(figures.actions[0].calls == 4 && figures.actions[0].mean_s == 7);
    EXPECT(figures.actions[0].exec_s == 2 && figures.actions[0].errors == 1);
    EXPECT(figures.actions[1].calls == 5 && isnan(figures.actions[1].mean_s));
    EXPECT(figures.actions[2].calls == 0);
    EXPECT(isnan(figures.mean_latency_s) && isnan(figures.throughput_s));
    policy_measurement_done(&figures);
    policy_problem_done(&problem);
}

static void lines_make_a_conversation(void)
{
    static const struct {
        const char *line;
        int code;
        const char *text; /* answer or error, its beginning */
    } rows[] = {
        {"{\"throughput\":1}", -EINVAL, "no 'modules': the first line must be the problem"},
        {"{\"modules\":[{\"name\":\"a\"}]}", 0,
         "{\"placement\":{\"a\":\"module\"},\"done\":false,\"phase_s\":10,\"why\":\"try\","},
        {"{\"mean_latency_s\":2,\"throughput\":1}", 0, "{\"placement\":{\"a\":\"remote\"},"},
        {"{\"mean_latency_s\":", -EINVAL, "JSON parse error"},
        {"[]", -EINVAL, "not an object"},
        {"{\"mean_latency_s\":\"1\"}", -EINVAL, "'mean_latency_s' must be a number"},
        {"{\"actions\":{\"a\":1}}", -EINVAL, "action 'a': not an object"},
        {"{\"not_placed\":1}", -EINVAL, "'not_placed' must be a list"},
        {"{\"mean_latency_s\":1,\"throughput\":1,\"extra\":{}}", 0,
         "{\"placement\":{\"a\":\"remote\"},\"done\":true,"},
    };
    struct policy_talk talk = {.name = "evaluation", .seed = 1};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CLEANUP(json_put) struct json_object *answer = NULL;
        struct err err = {0};
        EXPECT_INT(policy_talk_line(&talk, slice_str(rows[i].line), &answer, &err), rows[i].code);
        const char *text = rows[i].code ? err.text : json_text(answer);
        if (strncmp(text, rows[i].text, strlen(rows[i].text)) != 0) {
            EXPECT_STR(text, rows[i].text);
        }
    }
    policy_talk_done(&talk);
}

TEST_MAIN(numbers_read_back_as_they_were, a_problem_reads_back_as_it_was, wrong_problems_say_where,
          actions_count_for_the_longest_module_name, lines_make_a_conversation)
