#include "api/op.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/op_args.h"
#include "api/op_run.h"
#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "base/utf8.h"

struct op_call {
    struct api *api; /* borrowed */
    const struct op *op;
    struct op_caller caller;
    struct json_object *args; /* owned */
    op_done_fn done;
    void *done_arg;
};

const struct op *op_find(const char *name, size_t size)
{
    for (const struct op *const *row = OP_TABLE; *row; row++) {
        if (strlen((*row)->name) == size && memcmp((*row)->name, name, size) == 0) {
            return *row;
        }
    }
    return NULL;
}

struct json_object *op_success(bool well, const char *message)
{
    struct json_object *result = json_object_new_object();
    json_set_bool(result, "success", well);
    if (message) {
        json_set_str(result, "message", message);
    }
    return result;
}

struct json_object *op_envelope(const char *text)
{
    struct json_object *envelope = json_object_new_object();
    struct json_object *errors = json_object_new_array();
    (void)json_object_array_add(errors, json_object_new_string(text));
    json_set_str(envelope, "response", text);
    json_set_bool(envelope, "success", false);
    json_set(envelope, "errors", errors);
    json_set(envelope, "stack_trace", json_object_new_array());
    return envelope;
}

void op_run(const struct op *op, struct api *api, const struct op_caller *caller,
            struct json_object *given, op_done_fn done, void *arg)
{
    struct json_object *args = NULL;
    struct err err = {0};
    int failed = op_args_build(op, given, &args, &err);
    if (failed) {
        done(arg, failed == -ENODATA ? 200 : 400, true, op_envelope(err.text));
        return;
    }
    struct op_call *call = xcalloc(1, sizeof(*call));
    *call = (struct op_call){
        .api = api, .op = op, .caller = *caller, .args = args, .done = done, .done_arg = arg};
    op->run(call);
}

static void finish(struct op_call *call, int status, bool failed, struct json_object *value)
{
    op_done_fn done = call->done;
    void *arg = call->done_arg;
    (void)json_put(call->args);
    free(call);
    done(arg, status, failed, value);
}

struct api *op_api(const struct op_call *call)
{
    return call->api;
}

struct json_object *op_args(const struct op_call *call)
{
    return call->args;
}

struct json_object *op_arg(const struct op_call *call, const char *name)
{
    struct json_object *value = NULL;
    bool declared = json_object_object_get_ex(call->args, name, &value);
    assert(declared); /* a function asks for what its row lists */
    return value;
}

const char *op_arg_str(const struct op_call *call, const char *name)
{
    struct json_object *value = op_arg(call, name);
    return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
}

bool op_arg_bool(const struct op_call *call, const char *name)
{
    return json_object_get_boolean(op_arg(call, name)) != 0;
}

double op_arg_number(const struct op_call *call, const char *name)
{
    return json_object_get_double(op_arg(call, name));
}

long op_user_id(const struct op_call *call)
{
    return (long)call->caller.user_id;
}

bool op_user_is_staff(const struct op_call *call)
{
    return call->caller.is_staff;
}

bool op_is_foreign(const struct op_call *call)
{
    return call->caller.is_foreign;
}

/* A result may choose its own status; a number that is none of HTTP's is only data. */
static int status_of(struct json_object *result)
{
    int64_t status = json_int(result, "status_code", 200);
    return status >= 200 && status <= 599 ? (int)status : 200;
}

void op_return(struct op_call *call, struct json_object *result)
{
    finish(call, status_of(result), false, result);
}

void op_refuse(struct op_call *call, struct json_object *result)
{
    finish(call, 200, true, result);
}

void op_on_result(void *call, struct json_object *result, const char *error)
{
    if (error) {
        op_fail(call, "%s", error);
        (void)json_put(result);
    } else {
        op_return(call, result);
    }
}

void op_fail(struct op_call *call, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    CLEANUP(str_free) char *text = xvasprintf(format, args);
    va_end(args);
    utf8_repair(text, strlen(text)); /* it may quote bytes of a worker or a file */
    finish(call, 200, true, op_envelope(text));
}
