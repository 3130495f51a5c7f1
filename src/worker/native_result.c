/* The JSON that an action writes. Each function checks that its value may stand where it is put;
 * the first mistake stays and silences the rest, so an action need not check anything. */
#include <errno.h>
#include <math.h>
#include <sodium.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/utf8.h"
#include "worker/native_priv.h"

#define NUMBER_MAX 40 /* bytes of a number's text */

void native_result_done(struct native_result *result)
{
    buf_done(&result->text);
    free(result->content_type);
    result->content_type = NULL;
}

static void mistake(struct native_result *result, const char *text)
{
    if (!result->mistake) {
        result->mistake = text;
    }
}

static void append(struct native_result *result, const void *data, size_t size)
{
    if (result->mistake) {
        return;
    }
    if (size > result->size_max - buf_size(&result->text)) {
        mistake(result, "the result is larger than this worker allows: return less, or page it");
    } else if (buf_append(&result->text, data, size) < 0) {
        mistake(result, "no memory for the result");
    }
}

/* Room for size bytes that the caller writes and then adds to text.end; NULL = mistake. */
static char *reserve(struct native_result *result, size_t size)
{
    if (result->mistake) {
        return NULL;
    }
    if (size > result->size_max - buf_size(&result->text)) {
        mistake(result, "the result is larger than this worker allows: return less, or page it");
        return NULL;
    }
    if (buf_reserve(&result->text, size) < 0) {
        mistake(result, "no memory for the result");
        return NULL;
    }
    return result->text.data + result->text.end;
}

/* Before each value: its comma, and whether it may stand here. */
static bool value_begins(struct native_result *result)
{
    if (result->mistake) {
        return false;
    }
    if (result->depth == 0) {
        if (result->done) {
            mistake(result, "the action put a second value after its result was complete");
        }
        result->done = true;
        return !result->mistake;
    }
    struct native_level *level = &result->levels[result->depth - 1];
    if (level->is_object && !level->has_key) {
        mistake(result, "the action put a value into an object without a key");
        return false;
    }
    if (!level->is_object && level->has_items) {
        append(result, ",", 1);
    }
    level->has_items = true;
    level->has_key = false;
    return !result->mistake;
}

static void put_literal(struct native_result *result, const char *text)
{
    if (value_begins(result)) {
        append(result, text, strlen(text));
    }
}

void native_result_null(struct native_result *result)
{
    put_literal(result, "null");
}

void native_result_bool(struct native_result *result, bool value)
{
    put_literal(result, value ? "true" : "false");
}

void native_result_int(struct native_result *result, int64_t number)
{
    char text[NUMBER_MAX];
    (void)snprintf(text, sizeof(text), "%lld", (long long)number);
    put_literal(result, text);
}

/* The shortest of the precisions that reads back as the same number. The decimal point is the
 * locale's, which is the user's code to choose, until the comparison is done. */
static size_t format_double(char *text, double number, int digits_first, int digits_last,
                            bool single)
{
    if (!isfinite(number)) {
        memcpy(text, "null", 4);
        return 4;
    }
    int size = 0;
    for (int digits = digits_first; digits <= digits_last; digits++) {
        size = snprintf(text, NUMBER_MAX, "%.*g", digits, number);
        bool same = single ? strtof(text, NULL) == (float)number : strtod(text, NULL) == number;
        if (same) {
            break;
        }
    }
    bool fraction = false;
    for (int i = 0; i < size; i++) {
        bool digit = (text[i] >= '0' && text[i] <= '9') || strchr("+-e", text[i]);
        fraction |= !digit || text[i] == 'e';
        text[i] = digit ? text[i] : '.';
    }
    if (!fraction) { /* a double stays one when it is read again */
        memcpy(text + size, ".0", 2);
        size += 2;
    }
    return (size_t)size;
}

static size_t format(char *text, double number)
{
    return format_double(text, number, 15, 17, false);
}

static size_t format_single(char *text, float number)
{
    return format_double(text, (double)number, 6, 9, true);
}

void native_result_double(struct native_result *result, double number)
{
    char text[NUMBER_MAX];
    if (value_begins(result)) {
        append(result, text, format(text, number));
    }
}

void native_result_doubles(struct native_result *result, const double *numbers, size_t count)
{
    char text[NUMBER_MAX];
    native_result_begin(result, false);
    for (size_t i = 0; i < count && !result->mistake; i++) {
        text[0] = ',';
        size_t size = format(text + 1, numbers[i]);
        append(result, i > 0 ? text : text + 1, i > 0 ? size + 1 : size);
    }
    native_result_end(result);
}

