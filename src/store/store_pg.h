/* What the files of the PostgreSQL driver share. */
#pragma once

#include <libpq-fe.h>

#include "store/store_priv.h"
#include "store/store_shared.h"

#define STORE_PG_WATCHED 5 /* tables whose changes are told */

struct store_pg {
    struct store base;    /* first: a store of this driver is this */
    PGconn *connection;   /* owned; NULL = lost */
    char *url;            /* owned; with whatever secret is in it */
    char *lost;           /* owned; why there is no connection; NULL = there is one */
    char *transaction;    /* owned; its number, for asking what became of it; NULL = none is open */
    uint64_t answer_ms;   /* limit of a statement */
    bool one_host;        /* the URL names no others to fall back on */
    unsigned connections; /* made so far */
    bool renewed;         /* there is a new one that nobody was told of */
    int64_t seen[STORE_PG_WATCHED]; /* revisions of the tables */
    struct store *copy;             /* owned; of what serving needs; NULL = none is kept */
    bool copy_stale;
    char *holder; /* owned; of the lease that was taken; NULL = none */
    int64_t lease_number;
};

static inline struct store_pg *store_pg(struct store *store)
{
    return (struct store_pg *)store;
}

/* store_pg.c: the store of url without a connection, for that reason; -EINVAL (the URL). */
int store_pg_open_lost(const char *url, const char *why, struct store **ret_store, struct err *err);

/* store_pg_link.c: a new connection, ready for use; NULL and err when that fails. hostaddr: of an
 * earlier one, so that no name has to be looked up; NULL or "" = as the URL says. */
PGconn *store_pg_connect(const char *url, const char *hostaddr, int timeout_s, struct err *err);
/* The URL without secrets, owned by the caller; -EINVAL. */
int store_pg_name(const char *url, char **ret_name, struct err *err);
struct store_pg_statement {
    const char *sql; /* several statements when values is NULL */
    const struct store_value *values;
    size_t count;
    uint64_t answer_ms; /* the answer comes within so long */
};

/* NULL = the connection is of no use any more: it broke, or there was no answer in time; *ret_why
 * tells (owned by the caller). */
PGresult *store_pg_execute(PGconn *connection, const struct store_pg_statement *statement,
                           char **ret_why);

#define STORE_PG_PATIENT_MS 60000 /* until store_hurry: for making tables and copying */
/* Longer than a healthy database takes for any statement of ours, short enough for a control thread
 * that must go on. */
#define STORE_PG_HURRIED_MS 2000

/* store_pg_fail.c: the result's failure in our words; what as in "cannot write". */
int store_pg_fail(struct store_pg *store, struct err *err, const PGresult *result,
                  const char *what);
/* The connection is given up; returns -ENOTCONN with a text that begins with what. */
int store_pg_lose(struct store_pg *store, struct err *err, const char *what, const char *why);

/* store_pg_schema.c: as store_open. */
int store_pg_migrate(struct store_pg *store, struct err *err);
