/* Memory for sizes that we bound: these abort when there is none. Sizes that a peer chose go
 * through try_alloc after a check against a named limit. */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/cleanup.h"

void *xcalloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *pointer, size_t size) __attribute__((returns_nonnull));
char *xstrdup(const char *text) __attribute__((malloc, nonnull, returns_nonnull));
char *xstrndup(const char *text, size_t length) __attribute__((malloc, returns_nonnull));
char *xasprintf(const char *format, ...)
    __attribute__((malloc, returns_nonnull, format(printf, 1, 2)));
char *xvasprintf(const char *format, va_list args) __attribute__((malloc, returns_nonnull));

/* NULL when there is no memory. */
void *try_alloc(size_t size) __attribute__((malloc));

/* Frees *text and puts a copy of value (NULL allowed) in its place; value may be *text. */
void str_replace(char **text, const char *value);

static inline void *free_null(void *pointer)
{
    free(pointer);
    return NULL;
}

/* CLEANUP(str_free) char *text = ... */
static inline char *str_free(char *text)
{
    free(text);
    return NULL;
}
DEFINE_CLEANUP(char *, str_free)
