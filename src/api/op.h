/* An operation of the API: one row from which the HTTP routes, OpenAPI, the CLI command, its man
 * page and its completion come. A row ends the file of its resource; op_table.c lists it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct api;
struct err;
struct json_object;
struct op_call;

enum op_access { OP_PUBLIC, OP_USER, OP_ADMIN }; /* /js_public/, /js/, /js_admin/ */

enum op_type { OP_STR, OP_INT, OP_FLOAT, OP_BOOL, OP_DICT, OP_LIST, OP_STR_OR_DICT, OP_ANY };

struct op_param {
    const char *name; /* NULL ends the list */
    enum op_type type;
    const char *fallback; /* JSON text of the default; NULL = required */
    const char *help;     /* one sentence: unit, range, meaning */
};

#define OP_PARAMS_MAX 16

struct op {
    const char *name; /* "config_get": CLI words are split at '_' */
    enum op_access access;
    bool get;     /* answers GET instead of POST */
    bool changes; /* what outlives the daemon: it waits while the state cannot be reached */
    struct op_param params[OP_PARAMS_MAX];
    const char *positionals; /* CLI order, e.g. "name config"; "" = none */
    const char *help;        /* one sentence */
    const char *result;      /* one sentence or a JSON example: what comes back */
    void (*run)(
        struct op_call *call); /* control thread; must end in one op_return/op_fail, also later */
};

/* Ended by NULL. */
extern const struct op *const OP_TABLE[];

/* NULL = no such operation. */
const struct op *op_find(const char *name, size_t size);

/* ---- for the functions that run an operation ---- */

struct api *op_api(const struct op_call *call);
/* Validated arguments with defaults filled in; borrowed until op_return/op_fail. */
struct json_object *op_args(const struct op_call *call);
const char *op_arg_str(const struct op_call *call, const char *name); /* NULL when JSON null */
bool op_arg_bool(const struct op_call *call, const char *name);
double op_arg_number(const struct op_call *call, const char *name);
struct json_object *op_arg(const struct op_call *call, const char *name);
long op_user_id(const struct op_call *call); /* 0 = no account (public, or local peer) */
bool op_user_is_staff(const struct op_call *call);
bool op_is_foreign(const struct op_call *call); /* a web page of another origin sent it */

/* Answers 200 with result (owned from here on; NULL = null), or, when it is an object with a
 * "status_code", with that. Control thread, exactly once. */
void op_return(struct op_call *call, struct json_object *result);

/* Answers 200 with result (owned from here on) and X-Jsorc-Error: 1: a failure for which the
 * original has another shape than op_fail's. */
void op_refuse(struct op_call *call, struct json_object *result);

/* op_return, or op_fail with error if there is one: for those who call back. call: a struct
 * op_call. */
void op_on_result(void *call, struct json_object *result, const char *error);

/* {"success": well, "message": message}, the message only when there is one: the beginning of most
 * answers. Owned by the caller. */
struct json_object *op_success(bool well, const char *message);

/* Answers {"response": TEXT, "success": false, "errors": [TEXT], "stack_trace": []}, status 200 and
 * X-Jsorc-Error: 1 (the original's shape). */
void op_fail(struct op_call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));
