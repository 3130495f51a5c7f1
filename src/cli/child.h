/* Servers that the command line starts to measure them. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct err;

/* Starts argv[0] (searched in PATH) with out_fd as its standard output and error, and nothing on
 * its standard input. environment may be NULL: the caller's. 0 or -errno, e.g. -ENOENT. */
int child_start(const char *const *argv, char *const *environment, int out_fd, pid_t *ret_pid,
                struct err *err);

/* SIGTERM, and SIGKILL if it has not ended in timeout_ms. Takes pid <= 0: nothing. */
void child_stop(pid_t pid, int timeout_ms);

/* Its status as of waitpid once it has ended; -1 while it runs. */
int child_ended(pid_t pid);
