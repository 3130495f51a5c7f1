#include "task/celery_result.h"

#include <errno.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "task/celery_message.h"
#include "task/task.h"

#define TRACEBACK_BYTES_MAX 65536 /* of one that is written: its end is what matters */
#define ERROR_PARTS_MAX     16    /* arguments of an exception that are shown */

/* ---- writing ---- */

static bool is_failed(const char *status)
{
    return strcmp(status, "FAILURE") == 0 || strcmp(status, "RETRY") == 0 ||
           strcmp(status, "REVOKED") == 0;
}

static bool is_ready(const char *status)
{
    return strcmp(status, "SUCCESS") == 0 || strcmp(status, "FAILURE") == 0 ||
           strcmp(status, "REVOKED") == 0;
}

/* As an exception is stored. Celery makes a class of that name where the reader has no such
 * module; its own modules and "builtins" stand for themselves. */
static struct json_object *make_error(const struct celery_result *result)
{
    const char *text = result->error_text ? result->error_text : "";
    const char *type = result->error_type ? result->error_type : "ActionError";
    const char *module = result->error_module ? result->error_module : "jsorc";
    struct json_object *error = json_object_new_object();
    struct json_object *args = json_object_new_array_ext(1);
    (void)json_object_array_add(args, json_object_new_string(text));
    json_set_str(error, "exc_type", type);
    json_set(error, "exc_message", args);
    json_set_str(error, "exc_module", module);
    return error;
}

static struct json_object *make_record(const struct celery_result *result)
{
    struct json_object *record = json_object_new_object();
    char time[CELERY_TIME_BYTES];
    size_t length = result->traceback ? strlen(result->traceback) : 0;
    size_t cut = length > TRACEBACK_BYTES_MAX ? length - TRACEBACK_BYTES_MAX : 0;
    while (cut < length && ((unsigned char)result->traceback[cut] & 0xc0) == 0x80) {
        cut++; /* whole characters */
    }
    celery_time_write(result->done_unix_ms, time);
    json_set_str(record, "status", result->status);
    json_set(record, "result",
             is_failed(result->status) ? make_error(result) : json_ref(result->value));
    json_set_str(record, "traceback", result->traceback ? result->traceback + cut : NULL);
    json_set(record, "children", json_object_new_array());
    json_set_str(record, "date_done", is_ready(result->status) ? time : NULL);
    if (result->parent_id) {
        json_set_str(record, "parent_id", result->parent_id);
    }
    json_set_str(record, "task_id", result->id);
    return record;
}

char *celery_result_write(const struct celery_result *result)
{
    CLEANUP(json_put) struct json_object *record = make_record(result);
    const char *text = json_text(record);
    if (strlen(text) <= TASK_RESULT_BYTES_MAX) {
        return xstrdup(text);
    }
    struct celery_result failed = *result;
    CLEANUP(str_free)
    char *reason =
        xasprintf("the result has %zu bytes, of %lu at most", strlen(text), TASK_RESULT_BYTES_MAX);
    failed.status = "FAILURE";
    failed.error_module = NULL;
    failed.error_type = "ResultTooLarge";
    failed.error_text = reason;
    CLEANUP(json_put) struct json_object *instead = make_record(&failed);
    return xstrdup(json_text(instead));
}

/* ---- reading ---- */

/* "ValueError: a, b" of {"exc_type", "exc_message": [a, b] or text}. */
static char *error_of(struct json_object *stored)
{
    const char *type = json_str(stored, "exc_type");
    struct json_object *message = NULL;
    if (!type || !json_object_object_get_ex(stored, "exc_message", &message) || !message) {
        return xstrdup(type ? type : json_text(stored));
    }
    if (!json_object_is_type(message, json_type_array)) {
        return xasprintf("%s: %s", type, json_object_get_string(message));
    }
    struct buf text = {0};
    buf_printf(&text, "%s: ", type);
    for (size_t i = 0; i < json_object_array_length(message) && i < ERROR_PARTS_MAX; i++) {
        struct json_object *part = json_object_array_get_idx(message, i);
        buf_printf(&text, "%s%s", i > 0 ? ", " : "", part ? json_object_get_string(part) : "None");
    }
    char *copy = xstrndup(text.data + text.start, buf_size(&text));
    buf_done(&text);
    return copy;
}

int celery_answer_read(struct slice text, struct celery_answer *ret, struct err *err)
{
    CLEANUP(json_put) struct json_object *record = NULL;
    if (text.size > CELERY_ANSWER_BYTES_MAX) {
        return err_set(err, E2BIG, "a task's result of %zu bytes, of %lu at most", text.size,
                       CELERY_ANSWER_BYTES_MAX);
    }
    if (json_parse_object(text, &record, err) < 0) {
        (void)err_wrap(err, "a task's result cannot be read");
        return -EINVAL;
    }
    const char *status = json_str(record, "status");
    if (!status || !*status || strlen(status) > CELERY_STATUS_MAX) {
        return err_set(err, EINVAL, "a task's result that has no status");
    }
    struct celery_answer answer = {.is_ready = is_ready(status)};
    struct json_object *value = NULL;
    const char *traceback = json_str(record, "traceback");
    (void)json_object_object_get_ex(record, "result", &value);
    (void)snprintf(answer.status, sizeof(answer.status), "%s", status);
    answer.traceback = traceback ? xstrdup(traceback) : NULL;
    if (is_failed(status) && json_object_is_type(value, json_type_object)) {
        answer.error = error_of(value);
    } else if (is_failed(status)) {
        answer.error = xstrdup(value ? json_object_get_string(value) : status);
    } else {
        answer.value = json_ref(value);
    }
    *ret = answer;
    return 0;
}

void celery_answer_done(struct celery_answer *answer)
{
    (void)json_put(answer->value);
    free(answer->error);
    free(answer->traceback);
    *answer = (struct celery_answer){0};
}
