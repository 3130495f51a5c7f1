#include <ctype.h>
#include <errno.h>
#include <sodium.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "task/celery_message.h"

#define REPR_BYTES_MAX 1024 /* of the arguments for people, as Celery shortens them */

/* What a worker's log and monitors show of the arguments; JSON, cut where it is long. */
static void set_repr(struct json_object *headers, const char *name, struct json_object *value,
                     const char *fallback)
{
    const char *text = value ? json_text(value) : fallback;
    size_t size = strlen(text);
    if (size <= REPR_BYTES_MAX) {
        json_set_str(headers, name, text);
        return;
    }
    size = REPR_BYTES_MAX;
    while (size > 0 && ((unsigned char)text[size] & 0xc0) == 0x80) { /* whole characters */
        size--;
    }
    CLEANUP(str_free) char *begin = xstrndup(text, size);
    CLEANUP(str_free) char *cut = xasprintf("%s...", begin);
    json_set_str(headers, name, cut);
}

static void set_time(struct json_object *headers, const char *name, int64_t unix_ms)
{
    char text[CELERY_TIME_BYTES];
    celery_time_write(unix_ms, text);
    json_set_str(headers, name, unix_ms ? text : NULL);
}

static struct json_object *make_headers(const struct celery_send *send)
{
    struct json_object *headers = json_object_new_object();
    struct json_object *limits = json_object_new_array_ext(2);
    (void)json_object_array_add(limits, NULL);
    (void)json_object_array_add(limits, NULL);
    json_set_str(headers, "lang", "py"); /* what the arguments are written for */
    json_set_str(headers, "task", send->task);
    json_set_str(headers, "id", send->id);
    json_set_str(headers, "shadow", NULL);
    set_time(headers, "eta", send->eta_unix_ms);
    set_time(headers, "expires", send->expires_unix_ms);
    json_set_str(headers, "group", NULL);
    json_set_str(headers, "group_index", NULL);
    json_set_int(headers, "retries", send->retries);
    json_set(headers, "timelimit", limits);
    json_set_str(headers, "root_id", send->id);
    json_set_str(headers, "parent_id", NULL);
    set_repr(headers, "argsrepr", send->args, "[]");
    set_repr(headers, "kwargsrepr", send->kwargs, "{}");
    json_set_str(headers, "origin", send->origin);
    json_set_bool(headers, "ignore_result", false);
    return headers;
}

static struct json_object *make_properties(const struct celery_send *send)
{
    struct json_object *properties = json_object_new_object();
    struct json_object *info = json_object_new_object();
    json_set_str(info, "exchange", "");
    json_set_str(info, "routing_key", send->queue);
    json_set_str(properties, "correlation_id", send->id);
    json_set_str(properties, "reply_to", send->reply_to);
    json_set_int(properties, "delivery_mode", 2);
    json_set(properties, "delivery_info", info);
    json_set_int(properties, "priority", send->priority);
    json_set_str(properties, "body_encoding", "base64");
    json_set_str(properties, "delivery_tag", send->delivery_tag);
    return properties;
}

/* base64 of [args, kwargs, {}]; owned by the caller. NULL = it is too large. */
static char *make_body(const struct celery_send *send)
{
    static const char *const names[] = {"callbacks", "errbacks", "chain", "chord"};
    CLEANUP(json_put) struct json_object *body = json_object_new_array_ext(3);
    struct json_object *embedded = json_object_new_object();
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        json_set_str(embedded, names[i], NULL);
    }
    (void)json_object_array_add(body, send->args ? json_ref(send->args) : json_object_new_array());
    (void)json_object_array_add(body,
                                send->kwargs ? json_ref(send->kwargs) : json_object_new_object());
    (void)json_object_array_add(body, embedded);
    const char *text = json_text(body);
    size_t size = strlen(text);
    size_t room = sodium_base64_ENCODED_LEN(size, sodium_base64_VARIANT_ORIGINAL);
    if (room > CELERY_MESSAGE_BYTES_MAX) {
        return NULL;
    }
    char *encoded = xcalloc(1, room);
    (void)sodium_bin2base64(encoded, room, (const unsigned char *)text, size,
                            sodium_base64_VARIANT_ORIGINAL);
    return encoded;
}

static int check_name(const char *what, const char *name, struct err *err)
{
    size_t size = name ? strlen(name) : 0;
    if (size == 0 || size > CELERY_NAME_MAX) {
        return err_set(err, EINVAL, "a task's %s must have 1 to %d bytes", what, CELERY_NAME_MAX);
    }
    for (size_t i = 0; i < size; i++) {
        if (iscntrl((unsigned char)name[i])) {
            return err_set(err, EINVAL, "a task's %s has a control character", what);
        }
    }
    return 0;
}

int celery_message_write(const struct celery_send *send, char **ret_text, struct err *err)
{
    int failed = check_name("id", send->id, err);
    failed = failed ? failed : check_name("name", send->task, err);
    failed = failed ? failed : check_name("queue", send->queue, err);
    failed = failed ? failed : check_name("delivery tag", send->delivery_tag, err);
    if (failed) {
        return failed;
    }
    if (send->priority < 0 || send->priority > CELERY_PRIORITY_MAX) {
        return err_set(err, EINVAL, "a task's priority is a number from 0 to %d",
                       CELERY_PRIORITY_MAX);
    }
    CLEANUP(str_free) char *body = make_body(send);
    CLEANUP(json_put) struct json_object *envelope = json_object_new_object();
    json_set_str(envelope, "body", body);
    json_set_str(envelope, "content-encoding", "utf-8");
    json_set_str(envelope, "content-type", "application/json");
    json_set(envelope, "headers", make_headers(send));
    json_set(envelope, "properties", make_properties(send));
    const char *text = body ? json_text(envelope) : NULL;
    if (!text || strlen(text) > CELERY_MESSAGE_BYTES_MAX) {
        return err_set(err, E2BIG, "arguments of a task make a message of more than %lu bytes",
                       CELERY_MESSAGE_BYTES_MAX);
    }
    *ret_text = xstrdup(text);
    return 0;
}

char *celery_message_retry(const struct celery_message *message, unsigned retries,
                           int64_t eta_unix_ms)
{
    CLEANUP(json_put) struct json_object *envelope = NULL;
    if (json_object_deep_copy(message->envelope, &envelope, NULL) < 0) {
        abort();
    }
    struct json_object *headers = json_member(envelope, "headers", json_type_object);
    json_set_int(headers, "retries", retries);
    set_time(headers, "eta", eta_unix_ms);
    return xstrdup(json_text(envelope));
}

char *celery_unacked_write(const char *message, const char *exchange, const char *routing_key)
{
    CLEANUP(json_put) struct json_object *first = json_object_new_string(exchange);
    CLEANUP(json_put) struct json_object *second = json_object_new_string(routing_key);
    return xasprintf("[%s, %s, %s]", message, json_text(first), json_text(second));
}
