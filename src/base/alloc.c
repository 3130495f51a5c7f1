#include "base/alloc.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void *need(void *pointer)
{
    if (!pointer) {
        static const char text[] = "jsorc: out of memory\n";
        (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
        abort();
    }
    return pointer;
}

void *xcalloc(size_t count, size_t size)
{
    return need(calloc(count ? count : 1, size ? size : 1));
}

void *xrealloc(void *pointer, size_t size)
{
    return need(realloc(pointer, size ? size : 1));
}

char *xstrdup(const char *text)
{
    return need(strdup(text));
}

char *xstrndup(const char *text, size_t length)
{
    char *copy = need(malloc(length + 1));
    if (length > 0) {
        memcpy(copy, text, length);
    }
    copy[length] = '\0';
    return copy;
}

char *xvasprintf(const char *format, va_list args)
{
    char *text = NULL;
    if (vasprintf(&text, format, args) < 0) {
        text = NULL;
    }
    return need(text);
}

char *xasprintf(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = xvasprintf(format, args);
    va_end(args);
    return text;
}

void *try_alloc(size_t size)
{
    return malloc(size ? size : 1);
}

void str_replace(char **text, const char *value)
{
    char *copy = value ? xstrdup(value) : NULL;
    free(*text);
    *text = copy;
}

int fd_close(int fd)
{
    if (fd >= 0) {
        int saved = errno;
        (void)close(fd);
        errno = saved;
    }
    return -1;
}

void fd_close_cleanup(int *fd)
{
    *fd = fd_close(*fd);
}
