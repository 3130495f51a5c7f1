#include "api/api_http.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/answer.h"
#include "api/api.h"
#include "api/api_log.h"
#include "api/api_priv.h"
#include "api/auth_table.h"
#include "api/match.h"
#include "api/origin.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "http/body.h"
#include "http/docs_page.h"
#include "http/form.h"
#include "measure/benchmark.h"
#include "measure/call_stats.h"

struct api_http *api_http_new(const struct api_http_config *config)
{
    struct api_http *front = xcalloc(1, sizeof(*front));
    front->config = *config;
    return front;
}

struct api_http *api_http_free(struct api_http *front)
{
    assert(!front || atomic_load(&front->calls) == 0);
    free(front);
    return NULL;
}

void api_http_set_running(struct api_http *front, bool running)
{
    atomic_store(&front->running, running);
}

unsigned api_http_calls(const struct api_http *front)
{
    return atomic_load(&front->calls);
}

/* ---- who is it ---- */

/* "Token TEXT"; the word in any case, as the original's clients write it. */
static bool token_of(const struct http_request *request, struct slice *ret_token)
{
    struct slice header = http_request_header(request, "authorization");
    const struct slice word = SLICE("token");
    if (header.size <= word.size || header.data[word.size] != ' ' ||
        !slice_eq_nocase((struct slice){header.data, word.size}, word)) {
        return false;
    }
    struct slice token = slice_from(header, word.size);
    while (token.size > 0 && token.data[0] == ' ') {
        token = slice_from(token, 1);
    }
    *ret_token = token;
    return true;
}

static bool is_local_staff(const struct api_http *front, const struct http_request *request)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);
    if (http_request_listener(request) != front->config.local_listener ||
        getsockopt(http_request_fd(request), SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) {
        return false;
    }
    return size == sizeof(peer) && peer.pid > 0 && (peer.uid == 0 || peer.uid == getuid());
}

enum api_identity api_http_identify(const struct api_http *front, const struct auth_table *auth,
                                    const struct http_request *request,
                                    struct op_caller *ret_caller)
{
    struct slice token;
    if (token_of(request, &token)) {
        struct auth_user user;
        if (!auth || !auth_table_find(auth, token, clock_unix_ms(), &user)) {
            return API_REFUSED;
        }
        *ret_caller = (struct op_caller){.user_id = user.id, .is_staff = user.is_staff};
        return API_KNOWN;
    }
    if (is_local_staff(front, request)) {
        *ret_caller = (struct op_caller){.user_id = 0, .is_staff = true};
        return API_KNOWN;
    }
    return API_NOBODY;
}

bool api_http_admit(struct http_request *request, enum api_identity identity,
                    const struct op_caller *caller, bool staff)
{
    if (identity != API_KNOWN) {
        answer_detail(request, 401, "WWW-Authenticate: Token\r\n",
                      identity == API_REFUSED ? "Invalid token."
                                              : "Authentication credentials were not provided.",
                      NULL);
        return false;
    }
    if (staff && !caller->is_staff) {
        answer_detail(request, 403, "", "You do not have permission to perform this action.", NULL);
        return false;
    }
    return true;
}

/* ---- control thread ---- */

void api_call_end(struct api_call *call)
{
    (void)atomic_fetch_sub(&call->front->calls, 1);
    (void)json_put(call->body);
    free(call->variable);
    free(call);
}

static void op_done(void *arg, int status, bool failed, struct json_object *value)
{
    struct api_call *call = arg;
    struct benchmark *benchmark = call->front->config.api->benchmark;
    call->latency_ns = clock_now_ns() - call->begun_ns;
    http_request_note(call->request)->failed = failed || call_status_failed(status);
    if (benchmark) {
        benchmark_add(benchmark, BENCHMARK_LANE_CONTROL, slice_str(call->op->name),
                      (struct slice){0}, call->latency_ns, failed || call_status_failed(status));
    }
    api_log_end(call, failed, value);
    answer_value(call->request, status, failed, value);
    (void)json_put(value);
    api_call_end(call);
}

/* The rest of a call, in the control thread. */
static void call_go_on(void *arg)
{
    struct api_call *call = arg;
    struct http_request *request = call->request;
    struct err err = {0};
    int failed =
        body_object(http_request_header(request, "content-type"), http_request_body(request),
                    http_request_query(request), &call->body, &err);
    if (failed) {
        answer_detail(request, body_status(failed), "", err.text, NULL);
        api_call_end(call);
        return;
    }
    api_log_begin(call);
    if (call->op) {
        op_run(call->op, call->front->config.api, &call->caller, call->body, op_done, call);
    } else {
        call->route->run(call);
    }
}

