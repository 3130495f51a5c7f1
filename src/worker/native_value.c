#include <math.h>
#include <sodium.h>

#include "worker/native_priv.h"

static const char null_place;
const struct jsorc_value *const NATIVE_NULL = (const struct jsorc_value *)&null_place;

enum jsorc_kind native_value_kind(const struct jsorc_value *value)
{
    switch (json_object_get_type(native_object_of(value))) {
    case json_type_boolean:
        return JSORC_BOOL;
    case json_type_int:
        return JSORC_INT;
    case json_type_double:
        return JSORC_DOUBLE;
    case json_type_string:
        return JSORC_TEXT;
    case json_type_array:
        return JSORC_ARRAY;
    case json_type_object:
        return JSORC_OBJECT;
    default:
        return JSORC_NULL;
    }
}

bool native_value_bool(const struct jsorc_value *value)
{
    return native_value_kind(value) == JSORC_BOOL &&
           json_object_get_boolean(native_object_of(value));
}

int64_t native_value_int(const struct jsorc_value *value)
{
    struct json_object *object = native_object_of(value);
    if (json_object_is_type(object, json_type_int)) {
        return json_object_get_int64(object);
    }
    double number = native_value_double(value);
    if (isnan(number)) {
        return 0;
    }
    if (number >= 9223372036854775808.0) {
        return INT64_MAX;
    }
    if (number < -9223372036854775808.0) {
        return INT64_MIN;
    }
    return (int64_t)number;
}

double native_value_double(const struct jsorc_value *value)
{
    struct json_object *object = native_object_of(value);
    bool is_number =
        json_object_is_type(object, json_type_int) || json_object_is_type(object, json_type_double);
    return is_number ? json_object_get_double(object) : 0;
}

const char *native_value_text(const struct jsorc_value *value, size_t *ret_size)
{
    struct json_object *object = native_object_of(value);
    bool is_text = json_object_is_type(object, json_type_string);
    if (ret_size) {
        *ret_size = is_text ? (size_t)json_object_get_string_len(object) : 0;
    }
    return is_text ? json_object_get_string(object) : NULL;
}

const void *native_value_bytes(struct jsorc_call *call, const struct jsorc_value *value,
                               size_t *ret_size)
{
    size_t text_size, size;
    const char *text = native_value_text(value, &text_size);
    *ret_size = 0;
    unsigned char *bytes = text ? native_keep(native_call_of(call), text_size / 4 * 3 + 4) : NULL;
    if (!bytes || sodium_base642bin(bytes, text_size / 4 * 3 + 4, text, text_size, " \r\n", &size,
                                    NULL, sodium_base64_VARIANT_ORIGINAL) != 0) {
        return NULL;
    }
    *ret_size = size;
    return bytes;
}

const char *native_value_json(struct jsorc_call *call, const struct jsorc_value *value,
                              size_t *ret_size)
{
    (void)call;
    const char *text = json_text(native_object_of(value));
    if (ret_size) {
        *ret_size = strlen(text);
    }
    return text;
}

size_t native_value_count(const struct jsorc_value *value)
{
    struct json_object *object = native_object_of(value);
    if (json_object_is_type(object, json_type_array)) {
        return json_object_array_length(object);
    }
    return json_object_is_type(object, json_type_object) ? (size_t)json_object_object_length(object)
                                                         : 0;
}

const struct jsorc_value *native_value_at(const struct jsorc_value *value, size_t index)
{
    struct json_object *object = native_object_of(value);
    bool inside =
        json_object_is_type(object, json_type_array) && index < json_object_array_length(object);
    return inside ? native_value_of(json_object_array_get_idx(object, index)) : NULL;
}

const struct jsorc_value *native_value_member(const struct jsorc_value *value, const char *name)
{
    struct json_object *object = native_object_of(value), *member = NULL;
    bool found = json_object_is_type(object, json_type_object) &&
                 json_object_object_get_ex(object, name, &member);
    return found ? native_value_of(member) : NULL;
}

const struct jsorc_value *native_value_next(const struct jsorc_value *value,
                                            struct jsorc_place *place, const char **ret_key)
{
    struct json_object *object = native_object_of(value);
    if (place->over || !json_object_is_type(object, json_type_object)) {
        return NULL;
    }
    const struct lh_entry *entry = place->at ? ((const struct lh_entry *)place->at)->next
                                             : json_object_get_object(object)->head;
    place->at = entry;
    place->over = entry == NULL;
    if (!entry) {
        return NULL;
    }
    *ret_key = (const char *)lh_entry_k(entry);
    return native_value_of((struct json_object *)(uintptr_t)lh_entry_v(entry));
}

/* The number at index; false when it is none. */
static bool number_at(struct json_object *array, size_t index, double *ret_number)
{
    struct json_object *item = json_object_array_get_idx(array, index);
    *ret_number = native_value_double(native_value_of(item));
    return json_object_is_type(item, json_type_int) || json_object_is_type(item, json_type_double);
}

/* Into doubles or floats, whichever is given. */
static ptrdiff_t numbers(const struct jsorc_value *value, double *doubles, float *floats,
                         size_t count_max)
{
    struct json_object *array = native_object_of(value);
    if (!json_object_is_type(array, json_type_array)) {
        return -1;
    }
    size_t count = json_object_array_length(array);
    for (size_t i = 0; i < count; i++) {
        double number;
        if (!number_at(array, i, &number)) {
            return -1;
        }
        if (i < count_max && doubles) {
            doubles[i] = number;
        } else if (i < count_max && floats) {
            floats[i] = (float)number;
        }
    }
    return (ptrdiff_t)count;
}

ptrdiff_t native_value_doubles(const struct jsorc_value *value, double *doubles, size_t count_max)
{
    return numbers(value, doubles, NULL, count_max);
}

ptrdiff_t native_value_floats(const struct jsorc_value *value, float *floats, size_t count_max)
{
    return numbers(value, NULL, floats, count_max);
}
