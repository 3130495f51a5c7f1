#include "base/json_put.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/digits.h"
#include "base/utf8.h"

void json_put_bytes(struct buf *out, const char *data, size_t size)
{
    if (buf_append(out, data, size) < 0) {
        abort();
    }
}

void json_put_number(struct buf *out, uint64_t number)
{
    char digits[DIGITS_MAX];
    json_put_bytes(out, digits, digits_put(digits, number));
}

static bool is_plain(struct slice text)
{
    bool plain = true;
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        plain &= c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
    }
    return plain;
}

static void put_escaped(struct buf *out, struct slice text)
{
    CLEANUP(str_free) char *copy = xcalloc(1, text.size + 1);
    memcpy(copy, text.data, text.size);
    utf8_repair(copy, text.size);
    for (size_t i = 0; i < text.size; i++) {
        unsigned char byte = (unsigned char)copy[i];
        if (byte == '"' || byte == '\\') {
            json_put_bytes(out, "\\", 1);
            json_put_bytes(out, &copy[i], 1);
        } else if (byte < 0x20 || byte == 0x7f) {
            buf_printf(out, "\\u%04x", byte);
        } else {
            json_put_bytes(out, &copy[i], 1);
        }
    }
}

void json_put_string(struct buf *out, struct slice text)
{
    json_put_bytes(out, "\"", 1);
    if (is_plain(text)) {
        json_put_bytes(out, text.data, text.size);
    } else {
        put_escaped(out, text);
    }
    json_put_bytes(out, "\"", 1);
}
