/* The daemon: wires the parts together, runs the control thread, and ends in good order. */
#pragma once

#include <stdbool.h>

struct err;
struct listeners;
struct paths;
struct settings;

struct daemon_options { /* borrowed */
    const struct settings *settings;
    const struct paths *paths;
    struct listeners *listeners; /* closed when the end begins */
    int lifeline_fd;             /* read end, for the workers; -1 = none */
    bool restarted; /* an earlier daemon of the same supervisor ended: everything is in the store */
};

/* Runs until SIGTERM or SIGINT. 0 when it ended as asked; -errno with err when it could not start.
 */
int daemon_run(const struct daemon_options *options, struct err *err);
