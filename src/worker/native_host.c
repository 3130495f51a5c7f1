/* What a C action may ask of its call: the table of functions behind include/jsorc/action.h. */
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "http/server.h"
#include "worker/native_priv.h"

#define NESTING_MAX  32   /* actions that call each other within one thread's stack */
#define LOG_TEXT_MAX 1024 /* a log line is cut at 2 KiB anyway */

/* ---- arguments ---- */

static const struct jsorc_value *host_arg(struct jsorc_call *pub, const char *name)
{
    struct native_call *call = native_call_of(pub);
    for (unsigned i = 0; call->action && i < call->action->param_count; i++) {
        if (strcmp(call->action->params[i].name, name) == 0) {
            return native_value_of(call->values[i]);
        }
    }
    return call->action ? NULL : native_value_member(native_value_of(call->args), name);
}

static const struct jsorc_value *host_args(struct jsorc_call *pub)
{
    return native_value_of(native_call_of(pub)->args);
}

/* ---- result ---- */

static void host_put_null(struct jsorc_call *pub)
{
    native_result_null(native_call_of(pub)->writing);
}

static void host_put_bool(struct jsorc_call *pub, bool value)
{
    native_result_bool(native_call_of(pub)->writing, value);
}

static void host_put_int(struct jsorc_call *pub, int64_t number)
{
    native_result_int(native_call_of(pub)->writing, number);
}

static void host_put_double(struct jsorc_call *pub, double number)
{
    native_result_double(native_call_of(pub)->writing, number);
}

static struct slice text_of(const char *text, size_t size)
{
    return size == (size_t)-1 ? slice_str(text) : (struct slice){text, size};
}

static void host_put_text(struct jsorc_call *pub, const char *text, size_t size)
{
    native_result_text(native_call_of(pub)->writing, text_of(text, size));
}

static void host_put_bytes(struct jsorc_call *pub, const void *data, size_t size)
{
    native_result_bytes(native_call_of(pub)->writing, data, size);
}

static void host_put_doubles(struct jsorc_call *pub, const double *numbers, size_t count)
{
    native_result_doubles(native_call_of(pub)->writing, numbers, count);
}

static void host_put_floats(struct jsorc_call *pub, const float *numbers, size_t count)
{
    native_result_floats(native_call_of(pub)->writing, numbers, count);
}

static void host_put_value(struct jsorc_call *pub, const struct jsorc_value *value)
{
    native_result_value(native_call_of(pub)->writing, native_object_of(value));
}

static void host_put_json(struct jsorc_call *pub, const char *json, size_t size)
{
    native_result_json(native_call_of(pub)->writing, text_of(json, size));
}

static void host_begin_array(struct jsorc_call *pub)
{
    native_result_begin(native_call_of(pub)->writing, false);
}

static void host_begin_object(struct jsorc_call *pub)
{
    native_result_begin(native_call_of(pub)->writing, true);
}

static void host_key(struct jsorc_call *pub, const char *name, size_t size)
{
    native_result_key(native_call_of(pub)->writing, text_of(name, size));
}

static void host_end(struct jsorc_call *pub)
{
    native_result_end(native_call_of(pub)->writing);
}

static void host_answer_raw(struct jsorc_call *pub, const char *content_type, const void *data,
                            size_t size)
{
    native_result_raw(&native_call_of(pub)->result, content_type, (struct slice){data, size});
}

/* ---- errors, log ---- */

static int host_vfail(struct jsorc_call *pub, int status, const char *format, va_list args)
{
    struct native_call *call = native_call_of(pub);
    free(call->failed_text);
    call->failed_text = xvasprintf(format, args);
    call->failed_status = status >= 400 && status <= 599 ? status : 500;
    return JSORC_FAILED;
}

static int fail(struct native_call *call, int status, const char *text)
{
    free(call->failed_text);
    call->failed_text = xstrdup(text);
    call->failed_status = status;
    return JSORC_FAILED;
}

static void host_vlog(struct jsorc_call *pub, enum jsorc_log_level level, const char *format,
                      va_list args)
{
    static const enum log_level levels[] = {
        [JSORC_LOG_DEBUG] = LOG_DEBUG,
        [JSORC_LOG_INFO] = LOG_INFO,
        [JSORC_LOG_WARN] = LOG_WARN,
        [JSORC_LOG_ERROR] = LOG_ERROR,
    };
    char text[LOG_TEXT_MAX];
    (void)vsnprintf(text, sizeof(text), format, args);
    bool known = (size_t)level < sizeof(levels) / sizeof(levels[0]);
    const struct native_call *call = native_call_of(pub);
    struct slice id = call->input && call->input->request ? http_request_id(call->input->request)
                                                          : (struct slice){0};
    log_line(known ? levels[level] : LOG_ERROR, "module says", "module=%s text=\"%s\"%s%.*s",
             call->module->name, text, id.size > 0 ? " request_id=" : "", (int)id.size,
             id.size > 0 ? id.data : "");
}

static bool host_gone(struct jsorc_call *pub)
{
    const struct worker_call *input = native_call_of(pub)->input;
    return input && input->request && http_request_gone(input->request);
}

/* ---- calls of other actions ---- */

