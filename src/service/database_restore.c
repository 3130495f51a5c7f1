/* The way back from a backup. Each database is restored beside the one that is in use, whole, and
 * takes its place only when all of them could be: in one transaction, by name. The one that was in
 * use stays, closed, under another name; nothing of it is deleted. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "service/database.h"

#define ASK_MS       60000 /* CREATE DATABASE copies 8 MB, and a checkpoint comes first */
#define FRESH        "jsorc_restore_%zu"
#define KEPT_FORMAT  "%.38s_before_%s" /* at most DATABASE_NAME_MAX bytes */
#define SWAP_TRIES   20 /* somebody connects between the end of the others and the new name */
#define SWAP_WAIT_MS 100

struct restore {
    const struct service_job *job;
    PGconn *connection; /* owned; to template1, so that each of the others can be renamed */
    char *programs;     /* owned */
    char *folder;       /* owned; the backup's */
    struct json_object *databases; /* borrowed from told */
    struct json_object *told;      /* owned; the backup's backup.json */
    bool anew;                     /* into a server that holds nothing yet */
};

static const char *name_at(const struct restore *restore, size_t i)
{
    const char *name = json_str(json_object_array_get_idx(restore->databases, i), "name");
    return name ? name : "";
}

/* ---- which one ---- */

static int find(struct restore *restore, const char *wanted, struct err *err)
{
    CLEANUP(json_put) struct json_object *all = database_backups(restore->job);
    size_t count = json_object_array_length(all);
    for (size_t i = 0; i < count && !restore->told; i++) {
        struct json_object *one = json_object_array_get_idx(all, i);
        const char *name = json_str(one, "name");
        if (name && (!wanted || strcmp(name, wanted) == 0)) {
            restore->told = json_ref(one);
        }
    }
    if (!restore->told) {
        return wanted ? err_set(err, ENOENT, "there is no backup '%s'", wanted)
                      : err_set(err, ENOENT, "there is no backup yet");
    }
    restore->folder =
        xasprintf("%s/backups/%s", restore->job->paths->folder, json_str(restore->told, "name"));
    restore->databases = json_member(restore->told, "databases", json_type_array);
    return restore->databases ? 0 : err_set(err, EINVAL, "its backup.json names no databases");
}

/* ---- beside the one in use ---- */

static int drop_fresh(const struct restore *restore, size_t i, struct err *err)
{
    return database_tell(restore->connection, ASK_MS, err,
                         "DROP DATABASE IF EXISTS " FRESH " WITH (FORCE)", i);
}

static int fill(const struct restore *restore, size_t i, struct err *err)
{
    const char *file = json_str(json_object_array_get_idx(restore->databases, i), "file");
    CLEANUP(str_free) char *name = xasprintf(FRESH, i);
    CLEANUP(str_free) char *info = database_conninfo(restore->job, name);
    CLEANUP(str_free) char *base = xasprintf("--dbname=%s", info);
    CLEANUP(str_free) char *path = xasprintf("%s/%s", restore->folder, file ? file : "");
    CLEANUP(str_free) char *program = xasprintf("%s/pg_restore", restore->programs);
    char *words[] = {program, (char *)(uintptr_t) "--exit-on-error", base, path, NULL};
    struct database_tool tool = {.job = restore->job, .timeout_ms = DATABASE_TOOL_MS};
    int failed = drop_fresh(restore, i, err);
    failed = failed ? failed
                    : database_tell(restore->connection, ASK_MS, err,
                                    "CREATE DATABASE %s TEMPLATE template0", name);
    failed = failed ? failed : database_run(&tool, words, NULL, err);
    return failed ? err_wrap(err, "database '%s'", name_at(restore, i)) : 0;
}

static int fill_all(const struct restore *restore, struct err *err)
{
    int failed = 0;
    size_t count = json_object_array_length(restore->databases), i = 0;
    for (; i < count && !failed; i++) {
        failed = fill(restore, i, err);
    }
    for (size_t k = 0; failed && k < i; k++) {
        (void)drop_fresh(restore, k, NULL);
    }
    return failed;
}

/* ---- in its place ---- */

/* 1 = there is one of that name, 0 or -EIO. */
static int exists(const struct restore *restore, const char *name, struct err *err)
{
    CLEANUP(str_free) char *quoted = PQescapeLiteral(restore->connection, name, strlen(name));
    CLEANUP(str_free)
    char *sql = xasprintf("SELECT 1 FROM pg_database WHERE datname = %s", quoted ? quoted : "''");
    CLEANUP(database_clear) PGresult *result = database_ask(restore->connection, sql, ASK_MS, err);
    return result ? PQntuples(result) > 0 : -EIO;
}

/* The statements of one database's swap; nobody may be connected to what gets another name. */
static int put_swap(const struct restore *restore, size_t i, const char *at, struct buf *sql,
                    struct err *err)
{
    CLEANUP(str_free) char *kept = xasprintf(KEPT_FORMAT, name_at(restore, i), at);
    CLEANUP(str_free) char *quoted = database_quoted(name_at(restore, i));
    CLEANUP(str_free) char *kept_quoted = database_quoted(kept);
    int there = exists(restore, name_at(restore, i), err);
    if (there < 0) {
        return there;
    }
    if (there > 0) {
        buf_printf(sql,
                   "ALTER DATABASE %s RENAME TO %s; ALTER DATABASE %s ALLOW_CONNECTIONS false;",
                   quoted, kept_quoted, kept_quoted);
    }
    buf_printf(sql, "ALTER DATABASE " FRESH " RENAME TO %s;", i, quoted);
    return 0;
}

