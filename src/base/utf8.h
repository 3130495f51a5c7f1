/* Whether bytes of a peer are text: JSON that we print must be. */
#pragma once

#include <stdbool.h>

#include "base/slice.h"

/* True for well-formed UTF-8 without surrogates and overlong forms (RFC 3629). */
bool utf8_valid(struct slice text);

/* Puts '?' for each byte of text[size] that is no part of well-formed UTF-8. */
void utf8_repair(char *text, size_t size);
