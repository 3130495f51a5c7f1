/* The sockets that a worker listens on, and descriptors kept out of harm's way. */
#pragma once

#include <stddef.h>

struct err;

#define LISTEN_TEXT_MAX 80 /* "[" IPv6 "]:" port, ended by a zero byte */

/* A listening TCP socket. address: "HOST:PORT" with a name, an IPv4 address or an IPv6 address in
 * brackets; port 0 = any free one. What clients reach goes to ret_text[LISTEN_TEXT_MAX]. *ret_fd,
 * or -EINVAL (no such address or form), -EADDRINUSE, -EACCES, other -errno. */
int listen_tcp(const char *address, int *ret_fd, char *ret_text, struct err *err);

/* A listening Unix socket that its user alone may connect to. A file that no process listens on any
 * more is replaced. *ret_fd, or -ENAMETOOLONG, -EADDRINUSE (somebody listens), other -errno. */
int listen_unix(const char *path, int *ret_fd, struct err *err);

/* User code may fork (a pool of processes). The children close this listening socket and the
 * connections that came through it, which would otherwise stay half alive when the worker is gone:
 * clients would wait for an answer instead of seeing the end. */
void listen_close_in_children(int fd);

#define LISTEN_SMALL_FDS 100 /* numbers that stray code is likely to use */

/* Occupies the unused descriptors below LISTEN_SMALL_FDS, so that all opened from here on have
 * higher numbers: code that writes to or closes small numbers at random (a daemonizing library, a
 * wrong constant) meets /dev/null instead of a connection. */
void listen_reserve_small(void);

/* Moves fd beyond the reserved numbers, close-on-exec; returns the new number. -1 stays -1. */
int listen_move_fd(int fd);
