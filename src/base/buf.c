#include "base/buf.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"

#define BUF_FIRST 4096 /* holds a usual request with its headers */

void buf_done(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf){0};
}

int buf_reserve(struct buf *buf, size_t size)
{
    if (buf->capacity - buf->end >= size) {
        return 0;
    }
    size_t used = buf_size(buf);
    if (buf->start > 0 && buf->capacity - used >= size) {
        memmove(buf->data, buf->data + buf->start, used);
        buf->start = 0;
        buf->end = used;
        return 0;
    }
    size_t capacity = buf->capacity ? buf->capacity : BUF_FIRST;
    while (capacity - used < size) {
        if (capacity > SIZE_MAX / 2) {
            return -ENOMEM;
        }
        capacity *= 2;
    }
    char *data = try_alloc(capacity);
    if (!data) {
        return -ENOMEM;
    }
    if (used > 0) {
        memcpy(data, buf->data + buf->start, used);
    }
    free(buf->data);
    *buf = (struct buf){.data = data, .end = used, .capacity = capacity};
    return 0;
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    CLEANUP(str_free) char *text = xvasprintf(format, args);
    va_end(args);
    if (buf_append(buf, text, strlen(text)) < 0) {
        abort();
    }
}

void buf_consume(struct buf *buf, size_t size)
{
    assert(size <= buf_size(buf));
    buf->start += size;
    if (buf->start == buf->end) {
        buf->start = 0;
        buf->end = 0;
    }
}

void buf_shrink(struct buf *buf, size_t keep)
{
    if (buf_size(buf) == 0 && buf->capacity > keep) {
        buf_done(buf);
    }
}
