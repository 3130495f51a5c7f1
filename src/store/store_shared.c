/* What several daemons with one state tell each other through it: changes, and who leads. */
#include "store/store_shared.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "store/store_pg.h"

/* The tables whose triggers tell of changes (store_steps.c), and what a change means. */
static const struct {
    const char *table;
    enum store_changed changed;
} WATCHED[STORE_PG_WATCHED] = {
    {"configs", STORE_CHANGED_CONFIGS}, {"meta", STORE_CHANGED_META},
    {"modules", STORE_CHANGED_MODULES}, {"users", STORE_CHANGED_ACCOUNTS},
    {"tokens", STORE_CHANGED_ACCOUNTS},
};

#define LEASE_TOLD "lease" /* is not numbered: who hears it looks */

const char *store_lost(const struct store *store)
{
    return store_is_shared(store) ? ((const struct store_pg *)store)->lost : NULL;
}

int store_fd(const struct store *store)
{
    const struct store_pg *pg = store_is_shared(store) ? (const struct store_pg *)store : NULL;
    return pg && pg->connection ? PQsocket(pg->connection) : -1;
}

unsigned store_connections(const struct store *store)
{
    return store_is_shared(store) ? ((const struct store_pg *)store)->connections : 0;
}

/* ---- the copy ---- */

static bool is_needed(const char *table)
{
    return strcmp(table, "modules") == 0 || strcmp(table, "meta") == 0 ||
           strcmp(table, "configs") == 0;
}

static int refresh(void *arg, struct err *err)
{
    struct store_pg *pg = arg;
    int failed = 0;
    for (const struct store_table *table = STORE_TABLES; !failed && table->name; table++) {
        failed = is_needed(table->name) ? store_copy_table(&pg->base, pg->copy, table, err) : 0;
    }
    return failed;
}

static void refresh_if_stale(struct store_pg *pg)
{
    if (pg->copy && pg->copy_stale && pg->connection) {
        pg->copy_stale = store_transact(pg->copy, refresh, pg, NULL) < 0;
    }
}

struct store *store_readable(struct store *store)
{
    return store_lost(store) && store_pg(store)->copy ? store_pg(store)->copy : store;
}

/* A copy that cannot be used is made anew: it holds nothing that is nowhere else. */
static int open_copy(const char *path, struct store **ret_copy, struct err *err)
{
    if (store_sqlite_open(path, ret_copy, err) == 0) {
        return 0;
    }
    (void)unlink(path);
    return store_sqlite_open(path, ret_copy, err);
}

int store_open_shared(const char *url, const char *copy_path, bool may_be_away,
                      struct store **ret_store, struct err *err)
{
    CLEANUP(store_close) struct store *store = NULL;
    struct err inner = {0};
    int failed = store_pg_open(url, &store, &inner);
    if (failed == -ENOTCONN && may_be_away && access(copy_path, R_OK) == 0) {
        failed = store_pg_open_lost(url, inner.text, &store, &inner);
    }
    if (failed) {
        return err_set(err, -failed, "%s", inner.text);
    }
    struct store_pg *pg = store_pg(store);
    failed = open_copy(copy_path, &pg->copy, err);
    if (!failed) {
        pg->copy_stale = true;
        *ret_store = TAKE(store);
    }
    return failed;
}

/* ---- changes ---- */

static unsigned note(struct store_pg *pg, const char *table, int64_t revision, bool own)
{
    for (size_t i = 0; i < STORE_PG_WATCHED; i++) {
        if (strcmp(table, WATCHED[i].table) == 0 && revision > pg->seen[i]) {
            /* After another's that was not heard yet, an own one does not hide it. */
            bool hides = own && revision > pg->seen[i] + 1;
            pg->seen[i] = hides ? pg->seen[i] : revision;
            pg->copy_stale |= is_needed(table);
            return own ? 0 : WATCHED[i].changed;
        }
    }
    return 0;
}

unsigned store_hear(struct store *store)
{
    struct store_pg *pg = store_pg(store);
    unsigned changed = 0;
    if (!store_is_shared(store)) {
        return 0;
    }
    if (pg->renewed) { /* what came before it is unknown; it may be a restored database */
        pg->renewed = false;
        memset(pg->seen, 0, sizeof(pg->seen));
        pg->copy_stale = true;
        changed = STORE_CHANGED_ALL;
    }
    if (pg->connection && !PQconsumeInput(pg->connection)) {
        (void)store_pg_lose(pg, NULL, "", "the server closed it");
    }
    PGnotify *told;
    while (pg->connection && (told = PQnotifies(pg->connection))) {
        bool own = told->be_pid == PQbackendPID(pg->connection);
        char table[32];
        long long revision;
        if (sscanf(told->extra, "%31s %lld", table, &revision) == 2) {
            changed |= note(pg, table, revision, own);
        } else if (strcmp(told->extra, LEASE_TOLD) == 0 && !own) {
            changed |= STORE_CHANGED_LEASE;
        }
        PQfreemem(told);
    }
    refresh_if_stale(pg);
    return changed;
}

struct look {
    struct store_pg *pg;
    unsigned changed;
};

static int take_revision(void *arg, const struct store_row *row)
{
    struct look *look = arg;
    look->changed |= note(look->pg, store_column(row, 0), store_column_int(row, 1), false);
    return 0;
}

int store_look(struct store *store, unsigned *ret_changed, struct err *err)
{
    struct look look = {.pg = store_pg(store)};
    *ret_changed = 0;
    if (!store_is_shared(store)) {
        return 0;
    }
    unsigned heard = store_hear(store); /* first: our own changes are told there as our own */
    int failed = store_query(store, err, (struct store_rows){take_revision, &look},
                             "SELECT name, revision FROM changes", "");
    *ret_changed = heard | look.changed;
    return failed;
}

