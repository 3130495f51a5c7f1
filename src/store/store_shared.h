/* A state that several daemons share, in PostgreSQL: whether there is a connection, what others
 * changed, and who leads. On a file all of this is void: it is always there, nobody else changes
 * it, and who has it leads. Control thread, but for store_link_open. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"

struct err;
struct store;
struct store_link;

/* Opens the database of url as store_open does, and keeps a copy of what serving needs of it,
 * modules, meta and configs, in the file copy_path. With may_be_away it opens also when the
 * database cannot be reached and there is a copy. Without a connection what is read of those is the
 * copy's. */
int store_open_shared(const char *url, const char *copy_path, bool may_be_away,
                      struct store **ret_store, struct err *err);

bool store_is_shared(const struct store *store);

/* From now on no statement takes longer than two seconds: for a thread that must go on. Before, a
 * minute, for making tables and copying. */
void store_hurry(struct store *store);

/* ---- the connection ---- */

/* Why there is none; NULL = there is one. Borrowed until the next call that uses the store. */
const char *store_lost(const struct store *store);

/* To be watched for EPOLLIN, which calls for store_hear; -1 = there is no connection. */
int store_fd(const struct store *store);
/* How many were made so far: another number means another descriptor, whatever store_fd says. */
unsigned store_connections(const struct store *store);

/* A new connection in the making. Never NULL; the caller owns it. */
struct store_link *store_link_new(const struct store *store);
struct store_link *store_link_free(struct store_link *link); /* NULL allowed; returns NULL */
DEFINE_CLEANUP(struct store_link *, store_link_free)
/* Makes it; any thread: it blocks for up to STORE_CONNECT_S for each address of the URL. -ENOTCONN.
 */
int store_link_open(struct store_link *link, struct err *err);
/* The store works on it from now on, if it was made. What others did meanwhile is unknown: the next
 * store_hear tells STORE_CHANGED_ALL. */
void store_link_install(struct store *store, struct store_link *link);

#define STORE_CONNECT_S 5

/* ---- what others changed ---- */

enum store_changed {
    STORE_CHANGED_MODULES = 1,
    STORE_CHANGED_ACCOUNTS = 2, /* users or tokens */
    STORE_CHANGED_META = 4,
    STORE_CHANGED_LEASE = 8, /* it was given back */
    STORE_CHANGED_CONFIGS = 16,
    STORE_CHANGED_ALL = 31,
};

/* Takes in what came on the connection; the changes of others since the last call, as bits. */
unsigned store_hear(struct store *store);
/* As store_hear, by asking: for when a notification was lost on the way. 0 or -errno. */
int store_look(struct store *store, unsigned *ret_changed, struct err *err);

/* ---- the lease: who decides for all ---- */

#define STORE_HOLDER_MAX 200 /* bytes of a holder's name */

struct store_lease {
    char holder[STORE_HOLDER_MAX + 1];
    int64_t number; /* of this holding; grows with each other holder: what an earlier one still
                       writes is told by it */
    bool mine;
    bool over; /* not mine, and its time has passed */
};

/* Takes the lease, or renews it, for ttl_ms from now by the database's clock, unless another holder
 * has it; *ret_lease tells who has it now. */
int store_lease_take(struct store *store, const char *holder, int64_t ttl_ms,
                     struct store_lease *ret_lease, struct err *err);
/* As store_lease_take, of a lease that was won elsewhere under that number: what holders of smaller
 * ones still write is refused from now on. Not mine: another holder had this number or a greater
 * one, *ret_lease tells which; nothing was changed. */
int store_lease_fence(struct store *store, const char *holder, int64_t number, int64_t ttl_ms,
                      struct store_lease *ret_lease, struct err *err);
/* Gives back what the last of these took, so that another one need not wait for its end. */
int store_lease_release(struct store *store, struct err *err);

/* As store_transact; refused with -ESTALE when another one has taken the lease since. */
int store_transact_leading(struct store *store, int (*fn)(void *arg, struct err *err), void *arg,
                           struct err *err);
