#include "api/op_args.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/op.h"
#include "base/err.h"
#include "base/json.h"

static struct slice string_slice(struct json_object *text)
{
    return (struct slice){json_object_get_string(text), (size_t)json_object_get_string_len(text)};
}

static bool is_string(struct json_object *value)
{
    return json_object_is_type(value, json_type_string);
}

static int mismatch(const struct op_param *param, const char *wanted, struct json_object *value,
                    struct err *err)
{
    return err_set(err, EINVAL, "parameter '%s' must be %s, not %s", param->name, wanted,
                   is_string(value) ? "this text" : json_type_to_name(json_object_get_type(value)));
}

static int convert_str(const struct op_param *param, struct json_object *value,
                       struct json_object **ret_value, struct err *err)
{
    if (!is_string(value)) {
        return mismatch(param, "text", value, err);
    }
    struct slice text = string_slice(value);
    if (memchr(text.data, '\0', text.size)) { /* functions read it as C text */
        return err_set(err, EINVAL, "parameter '%s' must not contain a zero character",
                       param->name);
    }
    *ret_value = json_ref(value);
    return 0;
}

/* Digits with an optional sign, all of text, within 64 bits. */
static bool text_is_int(struct slice text, int64_t *ret_number)
{
    size_t sign = text.size > 0 && (text.data[0] == '-' || text.data[0] == '+');
    if (text.size == sign || !isdigit((unsigned char)text.data[sign])) {
        return false;
    }
    char *end;
    errno = 0;
    *ret_number = strtoll(text.data, &end, 10); /* json-c ends its strings by a zero */
    return errno == 0 && end == text.data + text.size;
}

static bool is_int(struct json_object *value, int64_t *ret_number)
{
    switch (json_object_get_type(value)) {
    case json_type_int:
        /* What is beyond 64 bits was cut to the highest number by json-c. */
        *ret_number = json_object_get_int64(value);
        return *ret_number != INT64_MAX || json_object_get_uint64(value) == INT64_MAX;
    case json_type_double: {
        double number = json_object_get_double(value);
        *ret_number = fabs(number) < 0x1p63 ? (int64_t)number : 0;
        return (double)*ret_number == number;
    }
    case json_type_string:
        return text_is_int(string_slice(value), ret_number);
    default:
        return false;
    }
}

static int convert_int(const struct op_param *param, struct json_object *value,
                       struct json_object **ret_value, struct err *err)
{
    int64_t number;
    if (!is_int(value, &number)) {
        return mismatch(param, "a whole number of at most 64 bits", value, err);
    }
    *ret_value = json_object_new_int64(number);
    return 0;
}

static bool is_number(struct json_object *value)
{
    return json_object_is_type(value, json_type_int) ||
           (json_object_is_type(value, json_type_double) &&
            isfinite(json_object_get_double(value)));
}

static int convert_float(const struct op_param *param, struct json_object *value,
                         struct json_object **ret_value, struct err *err)
{
    CLEANUP(json_put) struct json_object *parsed = NULL;
    if (is_string(value) && json_parse(string_slice(value), &parsed, NULL) == 0) {
        value = parsed;
    }
    if (!is_number(value)) {
        return mismatch(param, "a number", value, err);
    }
    *ret_value = json_object_new_double(json_object_get_double(value));
    return 0;
}

static int convert_bool(const struct op_param *param, struct json_object *value,
                        struct json_object **ret_value, struct err *err)
{
    bool is_true = is_string(value) && slice_eq_nocase(string_slice(value), SLICE("true"));
    bool is_false = is_string(value) && slice_eq_nocase(string_slice(value), SLICE("false"));
    if (is_true || is_false) {
        *ret_value = json_object_new_boolean(is_true);
        return 0;
    }
    if (!json_object_is_type(value, json_type_boolean)) {
        return mismatch(param, "true or false", value, err);
    }
    *ret_value = json_ref(value);
    return 0;
}

/* An object or a list, itself or as JSON text. */
static int convert_container(const struct op_param *param, struct json_object *value,
                             struct json_object **ret_value, struct err *err)
{
    enum json_type type = param->type == OP_LIST ? json_type_array : json_type_object;
    const char *wanted = param->type == OP_LIST ? "a list, or a list as JSON text"
                                                : "an object, or an object as JSON text";
    CLEANUP(json_put) struct json_object *parsed = NULL;
    if (is_string(value)) {
        struct slice text = string_slice(value);
        if (text.size == 0) {
            parsed = type == json_type_array ? json_object_new_array() : json_object_new_object();
        } else if (json_parse(text, &parsed, err) < 0) {
            (void)err_wrap(err, "parameter '%s' must be %s", param->name, wanted);
            return -EINVAL;
        }
        value = parsed;
    }
    if (!json_object_is_type(value, type)) {
        return mismatch(param, wanted, value, err);
    }
    *ret_value = json_ref(value);
    return 0;
}

static int convert(const struct op_param *param, struct json_object *value,
                   struct json_object **ret_value, struct err *err)
{
    switch (param->type) {
    case OP_STR:
        return convert_str(param, value, ret_value, err);
    case OP_INT:
        return convert_int(param, value, ret_value, err);
    case OP_FLOAT:
        return convert_float(param, value, ret_value, err);
    case OP_BOOL:
        return convert_bool(param, value, ret_value, err);
    case OP_DICT:
    case OP_LIST:
        return convert_container(param, value, ret_value, err);
    case OP_STR_OR_DICT:
        if (json_object_is_type(value, json_type_object)) {
            *ret_value = json_ref(value);
            return 0;
        }
        return is_string(value) ? convert_str(param, value, ret_value, err)
                                : mismatch(param, "text or an object", value, err);
    case OP_ANY:
        break;
    }
    *ret_value = json_ref(value);
    return 0;
}

/* As in the original: null, false, 0, "" and empty containers are nothing. */
static bool is_empty(struct json_object *value)
{
    switch (json_object_get_type(value)) {
    case json_type_object:
        return json_object_object_length(value) == 0;
    case json_type_array:
        return json_object_array_length(value) == 0;
    case json_type_string:
        return json_object_get_string_len(value) == 0;
    default:
        return !json_object_get_boolean(value);
    }
}

static int param_default(const struct op_param *param, bool given_null,
                         struct json_object **ret_value, struct err *err)
{
    CLEANUP(json_put) struct json_object *value = NULL;
    if (param->fallback) {
        int failed = json_parse(slice_str(param->fallback), &value, err);
        if (failed) {
            return err_wrap(err, "default of parameter '%s'", param->name);
        }
    }
    if (!param->fallback || (given_null && !is_empty(value))) {
        return err_set(err, ENODATA, "missing parameter: %s", param->name);
    }
    *ret_value = TAKE(value);
    return 0;
}

int op_args_build(const struct op *op, struct json_object *given, struct json_object **ret_args,
                  struct err *err)
{
    CLEANUP(json_put) struct json_object *args = json_object_new_object();
    for (int i = 0; i < OP_PARAMS_MAX && op->params[i].name; i++) {
        const struct op_param *param = &op->params[i];
        struct json_object *sent = NULL;
        struct json_object *value = NULL;
        bool is_given = json_object_object_get_ex(given, param->name, &sent);
        int failed =
            sent ? convert(param, sent, &value, err) : param_default(param, is_given, &value, err);
        if (failed) {
            return failed;
        }
        json_set(args, param->name, value);
    }
    *ret_args = TAKE(args);
    return 0;
}
