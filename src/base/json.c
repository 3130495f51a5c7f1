#include "base/json.h"

#include <assert.h>
#include <errno.h>
#include <math.h>

#include "base/alloc.h"
#include "base/err.h"

static struct json_tokener *tokener_free(struct json_tokener *tokener)
{
    json_tokener_free(tokener);
    return NULL;
}
DEFINE_CLEANUP(struct json_tokener *, tokener_free)

/* json-c also reads NaN and Infinity, which nobody could read again once they are printed. */
static bool is_finite(struct json_object *value)
{
    if (json_object_is_type(value, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(value); i++) {
            if (!is_finite(json_object_array_get_idx(value, i))) {
                return false;
            }
        }
    } else if (json_object_is_type(value, json_type_object)) {
        json_object_object_foreach(value, name, member)
        {
            (void)name;
            if (!is_finite(member)) {
                return false;
            }
        }
    } else if (json_object_is_type(value, json_type_double)) {
        /* 1e999 is a number, though an infinite one here: its text stays what it was. */
        return isfinite(json_object_get_double(value)) || !strpbrk(json_text(value), "NI");
    }
    return true;
}

static bool may_be_infinite(struct slice text)
{
    return memchr(text.data, 'N', text.size) || memchr(text.data, 'I', text.size);
}

int json_parse(struct slice text, struct json_object **ret_value, struct err *err)
{
    if (text.size > INT32_MAX) {
        return err_set(err, E2BIG, "JSON text of %zu bytes", text.size);
    }
    if (text.size == 0) {
        return err_set(err, EINVAL, "empty text is no JSON");
    }
    CLEANUP(tokener_free) struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH_MAX);
    if (!tokener) {
        abort();
    }
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_ALLOW_TRAILING_CHARS |
                                        JSON_TOKENER_VALIDATE_UTF8);
    struct json_object *value = json_tokener_parse_ex(tokener, text.data, (int)text.size);
    enum json_tokener_error status = json_tokener_get_error(tokener);
    size_t end = json_tokener_get_parse_end(tokener);
    if (status == json_tokener_continue) { /* a bare number ends only with the text */
        value = json_tokener_parse_ex(tokener, "", 1);
        status = json_tokener_get_error(tokener);
        end = text.size;
    }
    if (status != json_tokener_success) {
        return err_set(err, EINVAL, "JSON parse error - %s at byte %zu",
                       json_tokener_error_desc(status), end);
    }
    while (end < text.size && strchr(" \t\r\n", text.data[end]) && text.data[end]) {
        end++;
    }
    if (end < text.size) {
        (void)json_put(value);
        return err_set(err, EINVAL, "JSON parse error - more text after the value at byte %zu",
                       end);
    }
    if (may_be_infinite(text) && !is_finite(value)) {
        (void)json_put(value);
        return err_set(err, EINVAL, "JSON parse error - NaN and Infinity are no JSON numbers");
    }
    *ret_value = value;
    return 0;
}

int json_parse_object(struct slice text, struct json_object **ret_object, struct err *err)
{
    struct json_object *value = NULL;
    if (text.size == 0) {
        *ret_object = json_object_new_object();
        return 0;
    }
    int failed = json_parse(text, &value, err);
    if (failed) {
        return failed;
    }
    if (!json_object_is_type(value, json_type_object)) {
        (void)json_put(value);
        return err_set(err, EINVAL, "JSON parse error - an object is needed here");
    }
    *ret_object = value;
    return 0;
}

static struct json_object *find(const struct json_object *object, const char *name)
{
    struct json_object *value = NULL;
    if (object && json_object_is_type(object, json_type_object)) {
        (void)json_object_object_get_ex(object, name, &value);
    }
    return value;
}

const char *json_str(const struct json_object *object, const char *name)
{
    struct json_object *value = find(object, name);
    return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
}

int64_t json_int(const struct json_object *object, const char *name, int64_t fallback)
{
    struct json_object *value = find(object, name);
    return json_object_is_type(value, json_type_int) ? json_object_get_int64(value) : fallback;
}

double json_double(const struct json_object *object, const char *name, double fallback)
{
    struct json_object *value = find(object, name);
    bool number =
        json_object_is_type(value, json_type_int) || json_object_is_type(value, json_type_double);
    return number ? json_object_get_double(value) : fallback;
}

bool json_flag(const struct json_object *object, const char *name, bool fallback)
{
    struct json_object *value = find(object, name);
    return json_object_is_type(value, json_type_boolean) ? json_object_get_boolean(value) != 0
                                                         : fallback;
}

struct json_object *json_member(const struct json_object *object, const char *name,
                                enum json_type type)
{
    struct json_object *value = find(object, name);
    return value && json_object_is_type(value, type) ? value : NULL;
}

void json_set(struct json_object *object, const char *name, struct json_object *value)
{
    if (json_object_object_add(object, name, value) < 0) {
        abort();
    }
}

void json_set_str(struct json_object *object, const char *name, const char *text)
{
    json_set(object, name, text ? json_object_new_string(text) : NULL);
}

void json_set_int(struct json_object *object, const char *name, int64_t number)
{
    json_set(object, name, json_object_new_int64(number));
}

void json_set_double(struct json_object *object, const char *name, double number)
{
    struct json_object *value = NULL;
    if (isfinite(number)) {
        value = json_object_new_double(number);
        /* as many digits as a double holds for sure: 0.1 and not 0.10000000000000001 */
        static char format[] = "%.15g";
        json_object_set_serializer(value, json_object_double_to_json_string, format, NULL);
    }
    json_set(object, name, value);
}

void json_set_bool(struct json_object *object, const char *name, bool value)
{
    json_set(object, name, json_object_new_boolean(value));
}

struct json_object *json_ref(struct json_object *value)
{
    return json_object_get(value);
}

const char *json_text(struct json_object *value)
{
    return json_object_to_json_string_ext(value,
                                          JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
}
