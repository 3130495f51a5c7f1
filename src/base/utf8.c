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

bool utf8_valid(struct slice text)
{
    const unsigned char *bytes = (const unsigned char *)text.data;
    size_t i = 0;
    while (i < text.size) {
        unsigned char low;
        unsigned char high;
        size_t size = sequence(bytes[i], &low, &high);
        if (size == 0 || size > text.size - i) {
            return false;
        }
        for (size_t k = 1; k < size; k++) {
            if (bytes[i + k] < low || bytes[i + k] > high) {
                return false;
            }
            low = 0x80;
            high = 0xbf;
        }
        i += size;
    }
    return true;
}
