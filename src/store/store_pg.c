/* The driver for PostgreSQL. How a change survives and is made once: each write is a transaction
 * that takes one lock first, so writers of all daemons come one after the other, as with a file.
 * When the connection goes before COMMIT was sent, the server undoes the transaction. When it goes
 * between COMMIT and its answer, the transaction's number tells on a new connection what became of
 * it; only if there is none to be had, nobody knows (-EINPROGRESS).
 *
 * In a daemon nothing here waits long: each statement has STORE_PG_HURRIED_MS. A connection that
 * did not answer in that time is given up, and all that follows fails at once until somebody
 * installs a new one (store_link_*): in the daemon that is control thread and a job. */
#include "store/store_pg.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"

#define SETTLE_CONNECT_S 2 /* libpq's least */
#define SETTLE_MS        1000
#define SETTLE_PAUSE_MS  20

/* "jsrc" as a number: the key of the lock that writers take. */
#define BEGIN_SQL                                                                                  \
    "BEGIN; SELECT pg_advisory_xact_lock(1785950819); SELECT pg_current_xact_id()::text"

static PGresult *clear(PGresult *result)
{
    PQclear(result);
    return NULL;
}
DEFINE_CLEANUP(PGresult *, clear)

/* what: "cannot read". The statement's time is the store's. *ret_result is the caller's. */
static int execute(struct store_pg *pg, const char *what, struct store_pg_statement statement,
                   PGresult **ret_result, struct err *err)
{
    CLEANUP(str_free) char *why = NULL;
    if (!pg->connection) {
        return err_set(err, ENOTCONN,
                       "%s '%s': there is no connection (%s); jsorc connects again by itself", what,
                       pg->base.name, pg->lost);
    }
    statement.answer_ms = pg->answer_ms;
    CLEANUP(clear) PGresult *result = store_pg_execute(pg->connection, &statement, &why);
    if (!result) {
        return store_pg_lose(pg, err, what, why);
    }
    if (PQresultStatus(result) == PGRES_FATAL_ERROR) {
        return store_pg_fail(pg, err, result, what);
    }
    *ret_result = TAKE(result);
    return 0;
}

static int script(struct store *store, const char *sql, struct err *err)
{
    CLEANUP(clear) PGresult *result = NULL;
    return execute(store_pg(store), "cannot write", (struct store_pg_statement){.sql = sql},
                   &result, err);
}

/* ---- transactions ---- */

static void rollback(struct store *store)
{
    struct store_pg *pg = store_pg(store);
    str_replace(&pg->transaction, NULL);
    if (pg->connection && PQtransactionStatus(pg->connection) != PQTRANS_IDLE) {
        (void)script(store, "ROLLBACK", NULL);
    }
}

static int begin(struct store *store, struct err *err)
{
    struct store_pg *pg = store_pg(store);
    CLEANUP(clear) PGresult *result = NULL;
    int failed =
        execute(pg, "cannot write", (struct store_pg_statement){.sql = BEGIN_SQL}, &result, err);
    if (failed) {
        rollback(store);
        return failed;
    }
    str_replace(&pg->transaction, PQgetvalue(result, 0, 0));
    return 0;
}

/* What became of a transaction, on a new connection: "committed", "aborted", "in progress", or ""
 * when that is not to be known. Owned by the caller. */
static char *fate_of(PGconn *connection, const char *transaction)
{
    struct store_value value = {.type = 's', .text = transaction, .size = strlen(transaction)};
    CLEANUP(str_free) char *why = NULL;
    CLEANUP(clear)
    PGresult *result =
        store_pg_execute(connection,
                         &(struct store_pg_statement){"SELECT pg_xact_status(CAST($1 AS xid8))",
                                                      &value, 1, SETTLE_MS},
                         &why);
    return xstrdup(result && PQntuples(result) == 1 ? PQgetvalue(result, 0, 0) : "");
}

/* COMMIT was sent and not answered. 0: it was carried out. */
static int settle(struct store_pg *pg, const char *transaction, const char *hostaddr,
                  struct err *err)
{
    uint64_t deadline_ms = clock_now_ms() + SETTLE_MS;
    PGconn *connection = store_pg_connect(pg->url, hostaddr, SETTLE_CONNECT_S, NULL);
    CLEANUP(str_free) char *fate = NULL;
    /* "in progress": the server has not yet noticed that nobody listens any more. */
    while (connection && (!fate || strcmp(fate, "in progress") == 0) &&
           clock_now_ms() < deadline_ms) {
        (void)poll(NULL, 0, fate ? SETTLE_PAUSE_MS : 0);
        free(fate);
        fate = fate_of(connection, transaction);
    }
    if (!fate || !*fate || strcmp(fate, "in progress") == 0) {
        PQfinish(connection);
        return err_set(err, EINPROGRESS,
                       "the connection to '%s' was lost (%s) while the change was being made: "
                       "nobody knows if it was; look before you make it again",
                       pg->base.name, pg->lost);
    }
    pg->connection = connection;
    str_replace(&pg->lost, NULL);
    pg->connections++;
    pg->renewed = true;
    return strcmp(fate, "committed") == 0 ? 0
                                          : err_set(err, ENOTCONN,
                                                    "cannot write '%s': the connection was lost; "
                                                    "nothing was changed: try again",
                                                    pg->base.name);
}

