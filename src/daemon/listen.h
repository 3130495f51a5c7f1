/* The listening sockets: opened by the supervisor, inherited by each daemon it starts, so that no
 * connection is refused while a daemon is replaced. */
#pragma once

#include <stdbool.h>

#include "daemon/settings.h"

struct err;

enum listen_kind {
    LISTEN_LOCAL,    /* our Unix socket: peers are known by their credentials */
    LISTEN_LOOPBACK, /* programs of this host */
    LISTEN_NETWORK,  /* anybody */
};

struct listener {
    int fd;
    enum listen_kind kind;
    char *address; /* "127.0.0.1:8642" with the real port, or the socket's path; owned */
};

struct listeners {
    struct listener items[LISTEN_MAX + 1];
    unsigned count;
};

/* Opens the Unix socket STATE/run/jsorc.sock and all addresses. -EADDRINUSE, -EACCES, -EINVAL ...
 * with what to do; nothing stays open then. */
int listeners_open(const struct settings *settings, struct listeners *ret, struct err *err);
void listeners_close(struct listeners *listeners);
/* Closes the sockets, except our Unix socket's: once nobody has them open any more, connections are
 * refused. The descriptions stay. */
void listeners_refuse(struct listeners *listeners);

/* For the child: descriptors without close-on-exec, described in the variable JSORC_LISTEN. */
char *listeners_describe(const struct listeners *listeners);

/* In the child; descriptors get close-on-exec again. -EINVAL. */
int listeners_inherit(const char *description, struct listeners *ret, struct err *err);
