#include "task/celery_message.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "base/test.h"
#include "task/celery_samples.h"

static int read_text(const char *text, struct celery_message *ret, struct err *err)
{
    return celery_message_read(slice_str(text), ret, err);
}

static void reads_what_a_client_sends(void)
{
    struct celery_message message;
    EXPECT_INT(read_text(CELERY_PLAIN, &message, NULL), 0);
    EXPECT_STR(message.id, "6f0e7a52-0000-4000-8000-000000000001");
    EXPECT_STR(message.task, "jsorc.walker");
    EXPECT(strlen(message.delivery_tag) == 36);
    EXPECT_STR(message.exchange, "");
    EXPECT_STR(message.routing_key, "celery");
    EXPECT_STR(message.root_id, message.id);
    EXPECT(message.parent_id == NULL && message.refusal == NULL);
    EXPECT_STR(json_text(message.args), "[\"greet\",{\"who\":\"Zo\xc3\xab\"}]");
    EXPECT_STR(json_text(message.kwargs), "{\"n\":1.5}");
    EXPECT_INT(message.retries, 0);
    EXPECT_INT(message.eta_unix_ms, 0);
    EXPECT_INT(message.expires_unix_ms, 0);
    EXPECT_INT(message.time_limit_ms, 0);
    EXPECT(!message.ignore_result && !message.redelivered);
    celery_message_done(&message);
}

static void reads_times_limits_and_retries(void)
{
    struct celery_message message;
    EXPECT_INT(read_text(CELERY_ETA, &message, NULL), 0);
    EXPECT_INT(message.eta_unix_ms, 1893436199000); /* 23:59:59 at +05:30 */
    EXPECT_INT(message.expires_unix_ms, 1893553445678);
    EXPECT_INT(message.time_limit_ms, 20000);
    EXPECT_INT(message.retries, 2);
    EXPECT_INT(message.priority, 5);
    EXPECT(message.ignore_result);
    celery_message_done(&message);
}

static void refuses_what_it_does_not_run_with_the_reason(void)
{
    static const struct {
        const char *text, *reason;
        size_t dependents;
    } rows[] = {
        {CELERY_GZIP, "its body is compressed: send it without compression", 0},
        {CELERY_PICKLE,
         "its content type is 'application/x-python-serialize': set task_serializer to json", 0},
        {CELERY_LINK, "it has callbacks (link): ask for its result instead", 0},
        {CELERY_GROUP, "it is part of a group: send tasks one by one", 0},
        {CELERY_CHAIN, "it is the begin of a chain: send the next task when the result is there",
         2},
        {CELERY_CHORD, "it is part of a chord: send tasks one by one", 1},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct celery_message message;
        const char *ids[CELERY_DEPENDENTS_MAX];
        EXPECT_INT(read_text(rows[i].text, &message, NULL), 0);
        EXPECT_STR(message.refusal, rows[i].reason);
        EXPECT(message.args == NULL && message.kwargs == NULL);
        EXPECT_INT(celery_message_dependents(&message, ids, CELERY_DEPENDENTS_MAX),
                   rows[i].dependents);
        EXPECT_INT(celery_message_dependents(&message, ids, 1), rows[i].dependents > 0);
        celery_message_done(&message);
    }
}

#define HEAD "{\"content-type\":\"application/json\",\"headers\":{\"id\":\"i\",\"task\":\"t\""
#define TAIL "},\"properties\":{\"delivery_tag\":\"d\"}"

