#include "task/celery_message.h"

#include <ctype.h>
#include <errno.h>
#include <sodium.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"

/* ---- reading ---- */

/* A text of an object that may be the name of something: NULL when it is none, is empty, too long
 * or has bytes that belong in no name. */
static const char *name_member(const struct json_object *object, const char *name)
{
    struct json_object *value = json_member(object, name, json_type_string);
    const char *text = value ? json_object_get_string(value) : "";
    size_t size = value ? (size_t)json_object_get_string_len(value) : 0;
    if (size == 0 || size > CELERY_NAME_MAX) {
        return NULL;
    }
    for (size_t i = 0; i < size; i++) {
        if (iscntrl((unsigned char)text[i])) {
            return NULL;
        }
    }
    return text;
}

static bool is_set(const struct json_object *object, const char *name)
{
    struct json_object *value = NULL;
    if (!json_object_object_get_ex(object, name, &value) || !value) {
        return false;
    }
    return !json_object_is_type(value, json_type_array) || json_object_array_length(value) > 0;
}

static void refuse(struct celery_message *message, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void refuse(struct celery_message *message, const char *format, ...)
{
    if (!message->refusal) { /* the first reason is the one to remove first */
        va_list args;
        va_start(args, format);
        message->refusal = xvasprintf(format, args);
        va_end(args);
    }
}

/* A time of the headers, 0 for none. */
static int64_t read_time(struct celery_message *message, const struct json_object *headers,
                         const char *name)
{
    if (!is_set(headers, name)) {
        return 0;
    }
    const char *text = json_str(headers, name);
    int64_t unix_ms = text ? celery_time_read(text) : 0;
    if (unix_ms == 0) {
        refuse(message, "the header '%s' is no time of ISO 8601", name);
    }
    return unix_ms;
}

static int64_t read_time_limit(const struct json_object *headers)
{
    struct json_object *pair = json_member(headers, "timelimit", json_type_array);
    double least_s = 0;
    for (size_t i = 0; pair && i < json_object_array_length(pair) && i < 2; i++) {
        double limit_s = json_object_get_double(json_object_array_get_idx(pair, i));
        if (limit_s > 0 && (least_s <= 0 || limit_s < least_s)) {
            least_s = limit_s;
        }
    }
    return least_s > 1e9 ? 0 : (int64_t)(least_s * 1000);
}

static void read_headers(struct celery_message *message, const struct json_object *headers)
{
    int64_t retries = json_int(headers, "retries", 0);
    message->root_id = name_member(headers, "root_id");
    message->root_id = message->root_id ? message->root_id : message->id;
    message->parent_id = name_member(headers, "parent_id");
    message->retries = retries < 0                    ? 0
                       : retries > CELERY_RETRIES_MAX ? CELERY_RETRIES_MAX
                                                      : (unsigned)retries;
    message->eta_unix_ms = read_time(message, headers, "eta");
    message->expires_unix_ms = read_time(message, headers, "expires");
    message->time_limit_ms = read_time_limit(headers);
    message->ignore_result = json_flag(headers, "ignore_result", false);
    message->redelivered = json_flag(headers, "redelivered", false);
    if (is_set(headers, "compression")) {
        refuse(message, "its body is compressed: send it without compression");
    }
}

static void read_properties(struct celery_message *message, const struct json_object *properties)
{
    struct json_object *info = json_member(properties, "delivery_info", json_type_object);
    int64_t priority = json_int(properties, "priority", 0);
    const char *exchange = info ? name_member(info, "exchange") : NULL;
    const char *routing_key = info ? name_member(info, "routing_key") : NULL;
    message->delivery_tag = name_member(properties, "delivery_tag");
    message->exchange = exchange ? exchange : "";
    message->routing_key = routing_key ? routing_key : "";
    message->priority = priority < 0                     ? 0
                        : priority > CELERY_PRIORITY_MAX ? CELERY_PRIORITY_MAX
                                                         : (int)priority;
}

/* base64 as Python's encodebytes and b64encode write it, with or without line ends. 0 and the
 * bytes, owned by the caller, or -EINVAL, -ENOMEM. */
static int decode(struct slice text, char **ret_bytes, size_t *ret_size)
{
    CLEANUP(str_free) char *bytes = try_alloc(text.size / 4 * 3 + 3);
    if (!bytes) {
        return -ENOMEM;
    }
    if (sodium_base642bin((unsigned char *)bytes, text.size / 4 * 3 + 3, text.data, text.size, "\n",
                          ret_size, NULL, sodium_base64_VARIANT_ORIGINAL) < 0) {
        return -EINVAL;
    }
    *ret_bytes = TAKE(bytes);
    return 0;
}

static void read_json(struct celery_message *message, struct slice text)
{
    struct err err = {0};
    if (json_parse(text, &message->body, &err) < 0) {
        refuse(message, "its body cannot be read: %.500s", err.text);
    }
}

static void read_body(struct celery_message *message, const struct json_object *properties)
{
    struct json_object *body = json_member(message->envelope, "body", json_type_string);
    const char *type = json_str(message->envelope, "content-type");
    const char *encoding = json_str(properties, "body_encoding");
    if (!type || strcmp(type, "application/json") != 0) {
        refuse(message, "its content type is '%.100s': set task_serializer to json",
               type ? type : "");
    } else if (!body) {
        refuse(message, "it has no body");
    } else if (!encoding) {
        read_json(message, (struct slice){json_object_get_string(body),
                                          (size_t)json_object_get_string_len(body)});
    } else if (strcmp(encoding, "base64") == 0) {
        CLEANUP(str_free) char *bytes = NULL;
        size_t size = 0;
        if (decode((struct slice){json_object_get_string(body),
                                  (size_t)json_object_get_string_len(body)},
                   &bytes, &size) < 0) {
            refuse(message, "its body is no base64");
        } else {
            read_json(message, (struct slice){bytes, size});
        }
    } else {
        refuse(message, "its body has the encoding '%.100s', not base64", encoding);
    }
}

static void read_embedded(struct celery_message *message, const struct json_object *embedded)
{
    static const char *const refused[][2] = {
        {"chord", "it is part of a chord: send tasks one by one"},
        {"chain", "it is the begin of a chain: send the next task when the result is there"},
        {"callbacks", "it has callbacks (link): ask for its result instead"},
        {"errbacks", "it has error callbacks (link_error): ask for its result instead"},
    };
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        if (is_set(embedded, refused[i][0])) {
            refuse(message, "%s", refused[i][1]);
        }
    }
}