static int commit(struct store *store, struct err *err)
{
    struct store_pg *pg = store_pg(store);
    CLEANUP(clear) PGresult *result = NULL;
    CLEANUP(str_free) char *transaction = TAKE(pg->transaction);
    CLEANUP(str_free)
    char *hostaddr =
        pg->one_host && pg->connection ? xstrdup(PQhostaddr(pg->connection)) : xstrdup("");
    bool sent = pg->connection != NULL;
    int failed =
        execute(pg, "cannot write", (struct store_pg_statement){.sql = "COMMIT"}, &result, err);
    if (failed == -ENOTCONN && sent) {
        return settle(pg, transaction, hostaddr, err);
    }
    if (!failed && strcmp(PQcmdStatus(result), "COMMIT") != 0) {
        return err_set(err, EIO, "cannot write '%s': the server undid the transaction",
                       store->name);
    }
    return failed;
}

/* ---- statements ---- */

/* What only reads, and what takes a lease, needs no transaction around it. */
static bool is_alone(const char *sql)
{
    return strncmp(sql, "SELECT", 6) == 0 || strncmp(sql, "WITH", 4) == 0;
}

struct statement {
    struct store_pg *pg;
    struct store_rows rows;
    const char *sql;
    const struct store_value *values;
    size_t count;
};

static int run_one(void *arg, struct err *err)
{
    const struct statement *what = arg;
    CLEANUP(clear) PGresult *result = NULL;
    int failed =
        execute(what->pg, is_alone(what->sql) ? "cannot read" : "cannot write",
                (struct store_pg_statement){what->sql, what->values, what->count, 0}, &result, err);
    if (failed) {
        return failed;
    }
    struct store_row row = {.driver = what->pg->base.driver, .result = result};
    for (int count = PQntuples(result); !failed && what->rows.fn && row.index < count;
         row.index++) {
        failed = what->rows.fn(what->rows.arg, &row);
    }
    what->pg->base.changes = strtoll(PQcmdTuples(result), NULL, 10);
    return failed;
}

static int run(struct store *store, struct err *err, struct store_rows rows, const char *sql,
               const struct store_value *values, size_t count)
{
    struct statement what = {store_pg(store), rows, sql, values, count};
    return is_alone(sql) ? run_one(&what, err) : store_within(store, run_one, &what, err);
}

/* ---- rows ---- */

static const char *row_text(const struct store_row *row, int column)
{
    return PQgetisnull(row->result, row->index, column)
               ? NULL
               : PQgetvalue(row->result, row->index, column);
}

static int64_t row_number(const struct store_row *row, int column)
{
    return strtoll(PQgetvalue(row->result, row->index, column), NULL, 10);
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "\x" and two hexadecimal digits a byte: the format of BYTEA since PostgreSQL 9. */
static size_t row_bytes(const struct store_row *row, int column, unsigned char *ret, size_t size)
{
    const char *text = PQgetvalue(row->result, row->index, column);
    size_t length = strlen(text);
    if (length < 2 || text[0] != '\\' || text[1] != 'x') {
        return 0;
    }
    size_t there = (length - 2) / 2;
    for (size_t i = 0; i < there && i < size; i++) {
        int high = digit(text[2 + 2 * i]), low = digit(text[3 + 2 * i]);
        if (high < 0 || low < 0) {
            return 0;
        }
        ret[i] = (unsigned char)(high * 16 + low);
    }
    return there;
}

/* ---- life ---- */

static void close_connection(struct store *store)
{
    struct store_pg *pg = store_pg(store);
    PQfinish(pg->connection);
    (void)store_close(pg->copy);
    free(pg->url);
    free(pg->lost);
    free(pg->transaction);
    free(pg->holder);
    free(pg);
}

static const struct store_driver DRIVER = {
    .run = run,
    .script = script,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .close = close_connection,
    .text = row_text,
    .number = row_number,
    .bytes = row_bytes,
};

void store_hurry(struct store *store)
{
    if (store_is_shared(store)) {
        store_pg(store)->answer_ms = STORE_PG_HURRIED_MS;
    }
}

bool store_is_shared(const struct store *store)
{
    return store->driver == &DRIVER;
}

int store_pg_open_lost(const char *url, const char *why, struct store **ret_store, struct err *err)
{
    char *name = NULL;
    int failed = store_pg_name(url, &name, err);
    if (failed) {
        return failed;
    }
    struct store_pg *pg = xcalloc(1, sizeof(*pg));
    pg->base = (struct store){.driver = &DRIVER, .name = name};
    pg->url = xstrdup(url);
    pg->one_host = !strchr(url, ',');
    pg->answer_ms = STORE_PG_PATIENT_MS;
    pg->lost = xstrdup(why);
    *ret_store = &pg->base;
    return 0;
}

int store_pg_open(const char *url, struct store **ret_store, struct err *err)
{
    CLEANUP(store_close) struct store *store = NULL;
    int failed = store_pg_open_lost(url, "", &store, err);
    if (failed) {
        return failed;
    }
    struct store_pg *pg = store_pg(store);
    pg->connection = store_pg_connect(url, NULL, STORE_CONNECT_S, err);
    if (!pg->connection) {
        return err_wrap(err, "cannot open the state '%s'", store->name);
    }
    str_replace(&pg->lost, NULL);
    pg->connections = 1;
    failed = store_pg_migrate(pg, err);
    unsigned all;
    if (!failed) {
        failed = store_look(store, &all, err);
    }
    if (!failed) {
        *ret_store = TAKE(store);
    }
    return failed;
}
