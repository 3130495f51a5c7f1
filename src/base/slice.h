/* A borrowed run of bytes, not ended by a zero. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct slice {
    const char *data; /* borrowed; may be NULL when size is 0 */
    size_t size;
};

#define SLICE(literal) ((struct slice){(literal), sizeof(literal) - 1})

static inline struct slice slice_str(const char *text)
{
    return (struct slice){text, text ? strlen(text) : 0};
}

static inline bool slice_eq(struct slice a, struct slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool slice_eq_nocase(struct slice a, struct slice b)
{
    return a.size == b.size && (a.size == 0 || strncasecmp(a.data, b.data, a.size) == 0);
}

static inline bool slice_starts(struct slice a, struct slice prefix)
{
    return a.size >= prefix.size && memcmp(a.data, prefix.data, prefix.size) == 0;
}

static inline struct slice slice_from(struct slice a, size_t start)
{
    return start >= a.size ? (struct slice){a.data, 0}
                           : (struct slice){a.data + start, a.size - start};
}
