#include "api/answer.h"

#include <math.h>

#include "api/op.h"
#include "base/json.h"
#include "base/test.h"
#include "http/server.h"

const struct op *const OP_TABLE[] = {NULL}; /* keeps the program's own out of this test */

/* In place of the server: remembers the one answer. */
static struct {
    int status, count;
    char content_type[200], headers[1000], body[1000];
    size_t body_size;
} last;

void http_respond(struct http_request *request, const struct http_response *response)
{
    (void)request;
    last.count++;
    last.status = response->status;
    (void)snprintf(last.content_type, sizeof(last.content_type), "%s",
                   response->content_type ? response->content_type : "(none)");
    (void)snprintf(last.headers, sizeof(last.headers), "%.*s", (int)response->headers.size,
                   response->headers.data);
    (void)snprintf(last.body, sizeof(last.body), "%.*s", (int)response->body.size,
                   response->body.data);
    last.body_size = response->body.size;
}

static enum request_method method;

enum request_method http_request_method(const struct http_request *request)
{
    (void)request;
    return method;
}

const char *http_request_method_name(const struct http_request *request)
{
    (void)request;
    return "TRACE";
}

static void answer_text(int status, bool failed, const char *text)
{
    CLEANUP(json_put) struct json_object *value = NULL;
    EXPECT_INT(json_parse(slice_str(text), &value, NULL), 0);
    memset(&last, 0, sizeof(last));
    answer_value(NULL, status, failed, value);
    EXPECT_INT(last.count, 1);
}

static void sends_the_result_itself(void)
{
    static const char *const rows[] = {"null",  "true",          "[1,2.5]",
                                       "\"a\"", "{\"a\":null}",  "{\"report_custom\":null}",
                                       "0",     "{\"a\":\"/\"}", "{\"report_file\":null}"};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        answer_text(200, false, rows[i]);
        EXPECT_INT(last.status, 200);
        EXPECT_STR(last.content_type, "application/json");
        EXPECT_STR(last.body, rows[i]);
        EXPECT(strstr(last.headers, "Access-Control-Allow-Origin: *\r\n") != NULL);
        EXPECT(strstr(last.headers, "X-Jsorc-Error") == NULL ||
               strstr(last.headers, "Expose-Headers: X-Jsorc-Error") != NULL);
    }
}

static void marks_what_failed(void)
{
    answer_text(400, true, "{\"success\":false}");
    EXPECT_INT(last.status, 400);
    EXPECT(strstr(last.headers, "\r\nX-Jsorc-Error: 1\r\n") != NULL);
    answer_text(200, false, "{\"success\":false}");
    EXPECT(strstr(last.headers, "\r\nX-Jsorc-Error: 1\r\n") == NULL);
}

static void makes_numbers_that_json_lacks_null(void)
{
    struct json_object *value = json_object_new_object();
    struct json_object *list = json_object_new_array();
    (void)json_object_array_add(list, json_object_new_double(NAN));
    (void)json_object_array_add(list, json_object_new_double(0.5));
    (void)json_object_array_add(list, json_object_new_double(-INFINITY));
    json_set(value, "a", json_object_new_double(INFINITY));
    json_set(value, "b", list);
    json_set(value, "c", json_object_new_int(1));
    answer_value(NULL, 200, false, value);
    EXPECT_STR(last.body, "{\"a\":null,\"b\":[null,0.5,null],\"c\":1}");
    (void)json_put(value);

    value = json_object_new_double(NAN);
    answer_value(NULL, 200, false, value);
    EXPECT_STR(last.body, "null");
    (void)json_put(value);
}

static void sends_only_text(void)
{
    struct json_object *value = json_object_new_string("a\xff\xc3");
    answer_value(NULL, 200, false, value);
    EXPECT_STR(last.body, "\"a??\"");
    (void)json_put(value);
}

static void replaces_the_body_by_report_custom(void)
{
    answer_text(201, false, "{\"report_custom\":[1],\"report_file\":{},\"status_code\":201}");
    EXPECT_INT(last.status, 201);
    EXPECT_STR(last.body, "[1]");
}

