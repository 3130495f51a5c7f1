/* Backups of the database: each a folder services/database/backups/TIME-REASON with a dump of every
 * database in it (pg_dump's own format) and of the roles, written as a whole or not at all. Those
 * of the schedule are bounded in number; nobody but their maker deletes others. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "service/database.h"

#define SCHEDULE       "schedule"
#define REASON_MAX     24    /* bytes of a reason: it is a part of a folder's name */
#define ASK_MS         30000 /* of a statement */
#define LIST_MS        60000 /* to read what a dump has in it */
#define DATABASES_MAX  1000  /* of a server: each is a file */
#define TIME_FORMAT    "%Y%m%dT%H%M%SZ"
#define SECONDS_A_HOUR 3600.0

int database_lock(const struct service_job *job, struct err *err)
{
    CLEANUP(str_free) char *path = database_path(job, "backups");
    int failed = service_folder_make(job->paths->folder, err);
    failed = failed ? failed : service_folder_make(path, err);
    if (failed) {
        return failed;
    }
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return err_errno(err, errno, "cannot open '%s'", path);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        (void)fd_close(fd);
        return err_set(err, EBUSY, "a backup or a restore is under way: try again later");
    }
    return fd;
}

void database_time(char ret[DATABASE_TIME_SIZE])
{
    time_t now_s = (time_t)clock_unix_s();
    struct tm parts;
    (void)strftime(ret, DATABASE_TIME_SIZE, TIME_FORMAT, gmtime_r(&now_s, &parts));
}

/* ---- what there is ---- */

/* Unix time of a backup's name; 0 = it is none. */
static int64_t time_of(const char *name)
{
    struct tm parts = {0};
    const char *rest = strptime(name, TIME_FORMAT, &parts);
    bool whole = rest == name + DATABASE_TIME_SIZE - 1 && *rest == '-' && !strchr(name, '.');
    return whole ? (int64_t)timegm(&parts) : 0;
}

static int is_backup(const struct dirent *entry)
{
    return time_of(entry->d_name) > 0;
}

/* Their names, oldest first; -1 = none can be read. The caller frees each and the array. */
static int list_names(const struct service_job *job, struct dirent ***ret)
{
    CLEANUP(str_free) char *path = database_path(job, "backups");
    return scandir(path, ret, is_backup, alphasort);
}

static void free_names(struct dirent **names, int count)
{
    for (int i = 0; i < count; i++) {
        free(names[i]);
    }
    if (count >= 0) {
        free(names);
    }
}

struct json_object *database_backups(const struct service_job *job)
{
    struct json_object *list = json_object_new_array();
    struct dirent **names = NULL;
    int count = list_names(job, &names);
    for (int i = count - 1; i >= 0; i--) {
        CLEANUP(str_free)
        char *path = xasprintf("%s/backups/%s/backup.json", job->paths->folder, names[i]->d_name);
        CLEANUP(str_free) char *text = service_file_get(path);
        struct json_object *one = NULL;
        if (text && json_parse_object(slice_str(text), &one, NULL) == 0) {
            (void)json_object_array_add(list, one);
        }
    }
    free_names(names, count);
    return list;
}

bool database_backup_is_due(const struct service_job *job)
{
    double hours = service_config_number(job->config, "backup_interval_h", 24);
    CLEANUP(str_free) char *version = xasprintf("%s/PG_VERSION", job->paths->config_file);
    struct dirent **names = NULL;
    struct stat status;
    int count = hours > 0 ? list_names(job, &names) : -1;
    int64_t last_s = count > 0 ? time_of(names[count - 1]->d_name) : 0;
    free_names(names, count);
    if (last_s == 0 && stat(version, &status) == 0) {
        last_s = (int64_t)status.st_mtime; /* it began empty */
    }
    return hours > 0 && (double)(clock_unix_s() - last_s) >= hours * SECONDS_A_HOUR;
}

/* ---- deleting ---- */

