/* An operation that needs what only the I/O loops do (an action, a walker) asks the daemon itself,
 * by its own socket, as any local client would. */
#pragma once

struct api;
struct json_object;

/* status: of HTTP, 0 when there was no answer. value: the body as JSON, borrowed; NULL when it is
 * null or none. Control thread. */
typedef void (*self_call_fn)(void *arg, int status, struct json_object *value);

/* Posts body (borrowed) to path, which must hold only characters allowed in one. */
void self_call(struct api *api, const char *path, struct json_object *body, self_call_fn fn,
               void *arg);

/* As self_call, with further header lines, each with its line end. */
void self_call_as(struct api *api, const char *path, const char *lines, struct json_object *body,
                  self_call_fn fn, void *arg);
