/* For the tests of api_http.c: a server, a control loop and an API of a few operations, all fake.
 */
#pragma once

#include <fcntl.h>
#include <sodium.h>
#include <unistd.h>

#include "api/api.h"
#include "api/api_http.h"
#include "api/auth_table.h"
#include "api/op.h"
#include "api/route.h"
#include "base/json.h"
#include "base/test.h"
#include "http/server.h"
#include "loop/loop.h"
#include "share/share.h"

/* ---- in place of the server and of the control loop ---- */

enum { LISTENER_LOCAL = 1, LISTENER_TCP = 2 };

struct http_request {
    enum request_method method;
    const char *path, *query, *body, *content_type, *authorization, *preflight;
    int listener, fd;
    int answers, status;
    char headers[1000], answer[2000];
    struct http_note note;
};

static struct loop_task *posted; /* the last one first */

void loop_post(struct loop *loop, struct loop_task *task)
{
    (void)loop;
    task->next = posted;
    posted = task;
}

struct share {
    bool ready;
    struct share_wait *wait; /* the one who waits */
};

bool share_is_ready(const struct share *share)
{
    return share->ready;
}

void share_wait(struct share *share, struct share_wait *wait, uint64_t timeout_ms, loop_fn fn,
                void *arg)
{
    EXPECT_INT(timeout_ms, 30000);
    *wait = (struct share_wait){.fn = fn, .arg = arg};
    share->wait = wait;
}

static void control_turn(void)
{
    while (posted) {
        struct loop_task *task = posted;
        posted = task->next;
        task->fn(task->arg);
    }
}

enum request_method http_request_method(const struct http_request *request)
{
    return request->method;
}

const char *http_request_method_name(const struct http_request *request)
{
    return request->method == METHOD_GET ? "GET" : "OTHER";
}

struct slice http_request_path(const struct http_request *request)
{
    return slice_str(request->path);
}

struct slice http_request_query(const struct http_request *request)
{
    return slice_str(request->query);
}

struct slice http_request_body(const struct http_request *request)
{
    return slice_str(request->body);
}

struct slice http_request_header(const struct http_request *request, const char *name)
{
    if (strcmp(name, "authorization") == 0) {
        return slice_str(request->authorization);
    }
    if (strcmp(name, "access-control-request-method") == 0) {
        return slice_str(request->preflight);
    }
    if (strcmp(name, "user-agent") == 0) {
        return SLICE("probe/1");
    }
    return strcmp(name, "content-type") == 0 ? slice_str(request->content_type) : (struct slice){0};
}

struct http_note *http_request_note(struct http_request *request)
{
    return &request->note;
}

int http_request_listener(const struct http_request *request)
{
    return request->listener;
}

int http_request_fd(const struct http_request *request)
{
    return request->fd;
}

uint64_t http_request_start_ns(const struct http_request *request)
{
    (void)request;
    return 0;
}

void http_respond(struct http_request *request, const struct http_response *response)
{
    request->answers++;
    request->status = response->status;
    (void)snprintf(request->headers, sizeof(request->headers), "%.*s", (int)response->headers.size,
                   response->headers.data);
    (void)snprintf(request->answer, sizeof(request->answer), "%.*s", (int)response->body.size,
                   response->body.data);
}

/* ---- an API of our own ---- */

static struct op_call *kept_op;
static struct api_call *kept_call;

static void run_echo(struct op_call *call)
{
    struct json_object *result = json_object_new_object();
    json_set(result, "args", json_ref(op_args(call)));
    json_set_int(result, "user", op_user_id(call));
    json_set_bool(result, "staff", op_user_is_staff(call));
    op_return(call, result);
}

static void run_keep(struct op_call *call)
{
    kept_op = call;
}

static void run_route(struct api_call *call)
{
    struct json_object *result = json_object_new_object();
    struct slice variable = api_variable(call);
    json_set(result, "code", json_object_new_string_len(variable.data, (int)variable.size));
    json_set(result, "body", json_ref(api_body(call)));
    json_set_int(result, "user", api_user_id(call));
    api_answer(call, 201, result);
}

static void run_keep_call(struct api_call *call)
{
    kept_call = call;
}

#define ECHO_PARAMS                                                                                \
    {                                                                                              \
        {"a", OP_STR, NULL, ""},                                                                   \
        {                                                                                          \
            "n", OP_INT, "5", ""                                                                   \
        }                                                                                          \
    }
static const struct op op_admin = {
    .name = "echo_admin", .access = OP_ADMIN, .params = ECHO_PARAMS, .run = run_echo};
static const struct op op_user = {
    .name = "echo_user", .access = OP_USER, .params = ECHO_PARAMS, .run = run_echo};
static const struct op op_open = {
    .name = "echo_open", .access = OP_PUBLIC, .params = ECHO_PARAMS, .run = run_echo};
static const struct op op_get = {
    .name = "health", .access = OP_PUBLIC, .get = true, .params = ECHO_PARAMS, .run = run_echo};
static const struct op op_change = {.name = "echo_change",
                                    .access = OP_PUBLIC,
                                    .changes = true,
                                    .params = ECHO_PARAMS,
                                    .run = run_echo};
static const struct op op_keep = {.name = "keep", .access = OP_PUBLIC, .run = run_keep};
const struct op *const OP_TABLE[] = {&op_admin,  &op_user, &op_open, &op_get,
                                     &op_change, &op_keep, NULL};

static const struct route route_code = {
    .method = METHOD_POST, .path = "/code/{code}", .access = ROUTE_OPEN, .run = run_route};
static const struct route route_staff = {
    .method = METHOD_GET, .path = "/staff/", .access = ROUTE_STAFF, .run = run_keep_call};
const struct route *const ROUTE_TABLE[] = {&route_code, &route_staff, NULL};

static struct api api;
static struct auth_table *auth;
static struct api_http *front;
static int log_pipe[2];
static char log_text[8192]; /* of the last request */
static char staff_token[SECRET_TOKEN_CHARS + 1], user_token[SECRET_TOKEN_CHARS + 1];
static char staff_header[100], user_header[100];

static void front_make(void)
{
    if (front) {
        return;
    }
    EXPECT(sodium_init() >= 0);
    secret_make(staff_token, SECRET_TOKEN_CHARS);
    secret_make(user_token, SECRET_TOKEN_CHARS);
    (void)snprintf(staff_header, sizeof(staff_header), "Token %s", staff_token);
    (void)snprintf(user_header, sizeof(user_header), "tOKEN  %s", user_token);
    struct auth_entry entries[2] = {{.user_id = 1, .is_staff = true}, {.user_id = 2}};
    secret_hash(slice_str(staff_token), entries[0].hash);
    secret_hash(slice_str(user_token), entries[1].hash);
    auth = auth_table_new(entries, 2);
    EXPECT_INT(pipe2(log_pipe, O_NONBLOCK | O_CLOEXEC), 0);
    front = api_http_new(&(struct api_http_config){
        .api = &api, .local_listener = LISTENER_LOCAL, .log_fd = log_pipe[1]});
    api_http_set_running(front, true);
}

static void log_read(void)
{
    ssize_t size = read(log_pipe[0], log_text, sizeof(log_text) - 1);
    log_text[size > 0 ? size : 0] = '\0';
}

/* Handles request to its end. */
static struct http_request run(struct http_request request)
{
    front_make();
    request.listener = request.listener ? request.listener : LISTENER_TCP;
    api_http_handle(front, auth, &request);
    control_turn();
    EXPECT_INT(request.answers, 1);
    EXPECT_INT(api_http_calls(front), 0);
    log_read();
    return request;
}
