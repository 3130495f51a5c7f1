/* Where things lie: the state folder, the program, and the Python package beside it. */
#pragma once

#include "daemon/settings.h"

struct err;

struct paths { /* all owned */
    char *state;
    char *run; /* sockets and spec files of workers; mode 0700 */
    char *logs;
    char *database;
    char *copy;        /* of what is needed of a database elsewhere */
    char *socket;      /* the API's own */
    char *program;     /* this binary */
    char *python_path; /* folders with the package jsorc and its extension, ':' between */
    char *python;      /* interpreter of the workers */
};

/* Makes the folders. -EACCES, -ENOSPC ... with the path. */
int paths_make(const struct settings *settings, struct paths *ret, struct err *err);
void paths_done(struct paths *paths);
