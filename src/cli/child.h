/* Child programs of the command line: an interpreter that is asked something, servers that are
 * measured. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct buf;
struct err;

#define CHILD_OUTPUT_MAX 65536 /* what is asked fits a line */

/* Starts argv[0] (searched in PATH) with out_fd as its standard output and error, and nothing on
 * its standard input. environment may be NULL: the caller's. 0 or -errno, e.g. -ENOENT. */
int child_start(const char *const *argv, char *const *environment, int out_fd, pid_t *ret_pid,
                struct err *err);

/* Runs argv to its end and appends what it printed to out. *ret_status: as of waitpid. -ETIMEDOUT:
 * it was killed after timeout_ms. -E2BIG: it printed more than CHILD_OUTPUT_MAX. */
int child_ask(const char *const *argv, char *const *environment, int timeout_ms, struct buf *out,
              int *ret_status, struct err *err);

/* SIGTERM, and SIGKILL if it has not ended in timeout_ms. Takes pid <= 0: nothing. */
void child_stop(pid_t pid, int timeout_ms);

/* Its status as of waitpid once it has ended; -1 while it runs. */
int child_ended(pid_t pid);
