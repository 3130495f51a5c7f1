/* Runs a program to its end and returns what it wrote: for jobs, as it blocks. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct err;

struct child_run {
    char *const *args;        /* args[0] is looked for in PATH; ended by NULL */
    char *const *environment; /* NULL = ours */
    uint64_t timeout_ms;      /* then it is killed */
    size_t output_bytes_max;  /* of each stream; beyond, it is killed */
};

/* Exit status (0..255), or -errno: -ETIMEDOUT, -EFBIG (too much output), -ECHILD (ended by a
 * signal), or of starting it. Both buffers are the caller's to free. */
int child_capture(const struct child_run *run, struct buf *out, struct buf *errors,
                  struct err *err);
