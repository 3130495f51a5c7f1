/* One line an event in logfmt on standard error: log_warn("worker exited", "name=%s", ...). */
#pragma once

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* Lines below level are dropped. Default LOG_INFO. */
void log_set_level(enum log_level level);

/* Lines go there as well; borrowed, -1 = nowhere else. */
void log_set_copy(int fd);

/* fields: a printf format of space-separated key=value pairs, or "". Any thread; a line is one
 * write, cut at 2 KiB. */
void log_line(enum log_level level, const char *message, const char *fields, ...)
    __attribute__((format(printf, 3, 4)));

#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)  log_line(LOG_INFO, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
