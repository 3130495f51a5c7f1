#include "base/json_peek.h"

#include "base/json.h"
#include "base/utf8.h"

/* Reads on in text; each step returns what it read, or an empty slice at the end of the text. */
struct reader {
    struct slice rest;
};

static char next(struct reader *reader)
{
    while (reader->rest.size > 0 && strchr(" \t\r\n", reader->rest.data[0]) &&
           reader->rest.data[0]) {
        reader->rest = slice_from(reader->rest, 1);
    }
    return reader->rest.size > 0 ? reader->rest.data[0] : '\0';
}

static bool take(struct reader *reader, char wanted)
{
    if (next(reader) != wanted) {
        return false;
    }
    reader->rest = slice_from(reader->rest, 1);
    return true;
}

/* A string with its quotes. */
static struct slice take_string(struct reader *reader)
{
    struct slice rest = reader->rest;
    if (next(reader) != '"') {
        return (struct slice){0};
    }
    rest = reader->rest;
    for (size_t at = 1; at < rest.size; at++) {
        const char *quote = memchr(rest.data + at, '"', rest.size - at);
        const char *escape =
            quote ? memchr(rest.data + at, '\\', (size_t)(quote - rest.data) - at) : NULL;
        if (!quote) {
            break;
        }
        if (!escape) {
            size_t size = (size_t)(quote - rest.data) + 1;
            reader->rest = slice_from(rest, size);
            return (struct slice){rest.data, size};
        }
        at = (size_t)(escape - rest.data) + 1; /* what is escaped, be it a quote */
    }
    reader->rest = (struct slice){0};
    return (struct slice){0};
}

/* Any value: brackets are counted, not matched. False at the end of the text. */
static bool skip_value(struct reader *reader)
{
    static const bool marks[256] = {
        ['"'] = true, ['{'] = true, ['['] = true, ['}'] = true, [']'] = true};
    size_t depth = 0;
    for (;;) {
        struct slice rest = reader->rest;
        size_t at = 0;
        while (at < rest.size && !marks[(unsigned char)rest.data[at]] &&
               (depth > 0 || rest.data[at] != ',')) {
            at++;
        }
        reader->rest = slice_from(rest, at);
        char c = next(reader);
        if (depth == 0 && (c == ',' || c == '}')) {
            return true;
        }
        if (c == '"') {
            if (take_string(reader).size == 0) {
                return false;
            }
            continue;
        }
        if (reader->rest.size == 0 || (depth == 0 && c == ']')) {
            return false;
        }
        depth = c == '{' || c == '[' ? depth + 1 : depth - 1;
        reader->rest = slice_from(reader->rest, 1);
    }
}

static bool copy(struct slice quoted, char *ret, size_t size)
{
    CLEANUP(json_put) struct json_object *parsed = NULL;
    struct slice text = {quoted.data + 1, quoted.size - 2};
    if (memchr(quoted.data, '\\', quoted.size)) {
        if (json_parse(quoted, &parsed, NULL) < 0) {
            return false;
        }
        text = (struct slice){json_object_get_string(parsed),
                              (size_t)json_object_get_string_len(parsed)};
    }
    if (text.size >= size || !utf8_valid(text) || memchr(text.data, '\0', text.size)) {
        return false;
    }
    memcpy(ret, text.data, text.size);
    ret[text.size] = '\0';
    return true;
}

bool json_peek_str(struct slice text, const char *name, char *ret, size_t size)
{
    struct reader reader = {text};
    ret[0] = '\0';
    if (!take(&reader, '{')) {
        return false;
    }
    do {
        struct slice key = take_string(&reader);
        if (key.size == 0 || !take(&reader, ':')) {
            return false;
        }
        if (slice_eq((struct slice){key.data + 1, key.size - 2}, slice_str(name))) {
            struct slice value = take_string(&reader);
            return value.size > 0 && copy(value, ret, size);
        }
        if (!skip_value(&reader)) {
            return false;
        }
    } while (take(&reader, ','));
    return false;
}
