#include "daemon/front.h"

#include <stdio.h>
#include <string.h>

#include "action/snapshot.h"
#include "api/answer.h"
#include "api/api_http.h"
#include "api/origin.h"
#include "base/slice.h"
#include "call/caller.h"
#include "daemon/listen.h"
#include "http/form.h"
#include "http/server.h"
#include "measure/request_stats.h"

static const struct slice actions = {"/actions/", 9};
static const struct slice walkers = {"/walkers/", 9};
static const struct slice walker_run = {"/js/walker_run", 14};
static const struct slice wapi = {"/js/wapi/", 9};

#define WALKER_PATH_MAX  256
#define NAME_BYTES_MAX   200 /* longer names do not exist: registration refuses them */
#define NAME_ESCAPED_MAX (3 * NAME_BYTES_MAX)

static struct slice without_slash(struct slice path)
{
    while (path.size > 1 && path.data[path.size - 1] == '/') {
        path.size--;
    }
    return path;
}

/* Names of actions and walkers: what Python and C allow, and the dots between. */
static bool is_name(struct slice name)
{
    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '.' || c == '-' || c == '@' || (unsigned char)c >= 0x80)) {
            return false;
        }
    }
    return name.size > 0 && name.size < NAME_BYTES_MAX;
}

/* The name at the end of a path, unescaped into buffer[NAME_ESCAPED_MAX]: clients, our own workers
 * among them, write what is not ASCII as %XX. */
static struct slice name_of(struct slice part, char *buffer)
{
    if (part.size > NAME_ESCAPED_MAX) {
        return (struct slice){0};
    }
    return (struct slice){buffer, form_unescape(part, false, buffer)};
}

/* A browser's page of elsewhere can send to loopback without its user's knowledge, and by DNS
 * rebinding even under a name of its own: both show in the request's headers. */
static bool is_foreign(struct http_request *request)
{
    struct slice host = http_request_header(request, "Host");
    return (host.size > 0 && !host_is_own(host)) ||
           origin_is_foreign(http_request_header(request, "Origin"));
}

/* Whether actions and walkers may be called without a token on the way the request came. */
static bool is_open(const struct front *front, struct http_request *request)
{
    switch ((enum listen_kind)http_request_listener(request)) {
    case LISTEN_LOOPBACK:
        return front->open_loopback && !is_foreign(request);
    case LISTEN_NETWORK:
        return front->open_network;
    case LISTEN_LOCAL:
        return false; /* its peers are known */
    }
    return false;
}

/* False when it was answered with a refusal. */
static bool admit(const struct front *front, const struct snapshot *snapshot,
                  struct http_request *request, struct op_caller *ret_caller)
{
    struct auth_table *auth = snapshot ? snapshot->auth : NULL;
    enum api_identity identity = api_http_identify(front->api, auth, request, ret_caller);
    if (identity != API_KNOWN && is_open(front, request)) {
        return true;
    }
    return api_http_admit(request, identity, ret_caller, false);
}

static bool is_post(struct http_request *request)
{
    if (http_request_method(request) == METHOD_POST) {
        return true;
    }
    answer_methods(request, "POST");
    return false;
}

static void handle_action(const struct front *front, struct caller *caller,
                          struct http_request *request, struct slice path)
{
    struct op_caller who = {0};
    char buffer[NAME_ESCAPED_MAX];
    http_request_note(request)->kind = REQUEST_ACTION;
    struct slice name = name_of(slice_from(path, actions.size), buffer);
    if (!is_post(request) || !admit(front, caller_snapshot(caller), request, &who)) {
        return;
    }
    if (!is_name(name)) {
        http_respond_detail(request, 404, "the path is /actions/NAME, e.g. /actions/text.split");
        return;
    }
    http_request_note(request)->user_id = who.user_id;
    struct action_call call = {.name = name};
    /* Only our own workers are believed which of their walkers, or which
     * action that a request is for, calls, and that they measure the call. */
    if (http_request_listener(request) == LISTEN_LOCAL) {
        call.walker = http_request_header(request, "X-Jsorc-Walker");
        call.timed = http_request_header(request, "X-Jsorc-Timed").size > 0;
    }
    caller_action(caller, request, &call);
}

/* Whether "is_async" with a true value stands in a query, a form or JSON: what else looks so runs
 * just as well, only through the API. */
