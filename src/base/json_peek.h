/* One member of an object that is not parsed: for who needs a name out of a large body that it only
 * passes on. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

/* Copies the text of the first member called name (ASCII, written without escapes) of the object in
 * text to ret[size], ended by a zero. False, with ret empty, when there is none, it is no string,
 * has size bytes or more, or a zero in it, or text is not JSON up to there. What follows is not
 * looked at. Takes no memory unless the text has escapes. */
bool json_peek_str(struct slice text, const char *name, char *ret, size_t size);