static void refuses_bodies_that_are_none(void)
{
    static const char *const rows[][2] = {
        {HEAD TAIL "}", "it has no body"},
        {HEAD TAIL ",\"body\":\"[[],{},{}\"}",
         "its body cannot be read: JSON parse error - unexpected end of data at byte 9"},
        {HEAD TAIL ",\"body\":\"[[],{}]\"}", "its body is not [args, kwargs, {...}]"},
        {HEAD TAIL ",\"body\":\"[{},[],{}]\"}", "its body is not [args, kwargs, {...}]"},
        {HEAD ",\"eta\":\"soon\"" TAIL ",\"body\":\"[[],{},{}]\"}",
         "the header 'eta' is no time of ISO 8601"},
        {HEAD
         "},\"properties\":{\"delivery_tag\":\"d\",\"body_encoding\":\"base64\"},\"body\":\"!\"}",
         "its body is no base64"},
        {HEAD "},\"properties\":{\"delivery_tag\":\"d\",\"body_encoding\":\"x\"},\"body\":\"!\"}",
         "its body has the encoding 'x', not base64"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct celery_message message;
        EXPECT_INT(read_text(rows[i][0], &message, NULL), 0);
        EXPECT_STR(message.refusal, rows[i][1]);
        celery_message_done(&message);
    }
}

static void takes_a_body_without_base64(void)
{
    struct celery_message message;
    EXPECT_INT(read_text(HEAD TAIL ",\"body\":\"[[1],{},{}]\"}", &message, NULL), 0);
    EXPECT_STR(json_text(message.args), "[1]");
    celery_message_done(&message);
}

static void refuses_what_is_no_message_of_protocol_2(void)
{
    static const char *const rows[] = {
        "",
        "[]",
        "{}",
        "{",
        "{\"headers\":{},\"properties\":{}}",
        "{\"headers\":{\"id\":\"i\",\"task\":\"t\"},\"properties\":{}}",
        "{\"headers\":{\"id\":\"\",\"task\":\"t\"},\"properties\":{\"delivery_tag\":\"d\"}}",
        "{\"headers\":{\"id\":\"a\\u0000b\",\"task\":\"t\"},\"properties\":{\"delivery_tag\":\"d\"}"
        "}",
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct celery_message message = {.retries = 77};
        EXPECT_INT(read_text(rows[i], &message, NULL), -EINVAL);
        EXPECT_INT(message.retries, 77); /* untouched */
    }
}

static void refuses_one_byte_more_than_the_limit(void)
{
    struct celery_message message;
    char *text = xcalloc(1, CELERY_MESSAGE_BYTES_MAX + 2);
    memset(text, ' ', CELERY_MESSAGE_BYTES_MAX + 1);
    text[0] = '{';
    text[CELERY_MESSAGE_BYTES_MAX] = '}';
    EXPECT_INT(read_text(text, &message, NULL), -E2BIG);
    free(text);
}

static void writes_what_it_reads(void)
{
    CLEANUP(json_put) struct json_object *args = json_tokener_parse("[1, \"zwei\", {}]");
    CLEANUP(json_put) struct json_object *kwargs = json_tokener_parse("{\"k\": null}");
    struct celery_send send = {.id = "an-id",
                               .task = "their.task",
                               .queue = "video",
                               .delivery_tag = "a-tag",
                               .reply_to = "r",
                               .origin = "jsorc@host",
                               .args = args,
                               .kwargs = kwargs,
                               .priority = 9,
                               .retries = 3,
                               .eta_unix_ms = 1893436199000,
                               .expires_unix_ms = 1893553445678};
    CLEANUP(str_free) char *text = NULL;
    struct celery_message message;
    EXPECT_INT(celery_message_write(&send, &text, NULL), 0);
    EXPECT_INT(read_text(text, &message, NULL), 0);
    EXPECT(message.refusal == NULL);
    EXPECT_STR(message.id, "an-id");
    EXPECT_STR(message.task, "their.task");
    EXPECT_STR(message.routing_key, "video");
    EXPECT_STR(message.delivery_tag, "a-tag");
    EXPECT_STR(json_text(message.args), "[1,\"zwei\",{}]");
    EXPECT_STR(json_text(message.kwargs), "{\"k\":null}");
    EXPECT_INT(message.priority, 9);
    EXPECT_INT(message.retries, 3);
    EXPECT_INT(message.eta_unix_ms, 1893436199000);
    EXPECT_INT(message.expires_unix_ms, 1893553445678);
    celery_message_done(&message);
}

/* A worker looks for each of them: what a client's message has, ours has. */
static void writes_all_that_a_worker_reads(void)
{
    struct celery_send send = {.id = "i", .task = "t", .queue = "celery", .delivery_tag = "d"};
    CLEANUP(str_free) char *text = NULL;
    EXPECT_INT(celery_message_write(&send, &text, NULL), 0);
    CLEANUP(json_put) struct json_object *ours = json_tokener_parse(text);
    CLEANUP(json_put) struct json_object *theirs = json_tokener_parse(CELERY_PLAIN);
    EXPECT(ours && theirs);
    static const char *const parts[] = {"headers", "properties"};
    static const char *const extensions = " replaced_task_nesting stamped_headers stamps ";
    for (size_t i = 0; i < 2; i++) {
        json_object_object_foreach(json_member(theirs, parts[i], json_type_object), name, value)
        {
            (void)value;
            struct json_object *mine = NULL;
            bool is_there = json_object_object_get_ex(json_member(ours, parts[i], json_type_object),
                                                      name, &mine);
            EXPECT(is_there || strstr(extensions, name));
        }
    }
}

static void refuses_to_write_what_cannot_be_sent(void)
{
    char name[CELERY_NAME_MAX + 2];
    memset(name, 'n', sizeof(name));
    name[CELERY_NAME_MAX + 1] = '\0';
    const struct celery_send good = {.id = "i", .task = "t", .queue = "q", .delivery_tag = "d"};
    struct celery_send rows[] = {good, good, good, good, good};
    rows[0].id = "";
    rows[1].task = name;
    rows[2].queue = "a\nb";
    rows[3].priority = CELERY_PRIORITY_MAX + 1;
    rows[4].delivery_tag = NULL;
    char *text = NULL;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        EXPECT_INT(celery_message_write(&rows[i], &text, NULL), -EINVAL);
    }
    name[CELERY_NAME_MAX] = '\0';
    rows[1].task = name;
    EXPECT_INT(celery_message_write(&rows[1], &text, NULL), 0);
    free(text);
    char *large = xcalloc(1, CELERY_MESSAGE_BYTES_MAX);
    memset(large, 'x', CELERY_MESSAGE_BYTES_MAX - 1);
    CLEANUP(json_put) struct json_object *args = json_object_new_array();
    (void)json_object_array_add(args, json_object_new_string(large));
    rows[1].args = args;
    EXPECT_INT(celery_message_write(&rows[1], &text, NULL), -E2BIG);
    free(large);
}

