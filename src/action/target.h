/* Where calls of a module are sent: a worker of ours, or a server of somebody else's that speaks
 * the action wire format. Shared: a snapshot and each call under way hold a reference, so a target
 * is gone when it serves nothing any more. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct tls_client;

#define TARGET_LOOPS_MAX 16 /* I/O loops; each keeps its own connections */

struct target {
    atomic_uint refs;
    uint32_t id; /* unique in the daemon's life */
    struct sockaddr_storage address;
    socklen_t address_size;
    bool external;          /* speaks as an action server of others: bare paths, redirects */
    bool guarded;           /* nobody but its calls watches it: they have a breaker */
    char *host;             /* Host header and TLS name; owned */
    char *base_path;        /* of a server's URL, without a slash at its end; owned */
    struct tls_client *tls; /* owned; NULL = plain */

    atomic_uint in_flight;              /* calls sent or about to be */
    atomic_uint failures;               /* consecutive: refused, lost, broken; 0 after an answer */
    atomic_uint timeouts;               /* calls that ran over their limit, in all */
    atomic_uint overruns;               /* the same in a row; 0 after an answer */
    atomic_uint_fast64_t open_until_ms; /* breaker of a guarded one: no calls before */
    atomic_uint_fast64_t shun_until_ms; /* it failed: calls go to others before, if there are any */
    atomic_bool slash_serves; /* external: a path that ends in a slash was answered by an action */
    atomic_bool retired;      /* in no snapshot any more: loops close their connections */

    void *pools[TARGET_LOOPS_MAX]; /* each slot belongs to its loop (src/call) */
};

/* For a worker's Unix socket. */
struct target *target_new_local(uint32_t id, const char *socket_path);

/* For a server at address, whose URL was http[s]://host base_path. tls is taken over. Guarded,
 * until somebody who watches it says otherwise. */
struct target *target_new_server(uint32_t id, const struct sockaddr *address, socklen_t size,
                                 const char *host, const char *base_path, struct tls_client *tls);

struct target *target_ref(struct target *target);
void target_unref(struct target *target); /* NULL allowed; any thread */

#define TARGET_SET_MAX 1024 /* replicas of one module; beyond, a Service in front is the answer */

/* All that serve one module alike, of which each call takes one. Never changes; shared as a target
 * is. */
struct target_set {
    atomic_uint refs;
    uint32_t count;         /* 1 to TARGET_SET_MAX */
    struct target *items[]; /* references */
};

/* Of targets[count]; refers to each. */
struct target_set *target_set_new(struct target *const *targets, uint32_t count);
/* Of one, whose reference is taken over. */
struct target_set *target_set_of(struct target *target);

struct target_set *target_set_ref(struct target_set *set);
void target_set_unref(struct target_set *set); /* NULL allowed; any thread */

/* Calls under way in all of them. */
uint32_t target_set_in_flight(const struct target_set *set); /* NULL allowed: 0 */
/* Marks those that kept (NULL = nothing) does not have as retired. */
void target_set_retire(const struct target_set *set, const struct target_set *kept);
