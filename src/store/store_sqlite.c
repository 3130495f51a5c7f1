/* How a change survives: the file is in WAL mode with synchronous=NORMAL. A commit has written its
 * pages into the -wal file before it returns, so they are in the kernel's page cache and outlive
 * kill -9 of this process; the next opening reads them from there. What NORMAL leaves out is the
 * fsync of each commit: a power failure may take back the last changes, never damage the file. In
 * exchange a commit does not wait for the disk in the control thread (median 0.015 ms against 0.11
 * with FULL on a fast virtual disk, where an fsync is cheap); a checkpoint, one in about a thousand
 * pages, does. */
#include "store/store_sqlite.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/err.h"

/* Long enough for a backup or a person's sqlite3 to finish a write, short enough for a control
 * thread that must go on. */
#define BUSY_TIMEOUT_MS 1000

static sqlite3_stmt *statement_free(sqlite3_stmt *statement)
{
    (void)sqlite3_finalize(statement);
    return NULL;
}
DEFINE_CLEANUP(sqlite3_stmt *, statement_free)

/* The errno of the failed read or write. sqlite3_system_errno tells what errno happens to be after
 * the clean-up, so the files are asked first: the -wal file, then the state file. */
static int io_cause(const struct store_sqlite *store)
{
    static const int pointers[] = {SQLITE_FCNTL_JOURNAL_POINTER, SQLITE_FCNTL_FILE_POINTER};
    int cause = 0;
    for (size_t i = 0; !cause && i < sizeof(pointers) / sizeof(pointers[0]); i++) {
        sqlite3_file *file = NULL;
        if (sqlite3_file_control(store->db, "main", pointers[i], &file) == SQLITE_OK && file &&
            file->pMethods) {
            (void)file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &cause);
        }
    }
    return cause ? cause : sqlite3_system_errno(store->db);
}

static int fail_io(const struct store_sqlite *store, struct err *err, const char *what)
{
    int cause = io_cause(store);
    if (cause == ENOSPC || cause == EDQUOT) {
        return err_set(err, ENOSPC,
                       "%s '%s': %s; nothing was changed: free space there and try again", what,
                       store->base.name, strerror(cause));
    }
    return err_set(err, EIO, "%s '%s': %s; nothing was changed: check the disk and its limits",
                   what, store->base.name, cause ? strerror(cause) : "input/output error");
}

int store_sqlite_fail(const struct store_sqlite *store, struct err *err, int code, const char *what)
{
    const char *text = store->db ? sqlite3_errmsg(store->db) : sqlite3_errstr(code);
    switch (code & 0xff) {
    case SQLITE_FULL:
        return err_set(err, ENOSPC,
                       "%s '%s': the disk is full; nothing was changed: free space there and try "
                       "again",
                       what, store->base.name);
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        return fail_io(store, err, what);
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return err_set(err, EROFS, "%s '%s': the file may not be written; check its owner and mode",
                       what, store->base.name);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return err_set(err, EBUSY,
                       "%s '%s': another program holds it locked; nothing was changed: end that "
                       "program or try again",
                       what, store->base.name);
    case SQLITE_NOMEM:
        return err_set(err, ENOMEM, "%s '%s': out of memory", what, store->base.name);
    case SQLITE_TOOBIG:
        return err_set(err, E2BIG, "%s '%s': a text is too long", what, store->base.name);
    case SQLITE_CONSTRAINT:
        return code == SQLITE_CONSTRAINT_FOREIGNKEY
                   ? err_set(err, ENOENT, "%s: what it belongs to does not exist", what)
                   : err_set(err, EEXIST, "%s: exists already", what);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return err_set(err, EIO,
                       "%s '%s': %s; stop jsorc, keep a copy of the file and its -wal file, and "
                       "recover it with 'sqlite3 FILE .recover'",
                       what, store->base.name, text);
    default:
        return err_set(err, EIO, "%s '%s': %s", what, store->base.name, text);
    }
}

static int bind_values(sqlite3_stmt *statement, const struct store_value *values, size_t count,
                       struct err *err)
{
    assert((int)count == sqlite3_bind_parameter_count(statement));

    int code = SQLITE_OK;
    for (size_t i = 0; code == SQLITE_OK && i < count; i++) {
        const struct store_value *value = &values[i];
        char name[24]; /* SQLite numbers $2 by where it stands, not by its name */
        (void)snprintf(name, sizeof(name), "$%zu", i + 1);
        int place = sqlite3_bind_parameter_index(statement, name);
        /* Static: the caller's text lives until the statement has run. */
        code = value->type == 'i' ? sqlite3_bind_int64(statement, place, value->number)
               : value->type == 'h'
                   ? sqlite3_bind_blob(statement, place, value->hash,
                                       value->hash ? STORE_SECRET_HASH_BYTES : 0, SQLITE_STATIC)
                   : sqlite3_bind_text64(statement, place, value->text, value->size, SQLITE_STATIC,
                                         SQLITE_UTF8);
    }
    return code == SQLITE_OK ? 0 : err_set(err, ENOMEM, "out of memory");
}

