/* The first process of `jsorc serve`: holds what must outlive the daemon (listening sockets, the
 * lock on the state folder, the life line of the workers, the workers themselves as orphans) and
 * starts the daemon again when it ends unasked. Does nothing else, so that it does not end. */
#pragma once

struct err;
struct listeners;
struct paths;

struct supervisor_options { /* borrowed */
    const struct paths *paths;
    struct listeners *listeners; /* closed when the end begins */
    int lock_fd; /* the daemon has it, too: nobody else begins before both have ended */
    char **argv; /* of `jsorc serve`: the daemon gets the same */
    double stop_grace_s;
};

/* Takes the lock on the state folder; the descriptor is kept open for the process's life. -EBUSY
 * when another jsorc has it. */
int supervisor_lock(const struct paths *paths, int *ret_fd, struct err *err);

/* Runs until it is told to end, or the first daemon could not start. The process's exit status. */
int supervisor_run(const struct supervisor_options *options);

/* In the daemon: the variables by which it knows what it inherited. */
#define ENV_LISTEN   "JSORC_LISTEN"
#define ENV_LIFELINE "JSORC_LIFELINE"
#define ENV_LOCK     "JSORC_LOCK"
#define ENV_RESTART  "JSORC_RESTART"
