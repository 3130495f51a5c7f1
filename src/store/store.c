/* How a change survives: the file is in WAL mode with synchronous=NORMAL. A commit has written its
 * pages into the -wal file before it returns, so they are in the kernel's page cache and outlive
 * kill -9 of this process; the next opening reads them from there. What NORMAL leaves out is the
 * fsync of each commit: a power failure may take back the last changes, never damage the file. In
 * exchange a commit does not wait for the disk in the control thread (median 0.015 ms against 0.11
 * with FULL on a fast virtual disk, where an fsync is cheap); a checkpoint, one in about a thousand
 * pages, does. */
#include "store/store_priv.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
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
static int io_cause(const struct store *store)
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

static int fail_io(const struct store *store, struct err *err, const char *what)
{
    int cause = io_cause(store);
    if (cause == ENOSPC || cause == EDQUOT) {
        return err_set(err, ENOSPC,
                       "%s '%s': %s; nothing was changed: free space there and try again", what,
                       store->path, strerror(cause));
    }
    return err_set(err, EIO, "%s '%s': %s; nothing was changed: check the disk and its limits",
                   what, store->path, cause ? strerror(cause) : "input/output error");
}

int store_fail(const struct store *store, struct err *err, int code, const char *what)
{
    const char *text = store->db ? sqlite3_errmsg(store->db) : sqlite3_errstr(code);
    switch (code & 0xff) {
    case SQLITE_FULL:
        return err_set(err, ENOSPC,
                       "%s '%s': the disk is full; nothing was changed: free space there and try "
                       "again",
                       what, store->path);
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        return fail_io(store, err, what);
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return err_set(err, EROFS, "%s '%s': the file may not be written; check its owner and mode",
                       what, store->path);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return err_set(err, EBUSY,
                       "%s '%s': another program holds it locked; nothing was changed: end that "
                       "program or try again",
                       what, store->path);
    case SQLITE_NOMEM:
        return err_set(err, ENOMEM, "%s '%s': out of memory", what, store->path);
    case SQLITE_TOOBIG:
        return err_set(err, E2BIG, "%s '%s': a text is too long", what, store->path);
    case SQLITE_CONSTRAINT:
        return code == SQLITE_CONSTRAINT_FOREIGNKEY
                   ? err_set(err, ENOENT, "%s: what it belongs to does not exist", what)
                   : err_set(err, EEXIST, "%s: exists already", what);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return err_set(err, EIO,
                       "%s '%s': %s; stop jsorc, keep a copy of the file and its -wal file, and "
                       "recover it with 'sqlite3 FILE .recover'",
                       what, store->path, text);
    default:
        return err_set(err, EIO, "%s '%s': %s", what, store->path, text);
    }
}

static int bind_text(sqlite3_stmt *statement, int place, const char *text, size_t bytes_max,
                     struct err *err)
{
    size_t size = text ? strlen(text) : 0;
    if (size > bytes_max) {
        return err_set(err, E2BIG, "a %s of %zu bytes is over the limit of %zu",
                       bytes_max == STORE_NAME_BYTES_MAX ? "name" : "text", size, bytes_max);
    }
    /* Static: the caller's text lives until the statement has run. */
    int code = sqlite3_bind_text64(statement, place, text, size, SQLITE_STATIC, SQLITE_UTF8);
    return code == SQLITE_OK ? 0 : err_set(err, ENOMEM, "out of memory");
}

static int bind_all(sqlite3_stmt *statement, const char *types, va_list values, struct err *err)
{
    assert((int)strlen(types) == sqlite3_bind_parameter_count(statement));

    int failed = 0;
    for (int place = 1; !failed && types[place - 1]; place++) {
        const unsigned char *hash = NULL;
        switch (types[place - 1]) {
        case 'n':
            failed = bind_text(statement, place, va_arg(values, const char *), STORE_NAME_BYTES_MAX,
                               err);
            break;
        case 's':
            failed = bind_text(statement, place, va_arg(values, const char *), STORE_TEXT_BYTES_MAX,
                               err);
            break;
        case 'i':
            (void)sqlite3_bind_int64(statement, place, va_arg(values, int64_t));
            break;
        case 'h':
            hash = va_arg(values, const unsigned char *);
            (void)sqlite3_bind_blob(statement, place, hash, hash ? STORE_SECRET_HASH_BYTES : 0,
                                    SQLITE_STATIC);
            break;
        default:
            assert(false); /* no such value type */
        }
    }
    return failed;
}

