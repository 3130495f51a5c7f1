/* Shared by native.c (loading), native_param.c, native_convert.c and native_args.c (arguments),
 * native_call.c (one call), and native_host.c, native_value.c and native_result.c (what an action
 * may ask of it). */
#pragma once

#include <jsorc/action.h>
#include <pthread.h>

#include "base/buf.h"
#include "base/json.h"
#include "worker/worker.h"

#define NATIVE_DEPTH_MAX JSON_DEPTH_MAX /* of a result: what we write, we can read */

enum native_kind {
    NATIVE_ANY,
    NATIVE_STR,
    NATIVE_INT,
    NATIVE_FLOAT,
    NATIVE_BOOL,
    NATIVE_LIST,
    NATIVE_DICT,
};

enum native_star { NATIVE_PLAIN, NATIVE_STAR, NATIVE_STAR_STAR };

struct native_param {
    const char *name; /* borrowed from the module, stars included */
    const char *bare; /* without stars */
    enum native_star star;
    enum native_kind kind;
    enum native_kind item; /* of a list's elements */
    bool required;
    bool nullable;
    struct json_object *fallback; /* owned; NULL = null. Never changed: copied for each call */
};

struct native_action {
    const struct jsorc_action *def; /* borrowed from the module */
    struct native_module *module;
    struct native_param params[JSORC_PARAMS_MAX];
    unsigned param_count;
};

struct native_module {
    struct worker *worker; /* borrowed */
    char *name;
    void *handle; /* of dlopen */
    const struct jsorc_module *def;
    char *group;
    bool set_up;          /* teardown is owed */
    pthread_mutex_t lock; /* held by a call of a JSORC_SERIAL module; recursive */
    struct native_action *actions;
    size_t action_count;
};

/* ---- results ---- */

struct native_level {
    bool is_object;
    bool has_items;
    bool has_key; /* a value must follow */
};

struct native_result {
    struct buf text;
    size_t size_max;
    unsigned depth;
    bool done;           /* the one value is complete */
    const char *mistake; /* NULL = none; static */
    char *content_type;  /* owned; of a raw answer; NULL = JSON */
    struct native_level levels[NATIVE_DEPTH_MAX];
};

void native_result_done(struct native_result *result);
void native_result_null(struct native_result *result);
void native_result_bool(struct native_result *result, bool value);
void native_result_int(struct native_result *result, int64_t number);
void native_result_double(struct native_result *result, double number);
void native_result_text(struct native_result *result, struct slice text);
void native_result_bytes(struct native_result *result, const void *data, size_t size);
void native_result_doubles(struct native_result *result, const double *numbers, size_t count);
void native_result_floats(struct native_result *result, const float *numbers, size_t count);
void native_result_json(struct native_result *result, struct slice json); /* checked */
void native_result_value(struct native_result *result, struct json_object *value);
void native_result_begin(struct native_result *result, bool is_object);
void native_result_key(struct native_result *result, struct slice name);
void native_result_end(struct native_result *result);
void native_result_raw(struct native_result *result, const char *content_type, struct slice data);

/* NULL, or why the result cannot be sent. Nothing put has become null. */
const char *native_result_finish(struct native_result *result);

/* ---- one call ---- */

struct native_keep; /* memory that lives as long as the call */

struct native_call {
    struct jsorc_call pub;              /* first: what the action sees */
    const struct native_action *action; /* NULL in setup of the module */
    struct native_module *module;
    const struct worker_call *input;              /* NULL in setup */
    struct json_object *args;                     /* owned; object with defaults filled in */
    struct json_object *values[JSORC_PARAMS_MAX]; /* borrowed from args; NULL = null */
    struct native_result result;
    struct native_result *writing; /* &result, or the arguments of an inner call */
    struct native_result inner;
    struct native_keep *keeps; /* owned */
    int failed_status;         /* 0 = jsorc_fail was not called */
    char *failed_text;         /* owned */
};

extern const struct jsorc_host native_host;

static inline struct native_call *native_call_of(struct jsorc_call *call)
{
    return (struct native_call *)call;
}

/* A zeroed block that is freed with the call; NULL = no memory. */
void *native_keep(struct native_call *call, size_t size);
/* value is released with the call. */
void native_keep_json(struct native_call *call, struct json_object *value);

/* JSON null is a value of its own to an action; json-c has NULL for it. */
extern const struct jsorc_value *const NATIVE_NULL;

static inline const struct jsorc_value *native_value_of(struct json_object *object)
{
    return object ? (const struct jsorc_value *)object : NATIVE_NULL;
}

static inline struct json_object *native_object_of(const struct jsorc_value *value)
{
    return value == NATIVE_NULL ? NULL : (struct json_object *)(uintptr_t)value;
}

/* The functions of native_value.c, for the table. */
enum jsorc_kind native_value_kind(const struct jsorc_value *value);
bool native_value_bool(const struct jsorc_value *value);
int64_t native_value_int(const struct jsorc_value *value);
double native_value_double(const struct jsorc_value *value);
const char *native_value_text(const struct jsorc_value *value, size_t *ret_size);
const void *native_value_bytes(struct jsorc_call *call, const struct jsorc_value *value,
                               size_t *ret_size);
const char *native_value_json(struct jsorc_call *call, const struct jsorc_value *value,
                              size_t *ret_size);
size_t native_value_count(const struct jsorc_value *value);
const struct jsorc_value *native_value_at(const struct jsorc_value *value, size_t index);
const struct jsorc_value *native_value_member(const struct jsorc_value *value, const char *name);
const struct jsorc_value *native_value_next(const struct jsorc_value *value,
                                            struct jsorc_place *place, const char **ret_key);
ptrdiff_t native_value_doubles(const struct jsorc_value *value, double *numbers, size_t count_max);
ptrdiff_t native_value_floats(const struct jsorc_value *value, float *numbers, size_t count_max);

/* Runs action on a request's body, as a worker_call_fn; arg is the struct native_action. */
void native_call_serve(void *arg, const struct worker_call *input, struct worker_answer *answer);

/* Runs fn (setup) with ctx as arguments, or action with ctx as a request's object when action is
 * given. 0, or -ECANCELED and the action's message. */
int native_call_setup(struct native_module *module, jsorc_action_fn fn,
                      const struct native_action *action, struct json_object *ctx, struct err *err);

/* ---- arguments ---- */

struct native_mismatch {
    const char *msg;
    const char *type;
};

/* What a value is told that cannot be of a kind; indexed by enum native_kind. */
extern const struct native_mismatch NATIVE_MISMATCHES[];

/* The value as kind: a new reference, or NULL when it cannot be one. value is not NULL. */
struct json_object *native_convert(struct json_object *value, enum native_kind kind);

/* Reads one declared parameter. 0, or -EINVAL. fallback is owned by param from here on. */
int native_param_parse(const struct jsorc_param *def, struct native_param *param, struct err *err);

/* The parameter list as worker_action_def.params wants it; owned by the caller. */
char *native_params_json(const struct native_action *action);

/* Parses body and gives each parameter its value: root owns them and has the defaults filled in,
 * values[param_count] borrow from it. 0, or -EINVAL with a 422 in answer. */
int native_args_bind(const struct native_action *action, struct slice body,
                     struct json_object **ret_root, struct json_object **values,
                     struct worker_answer *answer);
