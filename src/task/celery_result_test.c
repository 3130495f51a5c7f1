#include "task/celery_result.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "base/test.h"
#include "task/celery_samples.h"
#include "task/task.h"

static void reads_what_a_worker_stores(void)
{
    static const struct {
        const char *text, *status, *value, *error, *traceback;
        bool is_ready;
    } rows[] = {
        {CELERY_RESULT, "SUCCESS", "{\"anchor\":null,\"response\":[1,2.5]}", NULL, NULL, true},
        {CELERY_RESULT_FAILED, "FAILURE", NULL, "ValueError: no such, thing",
         "Traceback (most recent call last):\n  boom\n", true},
        {CELERY_RESULT_REVOKED, "REVOKED", NULL, "TaskRevokedError: expired", NULL, true},
        {CELERY_RESULT_STARTED, "STARTED", "{\"pid\":1}", NULL, NULL, false},
        {"{\"status\":\"SUCCESS\"}", "SUCCESS", "null", NULL, NULL, true},
        {"{\"status\":\"FAILURE\",\"result\":\"boom\"}", "FAILURE", NULL, "boom", NULL, true},
        {"{\"status\":\"FAILURE\",\"result\":{\"exc_type\":\"E\",\"exc_message\":\"m\"}}",
         "FAILURE", NULL, "E: m", NULL, true},
        {"{\"status\":\"PROGRESS\",\"result\":0.5}", "PROGRESS", "0.5", NULL, NULL, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct celery_answer answer;
        EXPECT_INT(celery_answer_read(slice_str(rows[i].text), &answer, NULL), 0);
        EXPECT_STR(answer.status, rows[i].status);
        EXPECT(answer.is_ready == rows[i].is_ready);
        EXPECT_STR(rows[i].value ? json_text(answer.value) : "",
                   rows[i].value ? rows[i].value : "");
        EXPECT_STR(answer.error ? answer.error : "", rows[i].error ? rows[i].error : "");
        EXPECT_STR(answer.traceback ? answer.traceback : "",
                   rows[i].traceback ? rows[i].traceback : "");
        celery_answer_done(&answer);
    }
}

static void refuses_what_is_no_result(void)
{
    static const char *const rows[] = {
        "",
        "[]",
        "{}",
        "{\"status\":1}",
        "{\"status\":\"\"}",
        "{\"status\":\"A STATUS THAT IS TOO LONG TO BE ONE\"}",
    };
    struct celery_answer answer;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        EXPECT_INT(celery_answer_read(slice_str(rows[i]), &answer, NULL), -EINVAL);
    }
    EXPECT_INT(celery_answer_read((struct slice){"", CELERY_ANSWER_BYTES_MAX + 1}, &answer, NULL),
               -E2BIG);
}

/* Of a record that was written, as text; owned by the caller. */
static char *member(const char *record, const char *name)
{
    CLEANUP(json_put) struct json_object *read = json_tokener_parse(record);
    struct json_object *value = NULL;
    EXPECT(json_object_object_get_ex(read, name, &value));
    return xstrdup(json_text(value));
}

static void expect_member(const char *record, const char *name, const char *wanted)
{
    CLEANUP(str_free) char *text = member(record, name);
    EXPECT_STR(text, wanted);
}

static void writes_a_success_as_a_worker_does(void)
{
    CLEANUP(json_put)
    struct json_object *value = json_tokener_parse("{\"anchor\":null,\"response\":[1,2.5]}");
    struct celery_result result = {
        .id = "id-ok", .status = "SUCCESS", .value = value, .done_unix_ms = 1795542393000};
    CLEANUP(str_free) char *record = celery_result_write(&result);
    static const char *const names[] = {"status", "result", "traceback", "task_id"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        CLEANUP(str_free) char *theirs = member(CELERY_RESULT, names[i]);
        expect_member(record, names[i], theirs);
    }
    expect_member(record, "date_done", "\"2026-11-24T17:46:33.000000+00:00\"");
    expect_member(record, "children", "[]");
}

static void writes_a_failure_that_becomes_an_exception(void)
{
    struct celery_result result = {.id = "i",
                                   .status = "FAILURE",
                                   .error_text = "no \"food\"",
                                   .traceback = "Traceback",
                                   .parent_id = "p"};
    CLEANUP(str_free) char *record = celery_result_write(&result);
    expect_member(record, "result",
                  "{\"exc_type\":\"ActionError\",\"exc_message\":[\"no \\\"food\\\"\"],"
                  "\"exc_module\":\"jsorc\"}");
    expect_member(record, "traceback", "\"Traceback\"");
    expect_member(record, "parent_id", "\"p\"");
    result.status = "RETRY"; /* not done */
    CLEANUP(str_free) char *again = celery_result_write(&result);
    expect_member(again, "date_done", "null");
}

static void a_result_that_is_too_large_is_a_failure(void)
{
    char *large = xcalloc(1, TASK_RESULT_BYTES_MAX + 1);
    memset(large, 'x', TASK_RESULT_BYTES_MAX);
    CLEANUP(json_put) struct json_object *value = json_object_new_string(large);
    struct celery_result result = {.id = "i", .status = "SUCCESS", .value = value};
    CLEANUP(str_free) char *record = celery_result_write(&result);
    struct celery_answer answer;
    EXPECT_INT(celery_answer_read(slice_str(record), &answer, NULL), 0);
    EXPECT_STR(answer.status, "FAILURE");
    EXPECT(answer.error && strstr(answer.error, "ResultTooLarge: the result has 1048"));
    celery_answer_done(&answer);
    free(large);
}

static void cuts_a_long_traceback_between_characters(void)
{
    char *long_one = xcalloc(1, 3 * 40000 + 1);
    for (size_t i = 0; i < 40000; i++) {
        memcpy(long_one + 3 * i, "\xe2\x82\xac", 3);
    }
    struct celery_result result = {.id = "i", .status = "FAILURE", .traceback = long_one};
    CLEANUP(str_free) char *record = celery_result_write(&result);
    struct celery_answer answer;
    EXPECT_INT(celery_answer_read(slice_str(record), &answer, NULL), 0);
    EXPECT(answer.traceback && strlen(answer.traceback) <= 65536);
    EXPECT(answer.traceback && strlen(answer.traceback) > 65530);
    celery_answer_done(&answer);
    free(long_one);
}

TEST_MAIN(reads_what_a_worker_stores, refuses_what_is_no_result, writes_a_success_as_a_worker_does,
          writes_a_failure_that_becomes_an_exception, a_result_that_is_too_large_is_a_failure,
          cuts_a_long_traceback_between_characters)
