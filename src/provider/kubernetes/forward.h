/* Ways to pods through the API server, for a daemon that cannot reach their addresses: each is a
 * Unix socket of ours, of which each connection is carried to one port of one pod (tunnel.c). A
 * thread of its own carries them, with a client of its own, so that no call waits for the control
 * thread. All functions are the control thread's. */
#pragma once

#include <stdint.h>
#include <sys/un.h>

struct err;
struct forward;
struct forward_port;
struct kube_config;

#define FORWARD_TUNNELS_MAX 1024 /* as connections of an I/O loop and target; beyond: refused */

/* Takes config. folder is for the sockets: made if needed, and what an earlier daemon left there
 * goes. 0 or -errno. */
int forward_new(struct kube_config *config, const char *folder, struct forward **ret_forward,
                struct err *err);
/* Ends the thread, and all connections; ports must have been closed. NULL allowed. */
struct forward *forward_free(struct forward *forward);

struct forward_pod { /* borrowed */
    const char *name;
    const char *host; /* Host header of what is asked of it */
    uint16_t port;
};

/* A way to that port of that pod, in the configuration's namespace. 0 or -errno: no socket. */
int forward_open(struct forward *forward, const struct forward_pod *pod,
                 struct forward_port **ret_port, struct err *err);
/* No new connections from here on; those that there are live until one of their ends closes. NULL
 * allowed; returns NULL. */
struct forward_port *forward_close(struct forward_port *port);

/* Borrowed until forward_close. */
const struct sockaddr_un *forward_address(const struct forward_port *port);
/* Why the last connection did not come about, to text[FORWARD_WHY_MAX]; "" = it did, or there was
 * none. */
#define FORWARD_WHY_MAX 600
void forward_why(struct forward_port *port, char *text);