static int run(struct store *store, struct err *err, struct store_rows rows, const char *sql,
               const struct store_value *values, size_t count)
{
    struct store_sqlite *own = store_sqlite(store);
    CLEANUP(statement_free) sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(own->db, sql, -1, &statement, NULL);
    if (code != SQLITE_OK) {
        return store_sqlite_fail(own, err, code, "cannot read");
    }
    const char *what = sqlite3_stmt_readonly(statement) ? "cannot read" : "cannot write";
    struct store_row row = {store->driver, statement, 0};
    int failed = bind_values(statement, values, count, err);
    if (failed) {
        return failed;
    }
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        failed = rows.fn ? rows.fn(rows.arg, &row) : 0;
        if (failed) {
            return failed;
        }
        row.index++;
    }
    store->changes = sqlite3_changes64(own->db);
    return code == SQLITE_DONE ? 0 : store_sqlite_fail(own, err, code, what);
}

static int script(struct store *store, const char *sql, struct err *err)
{
    int code = sqlite3_exec(store_sqlite(store)->db, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? 0
                             : store_sqlite_fail(store_sqlite(store), err, code, "cannot write");
}

static int begin(struct store *store, struct err *err)
{
    return script(store, "BEGIN IMMEDIATE", err);
}

static int commit(struct store *store, struct err *err)
{
    return script(store, "COMMIT", err);
}

static void rollback(struct store *store)
{
    if (!sqlite3_get_autocommit(store_sqlite(store)->db)) { /* SQLite may have undone it already */
        (void)script(store, "ROLLBACK", NULL);
    }
}

static const char *row_text(const struct store_row *row, int column)
{
    return (const char *)sqlite3_column_text(row->result, column);
}

static int64_t row_number(const struct store_row *row, int column)
{
    return sqlite3_column_int64(row->result, column);
}

static size_t row_bytes(const struct store_row *row, int column, unsigned char *ret, size_t size)
{
    const void *blob = sqlite3_column_blob(row->result, column);
    size_t there = blob ? (size_t)sqlite3_column_bytes(row->result, column) : 0;
    if (there > 0) {
        memcpy(ret, blob, there < size ? there : size);
    }
    return there;
}

static void close_file(struct store *store)
{
    (void)sqlite3_close_v2(store_sqlite(store)->db);
    free(store);
}

static const struct store_driver DRIVER = {
    .run = run,
    .script = script,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .close = close_file,
    .text = row_text,
    .number = row_number,
    .bytes = row_bytes,
};

/* Makes the file before SQLite does: it holds password hashes, so nobody else may read it. The
 * -wal and -shm files get the same mode from SQLite. Closed before SQLite opens it: closing a
 * descriptor gives up all locks of the process on the file. */
static int make_file(const char *path, bool *ret_new, struct err *err)
{
    CLEANUP_FD int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0) {
        return err_errno(err, errno, "cannot open the state file '%s'", path);
    }
    *ret_new = status.st_size == 0;
    return 0;
}

static int sync_file(const struct store_sqlite *store, struct err *err)
{
    sqlite3_file *file = NULL;
    int code = sqlite3_file_control(store->db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    if (code == SQLITE_OK && file && file->pMethods) {
        code = file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
    }
    return code == SQLITE_OK ? 0 : store_sqlite_fail(store, err, code, "cannot write");
}

static int set_up(struct store *store, struct err *err)
{
    static const char *const pragmas[] = {
        /* Where the file system has no shared memory SQLite stays with its rollback journal, which
         * survives kill -9 just as well. */
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = NORMAL",
        "PRAGMA foreign_keys = ON",
        "PRAGMA trusted_schema = OFF",
        "PRAGMA cache_size = -256",            /* KiB; the daemon is idle at 16 MiB */
        "PRAGMA journal_size_limit = 4194304", /* bytes that a -wal file keeps after a checkpoint */
    };
    for (size_t i = 0; i < sizeof(pragmas) / sizeof(pragmas[0]); i++) {
        int failed = script(store, pragmas[i], err);
        if (failed) {
            return failed;
        }
    }
    return 0;
}

int store_sqlite_open(const char *path, struct store **ret_store, struct err *err)
{
    bool is_new = false;
    int failed = make_file(path, &is_new, err);
    if (failed) {
        return failed;
    }
    struct store_sqlite *own = xcalloc(1, sizeof(*own));
    CLEANUP(store_close) struct store *store = &own->base;
    own->base = (struct store){.driver = &DRIVER, .name = xstrdup(path)};
    int code = sqlite3_open_v2(
        path, &own->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (code != SQLITE_OK) {
        return store_sqlite_fail(own, err, code, "cannot open the state file");
    }
    (void)sqlite3_busy_timeout(own->db, BUSY_TIMEOUT_MS);
    failed = store_sqlite_check(own, err);
    /* A new file is made with one fsync instead of six: median 4 ms instead of 24 at the first
     * start on a busy machine. Its rollback journal keeps it whole if the process is killed
     * meanwhile. */
    if (!failed && is_new) {
        failed = script(store, "PRAGMA synchronous = OFF", err);
    }
    if (!failed) {
        failed = store_sqlite_migrate(own, err);
    }
    if (!failed) {
        failed = set_up(store, err);
    }
    if (!failed && is_new) {
        failed = sync_file(own, err);
    }
    if (!failed) {
        *ret_store = TAKE(store);
    }
    return failed;
}
