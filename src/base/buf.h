/* A growable run of bytes with a read end: append at the back, consume at the front. */
#pragma once

#include <stddef.h>
#include <string.h>

#include "base/slice.h"

struct buf {
    char *data;   /* owned; NULL until something is reserved */
    size_t start; /* [start, end) is the content */
    size_t end;
    size_t capacity;
};

void buf_done(struct buf *buf); /* frees; the buf is empty and usable again */

static inline size_t buf_size(const struct buf *buf)
{
    return buf->end - buf->start;
}

static inline struct slice buf_slice(const struct buf *buf)
{
    return (struct slice){buf->data ? buf->data + buf->start : NULL, buf_size(buf)};
}

/* Makes room for size bytes after end, moving the content to the front if that is enough.
 * Returns 0 or -ENOMEM; the content is kept either way. */
int buf_reserve(struct buf *buf, size_t size);

/* 0 or -ENOMEM. Here, since there is room in nearly every call. */
static inline int buf_append(struct buf *buf, const void *data, size_t size)
{
    int failed = buf->capacity - buf->end < size ? buf_reserve(buf, size) : 0;
    if (!failed && size > 0) {
        memcpy(buf->data + buf->end, data, size);
        buf->end += size;
    }
    return failed;
}

/* Appends text that we bound ourselves: aborts when there is no memory. */
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Drops size bytes (at most the content) from the front. */
void buf_consume(struct buf *buf, size_t size);

/* Gives back memory beyond keep bytes when the buffer is empty. */
void buf_shrink(struct buf *buf, size_t keep);
