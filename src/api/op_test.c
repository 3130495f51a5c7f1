#include "api/op.h"

#include "api/op_run.h"
#include "base/json.h"
#include "base/test.h"

/* An operation that keeps its call, and one that answers at once. */
static struct op_call *kept;

static void run_keep(struct op_call *call)
{
    kept = call;
}

static void run_echo(struct op_call *call)
{
    op_return(call, json_ref(op_arg(call, "value")));
}

static const struct op op_keep = {
    .name = "keep",
    .params = {{"name", OP_STR, NULL, ""},
               {"flag", OP_BOOL, "true", ""},
               {"ratio", OP_FLOAT, "0.5", ""},
               {"note", OP_STR, "null", ""}},
    .run = run_keep,
};
static const struct op op_echo = {
    .name = "echo_all",
    .params = {{"value", OP_ANY, "null", ""}},
    .run = run_echo,
};

const struct op *const OP_TABLE[] = {&op_keep, &op_echo, NULL};

struct outcome {
    int count, status;
    bool failed;
    char text[500];
};

static void note(void *arg, int status, bool failed, struct json_object *value)
{
    struct outcome *outcome = arg;
    outcome->count++;
    outcome->status = status;
    outcome->failed = failed;
    (void)snprintf(outcome->text, sizeof(outcome->text), "%s", json_text(value));
    (void)json_put(value);
}

static struct outcome run(const struct op *op, const char *given_text)
{
    struct outcome outcome = {0};
    struct op_caller caller = {.user_id = 7, .is_staff = true};
    CLEANUP(json_put) struct json_object *given = NULL;
    EXPECT_INT(json_parse(slice_str(given_text), &given, NULL), 0);
    op_run(op, NULL, &caller, given, note, &outcome);
    return outcome;
}

static void finds_by_the_whole_name(void)
{
    EXPECT(op_find("keep", 4) == &op_keep);
    EXPECT(op_find("echo_allx", 8) == &op_echo);
    EXPECT(op_find("echo", 4) == NULL);
    EXPECT(op_find("", 0) == NULL);
}

static void gives_what_the_function_returned(void)
{
    struct outcome outcome = run(&op_echo, "{\"value\":{\"a\":[1]}}");
    EXPECT_INT(outcome.count, 1);
    EXPECT_INT(outcome.status, 200);
    EXPECT(!outcome.failed);
    EXPECT_STR(outcome.text, "{\"a\":[1]}");
    EXPECT_STR(run(&op_echo, "{}").text, "null");
}

static void takes_the_status_from_the_result(void)
{
    EXPECT_INT(run(&op_echo, "{\"value\":{\"status_code\":400}}").status, 400);
    EXPECT_INT(run(&op_echo, "{\"value\":{\"status_code\":201}}").status, 201);
    EXPECT_INT(run(&op_echo, "{\"value\":{\"status_code\":7}}").status, 200);
    EXPECT_INT(run(&op_echo, "{\"value\":{\"status_code\":100}}").status, 200);
    EXPECT_INT(run(&op_echo, "{\"value\":{\"status_code\":600}}").status, 200);
    EXPECT_INT(run(&op_echo, "{\"value\":{\"status_code\":\"400\"}}").status, 200);
    EXPECT_INT(run(&op_echo, "{\"value\":[1]}").status, 200);
}

static void lets_the_function_answer_later(void)
{
    struct outcome outcome = {0};
    struct op_caller caller = {.user_id = 7, .is_staff = true};
    struct json_object *given = json_object_new_object();
    json_set_str(given, "name", "n");
    op_run(&op_keep, NULL, &caller, given, note, &outcome);
    (void)json_put(given);

    EXPECT_INT(outcome.count, 0);
    EXPECT_STR(op_arg_str(kept, "name"), "n");
    EXPECT(op_arg_str(kept, "note") == NULL);
    EXPECT(op_arg(kept, "note") == NULL);
    EXPECT(op_arg_bool(kept, "flag"));
    EXPECT(op_arg_number(kept, "ratio") == 0.5);
    EXPECT_INT(op_user_id(kept), 7);
    EXPECT(op_user_is_staff(kept));
    EXPECT_INT(json_object_object_length(op_args(kept)), 4);
    op_fail(kept, "no such thing: '%s'", "\xff");
    EXPECT_INT(outcome.count, 1);
    EXPECT_INT(outcome.status, 200);
    EXPECT(outcome.failed);
    EXPECT_STR(outcome.text, "{\"response\":\"no such thing: '?'\",\"success\":false,"
                             "\"errors\":[\"no such thing: '?'\"],\"stack_trace\":[]}");
}

static void refuses_arguments_before_the_function_runs(void)
{
    kept = NULL;
    struct outcome missing = run(&op_keep, "{}");
    EXPECT_INT(missing.status, 200);
    EXPECT(missing.failed);
    EXPECT_STR(missing.text, "{\"response\":\"missing parameter: name\",\"success\":false,"
                             "\"errors\":[\"missing parameter: name\"],\"stack_trace\":[]}");
    struct outcome wrong = run(&op_keep, "{\"name\":1}");
    EXPECT_INT(wrong.status, 400);
    EXPECT(wrong.failed);
    EXPECT(kept == NULL);
}

TEST_MAIN(finds_by_the_whole_name, gives_what_the_function_returned,
          takes_the_status_from_the_result, lets_the_function_answer_later,
          refuses_arguments_before_the_function_runs)
