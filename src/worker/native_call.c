/* One call of a C action: its memory, its arguments, its answer. */
#include <errno.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "worker/native_priv.h"

struct native_keep {
    struct native_keep *next;
    struct json_object *json; /* owned; NULL = the block itself is what is kept */
    max_align_t data[];
};

void *native_keep(struct native_call *call, size_t size)
{
    struct native_keep *keep = try_alloc(sizeof(*keep) + size);
    if (!keep) {
        return NULL;
    }
    memset(keep, 0, sizeof(*keep) + size);
    keep->next = call->keeps;
    call->keeps = keep;
    return keep->data;
}

void native_keep_json(struct native_call *call, struct json_object *value)
{
    struct native_keep *keep = xcalloc(1, sizeof(*keep));
    *keep = (struct native_keep){.next = call->keeps, .json = value};
    call->keeps = keep;
}

static void call_init(struct native_call *call, struct native_module *module)
{
    *call = (struct native_call){.pub.host = &native_host, .module = module};
    call->writing = &call->result;
    call->result.size_max = worker_result_bytes_max(module->worker);
    call->inner.size_max = call->result.size_max;
}

static void call_done(struct native_call *call)
{
    while (call->keeps) {
        struct native_keep *keep = call->keeps;
        call->keeps = keep->next;
        (void)json_put(keep->json);
        free(keep);
    }
    (void)json_put(call->args);
    free(call->failed_text);
    native_result_done(&call->result);
    native_result_done(&call->inner);
}

static void lock_serial(struct native_module *module)
{
    if ((module->def->flags & JSORC_SERIAL) && pthread_mutex_trylock(&module->lock) != 0) {
        worker_thread_waits(module->worker);
        pthread_mutex_lock(&module->lock);
    }
}

static void unlock_serial(struct native_module *module)
{
    if (module->def->flags & JSORC_SERIAL) {
        pthread_mutex_unlock(&module->lock);
    }
}

static void release_result(void *owner)
{
    free(owner);
}

static void answer_failure(const struct native_call *call, int returned,
                           struct worker_answer *answer)
{
    if (call->failed_status) {
        worker_answer_error(answer, call->failed_status, "action_failed", call->failed_text);
        return;
    }
    CLEANUP(str_free)
    char *text = xasprintf("action '%.*s' returned %d without a message",
                           (int)call->input->name.size, call->input->name.data, returned);
    worker_answer_error(answer, 500, "action_failed", text);
}

/* A raw answer's content type lies behind its bytes, in the same block. */
static void answer_raw(struct native_call *call, struct worker_answer *answer)
{
    struct buf *text = &call->result.text;
    size_t size = buf_size(text);
    if (buf_append(text, call->result.content_type, strlen(call->result.content_type) + 1) < 0) {
        worker_answer_error(answer, 500, "result", "no memory for the result");
        return;
    }
    answer->content_type = text->data + text->start + size;
    answer->body = (struct slice){text->data + text->start, size};
    answer->owner = TAKE(text->data);
    answer->release = release_result;
}

static void answer_result(struct native_call *call, struct worker_answer *answer)
{
    const char *mistake = native_result_finish(&call->result);
    if (mistake) {
        worker_answer_error(answer, 500, "result", mistake);
    } else if (call->result.content_type) {
        answer_raw(call, answer);
    } else {
        answer->body = buf_slice(&call->result.text);
        answer->owner = TAKE(call->result.text.data);
        answer->release = release_result;
    }
}

void native_call_serve(void *arg, const struct worker_call *input, struct worker_answer *answer)
{
    const struct native_action *action = arg;
    struct native_call call;
    call_init(&call, action->module);
    call.action = action;
    call.input = input;
    if (native_args_bind(action, input->body, &call.args, call.values, answer) == 0) {
        lock_serial(action->module);
        uint64_t start_ns = clock_now_ns();
        int returned = action->def->run(&call.pub);
        answer->exec_ns = clock_now_ns() - start_ns;
        unlock_serial(action->module);
        if (returned != JSORC_OK) {
            answer_failure(&call, returned, answer);
        } else {
            answer_result(&call, answer);
        }
    }
    call_done(&call);
}

int native_call_setup(struct native_module *module, jsorc_action_fn fn,
                      const struct native_action *action, struct json_object *ctx, struct err *err)
{
    struct worker_answer answer = {0};
    struct native_call call;
    call_init(&call, module);
    call.action = action;
    int failed = 0;
    if (action) {
        struct slice body = ctx ? slice_str(json_text(ctx)) : SLICE("{}");
        failed = native_args_bind(action, body, &call.args, call.values, &answer);
    } else {
        call.args = ctx ? json_ref(ctx) : json_object_new_object();
    }
    if (failed) {
        failed = err_set(err, ECANCELED, "the load context does not fit its parameters: %.*s",
                         (int)answer.body.size, answer.body.data);
    } else if (fn(&call.pub) != JSORC_OK) {
        failed = err_set(err, ECANCELED, "%s",
                         call.failed_text ? call.failed_text : "it failed without a message");
    }
    if (answer.release) {
        answer.release(answer.owner);
    }
    call_done(&call);
    return failed;
}
