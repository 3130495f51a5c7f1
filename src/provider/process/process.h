/* Provider `process`: pods are child processes of this host, reached over Unix sockets in the
 * state folder. They outlive the daemon and are adopted by the next one. */
#pragma once

#include "provider/provider.h"

struct loop;

struct process_settings {   /* texts borrowed for the provider's life */
    const char *run_folder; /* sockets, spec files */
    const char *log_folder;
    const char *daemon_socket; /* for nested calls */
    const char *python;        /* interpreter: path or name */
    const char *python_path;   /* where the package jsorc lies; put before PYTHONPATH */
    const char *program;       /* the jsorc binary */
    int lifeline_fd;           /* read end: its end of file ends the pods; borrowed; -1 = none */
    uint64_t start_timeout_ms;
};

struct provider *process_provider_new(struct loop *loop, const struct process_settings *settings);

/* The interpreter that would be used: given, or of $VIRTUAL_ENV, or "python3". Owned by caller. */
char *process_find_python(const char *given);

#define PROCESS_LOG_BYTES_MAX (8 * 1024 * 1024) /* a log file; the older half is then dropped */

/* Bounds one log file: beyond the limit its last half is kept in FILE.1 and FILE begins anew. */
void process_bound_log(const char *path);