static void drop(const struct service_job *job, const char *name)
{
    CLEANUP(str_free) char *path = xasprintf("%s/backups/%s", job->paths->folder, name);
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        if (entry->d_name[0] != '.') {
            (void)unlinkat(dirfd(folder), entry->d_name, 0);
        }
    }
    if (folder) {
        (void)closedir(folder);
    }
    (void)rmdir(path);
}

/* The oldest of the schedule beyond backups_max, and what was never finished. We have the lock. */
static void drop_old(const struct service_job *job)
{
    int max = (int)service_config_number(job->config, "backups_max", 7), kept = 0;
    CLEANUP(str_free) char *path = database_path(job, "backups");
    struct dirent **names = NULL;
    int count = scandir(path, &names, NULL, alphasort);
    for (int i = count - 1; i >= 0; i--) {
        const char *name = names[i]->d_name, *ending = strrchr(name, '.');
        if (ending && strcmp(ending, ".new") == 0) {
            drop(job, name);
        } else if (time_of(name) > 0 && strcmp(name + DATABASE_TIME_SIZE, SCHEDULE) == 0 &&
                   ++kept > max) {
            drop(job, name);
        }
    }
    free_names(names, count);
}

/* ---- making one ---- */

struct backup {
    const struct service_job *job;
    char *programs;                /* owned */
    char *folder;                  /* owned; it ends with .new */
    struct json_object *databases; /* owned */
};

/* words[0] is a program's name; at most three more follow, and NULL. */
#define WORDS 5

static int run(const struct backup *backup, uint64_t timeout_ms, const char *const words[WORDS],
               struct err *err)
{
    CLEANUP(str_free) char *path = xasprintf("%s/%s", backup->programs, words[0]);
    char *all[WORDS] = {path};
    for (size_t i = 1; i < WORDS; i++) {
        all[i] = (char *)(uintptr_t)words[i];
    }
    struct database_tool tool = {.job = backup->job, .timeout_ms = timeout_ms};
    return database_run(&tool, all, NULL, err);
}

static int sync_path(const char *path, struct err *err)
{
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 || fsync(fd) < 0 ? err_errno(err, errno, "cannot write '%s'", path) : 0;
}

static int dump_one(struct backup *backup, const char *name, struct err *err)
{
    size_t number = json_object_array_length(backup->databases) + 1;
    CLEANUP(str_free) char *file = xasprintf("%zu.dump", number);
    CLEANUP(str_free) char *path = xasprintf("%s/%s", backup->folder, file);
    CLEANUP(str_free) char *file_word = xasprintf("--file=%s", path);
    CLEANUP(str_free) char *info = database_conninfo(backup->job, name);
    CLEANUP(str_free) char *base = xasprintf("--dbname=%s", info);
    struct stat status = {0};
    int failed = run(backup, DATABASE_TOOL_MS,
                     (const char *const[WORDS]){"pg_dump", "-Fc", file_word, base}, err);
    /* What cannot be read is no backup. */
    failed = failed ? failed
                    : run(backup, LIST_MS, (const char *const[WORDS]){"pg_restore", "--list", path},
                          err);
    failed = failed ? failed : sync_path(path, err);
    if (failed) {
        return err_wrap(err, "database '%s'", name);
    }
    (void)stat(path, &status);
    struct json_object *one = json_object_new_object();
    json_set_str(one, "name", name);
    json_set_str(one, "file", file);
    json_set_int(one, "bytes", (int64_t)status.st_size);
    (void)json_object_array_add(backup->databases, one);
    return 0;
}