static void sends_report_file_as_a_download(void)
{
    answer_text(200, false,
                "{\"report_file\":{\"name\":\"a \\\"b\\\".txt\",\"base64\":\"aGVsbG8=\","
                "\"content-type\":\"text/plain\"}}");
    EXPECT_STR(last.content_type, "text/plain");
    EXPECT_STR(last.body, "hello");
    EXPECT_INT(last.body_size, 5);
    EXPECT(strstr(last.headers, "Content-Disposition: attachment; filename=\"a _b_.txt\"; "
                                "filename*=UTF-8''a%20%22b%22.txt\r\n") != NULL);

    answer_text(200, false, "{\"report_file\":{\"base64\":\"\"}}");
    EXPECT_STR(last.content_type, "application/octet-stream");
    EXPECT_INT(last.body_size, 0);
    EXPECT(strstr(last.headers, "filename=\"download\"") != NULL);
}

static void lets_a_file_add_no_header(void)
{
    answer_text(200, false,
                "{\"report_file\":{\"name\":\"a\\r\\nX-Evil: 1\",\"base64\":\"aGk=\","
                "\"content-type\":\"text/html\\r\\nX-Evil: 1\"}}");
    EXPECT_STR(last.content_type, "application/octet-stream");
    EXPECT(strstr(last.headers, "\nX-Evil") == NULL);
    EXPECT_STR(last.body, "hi");
}

static void says_that_a_file_is_none(void)
{
    static const char *const rows[] = {"{\"report_file\":\"id\"}", "{\"report_file\":{}}",
                                       "{\"report_file\":{\"base64\":\"*\"}}",
                                       "{\"report_file\":{\"base64\":\"aGk\"}}"};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        answer_text(200, false, rows[i]);
        EXPECT_INT(last.status, 200);
        EXPECT(strstr(last.headers, "\r\nX-Jsorc-Error: 1\r\n") != NULL);
        EXPECT(strstr(last.body, "report_file must be an object") != NULL);
    }
}

static void tells_details(void)
{
    answer_detail(NULL, 405, "Allow: POST\r\n", "Method \"GET\" not allowed.", NULL);
    EXPECT_INT(last.status, 405);
    EXPECT_STR(last.body, "{\"detail\":\"Method \\\"GET\\\" not allowed.\"}");
    EXPECT(strstr(last.headers, "\r\nAllow: POST\r\n") != NULL);
    answer_detail(NULL, 404, "", "Not found.", "look there");
    EXPECT_STR(last.body, "{\"detail\":\"Not found.\",\"hint\":\"look there\"}");
    method = METHOD_OTHER;
    answer_methods(NULL, "GET, PUT");
    EXPECT_INT(last.status, 405);
    EXPECT_STR(last.body, "{\"detail\":\"Method \\\"TRACE\\\" not allowed.\"}");
    EXPECT(strstr(last.headers, "\r\nAllow: GET, PUT\r\n") != NULL);
    method = METHOD_OPTIONS;
    answer_methods(NULL, "GET, PUT");
    EXPECT_INT(last.status, 200);
    EXPECT_INT(last.body_size, 0);
    EXPECT(strstr(last.headers, "\r\nAllow: GET, PUT\r\n") != NULL);
    answer_empty(NULL, 204, "");
    EXPECT_INT(last.status, 204);
    EXPECT_STR(last.content_type, "(none)");
    EXPECT_INT(last.body_size, 0);
    answer_preflight(NULL);
    EXPECT_INT(last.status, 200);
    EXPECT(strstr(last.headers, "Access-Control-Allow-Headers: accept, ") != NULL);
    EXPECT(strstr(last.headers, "authorization, content-type") != NULL);
}

TEST_MAIN(sends_the_result_itself, marks_what_failed, makes_numbers_that_json_lacks_null,
          sends_only_text, replaces_the_body_by_report_custom, sends_report_file_as_a_download,
          lets_a_file_add_no_header, says_that_a_file_is_none, tells_details)
