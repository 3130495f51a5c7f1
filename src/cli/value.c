#include "cli/value.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/utf8.h"

#define READ_BYTES   65536
#define INT64_DIGITS 19

static struct buf *buf_free_content(struct buf *buf)
{
    buf_done(buf);
    return NULL;
}
DEFINE_CLEANUP(struct buf *, buf_free_content)

int value_read_file(const char *path, struct buf *out, struct err *err)
{
    CLEANUP_FD int opened = -1;
    int fd = STDIN_FILENO;
    if (strcmp(path, "-") != 0) {
        fd = opened = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0) {
            return err_errno(err, errno, "cannot read '%s'", path);
        }
    }
    size_t before = buf_size(out);
    for (;;) {
        if (buf_reserve(out, READ_BYTES) < 0) {
            return err_set(err, ENOMEM, "no memory to read '%s'", path);
        }
        ssize_t count = read(fd, out->data + out->end, READ_BYTES);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            return err_errno(err, errno, "cannot read '%s'", path);
        }
        if (count == 0) {
            return 0;
        }
        out->end += (size_t)count;
        if (buf_size(out) - before > VALUE_FILE_MAX) {
            return err_set(err, EFBIG, "'%s' has more than %d MiB", path, VALUE_FILE_MAX >> 20);
        }
    }
}

/* The text that an argument stands for: its own, or the content of "@FILE". */
static int read_text(const char *text, struct buf *out, struct err *err)
{
    if (text[0] == '@' && text[1] != '@' && text[1] != '\0') {
        return value_read_file(text + 1, out, err);
    }
    const char *own = text[0] == '@' && text[1] == '@' ? text + 1 : text;
    return buf_append(out, own, strlen(own)) < 0 ? err_set(err, ENOMEM, "no memory") : 0;
}

static int typed_text(struct slice text, struct json_object **ret_value, struct err *err)
{
    if (!utf8_valid(text)) {
        return err_set(err, EINVAL,
                       "the bytes are no UTF-8 text; give them as base64 "
                       "(--NAME:base64 @FILE of 'jsorc call')");
    }
    *ret_value = json_object_new_string_len(text.data ? text.data : "", (int)text.size);
    return 0;
}

static int typed_bool(const char *text, struct json_object **ret_value, struct err *err)
{
    static const char *const words[] = {"false", "true", "no", "yes", "0", "1", "off", "on"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcasecmp(text, words[i]) == 0) {
            *ret_value = json_object_new_boolean(i % 2);
            return 0;
        }
    }
    return err_set(err, EINVAL, "'%s' is neither true nor false", text);
}

static int typed_int(const char *text, struct json_object **ret_value, struct err *err)
{
    char *end = NULL;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (*text == '\0' || *end != '\0') {
        return err_set(err, EINVAL, "'%s' is no whole number", text);
    }
    if (errno == ERANGE) {
        return err_set(err, EINVAL, "%s is beyond 64 bits", text);
    }
    *ret_value = json_object_new_int64(number);
    return 0;
}

static int typed_float(const char *text, struct json_object **ret_value, struct err *err)
{
    char *end = NULL;
    double number = strtod(text, &end);
    if (*text == '\0' || *end != '\0' || !isfinite(number)) {
        return err_set(err, EINVAL, "'%s' is no number", text);
    }
    *ret_value = json_object_new_double(number);
    return 0;
}

static int typed_json(struct slice text, enum json_type wanted, struct json_object **ret_value,
                      struct err *err)
{
    const char *what = wanted == json_type_array ? "a JSON list such as '[1, 2]'"
                                                 : "a JSON object such as '{\"a\": 1}'";
    if (text.size == 0 && wanted == json_type_object) { /* the original's rule */
        *ret_value = json_object_new_object();
        return 0;
    }
    struct json_object *value = NULL;
    int failed = json_parse(text, &value, err);
    if (failed) {
        return err_wrap(err, "%s is needed", what);
    }
    if (!json_object_is_type(value, wanted)) {
        (void)json_put(value);
        return err_set(err, EINVAL, "%s is needed", what);
    }
    *ret_value = value;
    return 0;
}

