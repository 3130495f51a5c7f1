/* How the daemon reaches pods of the cluster: at their own addresses, or through the API server
 * (forward.h). Owned by the provider, in the control thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct access;
struct access_routes;
struct endpoint;
struct kube_config;
struct loop;
struct pod_replica;

enum access_way {
    ACCESS_AUTO, /* not known yet: the first pod that is ready tells, by which way it answers */
    ACCESS_DIRECT,
    ACCESS_FORWARD,
};

/* "auto", "direct", "forward"; -EINVAL: none of these. */
int access_way_of(const char *name, enum access_way *ret_way);

struct access_settings {
    enum access_way way;
    struct kube_config *config; /* of the way through the API server; taken; NULL = there is none */
    const char *folder;         /* of sockets; copied; may be NULL without config */
};

/* changed(arg) is called when the way is known, and after each try that told nothing; not before
 * the function that began the try has returned. */
struct access *access_new(struct loop *loop, const struct access_settings *settings,
                          void (*changed)(void *arg), void *arg);
/* All routes must have been freed. NULL allowed. */
struct access *access_free(struct access *access);

/* Why no pod answers, either way; NULL = that is not so. Borrowed until the next call. */
const char *access_trouble(const struct access *access);

/* Where the pods behind one Service are reached; what is not in use any more is closed. */
struct access_routes *access_routes_new(struct access *access);
struct access_routes *access_routes_free(struct access_routes *routes); /* NULL allowed */

/* Endpoints as replicas: a number of at most TARGET_SET_MAX, to *ret_replicas, borrowed until the
 * next call for any routes. -EAGAIN: the way is not known yet, and is being tried. */
int access_replicas(struct access_routes *routes, const struct endpoint *endpoints, uint32_t count,
                    const struct pod_replica **ret_replicas);
