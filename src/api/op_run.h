/* Runs an operation from the arguments that somebody sent to its result, without HTTP: what
 * api_http.c, scheduled requests and unit tests of operations have in common. Control thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct api;
struct json_object;
struct op;

struct op_caller {
    int64_t user_id; /* 0 = no account: the public, or a peer on the daemon's own socket */
    bool is_staff;
    bool is_foreign; /* a web page of another origin sent it: origin.h */
};

/* What became of it. status: of HTTP. failed: the operation did not do what was asked, and value
 * is the error envelope of the original. value is owned by the function; NULL = null. */
typedef void (*op_done_fn)(void *arg, int status, bool failed, struct json_object *value);

/* given: an object, borrowed; its members become the arguments by op_args_build. done is called
 * once, from here or later. */
void op_run(const struct op *op, struct api *api, const struct op_caller *caller,
            struct json_object *given, op_done_fn done, void *arg);

/* {"response": TEXT, "success": false, "errors": [TEXT], "stack_trace": []}; owned by the caller.
 */
struct json_object *op_envelope(const char *text);
