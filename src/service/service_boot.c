/* The database before all else, when our own state lies in it: started, or found running, before
 * there is a store. Whoever calls waits; nothing is served yet. From services_start on it is a
 * service like the others. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "provider/process/program.h"
#include "service/database.h"
#include "store/store.h"

#define LOOK_MS    50
#define STARTS_MAX 3 /* one that ended while we waited is started anew: it may have been ending */
#define ASK_MS     30000 /* of a statement: CREATE DATABASE copies 8 MB */

struct boot {
    struct service_job job;     /* what checks and preparation read; no service is behind it */
    struct service_paths paths; /* owned */
    struct program_spec spec;
    int starts;
};

static void boot_init(struct boot *boot, const struct service_parts *parts,
                      const struct service_settings *settings)
{
    const struct service_ops *ops = &service_database;
    struct json_object *given = service_config_given(ops, parts->given);
    *boot = (struct boot){0};
    service_paths_init(&boot->paths, parts, ops);
    boot->job = (struct service_job){.kind = JOB_CHECK,
                                     .ops = ops,
                                     .paths = &boot->paths,
                                     .provider = service_config_provider(ops, given, false),
                                     .config = service_config_merge(ops, given),
                                     .timeout_ms = settings->check_timeout_ms};
    boot->spec = service_program_spec(ops, &boot->paths);
}

static void drop_args(struct service_job *job)
{
    for (size_t i = 0; job->args && job->args[i]; i++) {
        free(job->args[i]);
    }
    free(job->args);
    job->args = NULL;
}

static void boot_done(struct boot *boot)
{
    drop_args(&boot->job);
    (void)json_put(boot->job.config);
    service_paths_done(&boot->paths);
}

/* ---- until it answers ---- */

static int start_process(struct boot *boot, pid_t *ret_pid, struct err *err)
{
    drop_args(&boot->job);
    boot->job.is_running = false;
    int failed = boot->job.ops->prepare(&boot->job, err);
    boot->spec.args = boot->job.args;
    failed = failed ? failed : program_spawn(&boot->spec, ret_pid, err);
    boot->starts++;
    boot->job.is_running = true;
    return failed;
}

/* Our child, or the supervisor's. */
static bool has_ended(pid_t pid)
{
    return waitpid(pid, NULL, WNOHANG) == pid || (kill(pid, 0) < 0 && errno == ESRCH);
}

static int tell_end(const struct boot *boot, struct err *err)
{
    CLEANUP(str_free)
    char *words = program_last_words(boot->paths.log, boot->job.ops->reason_mark);
    return err_set(err, ECHILD, "its process ended%s%s", *words ? ": " : "", words);
}

static int await_answer(struct boot *boot, uint64_t timeout_ms, struct err *err)
{
    uint64_t deadline_ms = clock_now_ms() + timeout_ms;
    bool own = boot->job.provider == PROVIDER_PROCESS;
    pid_t pid = own ? program_find(&boot->spec) : 0;
    boot->job.is_running = pid > 0;
    for (;;) {
        if (own && (pid <= 0 || has_ended(pid))) {
            int failed =
                boot->starts == STARTS_MAX ? tell_end(boot, err) : start_process(boot, &pid, err);
            if (failed) {
                return failed;
            }
        }
        enum check_outcome outcome = boot->job.ops->check(&boot->job, err);
        if (outcome == CHECK_GOOD || outcome == CHECK_SICK || clock_now_ms() >= deadline_ms) {
            return outcome == CHECK_GOOD ? 0 : -EIO;
        }
        (void)poll(NULL, 0, LOOK_MS);
    }
}

/* ---- the state's own database ---- */

/* One row of one number; -1 = none. */
static int64_t ask_number(PGconn *connection, const char *sql)
{
    CLEANUP(database_clear) PGresult *result = database_ask(connection, sql, ASK_MS, NULL);
    return result && PQntuples(result) == 1 ? strtoll(PQgetvalue(result, 0, 0), NULL, 10) : -1;
}

static int make_database(const struct boot *boot, struct err *err)
{
    CLEANUP(database_close)
    PGconn *connection = database_open(&boot->job, "postgres", ASK_MS, err);
    if (!connection) {
        return -EIO;
    }
    return ask_number(connection, "SELECT count(*) FROM pg_database WHERE datname = "
                                  "'" DATABASE_OF_STATE "'") > 0
               ? 0
               : database_tell(connection, ASK_MS, err, "CREATE DATABASE " DATABASE_OF_STATE);
}

/* What an older jsorc wrote is saved before its tables are changed. */
static int save_older(const struct boot *boot, const char *name, struct err *err)
{
    CLEANUP(json_put) struct json_object *told = NULL;
    CLEANUP(database_close) PGconn *connection = database_open(&boot->job, name, ASK_MS, err);
    int64_t version = connection ? ask_number(connection, "SELECT number FROM jsorc.version") : -1;
    if (!connection || version < 0 || version >= store_schema()) {
        return connection ? 0 : -EIO;
    }
    int failed = database_backup(&boot->job, "before-new-schema", &told, err);
    if (!failed) {
        log_info("the state is saved before its tables are changed", "backup=%s schema=%lld",
                 json_str(told, "name"), (long long)version);
    }
    return failed;
}

/* The URL with its secret, for this process alone: PGPASSWORD, which may be another server's, would
 * come before the password file. */
static char *secret_url(const struct service_job *job, const char *name)
{
    CLEANUP(str_free) char *password = database_password(job);
    CLEANUP(str_free) char *url = database_url(job, name);
    struct buf text = {0};
    buf_printf(&text, "%s", url);
    for (const char *at = password ? password : ""; *at; at++) {
        buf_printf(&text, "%s%%%02X", at == password ? "&password=" : "", (unsigned char)*at);
    }
    char *copy = xstrndup(text.data + text.start, buf_size(&text));
    buf_done(&text);
    return copy;
}

int services_boot_database(const struct service_parts *parts,
                           const struct service_settings *settings, char **ret_url, struct err *err)
{
    struct boot boot;
    boot_init(&boot, parts, settings);
    bool own = boot.job.provider == PROVIDER_PROCESS;
    const char *name = own ? DATABASE_OF_STATE : database_key(&boot.job, "db", "postgres");
    int failed = boot.job.provider == PROVIDER_NONE
                     ? err_set(err, EINVAL, "its config says that it is off")
                     : await_answer(&boot, settings->start_timeout_ms, err);
    failed = failed || !own ? failed : make_database(&boot, err);
    failed = failed || !own ? failed : save_older(&boot, name, err);
    *ret_url = secret_url(&boot.job, name);
    boot_done(&boot);
    return failed ? err_wrap(err, "the service 'database', which holds the state, does not run")
                  : 0;
}

int services_end_database(const struct service_parts *parts, uint64_t timeout_ms, struct err *err)
{
    uint64_t deadline_ms = clock_now_ms() + timeout_ms;
    struct service_paths paths;
    service_paths_init(&paths, parts, &service_database);
    struct program_spec spec = service_program_spec(&service_database, &paths);
    pid_t pid = program_find(&spec);
    service_paths_done(&paths);
    if (pid > 0) {
        (void)kill(pid, service_database.stop_signal);
    }
    while (pid > 0 && !has_ended(pid)) {
        if (clock_now_ms() >= deadline_ms) {
            return err_set(err, ETIMEDOUT, "the database (pid %d) does not end", (int)pid);
        }
        (void)poll(NULL, 0, LOOK_MS);
    }
    return 0;
}