static void call_run(void *arg)
{
    struct api_call *call = arg;
    const struct api *api = call->front->config.api;
    bool changes = call->op ? call->op->changes : call->route->changes;
    if (changes && api->share && !share_is_ready(api->share)) {
        share_wait(api->share, &call->wait, api->wait_timeout_ms, call_go_on, call);
    } else {
        call_go_on(call);
    }
}

/* ---- I/O thread ---- */

static void call_post(struct api_http *front, struct http_request *request,
                      const struct match *match, const struct op_caller *caller)
{
    if (atomic_fetch_add(&front->calls, 1) >= API_CALLS_MAX) {
        (void)atomic_fetch_sub(&front->calls, 1);
        answer_detail(request, 503, "Retry-After: 1\r\n",
                      "Too many API calls are under way; try again.", NULL);
        return;
    }
    struct api_call *call = xcalloc(1, sizeof(*call));
    *call = (struct api_call){
        .front = front,
        .request = request,
        .op = match->op,
        .route = match->route,
        .caller = *caller,
        .begun_ns = http_request_start_ns(request),
        .task = {.fn = call_run, .arg = call},
    };
    if (match->variable.size > 0) {
        call->variable = xcalloc(1, match->variable.size + 1);
        (void)form_unescape(match->variable, false, call->variable);
    }
    loop_post(front->config.api->loop, &call->task);
}

static void answer_not_found(struct http_request *request, const struct match *match)
{
    const struct op *op = match->elsewhere;
    CLEANUP(str_free)
    char *hint = op ? xasprintf("%s is at %s%s", op->name, match_prefix(op), op->name)
                    : xstrdup("GET /openapi.json lists what there is");
    answer_detail(request, 404, "", "Not found.", hint);
}

/* Pages that are part of the program. */
static bool answer_static(struct http_request *request)
{
    enum request_method method = http_request_method(request);
    struct slice path = http_request_path(request);
    if (method != METHOD_GET && method != METHOD_HEAD) {
        return false;
    }
    const struct docs_page *page = docs_page_find(path);
    if (page) {
        docs_page_respond(request, page);
        return true;
    }
    if (slice_eq(path, SLICE("/"))) {
        answer_empty(request, 307, "Location: /docs\r\n");
        return true;
    }
    return false;
}

/* Before the control loop runs. */
static void answer_not_running(struct http_request *request, const struct match *match)
{
    if (match->op && match->op->access == OP_PUBLIC && match->op->get) {
        CLEANUP(json_put) struct json_object *no = json_object_new_boolean(false);
        answer_value(request, 200, false, no);
        return;
    }
    answer_detail(request, 503, "Retry-After: 1\r\n", "The daemon is starting or stopping.", NULL);
}

static bool is_open_route(const struct api_http *front, const struct route *route,
                          struct http_request *request)
{
    return route->access == ROUTE_OPEN ||
           (route->access == ROUTE_NEAR &&
            front->config.is_near(front->config.is_near_arg, request));
}

void api_http_handle(struct api_http *front, const struct auth_table *auth,
                     struct http_request *request)
{
    enum request_method method = http_request_method(request);
    if (method == METHOD_OPTIONS &&
        http_request_header(request, "access-control-request-method").size > 0) {
        answer_preflight(request);
        return;
    }
    if (answer_static(request)) {
        return;
    }
    struct match match;
    int status = match_find(method, http_request_path(request), &match);
    if (status == 404) {
        answer_not_found(request, &match);
        return;
    }
    if (status == 405) {
        answer_methods(request, match.allow);
        return;
    }
    bool staff = match.op ? match.op->access == OP_ADMIN : match.route->access >= ROUTE_STAFF;
    bool open =
        match.op ? match.op->access == OP_PUBLIC : is_open_route(front, match.route, request);
    struct op_caller caller = {0};
    enum api_identity identity = api_http_identify(front, auth, request, &caller);
    struct http_note *note = http_request_note(request);
    note->name = slice_str(match.op ? match.op->name : match.route->path);
    note->user_id = caller.user_id;
    caller.is_foreign = origin_is_foreign(http_request_header(request, "origin"));
    /* What is open stays so for a client that sends an old token with everything: it must be able
     * to ask for a new one. */
    if (!open && !api_http_admit(request, identity, &caller, staff)) {
        return;
    }
    caller.is_foreign = origin_is_foreign(http_request_header(request, "origin"));
    if (!atomic_load(&front->running)) {
        answer_not_running(request, &match);
        return;
    }
    call_post(front, request, &match, &caller);
}
