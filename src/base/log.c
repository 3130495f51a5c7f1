#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define LOG_LINE_MAX 2048

static atomic_int log_level = LOG_INFO;
static atomic_int copy_fd = -1;

void log_set_copy(int fd)
{
    atomic_store(&copy_fd, fd);
}

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&log_level, (int)level, memory_order_relaxed);
}

void log_line(enum log_level level, const char *message, const char *fields, ...)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    if ((int)level < atomic_load_explicit(&log_level, memory_order_relaxed)) {
        return;
    }
    char line[LOG_LINE_MAX];
    int64_t now_ms = clock_unix_ms();
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm utc;
    (void)gmtime_r(&seconds, &utc);
    size_t used = strftime(line, sizeof(line), "time=%Y-%m-%dT%H:%M:%S", &utc);
    used += (size_t)snprintf(line + used, sizeof(line) - used, ".%03dZ level=%s msg=\"%s\"%s",
                             (int)(now_ms % 1000), names[level], message, *fields ? " " : "");
    if (used < sizeof(line)) {
        va_list args;
        va_start(args, fields);
        (void)vsnprintf(line + used, sizeof(line) - used, fields, args);
        va_end(args);
    }
    used = strnlen(line, sizeof(line) - 2);
    for (size_t i = 0; i < used; i++) { /* one event stays one line */
        if (line[i] == '\n') {
            line[i] = ' ';
        }
    }
    line[used++] = '\n';
    (void)!write(STDERR_FILENO, line, used);
    int copy = atomic_load_explicit(&copy_fd, memory_order_relaxed);
    if (copy >= 0) {
        (void)!write(copy, line, used);
    }
}