static struct json_object *item(struct json_object *list, size_t i, enum json_type type)
{
    struct json_object *value =
        json_object_is_type(list, json_type_array) ? json_object_array_get_idx(list, i) : NULL;
    return value && json_object_is_type(value, type) ? value : NULL;
}

static void read_arguments(struct celery_message *message, bool in_group)
{
    struct json_object *args = item(message->body, 0, json_type_array);
    struct json_object *kwargs = item(message->body, 1, json_type_object);
    const struct json_object *embedded = item(message->body, 2, json_type_object);
    if (embedded) {
        read_embedded(message, embedded);
    }
    if (in_group) { /* after the chord, whose tasks are in a group, too */
        refuse(message, "it is part of a group: send tasks one by one");
    }
    if (!args || !kwargs || !embedded) {
        refuse(message, "its body is not [args, kwargs, {...}]");
    }
    if (!message->refusal) {
        message->args = args;
        message->kwargs = kwargs;
    }
}

int celery_message_read(struct slice text, struct celery_message *ret, struct err *err)
{
    struct celery_message message = {0};
    if (text.size > CELERY_MESSAGE_BYTES_MAX) {
        return err_set(err, E2BIG, "a task's message of %zu bytes, of %lu at most", text.size,
                       CELERY_MESSAGE_BYTES_MAX);
    }
    if (json_parse_object(text, &message.envelope, err) < 0) {
        (void)err_wrap(err, "a task's message cannot be read");
        return -EINVAL;
    }
    const struct json_object *headers = json_member(message.envelope, "headers", json_type_object);
    const struct json_object *properties =
        json_member(message.envelope, "properties", json_type_object);
    message.id = headers ? name_member(headers, "id") : NULL;
    message.task = headers ? name_member(headers, "task") : NULL;
    if (properties) {
        read_properties(&message, properties);
    }
    if (!message.id || !message.task || !message.delivery_tag) {
        celery_message_done(&message);
        return err_set(err, EINVAL,
                       "a message that is no task of protocol 2: it lacks its id, name or tag");
    }
    read_headers(&message, headers);
    read_body(&message, properties);
    read_arguments(&message, is_set(headers, "group"));
    *ret = message;
    return 0;
}

