/* From an HTTP request to the function of an operation or a route, and back. A request is routed
 * and its sender identified on the I/O thread that read it; the rest runs in the control thread.
 * Owned by the daemon: one front for all its I/O loops. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api/op_run.h"

struct api;
struct api_http;
struct auth_table;
struct control;
struct http_request;
struct json_object;

/* Requests that wait for the control thread or for the end of their operation, of all loops. Each
 * holds a connection and its body; more than this means that the control thread hangs. */
#define API_CALLS_MAX 1024

struct api_http_config {
    struct api *api; /* borrowed; api->loop is the control thread's */
    /* For OpenAPI: control_actions_full and control_walkers_full, or NULL. Control thread. */
    struct json_object *(*actions_full)(const struct control *control);
    struct json_object *(*walkers_full)(const struct control *control);
    /* What http_request_listener tells of the daemon's own Unix socket. A peer there that runs as
     * root or as we do is staff without a token. */
    int local_listener;
    /* Whether the request comes from this host and no token is asked there. Any thread. */
    bool (*is_near)(void *arg, struct http_request *request);
    void *is_near_arg;
    int log_fd; /* two JSON lines a call are written here (api_log.h); -1 = no log. Borrowed */
};

struct api_http *api_http_new(const struct api_http_config *config);

/* NULL allowed. No call may be under way. */
struct api_http *api_http_free(struct api_http *front);

/* Whether the control loop runs. Until then, and at the end, operations are answered 503, and
 * health with false. Any thread. */
void api_http_set_running(struct api_http *front, bool running);

unsigned api_http_calls(const struct api_http *front); /* under way; any thread */

/* Answers the request, now or later, whatever it asks for; everything but action calls and walker
 * runs comes here, also OPTIONS of all paths. I/O thread. auth may be NULL (no account is known
 * yet) and is not kept. */
void api_http_handle(struct api_http *front, const struct auth_table *auth,
                     struct http_request *request);

enum api_identity {
    API_NOBODY,  /* no credentials that we understand */
    API_KNOWN,   /* *ret_caller is who it is */
    API_REFUSED, /* a token that is unknown or has expired */
};

/* Who sent the request, by its token, else by the peer of a Unix socket. Any thread. */
enum api_identity api_http_identify(const struct api_http *front, const struct auth_table *auth,
                                    const struct http_request *request,
                                    struct op_caller *ret_caller);

/* Answers 401 or 403 unless the sender may do what needs a login (and to be staff). True = go on.
 */
bool api_http_admit(struct http_request *request, enum api_identity identity,
                    const struct op_caller *caller, bool staff);