void native_result_floats(struct native_result *result, const float *numbers, size_t count)
{
    char text[NUMBER_MAX];
    native_result_begin(result, false);
    for (size_t i = 0; i < count && !result->mistake; i++) {
        text[0] = ',';
        size_t size = format_single(text + 1, numbers[i]);
        append(result, i > 0 ? text : text + 1, i > 0 ? size + 1 : size);
    }
    native_result_end(result);
}

static void put_escape(struct native_result *result, unsigned char byte)
{
    char text[8];
    switch (byte) {
    case '"':
        append(result, "\\\"", 2);
        break;
    case '\\':
        append(result, "\\\\", 2);
        break;
    case '\n':
        append(result, "\\n", 2);
        break;
    case '\t':
        append(result, "\\t", 2);
        break;
    case '\r':
        append(result, "\\r", 2);
        break;
    default:
        (void)snprintf(text, sizeof(text), "\\u%04x", byte);
        append(result, text, 6);
    }
}

static void put_quoted(struct native_result *result, struct slice text)
{
    if (!utf8_valid(text)) {
        mistake(result, "the action put a text that is no UTF-8: put bytes as base64");
        return;
    }
    append(result, "\"", 1);
    size_t start = 0;
    for (size_t i = 0; i < text.size; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        if (byte < 0x20 || byte == '"' || byte == '\\') {
            append(result, text.data + start, i - start);
            put_escape(result, byte);
            start = i + 1;
        }
    }
    append(result, text.data + start, text.size - start);
    append(result, "\"", 1);
}

void native_result_text(struct native_result *result, struct slice text)
{
    if (!text.data) {
        native_result_null(result);
    } else if (value_begins(result)) {
        put_quoted(result, text);
    }
}

void native_result_bytes(struct native_result *result, const void *data, size_t size)
{
    if (!value_begins(result)) {
        return;
    }
    append(result, "\"", 1);
    size_t room = size < SIZE_MAX / 2
                      ? sodium_base64_encoded_len(size, sodium_base64_VARIANT_ORIGINAL)
                      : SIZE_MAX;
    char *to = reserve(result, room);
    if (to) {
        (void)sodium_bin2base64(to, room, data, size, sodium_base64_VARIANT_ORIGINAL);
        result->text.end += strlen(to);
    }
    append(result, "\"", 1);
}

void native_result_json(struct native_result *result, struct slice json)
{
    CLEANUP(json_put) struct json_object *value = NULL;
    if (result->mistake) {
        return;
    }
    if (json_parse(json, &value, NULL) < 0) {
        mistake(result, "the action put a text as JSON that is none");
    } else if (value_begins(result)) {
        append(result, json.data, json.size);
    }
}

void native_result_value(struct native_result *result, struct json_object *value)
{
    put_literal(result, json_text(value));
}

void native_result_begin(struct native_result *result, bool is_object)
{
    if (!value_begins(result)) {
        return;
    }
    if (result->depth == NATIVE_DEPTH_MAX) {
        mistake(result, "the result is nested too deep");
        return;
    }
    result->levels[result->depth++] = (struct native_level){.is_object = is_object};
    append(result, is_object ? "{" : "[", 1);
}

void native_result_key(struct native_result *result, struct slice name)
{
    struct native_level *level = result->depth ? &result->levels[result->depth - 1] : NULL;
    if (result->mistake) {
        return;
    }
    if (!level || !level->is_object || level->has_key || !name.data) {
        mistake(result, "the action gave a key where none can stand");
        return;
    }
    if (level->has_items) {
        append(result, ",", 1);
    }
    put_quoted(result, name);
    append(result, ":", 1);
    level->has_key = true;
}

void native_result_end(struct native_result *result)
{
    if (result->mistake) {
        return;
    }
    if (result->depth == 0) {
        mistake(result, "the action ended an array or object that was not begun");
        return;
    }
    struct native_level *level = &result->levels[--result->depth];
    if (level->has_key) {
        mistake(result, "the action ended an object after a key without a value");
        return;
    }
    append(result, level->is_object ? "}" : "]", 1);
}

void native_result_raw(struct native_result *result, const char *content_type, struct slice data)
{
    result->mistake = NULL;
    result->depth = 0;
    result->done = true;
    buf_consume(&result->text, buf_size(&result->text));
    append(result, data.data, data.size);
    free(result->content_type);
    result->content_type = xstrdup(content_type);
    if (strpbrk(content_type, "\r\n")) {
        mistake(result, "the content type of the answer has a line break");
    }
}

const char *native_result_finish(struct native_result *result)
{
    if (!result->done && result->depth == 0) {
        native_result_null(result);
    }
    if (result->depth > 0) {
        mistake(result, "the action did not end an array or object that it began");
    }
    return result->mistake;
}