static bool wants_queue(struct slice text)
{
    static const char word[] = "is_async";
    const char *at;
    while (text.size > 0 && (at = memmem(text.data, text.size, word, sizeof(word) - 1)) != NULL) {
        text = slice_from(text, (size_t)(at - text.data) + sizeof(word) - 1);
        struct slice value = text;
        while (value.size > 0 && memchr(" \t\r\n\"=:", value.data[0], 8)) {
            value = slice_from(value, 1);
        }
        if (value.size >= 4 && strncasecmp(value.data, "true", 4) == 0) {
            return true;
        }
    }
    return false;
}

enum walker_way {
    WAY_OURS, /* /walkers/NAME: follows the rule of /actions/ */
    WAY_RUN,  /* the original's need a login; the name stands in the body */
    WAY_WAPI,
};

/* name: empty = it stands in the body. */
static void handle_walker(const struct front *front, struct caller *caller,
                          struct http_request *request, struct slice name, enum walker_way way)
{
    struct op_caller who = {0};
    const struct snapshot *snapshot = caller_snapshot(caller);
    http_request_note(request)->kind = REQUEST_WALKER;
    if (!is_post(request)) {
        return;
    }
    if (way != WAY_OURS &&
        (wants_queue(http_request_query(request)) || wants_queue(http_request_body(request)))) {
        api_http_handle(front->api, snapshot ? snapshot->auth : NULL, request);
        return;
    }
    if (way == WAY_OURS) {
        if (!admit(front, snapshot, request, &who)) {
            return;
        }
    } else {
        struct auth_table *auth = snapshot ? snapshot->auth : NULL;
        enum api_identity identity = api_http_identify(front->api, auth, request, &who);
        if (!api_http_admit(request, identity, &who, false)) {
            return;
        }
    }
    char path[WALKER_PATH_MAX] = "/walker_run/", user[32] = "", buffer[NAME_ESCAPED_MAX];
    if (name.size > 0) {
        name = name_of(name, buffer);
        if (!is_name(name)) {
            http_respond_detail(request, 404, "the path ends in a walker's name");
            return;
        }
        (void)snprintf(path, sizeof(path), "/wapi/%.*s/", (int)name.size, name.data);
    }
    http_request_note(request)->user_id = who.user_id;
    if (who.user_id > 0) {
        (void)snprintf(user, sizeof(user), "%lld", (long long)who.user_id);
    } else if (http_request_listener(request) == LISTEN_LOCAL) {
        struct slice told = http_request_header(request, "X-Jsorc-User"); /* the queue's */
        bool other = told.size > 0 && told.size < sizeof(user) && told.data[0] != '0';
        (void)snprintf(user, sizeof(user), "%.*s", other ? (int)told.size : 0, told.data);
    }
    caller_walker(caller, request,
                  &(struct walker_call){.op = way == WAY_WAPI ? "wapi" : "walker_run",
                                        .path = slice_str(path),
                                        .user = slice_str(user)});
}

bool front_is_near(const struct front *front, struct http_request *request)
{
    return http_request_listener(request) == LISTEN_LOOPBACK && front->open_loopback &&
           !is_foreign(request);
}

void front_handle(const struct front *front, struct caller *caller, struct http_request *request)
{
    struct slice path = http_request_path(request);
    bool preflight = http_request_method(request) == METHOD_OPTIONS;
    if (!preflight && slice_starts(path, actions)) {
        handle_action(front, caller, request, without_slash(path));
    } else if (!preflight && slice_starts(path, walkers)) {
        handle_walker(front, caller, request, slice_from(without_slash(path), walkers.size),
                      WAY_OURS);
    } else if (!preflight && slice_eq(without_slash(path), walker_run)) {
        handle_walker(front, caller, request, (struct slice){0}, WAY_RUN);
    } else if (!preflight && slice_starts(path, wapi)) {
        handle_walker(front, caller, request, slice_from(without_slash(path), wapi.size), WAY_WAPI);
    } else {
        const struct snapshot *snapshot = caller_snapshot(caller);
        bool operation = slice_starts(path, SLICE("/js")) || slice_starts(path, SLICE("/user/"));
        http_request_note(request)->kind = operation ? REQUEST_API : REQUEST_OTHER;
        api_http_handle(front->api, snapshot ? snapshot->auth : NULL, request);
    }
}
