/* jsorc/action.h - write actions for jsorc in C. This header is all that is needed.
 *
 * A module is a shared object that exports one symbol, jsorc_module: a table of actions. jsorc
 * loads it into a worker process and serves each action over HTTP as POST /NAME/ with a JSON object
 * of arguments; the action's result is the JSON of the answer.
 *
 *     #include <jsorc/action.h>
 *
 *     static int run_repeat(struct jsorc_call *call)
 *     {
 *         size_t size;
 *         const char *text = jsorc_arg_text(call, "text", &size);
 *         int64_t times = jsorc_arg_int(call, "times");
 *         if (times < 0 || times > 1000) {
 *             return jsorc_fail(call, 400, "times must be 0 to 1000, not %d", (int)times);
 *         }
 *         jsorc_begin_array(call);
 *         for (int64_t i = 0; i < times; i++) {
 *             jsorc_put_text(call, text, size);
 *         }
 *         jsorc_end(call);
 *         return JSORC_OK;
 *     }
 *
 *     static const struct jsorc_action actions[] = {
 *         {.name = "repeat", .run = run_repeat, .doc = "The text, several times.",
 *          .params = {{"text", "str", NULL, "what to repeat"},
 *                     {"times", "int", "2", "0 to 1000"}}},
 *         {.name = NULL},
 *     };
 *
 *     JSORC_MODULE = {JSORC_MODULE_HEAD, .group = "demo", .actions = actions};
 *
 * Build:  cc -shared -fPIC -O2 -o demo.so demo.c
 * Serve:  jsorc host ./demo.so
 * Call:   curl -d '{"text": "hi"}' http://127.0.0.1:8000/repeat/      ->  ["hi","hi"]
 *
 * The module links to nothing of jsorc: what it calls comes through a table of functions that each
 * call carries; the functions below are thin covers of that table.
 *
 * THREADS. Actions run at the same time in several threads, also the same action. State that they
 * change must be guarded by the module, or the module sets JSORC_SERIAL and has one call at a time.
 * A call's object, and all that was got from it, belongs to the thread that runs the action and is
 * gone when the action returns. setup and teardown run alone.
 *
 * ARGUMENTS were checked against .params before the action runs: a required one is there, the types
 * hold (a number in text becomes a number where a number is declared), unknown names are refused,
 * defaults are filled in. What is wrong is answered with status 422 and the action does not run.
 *
 * RESULT. An action puts exactly one JSON value: a scalar, or begin ... end. Nothing put is null.
 * Mistakes (a value without its key, an end too many, text that is no UTF-8, a result over the
 * worker's limit) are remembered, make the rest do nothing, and are answered with status 500.
 *
 * VERSIONS. JSORC_ABI changes when old modules can no longer be loaded; JSORC_ABI_MINOR when the
 * table of functions grows at its end. jsorc refuses a module of another JSORC_ABI or of a higher
 * minor than its own, with an error that names both. */
#ifndef JSORC_ACTION_H
#define JSORC_ACTION_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define JSORC_ABI       1u
#define JSORC_ABI_MINOR 0u

#define JSORC_OK     0
#define JSORC_FAILED (-1)

#define JSORC_PARAMS_MAX 32 /* parameters an action, with the entry that ends the list */

struct jsorc_host;

/* One call. Only host is for the functions below; the rest of the object is jsorc's. */
struct jsorc_call {
    const struct jsorc_host *host;
};

/* A JSON value: an argument or part of one. NULL stands for "not there" and reads as null. */
struct jsorc_value;

enum jsorc_kind {
    JSORC_NULL,
    JSORC_BOOL,
    JSORC_INT,    /* written without fraction and exponent, within 64 bits */
    JSORC_DOUBLE, /* any other number */
    JSORC_TEXT,
    JSORC_ARRAY,
    JSORC_OBJECT,
};

/* A place in an object, for jsorc_next. Begin with {0}. */
struct jsorc_place {
    const void *at;
    bool over;
};

enum jsorc_log_level { JSORC_LOG_DEBUG, JSORC_LOG_INFO, JSORC_LOG_WARN, JSORC_LOG_ERROR };

/* ---- what a module declares ---- */

/* One parameter. name "*x" takes an array of any length (absent = empty), "**x" an object (absent =
 * empty). type: "str", "int", "float", "bool", "list", "dict", "any", or "list[T]" with T one of
 * these. fallback: JSON text of the default; NULL = required. With the fallback "null" the argument
 * may be null whatever its type. */
struct jsorc_param {
    const char *name; /* NULL ends the list */
    const char *type; /* NULL = "any" */
    const char *fallback;
    const char *doc; /* NULL = none */
};

/* Reads its arguments, puts its result, and returns JSORC_OK, or what jsorc_fail returned. */
typedef int (*jsorc_action_fn)(struct jsorc_call *call);

