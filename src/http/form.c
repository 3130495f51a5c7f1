#include "http/form.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "base/utf8.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

size_t form_unescape(struct slice text, bool plus_is_blank, char *bytes)
{
    size_t size = 0;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (c == '+' && plus_is_blank) {
            c = ' ';
        } else if (c == '%' && text.size - i > 2) {
            int high = hex_digit(text.data[i + 1]);
            int low = hex_digit(text.data[i + 2]);
            if (high >= 0 && low >= 0) {
                c = (char)(high << 4 | low);
                i += 2;
            }
        }
        bytes[size++] = c;
    }
    return size;
}

int form_set(struct json_object *object, struct slice name, struct slice value, struct err *err)
{
    if (!utf8_valid(name) || (name.size > 0 && memchr(name.data, '\0', name.size))) {
        return err_set(err, EINVAL, "a field's name is no UTF-8 text");
    }
    if (!utf8_valid(value)) {
        return err_set(err, EINVAL, "the value of field '%.*s' is no UTF-8 text", (int)name.size,
                       name.data);
    }
    CLEANUP(str_free) char *key = try_alloc(name.size + 1);
    struct json_object *text = json_object_new_string_len(value.data, (int)value.size);
    if (!key || !text) {
        (void)json_put(text);
        return err_set(err, ENOMEM, "no memory for a field of %zu bytes", value.size);
    }
    if (name.size > 0) {
        memcpy(key, name.data, name.size);
    }
    key[name.size] = '\0';
    json_set(object, key, text);
    return 0;
}

/* One name=value; scratch has room for field.size bytes. */
static int field_decode(struct slice field, char *scratch, struct json_object *object,
                        struct err *err)
{
    const char *equals = memchr(field.data, '=', field.size);
    size_t name_size = equals ? (size_t)(equals - field.data) : field.size;
    struct slice name = {scratch,
                         form_unescape((struct slice){field.data, name_size}, true, scratch)};
    struct slice value = {scratch + name.size, 0};
    if (equals) {
        value.size = form_unescape(slice_from(field, name_size + 1), true, scratch + name.size);
    }
    return form_set(object, name, value, err);
}

int form_decode(struct slice text, struct json_object *object, struct err *err)
{
    if (text.size == 0) {
        return 0;
    }
    CLEANUP(str_free) char *scratch = try_alloc(text.size);
    if (!scratch) {
        return err_set(err, ENOMEM, "no memory for a form of %zu bytes", text.size);
    }
    size_t count = 0;
    while (text.size > 0) {
        const char *end = memchr(text.data, '&', text.size);
        struct slice field = {text.data, end ? (size_t)(end - text.data) : text.size};
        text = slice_from(text, field.size + 1);
        if (field.size == 0) {
            continue;
        }
        if (count++ == FORM_FIELDS_MAX) {
            return err_set(err, E2BIG, "more than %d fields", FORM_FIELDS_MAX);
        }
        int failed = field_decode(field, scratch, object, err);
        if (failed) {
            return failed;
        }
    }
    return 0;
}
