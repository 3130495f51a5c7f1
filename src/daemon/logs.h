/* What the daemon itself writes: daemon.log (its own lines) and api.log (two lines a call of the
 * API), both bounded, the access log, and traces to a collector. Workers' logs are the provider's.
 */
#pragma once

#include "loop/loop.h"

struct access_log;
struct err;
struct exposition;
struct settings;
struct tracer;

struct logs {
    struct loop *loop;  /* borrowed */
    const char *folder; /* likewise */
    int daemon_fd;
    int api_fd;
    struct access_log *access; /* NULL = none */
    struct tracer *tracer;     /* NULL = none */
    struct loop_timer timer;
};

/* Begin with {0}. 0, or -errno when the access log cannot be opened or the collector's URL is bad.
 */
int logs_open(struct logs *logs, struct loop *loop, const char *folder,
              const struct settings *settings, struct err *err);

/* After a rotation. */
void logs_reopen(struct logs *logs);

void logs_expose(const struct logs *logs, struct exposition *exposition);

/* Writes what waits to be written: the process ends while others may still answer. */
void logs_flush(struct logs *logs);

/* Nobody may write any more. Also after a failed logs_open, or without one. */
void logs_close(struct logs *logs);
