/* Whether a file is ours, and how one of an older version becomes one of this version. The version
 * is SQLite's user_version: the number of steps (store_steps.c) that the file has gone through. */
#include "store/store_sqlite.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"

/* "jsrc": tells our file from another program's SQLite file. */
#define APPLICATION_ID 0x6a737263

static int refuse(const struct store_sqlite *store, struct err *err, const char *reason)
{
    return err_set(err, EMEDIUMTYPE,
                   "the state file '%s' cannot be used: %s. It was left as it is. Move it and its "
                   "-wal file away to start without its accounts, configs and placement, put a "
                   "backup in its place, or save what is readable with 'sqlite3 FILE .recover'",
                   store->base.name, reason);
}

/* Runs a statement that changes nothing, and tells a damaged file from other failures. */
static int look(struct store_sqlite *store, const char *sql, store_row_fn row_fn, void *arg,
                struct err *err)
{
    struct err inner = {0};
    int failed = store_query(&store->base, &inner, (struct store_rows){row_fn, arg}, sql, "");
    int code = sqlite3_errcode(store->db) & 0xff;
    if (failed && (code == SQLITE_NOTADB || code == SQLITE_CORRUPT)) {
        CLEANUP(str_free) char *reason = xstrdup(sqlite3_errmsg(store->db));
        return refuse(store, err, reason);
    }
    return failed ? err_set(err, inner.code, "%s", inner.text) : 0;
}

static int read_number(struct store_sqlite *store, const char *sql, int64_t *ret_number,
                       struct err *err)
{
    return look(store, sql, store_take_int, ret_number, err);
}

/* SQLite's own check, without the slow part that compares indexes with their tables. */
static int check_pages(struct store_sqlite *store, struct err *err)
{
    CLEANUP(str_free) char *report = NULL;
    int failed = look(store, "PRAGMA quick_check(1)", store_take_text, &report, err);
    if (failed) {
        return failed;
    }
    return report && strcmp(report, "ok") != 0 ? refuse(store, err, report) : 0;
}

int store_sqlite_check(struct store_sqlite *store, struct err *err)
{
    int64_t version = 0;
    int64_t application = 0;
    int64_t tables = 0;
    int failed = read_number(store, "PRAGMA user_version", &version, err);
    if (!failed) {
        failed = read_number(store, "PRAGMA application_id", &application, err);
    }
    if (!failed) {
        failed = read_number(store, "SELECT count(*) FROM sqlite_master", &tables, err);
    }
    if (failed) {
        return failed;
    }
    if (application != APPLICATION_ID && (application || version || tables)) {
        return refuse(store, err, "it is a database of another program");
    }
    if (version > STORE_STEP_COUNT) {
        return err_set(err, ENOTSUP,
                       "the state file '%s' was written by a newer jsorc (schema %lld, this one "
                       "knows %lld); use that version, or another state folder",
                       store->base.name, (long long)version, (long long)STORE_STEP_COUNT);
    }
    return check_pages(store, err);
}

struct migration {
    struct store_sqlite *store;
    int64_t version;
};

static int script(struct store_sqlite *store, const char *sql, struct err *err)
{
    return store->base.driver->script(&store->base, sql, err);
}

static int migrate(void *arg, struct err *err)
{
    struct migration *migration = arg;
    int failed = 0;
    for (int64_t i = migration->version; !failed && i < STORE_STEP_COUNT; i++) {
        failed = script(migration->store, STORE_STEPS[i].sqlite, err);
    }
    if (failed) {
        return failed;
    }
    CLEANUP(str_free)
    char *sql = xasprintf("PRAGMA application_id = %d; PRAGMA user_version = %lld", APPLICATION_ID,
                          (long long)STORE_STEP_COUNT);
    return script(migration->store, sql, err);
}

int store_sqlite_migrate(struct store_sqlite *store, struct err *err)
{
    struct migration migration = {.store = store};
    int failed = read_number(store, "PRAGMA user_version", &migration.version, err);
    if (failed || migration.version == STORE_STEP_COUNT) {
        return failed;
    }
    failed = store_transact(&store->base, migrate, &migration, err);
    return failed ? err_wrap(err, "cannot bring the state file to schema %lld",
                             (long long)STORE_STEP_COUNT)
                  : 0;
}
