/* The tables, and how a file of an older version becomes one of this version. The version is
 * SQLite's user_version: the number of steps that the file has gone through. Steps are only ever
 * added; one that was released is never edited. */
#include "store/store_priv.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"

/* "jsrc": tells our file from another program's SQLite file. */
#define APPLICATION_ID 0x6a737263

static const char *const steps[] = {
    "CREATE TABLE configs (name TEXT PRIMARY KEY, text TEXT NOT NULL);"
    "CREATE TABLE meta (key TEXT PRIMARY KEY, text TEXT NOT NULL);"
    "CREATE TABLE modules ("
    "  name TEXT PRIMARY KEY, kind TEXT NOT NULL, source TEXT NOT NULL, config TEXT NOT NULL,"
    "  ctx TEXT NOT NULL, place TEXT NOT NULL, loaded_by TEXT NOT NULL, learnt TEXT NOT NULL,"
    "  position INTEGER NOT NULL);"
    /* AUTOINCREMENT: an id is never given twice, so what was kept about a deleted account cannot
     * be taken for another's. */
    "CREATE TABLE users ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT, email TEXT NOT NULL UNIQUE, name TEXT NOT NULL,"
    "  jid TEXT NOT NULL, password_hash TEXT NOT NULL, is_activated INTEGER NOT NULL,"
    "  is_superuser INTEGER NOT NULL, created_ms INTEGER NOT NULL,"
    "  last_login_ms INTEGER NOT NULL);"
    "CREATE TABLE tokens ("
    "  hash BLOB PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,"
    "  created_ms INTEGER NOT NULL, expiry_ms INTEGER NOT NULL);"
    "CREATE INDEX tokens_by_user ON tokens (user_id, created_ms);"
    "CREATE TABLE codes ("
    "  kind INTEGER NOT NULL, user_id INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,"
    "  hash BLOB NOT NULL UNIQUE, expiry_ms INTEGER NOT NULL, PRIMARY KEY (kind, user_id));",
    "CREATE TABLE decisions ("
    "  id INTEGER PRIMARY KEY, run INTEGER NOT NULL, at_ms INTEGER NOT NULL, told TEXT NOT NULL,"
    "  answer TEXT NOT NULL);"
    "CREATE INDEX decisions_by_run ON decisions (run, id);",
};

#define STEP_COUNT ((int64_t)(sizeof(steps) / sizeof(steps[0])))

static int refuse(const struct store *store, struct err *err, const char *reason)
{
    return err_set(err, EMEDIUMTYPE,
                   "the state file '%s' cannot be used: %s. It was left as it is. Move it and its "
                   "-wal file away to start without its accounts, configs and placement, put a "
                   "backup in its place, or save what is readable with 'sqlite3 FILE .recover'",
                   store->path, reason);
}

/* Runs a statement that changes nothing, and tells a damaged file from other failures. */
static int look(struct store *store, const char *sql, store_row_fn row_fn, void *arg,
                struct err *err)
{
    struct err inner = {0};
    int failed = store_query(store, &inner, (struct store_rows){row_fn, arg}, sql, "");
    int code = sqlite3_errcode(store->db) & 0xff;
    if (failed && (code == SQLITE_NOTADB || code == SQLITE_CORRUPT)) {
        CLEANUP(str_free) char *reason = xstrdup(sqlite3_errmsg(store->db));
        return refuse(store, err, reason);
    }
    return failed ? err_set(err, inner.code, "%s", inner.text) : 0;
}

static int read_number(struct store *store, const char *sql, int64_t *ret_number, struct err *err)
{
    return look(store, sql, store_take_int, ret_number, err);
}

/* SQLite's own check, without the slow part that compares indexes with their tables. */
static int check_pages(struct store *store, struct err *err)
{
    CLEANUP(str_free) char *report = NULL;
    int failed = look(store, "PRAGMA quick_check(1)", store_take_text, &report, err);
    if (failed) {
        return failed;
    }
    return report && strcmp(report, "ok") != 0 ? refuse(store, err, report) : 0;
}

int store_schema_check(struct store *store, struct err *err)
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
    if (version > STEP_COUNT) {
        return err_set(err, ENOTSUP,
                       "the state file '%s' was written by a newer jsorc (schema %lld, this one "
                       "knows %lld); use that version, or another state folder",
                       store->path, (long long)version, (long long)STEP_COUNT);
    }
    return check_pages(store, err);
}

struct migration {
    struct store *store;
    int64_t version;
};

static int run_script(struct store *store, const char *sql, struct err *err)
{
    int code = sqlite3_exec(store->db, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? 0 : store_fail(store, err, code, "cannot write");
}

static int migrate(void *arg, struct err *err)
{
    struct migration *migration = arg;
    int failed = 0;
    for (int64_t i = migration->version; !failed && i < STEP_COUNT; i++) {
        failed = run_script(migration->store, steps[i], err);
    }
    if (failed) {
        return failed;
    }
    CLEANUP(str_free)
    char *sql = xasprintf("PRAGMA application_id = %d; PRAGMA user_version = %lld", APPLICATION_ID,
                          (long long)STEP_COUNT);
    return run_script(migration->store, sql, err);
}

int store_schema_migrate(struct store *store, struct err *err)
{
    struct migration migration = {.store = store};
    int failed = read_number(store, "PRAGMA user_version", &migration.version, err);
    if (failed || migration.version == STEP_COUNT) {
        return failed;
    }
    failed = store_transact(store, migrate, &migration, err);
    return failed
               ? err_wrap(err, "cannot bring the state file to schema %lld", (long long)STEP_COUNT)
               : 0;
}
