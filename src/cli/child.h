/* Servers that the command line starts to measure them. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct err;

/* Starts this program anew with out_fd as its standard output and error, and nothing on its
 * standard input. It ends with us (child_spawn_bound), and has a process group of its own: Ctrl-C
 * is for us, who end it when it is no longer needed. 0 or -errno. */
int child_start(const char *const *argv, int out_fd, pid_t *ret_pid, struct err *err);

/* SIGTERM, and SIGKILL if it has not ended in timeout_ms. Takes pid <= 0: nothing. */
void child_stop(pid_t pid, int timeout_ms);

/* Its status as of waitpid once it has ended; -1 while it runs. */
int child_ended(pid_t pid);
