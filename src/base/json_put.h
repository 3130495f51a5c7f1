/* JSON written piece by piece, where a tree for each line would cost more than the line. Aborts
 * when there is no memory: callers bound what they write. */
#pragma once

#include <stdint.h>
#include <string.h>

#include "base/slice.h"

struct buf;

void json_put_bytes(struct buf *out, const char *data, size_t size); /* as they are */
static inline void json_put_text(struct buf *out, const char *text)
{
    json_put_bytes(out, text, strlen(text)); /* most are literals */
}
void json_put_number(struct buf *out, uint64_t number);
/* In quotes, escaped; bytes that are no UTF-8 become '?'. */
void json_put_string(struct buf *out, struct slice text);