/* ---- the lease ---- */

/* Times are the database's: the daemons' clocks need not agree. WHERE says when the row may become
 * ours; the answer is ours then, else the row as it is. */
#define LEASE_SQL(FIRST_NUMBER, NUMBER, TTL, WHERE)                                                \
    "WITH clock AS (SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT) AS ms),"   \
    " taken AS (INSERT INTO leases AS l (name, holder, number, until_ms)"                          \
    " SELECT 'control', $1, " FIRST_NUMBER ", ms + " TTL " FROM clock"                             \
    " ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until_ms = excluded.until_ms,"    \
    " number = " NUMBER " WHERE " WHERE " RETURNING holder, number)"                               \
    " SELECT holder, number, 0 FROM taken UNION ALL"                                               \
    " SELECT holder, number, CAST(until_ms <= (SELECT ms FROM clock) AS INTEGER)"                  \
    " FROM leases WHERE name = 'control'"                                                          \
    " AND NOT EXISTS (SELECT 1 FROM taken)"

/* When it is free, over, or ours. */
#define TAKE_SQL                                                                                   \
    LEASE_SQL("1", "l.number + CASE WHEN l.holder = excluded.holder THEN 0 ELSE 1 END", "$2",      \
              "l.holder = excluded.holder OR l.until_ms <= (SELECT ms FROM clock)")

/* When no later holder has been here. */
#define FENCE_SQL                                                                                  \
    LEASE_SQL("$2", "excluded.number", "$3",                                                       \
              "l.number < excluded.number"                                                         \
              " OR (l.number = excluded.number AND l.holder = excluded.holder)")

static int take_lease(void *arg, const struct store_row *row)
{
    struct store_lease *lease = arg;
    (void)snprintf(lease->holder, sizeof(lease->holder), "%s", store_column(row, 0));
    lease->number = store_column_int(row, 1);
    lease->over = store_column_int(row, 2) != 0;
    return 0;
}

static void lease_of_file(const char *holder, int64_t number, struct store_lease *ret_lease)
{
    *ret_lease = (struct store_lease){.number = number, .mine = true};
    (void)snprintf(ret_lease->holder, sizeof(ret_lease->holder), "%s", holder);
}

/* What store_transact_leading asks for from now on. */
static void note_lease(struct store *store, const struct store_lease *lease)
{
    struct store_pg *pg = store_pg(store);
    str_replace(&pg->holder, lease->mine ? lease->holder : NULL);
    pg->lease_number = lease->mine ? lease->number : 0;
}

int store_lease_take(struct store *store, const char *holder, int64_t ttl_ms,
                     struct store_lease *ret_lease, struct err *err)
{
    struct store_lease lease = {.number = 0};
    if (!store_is_shared(store)) {
        lease_of_file(holder, 1, ret_lease);
        return 0;
    }
    int failed = store_query(store, err, (struct store_rows){take_lease, &lease}, TAKE_SQL, "ni",
                             holder, ttl_ms);
    if (failed) {
        return failed;
    }
    lease.mine = strcmp(lease.holder, holder) == 0;
    note_lease(store, &lease);
    *ret_lease = lease;
    return 0;
}

int store_lease_fence(struct store *store, const char *holder, int64_t number, int64_t ttl_ms,
                      struct store_lease *ret_lease, struct err *err)
{
    struct store_lease lease = {.number = 0};
    if (!store_is_shared(store)) {
        lease_of_file(holder, number, ret_lease);
        return 0;
    }
    int failed = store_query(store, err, (struct store_rows){take_lease, &lease}, FENCE_SQL, "nii",
                             holder, number, ttl_ms);
    if (failed) {
        return failed;
    }
    lease.mine = lease.number == number && strcmp(lease.holder, holder) == 0;
    note_lease(store, &lease);
    *ret_lease = lease;
    return 0;
}

int store_lease_release(struct store *store, struct err *err)
{
    struct store_pg *pg = store_is_shared(store) ? store_pg(store) : NULL;
    if (!pg || !pg->holder) {
        return 0;
    }
    CLEANUP(str_free) char *holder = TAKE(pg->holder);
    return store_query(store, err, (struct store_rows){0},
                       "WITH freed AS (UPDATE leases SET until_ms = 0 WHERE name = 'control'"
                       " AND holder = $1 AND number = $2 RETURNING name)"
                       " SELECT pg_notify('jsorc', '" LEASE_TOLD "') FROM freed",
                       "ni", holder, pg->lease_number);
}

struct leading {
    struct store_pg *pg;
    int (*fn)(void *arg, struct err *err);
    void *arg;
};

/* The row stays locked until the transaction ends, so nobody takes the lease meanwhile. */
static int lead(void *arg, struct err *err)
{
    const struct leading *what = arg;
    int64_t found = 0;
    int failed =
        store_query(&what->pg->base, err, (struct store_rows){store_take_int, &found},
                    "SELECT number FROM leases WHERE name = 'control' AND holder = $1"
                    " AND number = $2 FOR UPDATE",
                    "ni", what->pg->holder ? what->pg->holder : "", what->pg->lease_number);
    if (failed) {
        return failed;
    }
    return found ? what->fn(what->arg, err)
                 : err_set(err, ESTALE, "another daemon leads now; nothing was changed");
}

int store_transact_leading(struct store *store, int (*fn)(void *arg, struct err *err), void *arg,
                           struct err *err)
{
    struct leading what = {store_pg(store), fn, arg};
    return store_is_shared(store) ? store_transact(store, lead, &what, err)
                                  : store_transact(store, fn, arg, err);
}
