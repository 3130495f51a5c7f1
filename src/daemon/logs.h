/* The files that the daemon itself writes: daemon.log (its own lines), api.log (two lines a call of
 * the API), both bounded, and the access log. Workers' logs are the provider's. */
#pragma once

#include "loop/loop.h"

struct access_log;
struct err;
struct exposition;
struct settings;

struct logs {
    struct loop *loop;  /* borrowed */
    const char *folder; /* likewise */
    int daemon_fd;
    int api_fd;
    struct access_log *access; /* NULL = none */
    struct loop_timer timer;
};

/* Begin with {0}. 0, or -errno when the access log cannot be opened. */
int logs_open(struct logs *logs, struct loop *loop, const char *folder,
              const struct settings *settings, struct err *err);

/* After a rotation. */
void logs_reopen(struct logs *logs);

void logs_expose(const struct logs *logs, struct exposition *exposition);

/* Nobody may write any more. Also after a failed logs_open, or without one. */
void logs_close(struct logs *logs);
