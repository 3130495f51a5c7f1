#include "http/body.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>

#include <openssl/evp.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "base/utf8.h"
#include "http/form.h"
#include "http/multipart.h"

#define SHOWN_BYTES_MAX 100 /* of a header, in an error text */

int body_status(int failed)
{
    switch (failed) {
    case -ENOTSUP:
        return 415;
    case -E2BIG:
        return 413;
    case -ENOMEM:
        return 503;
    default:
        return 400;
    }
}

static struct json_object *base64_text(struct slice bytes)
{
    if (bytes.size > INT_MAX / 2) {
        return NULL;
    }
    size_t size = (bytes.size + 2) / 3 * 4;
    CLEANUP(str_free) char *text = try_alloc(size + 1);
    if (!text) {
        return NULL;
    }
    (void)EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)bytes.data,
                          (int)bytes.size);
    return json_object_new_string_len(text, (int)size);
}

static int file_add(struct json_object *object, const struct multipart_part *part, struct err *err)
{
    struct json_object *base64 = base64_text(part->body);
    if (!base64) {
        return err_set(err, ENOMEM, "no memory for a file of %zu bytes", part->body.size);
    }
    struct slice type = part->content_type;
    if (type.size == 0 || !utf8_valid(type)) {
        type = SLICE("application/octet-stream");
    }
    struct json_object *file = json_object_new_object();
    json_set_str(file, "name", part->file_name);
    json_set(file, "base64", base64);
    json_set(file, "content-type", json_object_new_string_len(type.data, (int)type.size));

    struct json_object *list = json_member(object, part->name, json_type_array);
    if (!list) {
        list = json_object_new_array();
        json_set(object, part->name, list);
    }
    (void)json_object_array_add(list, file);
    return 0;
}

/* 1e999 reads as infinity, which no operation means. The depth of value is bounded by
 * JSON_DEPTH_MAX. */
static bool numbers_finite(struct json_object *value)
{
    if (json_object_is_type(value, json_type_double)) {
        return isfinite(json_object_get_double(value));
    }
    if (json_object_is_type(value, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(value); i++) {
            if (!numbers_finite(json_object_array_get_idx(value, i))) {
                return false;
            }
        }
    }
    if (json_object_is_type(value, json_type_object)) {
        json_object_object_foreach(value, name, member)
        {
            (void)name;
            if (!numbers_finite(member)) {
                return false;
            }
        }
    }
    return true;
}

static int json_body(struct slice body, struct json_object **ret_object, struct err *err)
{
    CLEANUP(json_put) struct json_object *object = NULL;
    int failed = json_parse_object(body, &object, err);
    if (!failed && !numbers_finite(object)) {
        failed = err_set(err, EINVAL, "JSON parse error - a number is out of range");
    }
    if (!failed) {
        *ret_object = TAKE(object);
    }
    return failed;
}

/* A context written as text, as forms must. Text that is no object stays: whoever needs a
 * context says what is wrong with it. */
static void context_parse(struct json_object *object)
{
    struct json_object *text = json_member(object, "ctx", json_type_string);
    struct json_object *context = NULL;
    if (text) {
        struct slice slice = {json_object_get_string(text),
                              (size_t)json_object_get_string_len(text)};
        if (json_body(slice, &context, NULL) == 0) {
            json_set(object, "ctx", context);
        }
    }
}

static bool is_context(const struct multipart_part *part)
{
    return strcmp(part->name, "ctx") == 0 &&
           (!part->is_file || slice_starts(part->content_type, SLICE("application/json")));
}

/* One pass over the parts: the files if files is true, else the fields. */
static int parts_add(struct slice content_type, struct slice body, bool files,
                     struct json_object *object, struct err *err)
{
    struct multipart multipart;
    struct multipart_part part;
    int more = multipart_init(&multipart, content_type, body, err);
    if (more < 0) {
        return more;
    }
    while ((more = multipart_next(&multipart, &part, err)) > 0) {
        bool is_file = part.is_file && !is_context(&part);
        int failed = 0;
        if (is_file && files) {
            failed = file_add(object, &part, err);
        } else if (!is_file && !files) {
            failed = form_set(object, slice_str(part.name), part.body, err);
        }
        if (failed) {
            return failed;
        }
    }
    return more;
}

/* Files go into the context, which may stand behind them: so the fields first. */
static int multipart_object(struct slice content_type, struct slice body,
                            struct json_object *object, struct err *err)
{
    int failed = parts_add(content_type, body, false, object, err);
    if (failed) {
        return failed;
    }
    context_parse(object);
    struct json_object *context = json_member(object, "ctx", json_type_object);
    return parts_add(content_type, body, true, context ? context : object, err);
}

/* What precedes the parameters. */
static struct slice media_type(struct slice content_type)
{
    size_t size = 0;
    while (size < content_type.size && !strchr("; \t", content_type.data[size])) {
        size++;
    }
    return (struct slice){content_type.data, size};
}

/* JSON that calls itself a form, as "curl -d" has it; a form begins with no brace. */
static bool form_is_json(struct slice body, struct json_object **ret_object)
{
    while (body.size > 0 && strchr(" \t\r\n", body.data[0]) && body.data[0]) {
        body = slice_from(body, 1);
    }
    return body.size > 0 && body.data[0] == '{' && json_body(body, ret_object, NULL) == 0;
}

static int body_parse(struct slice content_type, struct slice body, struct json_object **ret_object,
                      struct err *err)
{
    struct slice type = media_type(content_type);
    if (body.size == 0 || type.size == 0 || slice_eq_nocase(type, SLICE("application/json"))) {
        return json_body(body, ret_object, err);
    }
    bool is_form = slice_eq_nocase(type, SLICE("application/x-www-form-urlencoded"));
    if (is_form && form_is_json(body, ret_object)) {
        return 0;
    }
    CLEANUP(json_put) struct json_object *object = json_object_new_object();
    int failed;
    if (is_form) {
        failed = form_decode(body, object, err);
        context_parse(object);
    } else if (slice_eq_nocase(type, SLICE("multipart/form-data"))) {
        failed = multipart_object(content_type, body, object, err);
    } else {
        bool shown = content_type.size <= SHOWN_BYTES_MAX && utf8_valid(content_type);
        return err_set(err, ENOTSUP, "Unsupported media type \"%.*s\" in request.",
                       shown ? (int)content_type.size : 0, content_type.data);
    }
    if (!failed) {
        *ret_object = TAKE(object);
    }
    return failed;
}

int body_object(struct slice content_type, struct slice body, struct slice query,
                struct json_object **ret_object, struct err *err)
{
    CLEANUP(json_put) struct json_object *object = NULL;
    int failed = body_parse(content_type, body, &object, err);
    if (!failed) {
        failed = form_decode(query, object, err);
    }
    if (!failed) {
        *ret_object = TAKE(object);
    }
    return failed;
}
