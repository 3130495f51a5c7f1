#include "service/mail_message.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/utf8.h"

/* Bytes of text in one encoded word: 4 * 45 / 3 = 60 of base64 and 12 around it are within the 75
 * that RFC 2047, 2 allows. */
#define WORD_BYTES_MAX 45

static bool has_control(const char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f) {
            return true;
        }
    }
    return false;
}

static bool is_address(const char *text, size_t size)
{
    const char *at = memchr(text, '@', size);
    if (!at || at == text || at + 1 == text + size || size > MAIL_ADDRESS_BYTES) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        char byte = text[i];
        bool second_at = byte == '@' && text + i != at;
        /* Unquoted local parts only: RFC 5322's dot-atom. */
        if (second_at ||
            (!isalnum((unsigned char)byte) && !strchr("!#$%&'*+-/=?^_`{|}~.@", byte)) ||
            (unsigned char)byte >= 0x80) {
            return false;
        }
    }
    return true;
}

int mail_address(const char *text, char *ret, struct err *err)
{
    const char *open = strrchr(text, '<');
    const char *start = open ? open + 1 : text;
    size_t size = open ? strcspn(start, ">") : strlen(text);
    bool closed = !open || strcmp(start + size, ">") == 0;
    if (has_control(text) || !closed || !is_address(start, size)) {
        return err_set(err, EINVAL, "'%.*s' is no mail address", 100,
                       has_control(text) ? "(with control characters)" : text);
    }
    memcpy(ret, start, size);
    ret[size] = '\0';
    return 0;
}

static void put_base64(struct buf *out, const unsigned char *data, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        unsigned a = data[i], b = i + 1 < size ? data[i + 1] : 0,
                 c = i + 2 < size ? data[i + 2] : 0;
        unsigned whole = a << 16 | b << 8 | c;
        buf_printf(out, "%c%c%c%c", digits[whole >> 18], digits[whole >> 12 & 63],
                   i + 1 < size ? digits[whole >> 6 & 63] : '=',
                   i + 2 < size ? digits[whole & 63] : '=');
    }
}

static bool is_ascii(const char *text)
{
    while (*text && (unsigned char)*text < 0x80) {
        text++;
    }
    return !*text;
}

/* At most WORD_BYTES_MAX, no character cut in two. */
static size_t word_size(const char *text, size_t size)
{
    if (size <= WORD_BYTES_MAX) {
        return size;
    }
    size = WORD_BYTES_MAX;
    while (size > 1 && ((unsigned char)text[size] & 0xc0) == 0x80) {
        size--;
    }
    return size;
}

char *mail_field(const char *name, const char *text, struct err *err)
{
    size_t size = strlen(text);
    if (has_control(text) || size > MAIL_SUBJECT_BYTES || !utf8_valid(slice_str(text))) {
        (void)err_set(err, EINVAL, "%s of a mail must be one line of at most %d bytes of UTF-8",
                      name, MAIL_SUBJECT_BYTES);
        return NULL;
    }
    struct buf out = {0};
    buf_printf(&out, "%s:", name);
    if (is_ascii(text)) {
        buf_printf(&out, " %s", text);
    }
    for (size_t at = 0; !is_ascii(text) && at < size;) {
        size_t part = word_size(text + at, size - at);
        buf_printf(&out, "%s =?utf-8?B?", at ? "\r\n" : "");
        put_base64(&out, (const unsigned char *)text + at, part);
        buf_printf(&out, "?=");
        at += part;
    }
    char *field = xstrndup(out.data + out.start, buf_size(&out));
    buf_done(&out);
    return field;
}

char *mail_date(int64_t unix_s)
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = (time_t)unix_s;
    struct tm utc;
    (void)gmtime_r(&seconds, &utc);
    return xasprintf("Date: %s, %d %s %d %02d:%02d:%02d +0000", days[utc.tm_wday], utc.tm_mday,
                     months[utc.tm_mon], utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
}
