/* Whether bytes of a peer are text: JSON that we print must be. */
#pragma once

#include <stdbool.h>

#include "base/slice.h"

/* True for well-formed UTF-8 without surrogates and overlong forms (RFC 3629). */
bool utf8_valid(struct slice text);
