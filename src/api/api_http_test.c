#include "api/api_http_testbed.h"

#include <sys/socket.h>

static void lets_in_whom_the_prefix_allows(void)
{
    static const struct {
        const char *path, *token;
        int status;
        const char *detail;
    } rows[] = {
        {"/js_public/echo_open", NULL, 200, NULL},
        {"/js_public/echo_open/", "u", 200, NULL},
        {"/js_public/echo_open", "x", 200, NULL}, /* an old token does not close what is open */
        {"/js/echo_user", "u", 200, NULL},
        {"/js/echo_user/", "s", 200, NULL},
        {"/js_admin/echo_admin", "s", 200, NULL},
        {"/js_admin/echo_admin/", "s", 200, NULL},
        {"/echo_admin", "s", 200, NULL},
        {"/echo_admin/", "s", 200, NULL},
        {"/js/echo_user", NULL, 401, "Authentication credentials were not provided."},
        {"/js/echo_user", "Bearer abc", 401, "Authentication credentials were not provided."},
        {"/js/echo_user", "Token", 401, "Authentication credentials were not provided."},
        {"/js/echo_user", "Token ", 401, "Invalid token."},
        {"/js/echo_user", "x", 401, "Invalid token."},
        {"/js_admin/echo_admin", NULL, 401, "Authentication credentials were not provided."},
        {"/js_admin/echo_admin", "u", 403, "You do not have permission to perform this action."},
        {"/echo_admin/", "u", 403, "You do not have permission to perform this action."},
        {"/js/echo_admin", "s", 404, "Not found."},
        {"/echo_user", "s", 404, "Not found."},
        {"/js_admin/nothing", "s", 404, "Not found."},
        {"/nothing", NULL, 404, "Not found."},
    };
    front_make();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *token = rows[i].token;
        if (token && token[1] == '\0') {
            token = *token == 's' ? staff_header : *token == 'u' ? user_header : "Token 0123abc";
        }
        struct http_request request = run((struct http_request){.method = METHOD_POST,
                                                                .path = rows[i].path,
                                                                .body = "{\"a\":\"x\"}",
                                                                .authorization = token});
        EXPECT_INT(request.status, rows[i].status);
        EXPECT(strstr(request.headers, "Access-Control-Allow-Origin: *\r\n") != NULL);
        EXPECT((strstr(request.headers, "WWW-Authenticate: Token\r\n") != NULL) ==
               (rows[i].status == 401));
        CLEANUP(json_put) struct json_object *body = NULL;
        EXPECT_INT(json_parse(slice_str(request.answer), &body, NULL), 0);
        if (rows[i].detail) {
            EXPECT_STR(json_str(body, "detail"), rows[i].detail);
        }
    }
}