static _Thread_local unsigned nesting;

static void host_invoke_begin(struct jsorc_call *pub)
{
    struct native_call *call = native_call_of(pub);
    native_result_done(&call->inner);
    call->inner = (struct native_result){.size_max = call->result.size_max};
    call->writing = &call->inner;
}

/* The cause in an error's body: its "detail", as it is. */
static int fail_with_answer(struct native_call *call, const char *action,
                            const struct worker_answer *answer)
{
    CLEANUP(json_put) struct json_object *body = NULL;
    struct json_object *detail = NULL;
    if (json_parse(answer->body, &body, NULL) == 0 && json_object_is_type(body, json_type_object)) {
        detail = json_object_object_get(body, "detail");
    }
    const char *cause = json_object_is_type(detail, json_type_string)
                            ? json_object_get_string(detail)
                            : json_text(detail);
    CLEANUP(str_free)
    char *text = xasprintf("action '%s' failed with status %d: %s", action, answer->status, cause);
    return fail(call, 500, text);
}

static const struct jsorc_value *take_answer(struct native_call *call, const char *action,
                                             const struct worker_answer *answer)
{
    struct json_object *value = NULL;
    struct err err = {0};
    if (answer->status >= 300) {
        (void)fail_with_answer(call, action, answer);
        return NULL;
    }
    if (json_parse(answer->body, &value, &err) < 0) {
        CLEANUP(str_free) char *text = xasprintf("answer of action '%s': %s", action, err.text);
        (void)fail(call, 500, text);
        return NULL;
    }
    native_keep_json(call, value);
    return native_value_of(value);
}

static const struct jsorc_value *invoke_local(struct native_call *call,
                                              struct worker_action *action, struct slice body)
{
    struct worker_answer answer;
    worker_action_call(call->module->worker, action, body, &answer);
    const struct jsorc_value *value = take_answer(call, worker_action_name(action), &answer);
    worker_answer_release(action, &answer);
    return value;
}

static const struct jsorc_value *invoke_remote(struct native_call *call, const char *action,
                                               struct slice body)
{
    struct worker *worker = call->module->worker;
    struct worker_answer answer = {0};
    struct err err = {0};
    const struct jsorc_value *value = NULL;
    uint64_t start_ns = clock_now_ns();
    if (worker_remote_call(worker, slice_str(action), body, 0, &answer, &err) < 0) {
        (void)fail(call, 500, err.text);
    } else {
        value = take_answer(call, action, &answer);
        worker_remote_release(&answer);
    }
    uint64_t took_ns = clock_now_ns() - start_ns;
    worker_count_remote(
        worker, slice_str(action),
        &(struct worker_wait){
            .place = answer.place, .seen_ns = took_ns, .waited_ns = took_ns, .failed = !value});
    return value;
}

static const struct jsorc_value *host_invoke(struct jsorc_call *pub, const char *action)
{
    struct native_call *call = native_call_of(pub);
    bool begun = call->writing == &call->inner;
    call->writing = &call->result;
    const char *mistake = begun ? native_result_finish(&call->inner) : NULL;
    if (mistake) {
        (void)fail(call, 500, mistake);
        return NULL;
    }
    if (!call->input) {
        (void)fail(call, 500, "setup cannot call other actions: nothing is served yet");
        return NULL;
    }
    struct slice body = begun ? buf_slice(&call->inner.text) : SLICE("{}");
    if (slice_eq(body, SLICE("null"))) {
        body = SLICE("{}");
    }
    if (nesting == NESTING_MAX) {
        (void)fail(call, 500, "actions call each other without end");
        return NULL;
    }
    nesting++;
    struct worker_action *local = worker_action_find(call->module->worker, slice_str(action));
    const struct jsorc_value *value =
        local ? invoke_local(call, local, body) : invoke_remote(call, action, body);
    nesting--;
    return value;
}

const struct jsorc_host native_host = {
    .abi = JSORC_ABI,
    .abi_minor = JSORC_ABI_MINOR,
    .arg = host_arg,
    .args = host_args,
    .kind = native_value_kind,
    .get_bool = native_value_bool,
    .get_int = native_value_int,
    .get_double = native_value_double,
    .get_text = native_value_text,
    .get_bytes = native_value_bytes,
    .get_json = native_value_json,
    .count = native_value_count,
    .at = native_value_at,
    .member = native_value_member,
    .next = native_value_next,
    .get_doubles = native_value_doubles,
    .get_floats = native_value_floats,
    .put_null = host_put_null,
    .put_bool = host_put_bool,
    .put_int = host_put_int,
    .put_double = host_put_double,
    .put_text = host_put_text,
    .put_bytes = host_put_bytes,
    .put_doubles = host_put_doubles,
    .put_floats = host_put_floats,
    .put_value = host_put_value,
    .put_json = host_put_json,
    .begin_array = host_begin_array,
    .begin_object = host_begin_object,
    .key = host_key,
    .end = host_end,
    .answer_raw = host_answer_raw,
    .vfail = host_vfail,
    .vlog = host_vlog,
    .gone = host_gone,
    .invoke_begin = host_invoke_begin,
    .invoke = host_invoke,
};
