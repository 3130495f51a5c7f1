/* Ctrl-C of a load test: it ends the measurement, not the clean-up. */
#pragma once

#include <signal.h>
#include <sys/types.h>

struct err;

/* Not 0 once SIGINT or SIGTERM came. */
extern volatile sig_atomic_t stop_asked;

/* From here on these signals set stop_asked. parent: so does the end of that process, which started
 * this one; 0 = none. 0 or -errno. */
int stop_prepare(pid_t parent, struct err *err);