/* Of our own server all of them; at somebody else's only the one that was named. */
static int dump_all(struct backup *backup, struct err *err)
{
    const struct service_job *job = backup->job;
    if (job->provider != PROVIDER_PROCESS) {
        return dump_one(backup, database_key(job, "db", "postgres"), err);
    }
    CLEANUP(database_close) PGconn *connection = database_open(job, "postgres", ASK_MS, err);
    CLEANUP(database_clear)
    PGresult *names = connection
                          ? database_ask(connection,
                                         "SELECT datname FROM pg_database WHERE datallowconn AND "
                                         "NOT datistemplate ORDER BY datname",
                                         ASK_MS, err)
                          : NULL;
    if (!names || PQntuples(names) > DATABASES_MAX) {
        return names ? err_set(err, E2BIG, "more than %d databases", DATABASES_MAX) : -EIO;
    }
    int failed = 0;
    for (int i = 0; i < PQntuples(names) && !failed; i++) {
        failed = dump_one(backup, PQgetvalue(names, i, 0), err);
    }
    CLEANUP(str_free) char *info = database_conninfo(job, "postgres");
    CLEANUP(str_free) char *base = xasprintf("--dbname=%s", info);
    CLEANUP(str_free) char *file = xasprintf("--file=%s/roles.sql", backup->folder);
    return failed
               ? failed
               : run(backup, DATABASE_TOOL_MS,
                     (const char *const[WORDS]){"pg_dumpall", "--globals-only", base, file}, err);
}

/* Small letters, digits and dashes; owned. */
static char *tidy(const char *reason)
{
    CLEANUP(str_free) char *text = xstrndup(reason, strnlen(reason, REASON_MAX));
    for (char *at = text; *at; at++) {
        *at = isalnum((unsigned char)*at) ? (char)tolower((unsigned char)*at) : '-';
    }
    return *text ? TAKE(text) : xstrdup("asked");
}

static int finish(struct backup *backup, const char *name, const char *reason,
                  struct json_object **ret, struct err *err)
{
    CLEANUP(str_free) char *path = xasprintf("%s/backup.json", backup->folder);
    CLEANUP(str_free) char *whole = xasprintf("%s/backups/%s", backup->job->paths->folder, name);
    CLEANUP(json_put) struct json_object *told = json_object_new_object();
    json_set_str(told, "name", name);
    json_set_int(told, "at", time_of(name));
    json_set_str(told, "reason", reason);
    json_set_int(told, "version", database_major(backup->programs));
    json_set(told, "databases", json_ref(backup->databases));
    int failed = service_file_put(path, json_text(told), NULL, err);
    failed = failed ? failed : sync_path(backup->folder, err);
    if (!failed && rename(backup->folder, whole) < 0) {
        return err_errno(err, errno, "cannot rename '%s'", backup->folder);
    }
    if (!failed) {
        *ret = TAKE(told);
    }
    return failed;
}

static int make(struct backup *backup, const char *reason, struct json_object **ret,
                struct err *err)
{
    char at[DATABASE_TIME_SIZE];
    database_time(at);
    CLEANUP(str_free) char *name = xasprintf("%s-%s", at, reason);
    backup->folder = xasprintf("%s/backups/%s.new", backup->job->paths->folder, name);
    if (mkdir(backup->folder, 0700) < 0) {
        return err_errno(err, errno, "cannot make the folder '%s'", backup->folder);
    }
    int failed = dump_all(backup, err);
    return failed ? failed : finish(backup, name, reason, ret, err);
}

int database_backup(const struct service_job *job, const char *reason, struct json_object **ret,
                    struct err *err)
{
    CLEANUP(str_free) char *tidied = tidy(reason);
    struct backup backup = {.job = job, .databases = json_object_new_array()};
    CLEANUP_FD int lock = database_lock(job, err);
    int failed = lock < 0 ? lock : database_put_passfile(job, err);
    if (!failed) {
        backup.programs = database_clients(job, err);
        failed = backup.programs ? make(&backup, tidied, ret, err) : -ENOENT;
    }
    if (lock >= 0) {
        drop_old(job);
    }
    (void)json_put(backup.databases);
    free(backup.programs);
    free(backup.folder);
    return failed;
}

/* ---- methods ---- */

int database_run_backup(struct service_job *job, struct json_object **ret, struct err *err)
{
    const char *reason = service_job_text(job, 0);
    return database_backup(job, reason && *reason ? reason : "asked", ret, err);
}

int database_run_backups(struct service_job *job, struct json_object **ret, struct err *err)
{
    (void)err;
    *ret = database_backups(job);
    return 0;
}
