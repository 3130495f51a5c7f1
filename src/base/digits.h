/* Decimal digits without printf, for what is written with each request. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define DIGITS_MAX 20 /* of 2^64 - 1 */

/* Writes number to at[DIGITS_MAX], without an end; how many digits. */
static inline size_t digits_put(char *at, uint64_t number)
{
    char reversed[DIGITS_MAX];
    size_t count = 0;
    do {
        reversed[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    for (size_t i = 0; i < count; i++) {
        at[i] = reversed[count - 1 - i];
    }
    return count;
}