struct jsorc_action {
    const char *name; /* without the group: letters, digits, '_'; NULL ends the table */
    jsorc_action_fn run;
    const char *doc;     /* NULL = none */
    const char *returns; /* type of the result, for the documentation; NULL = "any" */
    const char *aliases; /* further names, separated by spaces; NULL = none */
    uint32_t flags;      /* JSORC_IDEMPOTENT or 0 */
    uint32_t timeout_ms; /* longest useful duration of a call; 0 = the caller's default */
    const void *reserved[2];
    struct jsorc_param params[JSORC_PARAMS_MAX];
};

#define JSORC_IDEMPOTENT 1u /* action: a call whose answer was lost may be sent again */
#define JSORC_SERIAL     2u /* module: never two calls at the same time */

struct jsorc_module {
    uint32_t abi;
    uint32_t abi_minor;
    uint32_t flags;    /* JSORC_SERIAL or 0 */
    uint32_t size;     /* of this struct, set by JSORC_MODULE_HEAD */
    const char *group; /* actions are GROUP.NAME; NULL = the file's name up to its first dot */
    const char *doc;   /* NULL = none */
    /* Runs once before the first call; its arguments are the load context (any names). A failure
     * makes the load fail with its message. An action named "setup" is run after it, once, and
     * stays callable. NULL = none. */
    jsorc_action_fn setup;
    /* Runs once after the last call, when the worker ends in order. NULL = none. */
    void (*teardown)(void);
    const struct jsorc_action *actions; /* ended by one without a name */
    const void *reserved[4];
};

#define JSORC_MODULE_HEAD                                                                          \
    .abi = JSORC_ABI, .abi_minor = JSORC_ABI_MINOR, .size = sizeof(struct jsorc_module)

#ifdef __cplusplus
#define JSORC_MODULE_EXTERN extern "C"
#else
#define JSORC_MODULE_EXTERN
#endif

/* JSORC_MODULE = {JSORC_MODULE_HEAD, .group = "demo", .actions = actions}; */
#define JSORC_MODULE                                                                               \
    JSORC_MODULE_EXTERN __attribute__((visibility("default")))                                     \
    const struct jsorc_module jsorc_module

extern __attribute__((visibility("default"))) const struct jsorc_module jsorc_module;

/* ---- what a call offers; use the covers below ---- */

struct jsorc_host {
    uint32_t abi;
    uint32_t abi_minor;

    const struct jsorc_value *(*arg)(struct jsorc_call *call, const char *name);
    const struct jsorc_value *(*args)(struct jsorc_call *call);
    enum jsorc_kind (*kind)(const struct jsorc_value *value);
    bool (*get_bool)(const struct jsorc_value *value);
    int64_t (*get_int)(const struct jsorc_value *value);
    double (*get_double)(const struct jsorc_value *value);
    const char *(*get_text)(const struct jsorc_value *value, size_t *ret_size);
    const void *(*get_bytes)(struct jsorc_call *call, const struct jsorc_value *value,
                             size_t *ret_size);
    const char *(*get_json)(struct jsorc_call *call, const struct jsorc_value *value,
                            size_t *ret_size);
    size_t (*count)(const struct jsorc_value *value);
    const struct jsorc_value *(*at)(const struct jsorc_value *value, size_t index);
    const struct jsorc_value *(*member)(const struct jsorc_value *value, const char *name);
    const struct jsorc_value *(*next)(const struct jsorc_value *value, struct jsorc_place *place,
                                      const char **ret_key);
    ptrdiff_t (*get_doubles)(const struct jsorc_value *value, double *numbers, size_t count_max);
    ptrdiff_t (*get_floats)(const struct jsorc_value *value, float *numbers, size_t count_max);

    void (*put_null)(struct jsorc_call *call);
    void (*put_bool)(struct jsorc_call *call, bool value);
    void (*put_int)(struct jsorc_call *call, int64_t number);
    void (*put_double)(struct jsorc_call *call, double number);
    void (*put_text)(struct jsorc_call *call, const char *text, size_t size);
    void (*put_bytes)(struct jsorc_call *call, const void *data, size_t size);
    void (*put_doubles)(struct jsorc_call *call, const double *numbers, size_t count);
    void (*put_floats)(struct jsorc_call *call, const float *numbers, size_t count);
    void (*put_value)(struct jsorc_call *call, const struct jsorc_value *value);
    void (*put_json)(struct jsorc_call *call, const char *json, size_t size);
    void (*begin_array)(struct jsorc_call *call);
    void (*begin_object)(struct jsorc_call *call);
    void (*key)(struct jsorc_call *call, const char *name, size_t size);
    void (*end)(struct jsorc_call *call);
    void (*answer_raw)(struct jsorc_call *call, const char *content_type, const void *data,
                       size_t size);

