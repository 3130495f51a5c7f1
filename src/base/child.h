/* Other programs: started, or run to their end. */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"

struct err;

struct child_fd {
    int from;
    int to; /* its number in the child */
};

/* Starts args[0] (looked for in PATH; args ended by NULL) with standard input from /dev/null, fds
 * and no other descriptor that is O_CLOEXEC, no signal blocked or ignored, and in a process group
 * of its own, so that it can be ended with its children. environment NULL = ours. 0 or -errno. */
int child_spawn(char *const *args, char *const *environment, const struct child_fd *fds,
                size_t fd_count, pid_t *ret_pid);

/* As child_spawn, of a child of this same program that shall not outlive us: it is told by a
 * variable of its environment, which is ours, who we are, and gets SIGTERM when this thread ends,
 * be it by SIGKILL. */
int child_spawn_bound(char *const *args, const struct child_fd *fds, size_t fd_count,
                      pid_t *ret_pid);

/* Call first in main: keeps what child_spawn_bound promised. */
void child_obey_parent(void);

struct child_run {
    char *const *args;           /* args[0] is looked for in PATH; ended by NULL */
    char *const *environment;    /* NULL = ours */
    uint64_t timeout_ms;         /* then it is killed */
    size_t output_bytes_max;     /* of each stream; beyond, it is killed */
    const atomic_bool *stopping; /* NULL, or true once it is to be killed */
};

/* Runs it to its end and keeps what it wrote: for jobs, as it blocks. Exit status (0..255), or
 * -errno: -ETIMEDOUT, -ECANCELED (stopping), -EFBIG (too much output), -ECHILD (ended by a signal),
 * or of starting it. Both buffers are the caller's to free. */
int child_capture(const struct child_run *run, struct buf *out, struct buf *errors,
                  struct err *err);
