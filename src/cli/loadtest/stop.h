/* Ctrl-C of a load test: it ends the measurement, not the clean-up. */
#pragma once

#include <signal.h>
#include <stdbool.h>

struct err;

/* Not 0 once SIGINT or SIGTERM came. */
extern volatile sig_atomic_t stop_asked;

/* From here on these signals set stop_asked. with_parent: so does the end of the process that
 * started this one. 0 or -errno. */
int stop_prepare(bool with_parent, struct err *err);