static void takes_a_local_peer_for_staff(void)
{
    int fds[2];
    EXPECT_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    struct http_request request = {.method = METHOD_POST,
                                   .path = "/echo_admin",
                                   .body = "{\"a\":\"x\"}",
                                   .listener = LISTENER_LOCAL,
                                   .fd = fds[0]};
    EXPECT_STR(run(request).answer, "{\"args\":{\"a\":\"x\",\"n\":5},\"user\":0,\"staff\":true}");

    request.authorization = user_header; /* who shows a token is who it says */
    EXPECT_INT(run(request).status, 403);
    request.authorization = "Token abc";
    EXPECT_INT(run(request).status, 401);
    request.authorization = NULL;
    request.listener = LISTENER_TCP;
    EXPECT_INT(run(request).status, 401);
    request.listener = LISTENER_LOCAL;
    request.fd = -1;
    EXPECT_INT(run(request).status, 401);
    request.fd = log_pipe[0]; /* no socket */
    EXPECT_INT(run(request).status, 401);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void takes_no_tcp_peer_for_local(void)
{
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct http_request request = {
        .method = METHOD_POST, .path = "/echo_admin", .listener = LISTENER_LOCAL, .fd = listener};
    EXPECT_INT(run(request).status, 401);
    (void)close(listener);
}

static void reads_arguments_from_body_and_query(void)
{
    static const struct {
        const char *type, *body, *query;
        int status;
        const char *answer;
    } rows[] = {
        {"application/json", "{\"a\":\"x\",\"op\":\"echo_open\"}", "", 200,
         "{\"args\":{\"a\":\"x\",\"n\":5},"},
        {"application/json", "{\"a\":\"x\"}", "a=y&n=7", 200, "{\"args\":{\"a\":\"y\",\"n\":7},"},
        {"application/x-www-form-urlencoded", "a=x&n=8", "", 200,
         "{\"args\":{\"a\":\"x\",\"n\":8},"},
        {"application/json", "", "a=z", 200, "{\"args\":{\"a\":\"z\",\"n\":5},"},
        {"application/json", "", "", 200,
         "{\"response\":\"missing parameter: a\",\"success\":false"},
        {"application/json", "{\"a\":1}", "", 400,
         "{\"response\":\"parameter 'a' must be text, not int\",\"success\":false"},
        {"application/json", "{\"a\":", "", 400, "{\"detail\":\"JSON parse error - "},
        {"application/json", "[1]", "", 400, "{\"detail\":\"JSON parse error - "},
        {"text/plain", "x", "", 415,
         "{\"detail\":\"Unsupported media type \\\"text/plain\\\" in request.\"}"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct http_request request = run((struct http_request){.method = METHOD_POST,
                                                                .path = "/js_public/echo_open",
                                                                .content_type = rows[i].type,
                                                                .query = rows[i].query,
                                                                .body = rows[i].body});
        EXPECT_INT(request.status, rows[i].status);
        if (strncmp(request.answer, rows[i].answer, strlen(rows[i].answer)) != 0) {
            EXPECT_STR(request.answer, rows[i].answer);
        }
        bool envelope = strstr(rows[i].answer, "\"success\":false") != NULL;
        EXPECT((strstr(request.headers, "\r\nX-Jsorc-Error: 1\r\n") != NULL) == envelope);
    }
}

static void answers_get_operations_from_the_query(void)
{
    struct http_request request = run(
        (struct http_request){.method = METHOD_GET, .path = "/js_public/health", .query = "a=1"});
    EXPECT_INT(request.status, 200);
    EXPECT_STR(request.answer, "{\"args\":{\"a\":\"1\",\"n\":5},\"user\":0,\"staff\":false}");
}

static void tells_other_methods_off(void)
{
    struct http_request request = run((struct http_request){
        .method = METHOD_GET, .path = "/js_admin/echo_admin", .authorization = staff_header});
    EXPECT_INT(request.status, 405);
    EXPECT_STR(request.answer, "{\"detail\":\"Method \\\"GET\\\" not allowed.\"}");
    EXPECT(strstr(request.headers, "\r\nAllow: POST\r\n") != NULL);
    request = run((struct http_request){.method = METHOD_OTHER, .path = "/js_public/health"});
    EXPECT_INT(request.status, 405);
    EXPECT(strstr(request.headers, "\r\nAllow: GET\r\n") != NULL);
}

static void answers_options(void)
{
    struct http_request request = run((struct http_request){
        .method = METHOD_OPTIONS, .path = "/js_admin/echo_admin", .preflight = "POST"});
    EXPECT_INT(request.status, 200);
    EXPECT(strstr(request.headers, "Access-Control-Allow-Methods: ") != NULL);
    EXPECT(strstr(request.headers, "Access-Control-Allow-Origin: *\r\n") != NULL);
    request = run(
        (struct http_request){.method = METHOD_OPTIONS, .path = "/actions/x.y", .preflight = "P"});
    EXPECT_INT(request.status, 200);
    request = run((struct http_request){.method = METHOD_OPTIONS, .path = "/js_public/health"});
    EXPECT_INT(request.status, 200);
    EXPECT(strstr(request.headers, "\r\nAllow: GET\r\n") != NULL);
    request = run((struct http_request){.method = METHOD_OPTIONS, .path = "/nothing"});
    EXPECT_INT(request.status, 404);
}

static void runs_routes_with_their_variable(void)
{
    struct http_request request = run((struct http_request){
        .method = METHOD_POST, .path = "/code/a%2Fb+c/", .query = "q=1", .body = "{\"k\":[1]}"});
    EXPECT_INT(request.status, 201);
    EXPECT_STR(request.answer, "{\"code\":\"a/b+c\",\"body\":{\"k\":[1],\"q\":\"1\"},\"user\":0}");
    EXPECT_INT(run((struct http_request){.method = METHOD_GET, .path = "/staff/"}).status, 401);
}

static void lets_functions_answer_later(void)
{
    front_make();
    struct http_request first = {.method = METHOD_POST, .path = "/js_public/keep"};
    struct http_request second = {
        .method = METHOD_GET, .path = "/staff", .authorization = staff_header};
    api_http_handle(front, auth, &first);
    api_http_handle(front, auth, &second);
    control_turn();
    EXPECT_INT(first.answers + second.answers, 0);
    EXPECT_INT(api_http_calls(front), 2);
    op_return(kept_op, NULL);
    EXPECT_INT(first.status, 200);
    EXPECT_STR(first.answer, "null");
    api_answer(kept_call, 204, NULL);
    EXPECT_INT(second.status, 204);
    EXPECT_STR(second.answer, "");
    EXPECT_INT(api_http_calls(front), 0);
}

static void says_no_while_the_control_loop_does_not_run(void)
{
    front_make();
    api_http_set_running(front, false);
    struct http_request request =
        run((struct http_request){.method = METHOD_GET, .path = "/js_public/health"});
    EXPECT_INT(request.status, 200);
    EXPECT_STR(request.answer, "false");
    request = run((struct http_request){.method = METHOD_POST, .path = "/js_public/keep"});
    EXPECT_INT(request.status, 503);
    EXPECT(strstr(request.headers, "Retry-After: 1\r\n") != NULL);
    api_http_set_running(front, true);
}

static void bounds_the_calls_under_way(void)
{
    static struct http_request requests[API_CALLS_MAX + 1];
    front_make();
    for (size_t i = 0; i <= API_CALLS_MAX; i++) {
        requests[i] = (struct http_request){.method = METHOD_POST, .path = "/js_public/echo_open"};
        api_http_handle(front, auth, &requests[i]);
    }
    EXPECT_INT(api_http_calls(front), API_CALLS_MAX);
    EXPECT_INT(requests[API_CALLS_MAX].status, 503);
    EXPECT_INT(requests[API_CALLS_MAX - 1].answers, 0);
    control_turn(); /* the log's pipe fills: what it does not take is lost, and nothing else */
    for (int i = 0; i < 100; i++) {
        log_read();
    }
    EXPECT_INT(requests[0].answers, 1);
    EXPECT_INT(api_http_calls(front), 0);
}

static void serves_the_documentation(void)
{
    struct http_request request = run((struct http_request){.method = METHOD_GET, .path = "/docs"});
    EXPECT_INT(request.status, 200);
    EXPECT(strstr(request.answer, "<!doctype html>") != NULL);
    EXPECT_INT(run((struct http_request){.method = METHOD_HEAD, .path = "/redocs/"}).status, 200);
    EXPECT_INT(run((struct http_request){.method = METHOD_POST, .path = "/docs"}).status, 404);
    request = run((struct http_request){.method = METHOD_GET, .path = "/"});
    EXPECT_INT(request.status, 307);
    EXPECT(strstr(request.headers, "Location: /docs\r\n") != NULL);
}

static void lets_changes_wait_while_the_state_cannot_be_reached(void)
{
    struct share share = {.ready = false};
    struct http_request request = {.method = METHOD_POST,
                                   .path = "/js_public/echo_change",
                                   .body = "{\"a\":\"x\"}",
                                   .listener = LISTENER_TCP};
    front_make();
    api.share = &share;
    api.wait_timeout_ms = 30000;
    api_http_handle(front, auth, &request);
    control_turn();
    EXPECT_INT(request.answers, 0);
    EXPECT_INT(api_http_calls(front), 1);
    struct http_request reads = {.method = METHOD_POST,
                                 .path = "/js_public/echo_open",
                                 .body = "{\"a\":\"x\"}",
                                 .listener = LISTENER_TCP};
    api_http_handle(front, auth, &reads);
    control_turn();
    EXPECT_INT(reads.status, 200);

    share.wait->fn(share.wait->arg); /* it is reached, or the time is over: it is tried */
    EXPECT_INT(request.answers, 1);
    EXPECT_INT(request.status, 200);
    share.ready = true;
    request = run((struct http_request){
        .method = METHOD_POST, .path = "/js_public/echo_change", .body = "{\"a\":\"x\"}"});
    EXPECT_INT(request.status, 200);
    api.share = NULL;
    log_read();
}

static void logs_two_lines_without_secrets(void)
{
    front_make();
    (void)run((struct http_request){.method = METHOD_POST,
                                    .path = "/js_public/echo_open",
                                    .body = "{\"a\":\"x\",\"password\":\"hunter2\"}"});
    char *end = strchr(log_text, '\n');
    EXPECT(end && strchr(end + 1, '\n') == log_text + strlen(log_text) - 1);
    EXPECT(strstr(log_text, "hunter2") == NULL);
    CLEANUP(json_put) struct json_object *begin = NULL;
    CLEANUP(json_put) struct json_object *done = NULL;
    EXPECT_INT(json_parse((struct slice){log_text, (size_t)(end - log_text)}, &begin, NULL), 0);
    EXPECT_INT(json_parse(slice_str(end + 1), &done, NULL), 0);
    EXPECT_STR(json_str(begin, "message"), "Incoming call from public: to echo_open with "
                                           "{\"a\":\"x\",\"password\":\"***\"} via probe/1");
    EXPECT_STR(json_str(begin, "api_name"), "echo_open");
    EXPECT_STR(json_str(begin, "request_payload"), "{\"a\":\"x\",\"password\":\"***\"}");
    EXPECT_STR(json_str(done, "api_response"), "***");
    EXPECT(json_double(done, "request_latency", -1) > 0);
}

static void ends_without_a_call_left(void)
{
    front = api_http_free(front);
    auth_table_unref(auth);
    (void)close(log_pipe[0]);
    (void)close(log_pipe[1]);
}

TEST_MAIN(lets_in_whom_the_prefix_allows, takes_a_local_peer_for_staff, takes_no_tcp_peer_for_local,
          reads_arguments_from_body_and_query, answers_get_operations_from_the_query,
          tells_other_methods_off, answers_options, runs_routes_with_their_variable,
          lets_functions_answer_later, says_no_while_the_control_loop_does_not_run,
          serves_the_documentation, bounds_the_calls_under_way,
          lets_changes_wait_while_the_state_cannot_be_reached, logs_two_lines_without_secrets,
          ends_without_a_call_left)
