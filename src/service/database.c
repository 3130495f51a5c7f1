/* The database: a PostgreSQL of our own in the state folder, or one at somebody else's address. In
 * the original it is called jaseci-db, and DB_REGEN_CONFIG is its config. */
#include "service/database.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/statvfs.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"

/* A server that cannot add a segment to its log (16 MiB) stops, and does not start again. */
#define ROOM_BYTES_MIN (24UL * 1024 * 1024)
#define OWN_USER       "jsorc"

/* ---- config ---- */

const char *database_key(const struct service_job *job, const char *key, const char *fallback)
{
    const char *text = json_str(job->config, key);
    return text && *text ? text : fallback;
}

const char *database_user(const struct service_job *job)
{
    return database_key(job, "user", job->provider == PROVIDER_PROCESS ? OWN_USER : NULL);
}

int database_port(const struct service_job *job)
{
    int listens = (int)service_config_number(job->config, "listen_port", 0);
    int port = (int)service_config_number(job->config, "port", 5432);
    return job->provider != PROVIDER_PROCESS ? port : listens > 0 ? listens : 5432;
}

char *database_path(const struct service_job *job, const char *name)
{
    return xasprintf("%s/%s", job->paths->folder, name);
}

char *database_password(const struct service_job *job)
{
    const char *given = database_key(job, "password", NULL);
    if (job->provider == PROVIDER_PROCESS) {
        CLEANUP(str_free) char *path = database_path(job, "password");
        return service_file_get(path);
    }
    return given ? xstrdup(given) : NULL;
}

/* A line of libpq's password file: any host, port, database and role. */
int database_put_passfile(const struct service_job *job, struct err *err)
{
    CLEANUP(str_free) char *path = database_path(job, "pgpass");
    CLEANUP(str_free) char *password = database_password(job);
    struct buf line = {0};
    buf_printf(&line, "*:*:*:*:");
    for (const char *at = password ? password : ""; *at; at++) {
        buf_printf(&line, "%s%c", *at == ':' || *at == '\\' ? "\\" : "", *at);
    }
    buf_printf(&line, "\n");
    CLEANUP(str_free) char *text = xstrndup(line.data + line.start, buf_size(&line));
    buf_done(&line);
    int failed = service_folder_make(job->paths->folder, err);
    return failed ? failed : service_file_put(path, text, NULL, err);
}

/* RFC 3986, section 2.3: all others are written as %XX. */
static void put_coded(struct buf *out, const char *text)
{
    for (; text && *text; text++) {
        unsigned char byte = (unsigned char)*text;
        bool plain = isalnum(byte) || strchr("-._~/", byte);
        buf_printf(out, plain ? "%c" : "%%%02X", byte);
    }
}

char *database_url(const struct service_job *job, const char *name)
{
    bool own = job->provider == PROVIDER_PROCESS;
    struct buf url = {0};
    CLEANUP(str_free) char *folder = database_path(job, "run");
    CLEANUP(str_free) char *passfile = database_path(job, "pgpass");
    const char *user = database_user(job);
    buf_printf(&url, "postgresql://");
    put_coded(&url, user);
    buf_printf(&url, user ? "@" : "");
    if (!own) {
        put_coded(&url, database_key(job, "host", "localhost"));
        buf_printf(&url, ":%d", database_port(job));
    }
    buf_printf(&url, "/");
    put_coded(&url, name);
    buf_printf(&url, "?");
    if (own) {
        buf_printf(&url, "host=");
        put_coded(&url, folder);
        buf_printf(&url, "&port=%d&", database_port(job));
    }
    buf_printf(&url, "passfile=");
    put_coded(&url, passfile);
    char *copy = xstrndup(url.data + url.start, buf_size(&url));
    buf_done(&url);
    return copy;
}

static int check_config(struct json_object *config, struct err *err)
{
    const char *programs = json_str(config, "programs");
    if (programs && *programs && *programs != '/') {
        return err_set(err, EINVAL, "'programs' must be the path of a folder, not '%s'", programs);
    }
    return 0;
}

/* ---- checks ---- */

/* What a server says that answers and is not ready; our own one says it in English. */
static bool is_getting_ready(const char *text)
{
    return strstr(text, "is starting up") || strstr(text, "is shutting down") ||
           strstr(text, "not yet accepting connections") || strstr(text, "in recovery mode");
}

/* A new start would not help: the files of the service say what the server does not take. */
static bool is_lasting(const char *text)
{
    return strstr(text, "authentication failed") || strstr(text, "no pg_hba.conf entry") ||
           (strstr(text, "role \"") && strstr(text, "does not exist"));
}

