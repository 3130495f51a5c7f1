#include "base/utf8.h"

#include <stdint.h>

/* Bytes of the sequence that starts with lead (0 = no start), and the range of its second byte,
 * which shuts out overlong forms, surrogates and what lies beyond U+10FFFF. */
static size_t sequence(unsigned char lead, unsigned char *ret_low, unsigned char *ret_high)
{
    *ret_low = 0x80;
    *ret_high = 0xbf;
    if (lead < 0x80) {
        return 1;
    }
    if (lead >= 0xc2 && lead <= 0xdf) {
        return 2;
    }
    if (lead >= 0xe0 && lead <= 0xef) {
        *ret_low = lead == 0xe0 ? 0xa0 : 0x80;
        *ret_high = lead == 0xed ? 0x9f : 0xbf;
        return 3;
    }
    if (lead >= 0xf0 && lead <= 0xf4) {
        *ret_low = lead == 0xf0 ? 0x90 : 0x80;
        *ret_high = lead == 0xf4 ? 0x8f : 0xbf;
        return 4;
    }
    return 0;
}

/* Bytes of the well-formed sequence at the start of text; 0 = there is none. */
static size_t sequence_size(struct slice text)
{
    const unsigned char *bytes = (const unsigned char *)text.data;
    unsigned char low;
    unsigned char high;
    size_t size = sequence(bytes[0], &low, &high);
    if (size > text.size) {
        return 0;
    }
    for (size_t i = 1; i < size; i++) {
        if (bytes[i] < low || bytes[i] > high) {
            return 0;
        }
        low = 0x80;
        high = 0xbf;
    }
    return size;
}

bool utf8_valid(struct slice text)
{
    while (text.size > 0) {
        size_t size = sequence_size(text);
        if (size == 0) {
            return false;
        }
        text = slice_from(text, size);
    }
    return true;
}

void utf8_repair(char *text, size_t size)
{
    for (size_t i = 0; i < size;) {
        size_t length = sequence_size((struct slice){text + i, size - i});
        if (length == 0) {
            text[i] = '?';
            length = 1;
        }
        i += length;
    }
}