int value_typed(enum op_type type, const char *text, struct json_object **ret_value,
                struct err *err)
{
    if (strcmp(text, "None") == 0) {
        *ret_value = NULL;
        return 0;
    }
    struct buf content = {0};
    CLEANUP(buf_free_content) struct buf *owner = &content;
    int failed = read_text(text, owner, err);
    if (!failed && buf_append(owner, "", 1) < 0) { /* so that scalars can be read as C text */
        failed = err_set(err, ENOMEM, "no memory");
    }
    if (failed) {
        return failed;
    }
    struct slice slice = {owner->data + owner->start, buf_size(owner) - 1};
    switch (type) {
    case OP_INT:
        return typed_int(slice.data, ret_value, err);
    case OP_FLOAT:
        return typed_float(slice.data, ret_value, err);
    case OP_BOOL:
        return typed_bool(slice.data, ret_value, err);
    case OP_DICT:
        return typed_json(slice, json_type_object, ret_value, err);
    case OP_LIST:
        return typed_json(slice, json_type_array, ret_value, err);
    case OP_ANY:
        if (text[0] != '@') {
            *ret_value = value_guess(slice.data);
            return 0;
        }
        break;
    case OP_STR:
    case OP_STR_OR_DICT: /* a config is kept as the text that it was set with */
        break;
    }
    return typed_text(slice, ret_value, err);
}

struct json_object *value_guess(const char *text)
{
    static const char *const words[] = {"False", "True"};
    for (int i = 0; i < 2; i++) {
        if (strcmp(text, words[i]) == 0) {
            return json_object_new_boolean(i);
        }
    }
    if (strcmp(text, "None") == 0) {
        return NULL;
    }
    struct json_object *value = NULL;
    bool infinite = strspn(text, "-+NI") > strspn(text, "-"); /* json-c knows NaN, JSON does not */
    if (!infinite && json_parse(slice_str(text), &value, NULL) == 0) {
        /* json-c cuts what is beyond 64 bits; an identifier of many digits must stay whole. */
        bool cut = json_object_is_type(value, json_type_int) && strlen(text) >= INT64_DIGITS &&
                   strcmp(json_text(value), text) != 0;
        if (!cut) {
            return value;
        }
        (void)json_put(value);
    }
    return json_object_new_string(text);
}

static int base64_value(struct slice bytes, struct json_object **ret_value)
{
    size_t size = sodium_base64_encoded_len(bytes.size, sodium_base64_VARIANT_ORIGINAL);
    CLEANUP(str_free) char *text = xcalloc(1, size);
    (void)sodium_bin2base64(text, size, (const unsigned char *)bytes.data, bytes.size,
                            sodium_base64_VARIANT_ORIGINAL);
    *ret_value = json_object_new_string(text);
    return 0;
}

static bool names_json_file(const char *text)
{
    size_t length = strlen(text);
    return text[0] == '@' && text[1] != '@' && length > 6 &&
           strcasecmp(text + length - 5, ".json") == 0;
}

int value_form(const char *form, const char *text, struct json_object **ret_value, struct err *err)
{
    static const struct {
        const char *name;
        enum op_type type;
    } types[] = {{"str", OP_STR}, {"int", OP_INT}, {"float", OP_FLOAT}, {"bool", OP_BOOL}};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcmp(form, types[i].name) == 0) {
            bool none = types[i].type == OP_STR && strcmp(text, "None") == 0;
            if (none) { /* ":str" says that the text is meant */
                *ret_value = json_object_new_string(text);
                return 0;
            }
            return value_typed(types[i].type, text, ret_value, err);
        }
    }
    bool json = strcmp(form, "json") == 0;
    bool base64 = strcmp(form, "base64") == 0;
    if (!json && !base64 && *form) {
        return err_set(err, EINVAL, "unknown form ':%s'; known: str int float bool json base64",
                       form);
    }
    if (!json && !base64 && text[0] != '@') {
        *ret_value = value_guess(text);
        return 0;
    }
    struct buf content = {0};
    CLEANUP(buf_free_content) struct buf *owner = &content;
    int failed = read_text(text, owner, err);
    if (failed) {
        return failed;
    }
    if (base64) {
        return base64_value(buf_slice(owner), ret_value);
    }
    if (json || names_json_file(text)) {
        return json_parse(buf_slice(owner), ret_value, err);
    }
    return typed_text(buf_slice(owner), ret_value, err);
}