void celery_message_done(struct celery_message *message)
{
    (void)json_put(message->envelope);
    (void)json_put(message->body);
    free(message->refusal);
    *message = (struct celery_message){0};
}

/* Of a signature: the id under which it would have run. */
static const char *signature_id(const struct json_object *signature)
{
    const struct json_object *options =
        signature ? json_member(signature, "options", json_type_object) : NULL;
    return options ? name_member(options, "task_id") : NULL;
}

size_t celery_message_dependents(const struct celery_message *message, const char *ids[],
                                 size_t max)
{
    const struct json_object *embedded = item(message->body, 2, json_type_object);
    if (!embedded) {
        return 0;
    }
    size_t count = 0;
    const char *id = signature_id(json_member(embedded, "chord", json_type_object));
    if (id && count < max) {
        ids[count++] = id;
    }
    struct json_object *chain = json_member(embedded, "chain", json_type_array);
    for (size_t i = 0; chain && i < json_object_array_length(chain) && count < max; i++) {
        id = signature_id(item(chain, i, json_type_object));
        if (id) {
            ids[count++] = id;
        }
    }
    return count;
}

/* ---- what was taken and not acknowledged ---- */

/* As kombu does, so that who takes it next knows. */
static void mark_redelivered(struct json_object *envelope)
{
    struct json_object *headers = json_member(envelope, "headers", json_type_object);
    struct json_object *properties = json_member(envelope, "properties", json_type_object);
    struct json_object *info =
        properties ? json_member(properties, "delivery_info", json_type_object) : NULL;
    if (headers) {
        json_set_bool(headers, "redelivered", true);
    }
    if (info) {
        json_set_bool(info, "redelivered", true);
    }
}

int celery_unacked_read(struct slice text, struct celery_unacked *ret, struct err *err)
{
    CLEANUP(json_put) struct json_object *entry = NULL;
    if (text.size > CELERY_MESSAGE_BYTES_MAX + 4UL * CELERY_NAME_MAX) {
        return err_set(err, E2BIG, "an unacknowledged message of %zu bytes", text.size);
    }
    if (json_parse(text, &entry, err) < 0) {
        return -EINVAL;
    }
    struct json_object *message = item(entry, 0, json_type_object);
    if (!message || !json_object_is_type(entry, json_type_array)) {
        return err_set(err, EINVAL, "an unacknowledged message that is not [message, ...]");
    }
    struct json_object *exchange = item(entry, 1, json_type_string);
    struct json_object *routing_key = item(entry, 2, json_type_string);
    mark_redelivered(message);
    *ret = (struct celery_unacked){
        .message = xstrdup(json_text(message)),
        .exchange = xstrdup(exchange ? json_object_get_string(exchange) : ""),
        .routing_key = xstrdup(routing_key ? json_object_get_string(routing_key) : ""),
    };
    return 0;
}

void celery_unacked_done(struct celery_unacked *unacked)
{
    free(unacked->message);
    free(unacked->exchange);
    free(unacked->routing_key);
    *unacked = (struct celery_unacked){0};
}