static int run(struct store *store, struct err *err, struct store_rows rows, const char *sql,
               const char *types, va_list values)
{
    CLEANUP(statement_free) sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL);
    if (code != SQLITE_OK) {
        return store_fail(store, err, code, "cannot read");
    }
    const char *what = sqlite3_stmt_readonly(statement) ? "cannot read" : "cannot write";
    int failed = bind_all(statement, types, values, err);
    if (failed) {
        return failed;
    }
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        failed = rows.fn ? rows.fn(rows.arg, statement) : 0;
        if (failed) {
            return failed;
        }
    }
    return code == SQLITE_DONE ? 0 : store_fail(store, err, code, what);
}

int store_run(struct store *store, struct err *err, const char *sql, const char *types, ...)
{
    va_list values;
    va_start(values, types);
    int failed = run(store, err, (struct store_rows){0}, sql, types, values);
    va_end(values);
    return failed;
}

int store_query(struct store *store, struct err *err, struct store_rows rows, const char *sql,
                const char *types, ...)
{
    va_list values;
    va_start(values, types);
    int failed = run(store, err, rows, sql, types, values);
    va_end(values);
    return failed;
}

int64_t store_changes(const struct store *store)
{
    return sqlite3_changes64(store->db);
}

const char *store_column(sqlite3_stmt *row, int column)
{
    const char *text = (const char *)sqlite3_column_text(row, column);
    return text ? text : "";
}

int store_take_text(void *arg, sqlite3_stmt *row)
{
    str_replace(arg, store_column(row, 0));
    return 0;
}

int store_take_int(void *arg, sqlite3_stmt *row)
{
    *(int64_t *)arg = sqlite3_column_int64(row, 0);
    return 0;
}

int store_transact(struct store *store, int (*fn)(void *arg, struct err *err), void *arg,
                   struct err *err)
{
    assert(!store->in_transact);

    /* Immediate: a lock that another program holds is met here, before fn has done anything. */
    int failed = store_run(store, err, "BEGIN IMMEDIATE", "");
    if (failed) {
        return failed;
    }
    store->in_transact = true;
    failed = fn(arg, err);
    if (!failed) {
        failed = store_run(store, err, "COMMIT", "");
    }
    if (failed && !sqlite3_get_autocommit(store->db)) { /* SQLite may have undone it already */
        (void)store_run(store, NULL, "ROLLBACK", "");
    }
    store->in_transact = false;
    return failed;
}

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

static int sync_file(const struct store *store, struct err *err)
{
    sqlite3_file *file = NULL;
    int code = sqlite3_file_control(store->db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    if (code == SQLITE_OK && file && file->pMethods) {
        code = file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
    }
    return code == SQLITE_OK ? 0 : store_fail(store, err, code, "cannot write");
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
        int failed = store_run(store, err, pragmas[i], "");
        if (failed) {
            return failed;
        }
    }
    return 0;
}

int store_open(const char *path, struct store **ret_store, struct err *err)
{
    bool is_new = false;
    int failed = make_file(path, &is_new, err);
    if (failed) {
        return failed;
    }
    CLEANUP(store_close) struct store *store = xcalloc(1, sizeof(*store));
    store->path = xstrdup(path);
    int code =
        sqlite3_open_v2(path, &store->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (code != SQLITE_OK) {
        return store_fail(store, err, code, "cannot open the state file");
    }
    (void)sqlite3_busy_timeout(store->db, BUSY_TIMEOUT_MS);
    failed = store_schema_check(store, err);
    /* A new file is made with one fsync instead of six: median 4 ms instead of 24 at the first
     * start on a busy machine. Its rollback journal keeps it whole if the process is killed
     * meanwhile. */
    if (!failed && is_new) {
        failed = store_run(store, err, "PRAGMA synchronous = OFF", "");
    }
    if (!failed) {
        failed = store_schema_migrate(store, err);
    }
    if (!failed) {
        failed = set_up(store, err);
    }
    if (!failed && is_new) {
        failed = sync_file(store, err);
    }
    if (!failed) {
        *ret_store = TAKE(store);
    }
    return failed;
}

struct store *store_close(struct store *store)
{
    if (store) {
        (void)sqlite3_close_v2(store->db);
        free(store->path);
        free(store);
    }
    return NULL;
}

const char *store_path(const struct store *store)
{
    return store->path;
}