static void a_retry_keeps_all_but_number_and_time(void)
{
    struct celery_message first, second;
    EXPECT_INT(read_text(CELERY_PLAIN, &first, NULL), 0);
    CLEANUP(str_free) char *text = celery_message_retry(&first, 1, 1893436199000);
    EXPECT_INT(read_text(text, &second, NULL), 0);
    EXPECT_INT(first.retries, 0);
    EXPECT_INT(second.retries, 1);
    EXPECT_INT(second.eta_unix_ms, 1893436199000);
    EXPECT_STR(second.delivery_tag, first.delivery_tag);
    EXPECT_STR(json_text(second.body), json_text(first.body));
    celery_message_done(&first);
    celery_message_done(&second);
}

static void reads_what_another_worker_left(void)
{
    struct celery_unacked unacked;
    struct celery_message message;
    EXPECT_INT(celery_unacked_read(slice_str(CELERY_UNACKED), &unacked, NULL), 0);
    EXPECT_STR(unacked.exchange, "");
    EXPECT_STR(unacked.routing_key, "celery");
    EXPECT_INT(read_text(unacked.message, &message, NULL), 0);
    EXPECT(message.redelivered);
    CLEANUP(str_free) char *text = celery_unacked_write(unacked.message, "x", "a \"key\"");
    struct celery_unacked again;
    EXPECT_INT(celery_unacked_read(slice_str(text), &again, NULL), 0);
    EXPECT_STR(again.message, unacked.message);
    EXPECT_STR(again.exchange, "x");
    EXPECT_STR(again.routing_key, "a \"key\"");
    celery_unacked_done(&again);
    celery_unacked_done(&unacked);
    celery_message_done(&message);
    EXPECT_INT(celery_unacked_read(SLICE("[1]"), &unacked, NULL), -EINVAL);
    EXPECT_INT(celery_unacked_read(SLICE("{}"), &unacked, NULL), -EINVAL);
    struct slice large = {CELERY_UNACKED, CELERY_MESSAGE_BYTES_MAX * 2};
    EXPECT_INT(celery_unacked_read(large, &unacked, NULL), -E2BIG);
}

static void reads_and_writes_times(void)
{
    static const struct {
        const char *text;
        int64_t unix_ms;
    } rows[] = {
        {"2026-11-24T17:46:33.000564+00:00", 1795542393000},
        {"2026-11-24T17:46:33.564", 1795542393564},
        {"2026-11-24T17:46:33Z", 1795542393000},
        {"2026-11-24 17:46:33", 1795542393000},
        {"2026-11-24T19:46:33+0200", 1795542393000},
        {"2026-11-24T12:16:33-05:30", 1795542393000},
        {"2026-11-24", 0},
        {"2026-11-24T17:46:33+", 0},
        {"2026-11-24T17:46:33+99:99", 0},
        {"2026-11-24T17:46:33Z and more", 0},
        {"", 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        EXPECT_INT(celery_time_read(rows[i].text), rows[i].unix_ms);
    }
    char text[CELERY_TIME_BYTES];
    celery_time_write(1795542393564, text);
    EXPECT_STR(text, "2026-11-24T17:46:33.564000+00:00");
}

TEST_MAIN(reads_what_a_client_sends, reads_times_limits_and_retries,
          refuses_what_it_does_not_run_with_the_reason, refuses_bodies_that_are_none,
          takes_a_body_without_base64, refuses_what_is_no_message_of_protocol_2,
          refuses_one_byte_more_than_the_limit, writes_what_it_reads,
          writes_all_that_a_worker_reads, refuses_to_write_what_cannot_be_sent,
          a_retry_keeps_all_but_number_and_time, reads_what_another_worker_left,
          reads_and_writes_times)