static void end_others(const struct restore *restore)
{
    for (size_t i = 0; i < json_object_array_length(restore->databases); i++) {
        const char *name = name_at(restore, i);
        CLEANUP(str_free) char *quoted = PQescapeLiteral(restore->connection, name, strlen(name));
        (void)database_tell(restore->connection, ASK_MS, NULL,
                            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname "
                            "= %s",
                            quoted ? quoted : "''");
    }
}

/* All or none. What connects again at once may come in between: so it is tried some times. */
static int swap(const struct restore *restore, const char *at, struct err *err)
{
    struct buf sql = {0};
    int failed = 0;
    for (size_t i = 0; i < json_object_array_length(restore->databases) && !failed; i++) {
        failed = put_swap(restore, i, at, &sql, err);
    }
    CLEANUP(str_free) char *text = xstrndup(sql.data + sql.start, buf_size(&sql));
    buf_done(&sql);
    for (int i = 0; !failed && i < SWAP_TRIES; i++) {
        CLEANUP(database_clear) PGresult *result = NULL;
        end_others(restore);
        result = database_ask(restore->connection, text, ASK_MS, err);
        if (result) {
            return 0;
        }
        (void)poll(NULL, 0, SWAP_WAIT_MS);
    }
    return failed ? failed : -EIO;
}

/* The old ones of a server that was begun anew are empty. */
static void drop_empty(const struct restore *restore, const char *at)
{
    for (size_t i = 0; i < json_object_array_length(restore->databases); i++) {
        CLEANUP(str_free) char *kept = xasprintf(KEPT_FORMAT, name_at(restore, i), at);
        CLEANUP(str_free) char *quoted = database_quoted(kept);
        (void)database_tell(restore->connection, ASK_MS, NULL, "DROP DATABASE IF EXISTS %s",
                            quoted);
    }
}

/* ---- roles ---- */

/* Of a server that was begun anew: all but our own, which is there. */
static int restore_roles(const struct restore *restore, struct err *err)
{
    CLEANUP(str_free) char *path = xasprintf("%s/roles.sql", restore->folder);
    CLEANUP(str_free) char *text = service_file_get(path);
    CLEANUP(str_free) char *make = xasprintf("CREATE ROLE %s;", database_user(restore->job));
    CLEANUP(str_free) char *change = xasprintf("ALTER ROLE %s ", database_user(restore->job));
    struct buf sql = {0};
    for (char *line = text, *end; line && *line; line = end) {
        end = line + strcspn(line, "\n");
        end += *end == '\n';
        bool own =
            strncmp(line, make, strlen(make)) == 0 || strncmp(line, change, strlen(change)) == 0;
        if (!own && *line != '\\') { /* a command of psql's */
            buf_printf(&sql, "%.*s", (int)(end - line), line);
        }
    }
    CLEANUP(str_free) char *script = xstrndup(sql.data + sql.start, buf_size(&sql));
    buf_done(&sql);
    CLEANUP(database_clear)
    PGresult *result = database_ask(restore->connection, script, ASK_MS, err);
    return result || !*script ? 0 : err_wrap(err, "its roles");
}

/* ---- all of it ---- */

static int run(struct restore *restore, char at[DATABASE_TIME_SIZE], struct err *err)
{
    database_time(at);
    restore->programs = database_clients(restore->job, err);
    restore->connection =
        restore->programs ? database_open(restore->job, "template1", ASK_MS, err) : NULL;
    int failed = restore->connection ? database_put_passfile(restore->job, err) : -EIO;
    failed = failed || !restore->anew ? failed : restore_roles(restore, err);
    failed = failed ? failed : fill_all(restore, err);
    failed = failed ? failed : swap(restore, at, err);
    if (!failed && restore->anew) {
        drop_empty(restore, at);
    }
    return failed;
}

static int restore_from(const struct service_job *job, const char *name, bool anew,
                        struct json_object **ret, struct err *err)
{
    struct restore restore = {.job = job, .anew = anew};
    char at[DATABASE_TIME_SIZE] = "";
    CLEANUP_FD int lock = database_lock(job, err);
    int failed = lock < 0 ? lock : find(&restore, name, err);
    failed = failed ? failed : run(&restore, at, err);
    if (!failed && ret) {
        struct json_object *list = json_object_new_array();
        for (size_t i = 0; i < json_object_array_length(restore.databases); i++) {
            struct json_object *one = json_object_new_object();
            CLEANUP(str_free) char *kept = xasprintf(KEPT_FORMAT, name_at(&restore, i), at);
            bool is_kept = exists(&restore, kept, NULL) > 0;
            json_set_str(one, "name", name_at(&restore, i));
            json_set_str(one, "kept_as", is_kept ? kept : NULL);
            (void)json_object_array_add(list, one);
        }
        *ret = json_object_new_object();
        json_set_str(*ret, "backup", json_str(restore.told, "name"));
        json_set(*ret, "databases", list);
    }
    PQfinish(restore.connection);
    (void)json_put(restore.told);
    free(restore.programs);
    free(restore.folder);
    return failed;
}

int database_run_restore(struct service_job *job, struct json_object **ret, struct err *err)
{
    const char *name = service_job_text(job, 0);
    return restore_from(job, name && *name ? name : NULL, false, ret, err);
}

int database_regenerate(const struct service_job *job, struct err *err)
{
    CLEANUP(str_free) char *path = database_path(job, "restore");
    if (access(path, F_OK) < 0) {
        return 0;
    }
    CLEANUP(json_put) struct json_object *all = database_backups(job);
    int failed = json_object_array_length(all) > 0 ? restore_from(job, NULL, true, NULL, err) : 0;
    if (!failed && unlink(path) < 0) {
        return err_errno(err, errno, "cannot delete '%s'", path);
    }
    return failed;
}