    int (*vfail)(struct jsorc_call *call, int status, const char *format, va_list args);
    void (*vlog)(struct jsorc_call *call, enum jsorc_log_level level, const char *format,
                 va_list args);
    bool (*gone)(struct jsorc_call *call);
    void (*invoke_begin)(struct jsorc_call *call);
    const struct jsorc_value *(*invoke)(struct jsorc_call *call, const char *action);
};

/* ---- arguments ---- */

/* The argument of that name; NULL when no parameter is called so. Borrowed until the action
 * returns, as all that follows. */
static inline const struct jsorc_value *jsorc_arg(struct jsorc_call *call, const char *name)
{
    return call->host->arg(call, name);
}

/* All arguments as an object, defaults included. In setup: the load context. */
static inline const struct jsorc_value *jsorc_args(struct jsorc_call *call)
{
    return call->host->args(call);
}

static inline enum jsorc_kind jsorc_kind_of(struct jsorc_call *call,
                                            const struct jsorc_value *value)
{
    return call->host->kind(value);
}

/* false unless value is true. */
static inline bool jsorc_bool(struct jsorc_call *call, const struct jsorc_value *value)
{
    return call->host->get_bool(value);
}

/* A double is cut towards zero, out of range is the nearest end; 0 for what is no number. */
static inline int64_t jsorc_int(struct jsorc_call *call, const struct jsorc_value *value)
{
    return call->host->get_int(value);
}

/* 0 for what is no number. */
static inline double jsorc_double(struct jsorc_call *call, const struct jsorc_value *value)
{
    return call->host->get_double(value);
}

/* UTF-8, ended by a zero byte (and may contain one: \u0000); NULL for what is no text, with size 0.
 * ret_size may be NULL. */
static inline const char *jsorc_text(struct jsorc_call *call, const struct jsorc_value *value,
                                     size_t *ret_size)
{
    return call->host->get_text(value, ret_size);
}

/* The bytes that a text holds in base64 (how JSON carries an image); NULL when it holds none. */
static inline const void *jsorc_bytes(struct jsorc_call *call, const struct jsorc_value *value,
                                      size_t *ret_size)
{
    return call->host->get_bytes(call, value, ret_size);
}

/* JSON text of the value, ended by a zero byte. */
static inline const char *jsorc_json(struct jsorc_call *call, const struct jsorc_value *value,
                                     size_t *ret_size)
{
    return call->host->get_json(call, value, ret_size);
}

/* Elements of an array, members of an object; 0 for all else. */
static inline size_t jsorc_count(struct jsorc_call *call, const struct jsorc_value *value)
{
    return call->host->count(value);
}

/* Element of an array, from 0; NULL beyond its end. */
static inline const struct jsorc_value *jsorc_at(struct jsorc_call *call,
                                                 const struct jsorc_value *value, size_t index)
{
    return call->host->at(value, index);
}

/* Member of an object; NULL when there is none. */
static inline const struct jsorc_value *jsorc_member(struct jsorc_call *call,
                                                     const struct jsorc_value *value,
                                                     const char *name)
{
    return call->host->member(value, name);
}

/* The object's members one after the other, in the order of the text; NULL after the last:
 *     struct jsorc_place place = {0};
 *     const char *key;
 *     const struct jsorc_value *value;
 *     while ((value = jsorc_next(call, object, &place, &key))) { ... } */
static inline const struct jsorc_value *jsorc_next(struct jsorc_call *call,
                                                   const struct jsorc_value *value,
                                                   struct jsorc_place *place, const char **ret_key)
{
    return call->host->next(value, place, ret_key);
}

/* Copies an array of numbers, at most count_max of them. Returns how many the array has (so a
 * larger result than count_max says that some are missing), or -1 when something in it is no
 * number. */
static inline ptrdiff_t jsorc_doubles(struct jsorc_call *call, const struct jsorc_value *value,
                                      double *numbers, size_t count_max)
{
    return call->host->get_doubles(value, numbers, count_max);
}

static inline ptrdiff_t jsorc_floats(struct jsorc_call *call, const struct jsorc_value *value,
                                     float *numbers, size_t count_max)
{
    return call->host->get_floats(value, numbers, count_max);
}

static inline bool jsorc_arg_bool(struct jsorc_call *call, const char *name)
{
    return call->host->get_bool(call->host->arg(call, name));
}

static inline int64_t jsorc_arg_int(struct jsorc_call *call, const char *name)
{
    return call->host->get_int(call->host->arg(call, name));
}

static inline double jsorc_arg_double(struct jsorc_call *call, const char *name)
{
    return call->host->get_double(call->host->arg(call, name));
}

