/* One connection to a port of a pod, carried by the API server (port-forward): bytes of a Unix
 * socket to the pod and back, none changed. Owned by forward.c, in its thread. */
#pragma once

#include <stdint.h>

struct err;
struct kube;
struct loop;
struct tunnel;

/* The tunnel is over: the peer of the Unix socket, the pod or the API server has closed (err NULL),
 * or it did not come about. The receiver frees it. */
typedef void (*tunnel_ended_fn)(void *arg, struct tunnel *tunnel, const struct err *err);

struct tunnel_way {
    const char *path; /* of the pod's portforward subresource, with the port; copied */
    const char *host; /* Host header of the first request to the pod; copied */
    uint64_t random;  /* of keys and masks */
};

/* Takes fd, the Unix socket. Never NULL; ended is not called before this has returned. */
struct tunnel *tunnel_new(struct loop *loop, struct kube *kube, int fd,
                          const struct tunnel_way *way, tunnel_ended_fn ended, void *arg);
struct tunnel *tunnel_free(struct tunnel *tunnel); /* closes at once; NULL allowed */