static enum check_outcome check_room(const struct service_job *job, struct err *err)
{
    struct statvfs disk;
    uint64_t room_bytes = statvfs(job->paths->config_file, &disk) == 0
                              ? (uint64_t)disk.f_bavail * disk.f_frsize
                              : ROOM_BYTES_MIN;
    if (room_bytes < ROOM_BYTES_MIN) {
        (void)err_set(err, ENOSPC, "its disk is full: %llu MiB are left, and it needs %lu to go on",
                      (unsigned long long)(room_bytes >> 20), ROOM_BYTES_MIN >> 20);
        return CHECK_SICK;
    }
    return CHECK_GOOD;
}

static enum check_outcome check_own(struct service_job *job, struct err *err)
{
    enum check_outcome outcome = check_room(job, err);
    if (outcome != CHECK_GOOD) {
        return outcome;
    }
    if (database_regenerate(job, err) < 0) {
        (void)err_wrap(err, "its last backup was not put back");
        return CHECK_SICK;
    }
    job->upkeep_due = database_backup_is_due(job);
    return CHECK_GOOD;
}

static enum check_outcome check(struct service_job *job, struct err *err)
{
    bool own = job->provider == PROVIDER_PROCESS;
    const char *name = database_key(job, "db", "postgres");
    uint64_t deadline_ms = clock_now_ms() + job->timeout_ms;
    CLEANUP(database_close)
    PGconn *connection = database_open(job, own ? "postgres" : name, job->timeout_ms, err);
    if (!connection) {
        return is_getting_ready(err->text)    ? CHECK_BUSY
               : own && is_lasting(err->text) ? CHECK_SICK
                                              : CHECK_MISSED;
    }
    uint64_t now_ms = clock_now_ms();
    CLEANUP(database_clear)
    PGresult *result =
        database_ask(connection, "SELECT 1", deadline_ms > now_ms ? deadline_ms - now_ms : 1, err);
    if (!result) {
        return CHECK_MISSED;
    }
    return own ? check_own(job, err) : CHECK_GOOD;
}

/* ---- methods ---- */

/* Where programs find it: a URL without a secret; libpq reads that from the file it names. */
static int run_url(struct service_job *job, struct json_object **ret, struct err *err)
{
    const char *name = service_job_text(job, 0);
    int failed = database_put_passfile(job, err);
    if (!failed) {
        CLEANUP(str_free)
        char *url = database_url(job, name && *name ? name : database_key(job, "db", "postgres"));
        *ret = json_object_new_string(url);
    }
    return failed;
}

static const struct service_method methods[] = {
    {"backup", "reason", 0, database_run_backup},
    {"backups", "", 0, database_run_backups},
    {"restore", "backup", 0, database_run_restore},
    {"url", "db", 0, run_url},
    {.name = NULL},
};

static const struct service_key keys[] = {
    {.name = "host", .variables = {"POSTGRES_HOST"}, .fallback = "\"jaseci-db\"", .address = true},
    {.name = "port",
     .type = KEY_NUMBER,
     .variables = {"POSTGRES_PORT"},
     .fallback = "5432",
     .min = 1,
     .max = 65535,
     .address = true},
    {.name = "db", .variables = {"DBNAME"}, .fallback = "\"postgres\""},
    {.name = "user", .variables = {"POSTGRES_USER"}},
    {.name = "password", .variables = {"POSTGRES_PASSWORD"}},
    {.name = "provider"},
    {.name = "listen_port", .type = KEY_NUMBER, .fallback = "0", .max = 65535},
    {.name = "account", .fallback = "\"postgres\""},
    {.name = "programs"},
    {.name = "shared_buffers_mb", .type = KEY_NUMBER, .fallback = "128", .min = 1, .max = 1 << 20},
    {.name = "connections_max", .type = KEY_NUMBER, .fallback = "100", .min = 10, .max = 10000},
    {.name = "backup_interval_h", .type = KEY_NUMBER, .fallback = "24", .max = 8760},
    {.name = "backups_max", .type = KEY_NUMBER, .fallback = "7", .min = 1, .max = 1000},
    {.name = "regenerate", .type = KEY_FLAG, .variables = {"JSORC_DB_REGEN"}, .fallback = "false"},
    {.name = NULL},
};

const struct service_ops service_database = {
    .name = "database",
    .alias = "jaseci-db",
    .title = "DatabaseService",
    .config = "DB_REGEN_CONFIG",
    .keys = keys,
    .mark = "-D",
    .config_file = "data",
    .stop_signal = SIGINT, /* SIGTERM would wait until the last client has gone */
    .reason_mark = "FATAL: ",
    .check_config = check_config,
    .prepare = database_prepare,
    .check = check,
    .methods = methods,
    .upkeep = &methods[0],
};
