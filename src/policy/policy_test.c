#include "policy/policy.h"

#include <errno.h>
#include <math.h>

#include "base/err.h"
#include "base/json.h"
#include "base/test.h"
#include "policy/policy_json.h"

static struct json_object *parsed(const char *text)
{
    struct json_object *value = NULL;
    EXPECT_INT(json_parse(slice_str(text), &value, NULL), 0);
    return value;
}

static void read_problem(const char *text, struct policy_problem *ret_problem)
{
    CLEANUP(json_put) struct json_object *object = parsed(text);
    EXPECT_INT(policy_problem_read(object, ret_problem, NULL), 0);
}

static void finds_a_policy_in_any_case(void)
{
    EXPECT_STR(policy_find("default")->name, "default");
    EXPECT_STR(policy_find("Default")->name, "default");
    EXPECT_STR(policy_find("EVALUATION")->name, "evaluation");
    EXPECT(policy_find("backpressure") == NULL);
    EXPECT(policy_find("") == NULL);
    EXPECT(policy_find(NULL) == NULL);
}

static void every_row_is_complete(void)
{
    for (size_t i = 0; POLICY_TABLE[i]; i++) {
        const struct policy_ops *ops = POLICY_TABLE[i];
        EXPECT(ops->name && ops->summary && ops->params && ops->start && ops->stop && ops->ask &&
               ops->tell);
        for (size_t j = 0; ops->params[j].name; j++) {
            const struct policy_param *param = &ops->params[j];
            EXPECT(j < POLICY_PARAMS_MAX);
            EXPECT(param->help && param->min <= param->fallback && param->fallback <= param->max);
        }
    }
}

static void refuses_by_name(void)
{
    static const struct {
        const char *policy, *params;
        int code;
        const char *text; /* begins the error */
    } rows[] = {
        {"evaluation", "{\"eval_phase\":20}", 0, ""},
        {"evaluation", "{}", 0, ""},
        {"nothing", "{}", -ENOENT, "no policy 'nothing'; there are 'default', "},
        {"evaluation", "{\"evalphase\":20}", -EINVAL,
         "policy 'evaluation' has no parameter 'evalphase'; it has 'eval_phase', "},
        {"evaluation", "{\"eval_phase\":\"20\"}", -EINVAL,
         "parameter 'eval_phase' must be a number"},
        {"evaluation", "{\"eval_phase\":-1}", -EINVAL,
         "parameter 'eval_phase' is -1, but goes from 0 to 86400"},
        {"default", "{\"eval_phase\":10,\"perf_phase\":100}", 0, ""},
        {"default", "{\"x\":1}", -EINVAL, "policy 'default' has no parameters, so no 'x'"},
        {"default", "[1]", -EINVAL, "the parameters must be an object"},
    };
    struct policy_problem problem;
    read_problem("{\"modules\":[{\"name\":\"a\"}]}", &problem);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CLEANUP(json_put) struct json_object *params = parsed(rows[i].params);
        CLEANUP(policy_free) struct policy *policy = NULL;
        struct err err = {0};
        EXPECT_INT(policy_new(rows[i].policy, &problem, params, 1, &policy, &err), rows[i].code);
        EXPECT((policy != NULL) == (rows[i].code == 0));
        EXPECT(strncmp(err.text, rows[i].text, strlen(rows[i].text)) == 0);
    }
    policy_problem_done(&problem);
}

static void budget_and_fixed_modules_limit_placements(void)
{
    struct policy_problem problem;
    read_problem("{\"modules\":[{\"name\":\"a\",\"mem_mb\":600},{\"name\":\"b\",\"mem_mb\":600},"
                 "{\"name\":\"c\"},{\"name\":\"d\",\"place\":\"remote\",\"fixed\":true},"
                 "{\"name\":\"e\",\"place\":\"module\",\"fixed\":true}],\"budget_mb\":1000}",
                 &problem);
    EXPECT(policy_feasible(&problem, 0x10));
    EXPECT(policy_feasible(&problem, 0x11));
    EXPECT(policy_feasible(&problem, 0x16));
    EXPECT(!policy_feasible(&problem, 0x13)); /* 1200 MB */
    EXPECT(!policy_feasible(&problem, 0x18)); /* d may not move */
    EXPECT(!policy_feasible(&problem, 0x01)); /* e neither */
    policy_problem_done(&problem);
}

static void default_keeps_what_is_there(void)
{
    struct policy_problem problem;
    struct policy_measurement seen;
    struct policy_answer answer;
    CLEANUP(policy_free) struct policy *policy = NULL;
    read_problem("{\"modules\":[{\"name\":\"a\",\"place\":\"module\"},{\"name\":\"b\"}]}",
                 &problem);
    EXPECT_INT(policy_new("default", &problem, NULL, 1, &policy, NULL), 0);
    policy_measurement_init(&seen, &problem);
    for (int i = 0; i < 3; i++) {
        policy_ask(policy, &answer);
        EXPECT_INT(answer.placement, 1);
        EXPECT(answer.done);
        policy_tell(policy, &seen);
    }
    policy_measurement_done(&seen);
    policy_problem_done(&problem);
}

static void a_change_is_a_new_start_for_those_that_learn_nothing(void)
{
    struct policy_problem problem;
    struct policy_answer answer;
    CLEANUP(policy_free) struct policy *policy = NULL;
    read_problem("{\"modules\":[{\"name\":\"a\"}]}", &problem);
    EXPECT_INT(policy_new("evaluation", &problem, NULL, 1, &policy, NULL), 0);
    policy_problem_done(&problem);
    read_problem("{\"modules\":[{\"name\":\"a\"},{\"name\":\"b\"}]}", &problem);
    policy_change(policy, &problem);
    policy_problem_done(&problem);
    policy_ask(policy, &answer);
    EXPECT_INT(answer.placement, 3);
    EXPECT_INT(policy_problem(policy)->module_count, 2);
}

TEST_MAIN(finds_a_policy_in_any_case, every_row_is_complete, refuses_by_name,
          budget_and_fixed_modules_limit_placements, default_keeps_what_is_there,
          a_change_is_a_new_start_for_those_that_learn_nothing)
