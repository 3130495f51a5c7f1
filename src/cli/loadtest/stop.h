/* Ctrl-C of a load test: it ends the measurement, not the clean-up. */
#pragma once

#include <signal.h>

/* Not 0 once SIGINT or SIGTERM came. */
extern volatile sig_atomic_t stop_asked;

/* From here on these signals set stop_asked. */
void stop_prepare(void);
