/* Values as declared types, by the lenient rules of the original (pydantic 1): number text becomes
 * a number, "yes" a bool, 3 the text "3". */
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>

#include "base/alloc.h"
#include "worker/native_priv.h"

const struct native_mismatch NATIVE_MISMATCHES[] = {
    [NATIVE_STR] = {"str type expected", "type_error.str"},
    [NATIVE_INT] = {"value is not a valid integer", "type_error.integer"},
    [NATIVE_FLOAT] = {"value is not a valid float", "type_error.float"},
    [NATIVE_BOOL] = {"value could not be parsed to a boolean", "type_error.bool"},
    [NATIVE_LIST] = {"value is not a valid list", "type_error.list"},
    [NATIVE_DICT] = {"value is not a valid dict", "type_error.dict"},
};

static locale_t c_locale;
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;

static void make_c_locale(void)
{
    c_locale = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    if (!c_locale) {
        abort();
    }
}

/* The whole text as a number, spaces around it allowed; "nan" and "inf" could not be written again
 * as JSON. */
static bool text_to_double(struct json_object *value, double *ret_number)
{
    const char *text = json_object_get_string(value);
    size_t size = (size_t)json_object_get_string_len(value);
    char *end;
    (void)pthread_once(&c_locale_once, make_c_locale);
    *ret_number = strtod_l(text, &end, c_locale);
    bool any = end != text && !memchr(text, 'x', size) && !memchr(text, 'X', size);
    end += strspn(end, " \t\r\n");
    return any && end == text + size && isfinite(*ret_number);
}

static bool text_to_int(struct json_object *value, int64_t *ret_number)
{
    const char *text = json_object_get_string(value);
    char *end;
    errno = 0;
    *ret_number = strtoll(text, &end, 10);
    bool any = end != text && errno == 0;
    end += strspn(end, " \t\r\n");
    return any && end == text + json_object_get_string_len(value);
}

static struct json_object *to_int(struct json_object *value)
{
    int64_t number;
    switch (json_object_get_type(value)) {
    case json_type_int:
        return json_ref(value);
    case json_type_boolean:
        return json_object_new_int64(json_object_get_boolean(value));
    case json_type_double: {
        double real = json_object_get_double(value);
        bool inside = real >= -9223372036854775808.0 && real < 9223372036854775808.0;
        return inside ? json_object_new_int64((int64_t)real) : NULL;
    }
    case json_type_string:
        return text_to_int(value, &number) ? json_object_new_int64(number) : NULL;
    default:
        return NULL;
    }
}

static struct json_object *to_float(struct json_object *value)
{
    double number;
    switch (json_object_get_type(value)) {
    case json_type_double:
        return json_ref(value);
    case json_type_int:
        return json_object_new_double(json_object_get_double(value));
    case json_type_boolean:
        return json_object_new_double(json_object_get_boolean(value));
    case json_type_string:
        return text_to_double(value, &number) ? json_object_new_double(number) : NULL;
    default:
        return NULL;
    }
}

static struct json_object *to_bool(struct json_object *value)
{
    static const char *const truths[] = {"1", "on", "t", "true", "y", "yes"};
    static const char *const lies[] = {"0", "off", "f", "false", "n", "no"};
    if (json_object_is_type(value, json_type_boolean)) {
        return json_ref(value);
    }
    if (json_object_is_type(value, json_type_int) || json_object_is_type(value, json_type_double)) {
        double number = json_object_get_double(value);
        return number == 0 || number == 1 ? json_object_new_boolean(number == 1) : NULL;
    }
    if (!json_object_is_type(value, json_type_string)) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof(truths) / sizeof(truths[0]); i++) {
        if (strcasecmp(json_object_get_string(value), truths[i]) == 0) {
            return json_object_new_boolean(true);
        }
        if (strcasecmp(json_object_get_string(value), lies[i]) == 0) {
            return json_object_new_boolean(false);
        }
    }
    return NULL;
}

static struct json_object *to_str(struct json_object *value)
{
    switch (json_object_get_type(value)) {
    case json_type_string:
        return json_ref(value);
    case json_type_int:
    case json_type_double:
        return json_object_new_string(json_text(value));
    case json_type_boolean: /* as Python writes it, where bool is a number */
        return json_object_new_string(json_object_get_boolean(value) ? "True" : "False");
    default:
        return NULL;
    }
}

struct json_object *native_convert(struct json_object *value, enum native_kind kind)
{
    switch (kind) {
    case NATIVE_STR:
        return to_str(value);
    case NATIVE_INT:
        return to_int(value);
    case NATIVE_FLOAT:
        return to_float(value);
    case NATIVE_BOOL:
        return to_bool(value);
    case NATIVE_LIST:
        return json_object_is_type(value, json_type_array) ? json_ref(value) : NULL;
    case NATIVE_DICT:
        return json_object_is_type(value, json_type_object) ? json_ref(value) : NULL;
    default:
        return json_ref(value);
    }
}