static inline const char *jsorc_arg_text(struct jsorc_call *call, const char *name,
                                         size_t *ret_size)
{
    return call->host->get_text(call->host->arg(call, name), ret_size);
}

/* ---- result ---- */

static inline void jsorc_put_null(struct jsorc_call *call)
{
    call->host->put_null(call);
}

static inline void jsorc_put_bool(struct jsorc_call *call, bool value)
{
    call->host->put_bool(call, value);
}

static inline void jsorc_put_int(struct jsorc_call *call, int64_t number)
{
    call->host->put_int(call, number);
}

/* The shortest text that reads back as the same number; not a number and infinity are null. */
static inline void jsorc_put_double(struct jsorc_call *call, double number)
{
    call->host->put_double(call, number);
}

/* size bytes of UTF-8; NULL is null. */
static inline void jsorc_put_text(struct jsorc_call *call, const char *text, size_t size)
{
    call->host->put_text(call, text, size);
}

/* Text that is ended by a zero byte; NULL is null. */
static inline void jsorc_put_string(struct jsorc_call *call, const char *text)
{
    call->host->put_text(call, text, (size_t)-1);
}

/* A text that holds the bytes in base64. */
static inline void jsorc_put_bytes(struct jsorc_call *call, const void *data, size_t size)
{
    call->host->put_bytes(call, data, size);
}

/* An array of numbers. */
static inline void jsorc_put_doubles(struct jsorc_call *call, const double *numbers, size_t count)
{
    call->host->put_doubles(call, numbers, count);
}

static inline void jsorc_put_floats(struct jsorc_call *call, const float *numbers, size_t count)
{
    call->host->put_floats(call, numbers, count);
}

/* A copy of an argument or a part of one. */
static inline void jsorc_put_value(struct jsorc_call *call, const struct jsorc_value *value)
{
    call->host->put_value(call, value);
}

/* A value that is JSON text already; it is checked. */
static inline void jsorc_put_json(struct jsorc_call *call, const char *json, size_t size)
{
    call->host->put_json(call, json, size);
}

static inline void jsorc_begin_array(struct jsorc_call *call)
{
    call->host->begin_array(call);
}

static inline void jsorc_begin_object(struct jsorc_call *call)
{
    call->host->begin_object(call);
}

/* Before each value in an object. */
static inline void jsorc_key(struct jsorc_call *call, const char *name)
{
    call->host->key(call, name, (size_t)-1);
}

/* Ends the innermost array or object. */
static inline void jsorc_end(struct jsorc_call *call)
{
    call->host->end(call);
}

/* Answers with these bytes instead of JSON (an image, a file), in place of all that was put. For
 * callers over HTTP; an action that calls this one by name gets an error. */
static inline void jsorc_answer_raw(struct jsorc_call *call, const char *content_type,
                                    const void *data, size_t size)
{
    call->host->answer_raw(call, content_type, data, size);
}

/* ---- errors, log, other actions ---- */

/* Drops the result; the caller gets {"detail": MESSAGE, "type": ...} with that HTTP status (400 to
 * 599; 400 = the caller's mistake, 500 = the action's). Returns JSORC_FAILED. */
__attribute__((format(printf, 3, 4), unused)) static int jsorc_fail(struct jsorc_call *call,
                                                                    int status, const char *format,
                                                                    ...)
{
    va_list args;
    va_start(args, format);
    int failed = call->host->vfail(call, status, format, args);
    va_end(args);
    return failed;
}

/* One line in the worker's log. */
__attribute__((format(printf, 3, 4), unused)) static void jsorc_log(struct jsorc_call *call,
                                                                    enum jsorc_log_level level,
                                                                    const char *format, ...)
{
    va_list args;
    va_start(args, format);
    call->host->vlog(call, level, format, args);
    va_end(args);
}

/* The caller has hung up: a long action may end early. Cheap. */
static inline bool jsorc_gone(struct jsorc_call *call)
{
    return call->host->gone(call);
}

/* Calls another action by name, wherever it runs. Put its arguments between these two:
 *     jsorc_invoke_begin(call);
 *     jsorc_begin_object(call);
 *     jsorc_key(call, "text");
 *     jsorc_put_string(call, "hello");
 *     jsorc_end(call);
 *     const struct jsorc_value *words = jsorc_invoke(call, "text.split");
 * NULL = it failed: `return JSORC_FAILED` passes the cause on; an action that goes on and returns
 * JSORC_OK has dealt with it. What was put before jsorc_invoke_begin stays. */
static inline void jsorc_invoke_begin(struct jsorc_call *call)
{
    call->host->invoke_begin(call);
}

static inline const struct jsorc_value *jsorc_invoke(struct jsorc_call *call, const char *action)
{
    return call->host->invoke(call, action);
}

#ifdef __cplusplus
}
#endif

#endif
