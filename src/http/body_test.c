#include "http/body.h"

#include <errno.h>

#include "base/err.h"
#include "base/json.h"
#include "base/test.h"

#define FORM_TYPE "multipart/form-data; boundary=XX"
#define FIELD(name, value)                                                                         \
    "--XX\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n" value "\r\n"
#define FILE_PART(name, file, type, value)                                                         \
    "--XX\r\nContent-Disposition: form-data; name=\"" name "\"; filename=\"" file                  \
    "\"\r\nContent-Type: " type "\r\n\r\n" value "\r\n"

static void reads_every_way_of_writing(void)
{
    static const struct {
        const char *type, *body, *query, *json;
    } rows[] = {
        {"", "", "", "{}"},
        {"text/html", "", "", "{}"}, /* nothing to be of that type */
        {"application/json", "{\"a\":1}", "", "{\"a\":1}"},
        {"Application/JSON; charset=utf-8", "{\"a\":[1]}", "", "{\"a\":[1]}"},
        {"", "{\"a\":1}", "", "{\"a\":1}"},
        {"application/json", "{\"a\":1,\"b\":2}", "a=x&c=y", "{\"a\":\"x\",\"b\":2,\"c\":\"y\"}"},
        {"application/x-www-form-urlencoded", "a=1&b=+", "a=2", "{\"a\":\"2\",\"b\":\" \"}"},
        {"application/x-www-form-urlencoded", "ctx=%7B%22a%22%3A1%7D", "", "{\"ctx\":{\"a\":1}}"},
        {"application/x-www-form-urlencoded", "ctx=text", "", "{\"ctx\":\"text\"}"},
        {"application/x-www-form-urlencoded", " {\"a\": 1}", "", "{\"a\":1}"},
        {"application/x-www-form-urlencoded", "{a}=1", "", "{\"{a}\":\"1\"}"},
        {FORM_TYPE, FIELD("a", "1") FIELD("b", "2") "--XX--", "b=3", "{\"a\":\"1\",\"b\":\"3\"}"},
        {FORM_TYPE, FILE_PART("files", "x.yaml", "text/yaml", "a: 1") "--XX--", "",
         "{\"files\":[{\"name\":\"x.yaml\",\"base64\":\"YTogMQ==\",\"content-type\":\"text/"
         "yaml\"}]}"},
        {FORM_TYPE,
         FILE_PART("f", "1", "t/1", "") FILE_PART("f", "2", "", "ab")
             FIELD("ctx", "{\"k\":1}") "--XX--",
         "",
         "{\"ctx\":{\"k\":1,\"f\":[{\"name\":\"1\",\"base64\":\"\",\"content-type\":\"t/1\"},"
         "{\"name\":\"2\",\"base64\":\"YWI=\",\"content-type\":\"application/octet-stream\"}]}}"},
        {FORM_TYPE, FILE_PART("ctx", "c.json", "application/json", "{\"k\":1}") "--XX--", "",
         "{\"ctx\":{\"k\":1}}"},
        {FORM_TYPE, FILE_PART("ctx", "c.bin", "image/png", "x") FIELD("ctx", "text") "--XX--", "",
         "{\"ctx\":[{\"name\":\"c.bin\",\"base64\":\"eA==\",\"content-type\":\"image/png\"}]}"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CLEANUP(json_put) struct json_object *object = NULL;
        struct err err = {0};
        EXPECT_INT(body_object(slice_str(rows[i].type), slice_str(rows[i].body),
                               slice_str(rows[i].query), &object, &err),
                   0);
        EXPECT_STR(err.text, "");
        EXPECT_STR(json_text(object), rows[i].json);
    }
}

static void says_what_it_cannot_read(void)
{
    static const struct {
        const char *type, *body, *query;
        int failed, status;
        const char *text;
    } rows[] = {
        {"application/json", "{\"a\":", "", -EINVAL, 400, "JSON parse error - "},
        {"application/json", "[1]", "", -EINVAL, 400, "JSON parse error - an object is needed"},
        {"application/json", "1", "", -EINVAL, 400, "JSON parse error - an object is needed"},
        {"application/json", "null", "", -EINVAL, 400, "JSON parse error - an object is needed"},
        {"application/json", "{\"a\":NaN}", "", -EINVAL, 400, "JSON parse error - NaN"},
        {"application/json", "{\"a\":[{\"b\":-1e999}]}", "", -EINVAL, 400,
         "JSON parse error - a number is out of range"},
        {"application/json", "{}", "a=%ff", -EINVAL, 400, "the value of field 'a'"},
        {"application/x-www-form-urlencoded", "a=%ff", "", -EINVAL, 400, "the value of field"},
        {FORM_TYPE, FIELD("a", "\xff") "--XX--", "", -EINVAL, 400, "the value of field 'a'"},
        {FORM_TYPE, FIELD("a", "1"), "", -EINVAL, 400, "multipart body: it is cut"},
        {"multipart/form-data", "x", "", -EINVAL, 400, "multipart body: the Content-Type"},
        {"text/html; charset=utf-8", "x", "", -ENOTSUP, 415,
         "Unsupported media type \"text/html; charset=utf-8\" in request."},
        {"\xff", "x", "", -ENOTSUP, 415, "Unsupported media type \"\" in request."},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct json_object *object = NULL;
        struct err err = {0};
        int failed = body_object(slice_str(rows[i].type), slice_str(rows[i].body),
                                 slice_str(rows[i].query), &object, &err);
        EXPECT_INT(failed, rows[i].failed);
        EXPECT_INT(body_status(failed), rows[i].status);
        EXPECT(object == NULL);
        EXPECT(strncmp(err.text, rows[i].text, strlen(rows[i].text)) == 0);
    }
    EXPECT_INT(body_status(-E2BIG), 413);
    EXPECT_INT(body_status(-ENOMEM), 503);
}

static void refuses_nesting_deeper_than_the_limit(void)
{
    char body[2 * JSON_DEPTH_MAX + 32];
    for (int depth = JSON_DEPTH_MAX - 2; depth <= JSON_DEPTH_MAX; depth++) {
        size_t used = (size_t)snprintf(body, sizeof(body), "{\"a\":");
        memset(body + used, '[', (size_t)depth);
        memset(body + used + depth, ']', (size_t)depth);
        body[used + 2 * (size_t)depth] = '}';
        CLEANUP(json_put) struct json_object *object = NULL;
        struct slice text = {body, used + 2 * (size_t)depth + 1};
        int failed = body_object(SLICE("application/json"), text, (struct slice){0}, &object, NULL);
        EXPECT_INT(failed, depth + 1 <= JSON_DEPTH_MAX ? 0 : -EINVAL);
    }
}

TEST_MAIN(reads_every_way_of_writing, says_what_it_cannot_read,
          refuses_nesting_deeper_than_the_limit)
