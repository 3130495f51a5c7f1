/* Our own PostgreSQL server: its folder, made once by initdb, and what it is started with.
 * In services/database:
 * - data: the account's own, as PostgreSQL demands; made as data.new and renamed
 * - run: its Unix socket; the account's, too
 * - made: whom data were made for; a folder that is gone later is a loss
 * - password: of our role, 0600 and ours
 * - postgresql.conf, pg_hba.conf, backups ...: ours; the account may only read the first two
 *
 * Whoever has the account (a superuser in the database has) must not lead us, who may be root, to
 * files of others: all that we write lies in folders that only we may change. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "service/database.h"

#define INITDB_MS       120000 /* it takes a second or two; a slow disk has to write 40 MiB */
#define LEFT_OVER_MS    5000   /* for what a killed server left to end */
#define LEFT_OVER_ASK   1000   /* so long it may end by itself */
#define LEFT_OVER_POLL  50
#define SOCKET_NAME_MAX sizeof("/.s.PGSQL.65535")

/* ---- folders ---- */

/* A path that the account cannot pass through; owned; NULL = it reaches that folder. */
static char *closed_part(const char *path, const struct database_account *account)
{
    CLEANUP(str_free) char *part = xstrdup(path);
    for (char *slash = part + strlen(part); slash; slash = strrchr(part, '/')) {
        struct stat status;
        *slash = '\0';
        mode_t bit = S_IXOTH;
        if (*part && stat(part, &status) == 0) {
            bit = status.st_uid == account->uid   ? S_IXUSR
                  : status.st_gid == account->gid ? S_IXGRP
                                                  : S_IXOTH;
        } else {
            continue;
        }
        if (!(status.st_mode & bit)) {
            return TAKE(part);
        }
    }
    return NULL;
}

static int let_through(const char *path, struct err *err)
{
    struct stat status;
    if (stat(path, &status) < 0 || chmod(path, (status.st_mode & 07777) | S_IXGRP | S_IXOTH) < 0) {
        return err_errno(err, errno, "cannot let the database's account through '%s'", path);
    }
    return 0;
}

/* The state folder, services and ours: passed through, not read. What is above is not ours. */
static int open_way(const struct service_job *job, const struct database_account *account,
                    struct err *err)
{
    CLEANUP(str_free) char *path = xstrdup(job->paths->folder);
    int failed = 0;
    for (int i = 0; i < 3 && !failed; i++) {
        failed = let_through(path, err);
        char *slash = strrchr(path, '/');
        *(slash && slash != path ? slash : path + 1) = '\0';
    }
    CLEANUP(str_free) char *closed = failed ? NULL : closed_part(job->paths->folder, account);
    return closed ? err_set(err, EACCES,
                            "the account of the database may not pass through '%s': let it (chmod "
                            "o+x), or take another state folder",
                            closed)
                  : failed;
}

/* A folder of the account's own, in ours, where nobody else can put anything in its place. */
static int make_owned(const char *path, const struct database_account *account, struct err *err)
{
    if (mkdir(path, 0700) < 0 && errno != EEXIST) {
        return err_errno(err, errno, "cannot make the folder '%s'", path);
    }
    return account->other && lchown(path, account->uid, account->gid) < 0
               ? err_errno(err, errno, "cannot give '%s' to the database's account", path)
               : 0;
}

/* Ours, and the account may read it. */
static int put_readable(const char *path, const char *text, const struct database_account *account,
                        bool *ret_changed, struct err *err)
{
    int failed = service_file_put(path, text, ret_changed, err);
    if (!failed && account->other && (chown(path, 0, account->gid) < 0 || chmod(path, 0640) < 0)) {
        return err_errno(err, errno, "cannot let the database's account read '%s'", path);
    }
    return failed;
}

/* ---- what it reads ---- */

/* As a value of postgresql.conf. */
static void put_value(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, "%s = '", name);
    for (; *text; text++) {
        buf_printf(out, "%s%c", *text == '\'' || *text == '\\' ? "\\" : "", *text);
    }
    buf_printf(out, "'\n");
}

static char *make_config(const struct service_job *job, const char *rules)
{
    struct buf text = {0};
    CLEANUP(str_free) char *folder = database_path(job, "run");
    bool listens = service_config_number(job->config, "listen_port", 0) > 0;
    buf_printf(&text, "# Written by jsorc; changes are lost. ALTER SYSTEM keeps what you set.\n");
    put_value(&text, "listen_addresses", listens ? "127.0.0.1" : "");
    buf_printf(&text, "port = %d\n", database_port(job));
    put_value(&text, "unix_socket_directories", folder);
    put_value(&text, "hba_file", rules);
    buf_printf(&text, "password_encryption = 'scram-sha-256'\nlc_messages = 'C'\n"
                      "timezone = 'UTC'\nlog_timezone = 'UTC'\n"
                      "dynamic_shared_memory_type = 'posix'\n");
    buf_printf(&text, "shared_buffers = %dMB\nmax_connections = %d\n",
               (int)service_config_number(job->config, "shared_buffers_mb", 128),
               (int)service_config_number(job->config, "connections_max", 100));
    char *copy = xstrndup(text.data + text.start, buf_size(&text));
    buf_done(&text);
    return copy;
}

static int put_files(struct service_job *job, const char *config,
                     const struct database_account *account, struct err *err)
{
    CLEANUP(str_free) char *rules = database_path(job, "pg_hba.conf");
    CLEANUP(str_free) char *folder = database_path(job, "run");
    CLEANUP(str_free) char *text = make_config(job, rules);
    int failed = put_readable(rules,
                              "# Written by jsorc; changes are lost.\n"
                              "local all         all              scram-sha-256\n"
                              "local replication all              scram-sha-256\n"
                              "host  all         all 127.0.0.1/32 scram-sha-256\n",
                              account, &job->changed, err);
    failed = failed ? failed : make_owned(folder, account, err);
    return failed ? failed : put_readable(config, text, account, &job->changed, err);
}

/* ---- its data ---- */

/* The major version that the data are of; 0 = there are none; -errno. */
static int data_major(const char *data, struct err *err)
{
    CLEANUP(str_free) char *path = xasprintf("%s/PG_VERSION", data);
    struct stat status;
    if (lstat(data, &status) < 0) {
        return errno == ENOENT ? 0 : err_errno(err, errno, "cannot look at '%s'", data);
    }
    CLEANUP(str_free) char *text = service_file_get(path);
    int major = text ? (int)strtol(text, NULL, 10) : 0;
    return major > 0
               ? major
               : err_set(err, EINVAL,
                         "'%s' is there and is no data folder of PostgreSQL's: it is left as it is",
                         data);
}

/* What an initdb that was killed left; nobody ever used it. */
static int drop_unfinished(const struct service_job *job, const struct database_account *account,
                           const char *fresh, struct err *err)
{
    char *words[] = {(char *)(uintptr_t) "find",
                     (char *)(uintptr_t)fresh,
                     (char *)(uintptr_t) "-xdev",
                     (char *)(uintptr_t) "-mindepth",
                     (char *)(uintptr_t) "1",
                     (char *)(uintptr_t) "-delete",
                     NULL};
    struct database_tool tool = {.job = job, .account = account, .timeout_ms = INITDB_MS};
    return access(fresh, F_OK) < 0 ? 0 : database_run(&tool, words, NULL, err);
}

static int run_initdb(const struct service_job *job, const struct database_account *account,
                      const char *programs, const char *fresh, struct err *err)
{
    CLEANUP(str_free) char *initdb = xasprintf("%s/initdb", programs);
    CLEANUP(str_free) char *secret = database_path(job, "password");
    CLEANUP(str_free) char *password = service_secret(secret, err);
    CLEANUP(str_free) char *path = database_path(job, "first-password"); /* until it has read it */
    CLEANUP(str_free) char *pwfile = xasprintf("--pwfile=%s", path);
    int failed = password ? put_readable(path, password, account, NULL, err) : -EIO;
    char *words[] = {initdb,
                     (char *)(uintptr_t) "-D",
                     (char *)(uintptr_t)fresh,
                     (char *)(uintptr_t) "-U",
                     (char *)(uintptr_t)database_user(job),
                     pwfile,
                     (char *)(uintptr_t) "--auth=scram-sha-256",
                     (char *)(uintptr_t) "--encoding=UTF8",
                     (char *)(uintptr_t) "--locale=C.UTF-8",
                     (char *)(uintptr_t) "--data-checksums",
                     (char *)(uintptr_t) "--no-instructions",
                     NULL};
    struct database_tool tool = {.job = job, .account = account, .timeout_ms = INITDB_MS};
    failed = failed ? failed : database_run(&tool, words, NULL, err);
    (void)unlink(path);
    return failed;
}

/* Once its data are lost it begins anew only when it is told to, and then takes in what was saved.
 */
static int check_loss(const struct service_job *job, const char *data, struct err *err)
{
    CLEANUP(str_free) char *made = database_path(job, "made");
    CLEANUP(str_free) char *wanted = database_path(job, "restore");
    if (access(made, F_OK) < 0) {
        return 0;
    }
    if (!json_flag(job->config, "regenerate", false)) {
        return err_set(err, ENOENT,
                       "its data, which were there, are gone from '%s': put them back, or set "
                       "'regenerate' to begin anew with the last backup",
                       data);
    }
    return service_file_put(wanted, "newest\n", NULL, err);
}

/* A name that needs no quotes in a file of PostgreSQL's or ours. */
static bool is_plain(const char *name)
{
    size_t size = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return size > 0 && size <= DATABASE_NAME_MAX && name[size] == '\0' &&
           !isdigit((unsigned char)name[0]);
}

static int make_data(const struct service_job *job, const struct database_account *account,
                     const char *programs, const char *data, struct err *err)
{
    CLEANUP(str_free) char *fresh = database_path(job, "data.new");
    if (!is_plain(database_user(job))) {
        return err_set(err, EINVAL, "'user' must be of small letters, digits and _, not '%s'",
                       database_user(job));
    }
    int failed = check_loss(job, data, err);
    failed = failed ? failed : drop_unfinished(job, account, fresh, err);
    failed = failed ? failed : make_owned(fresh, account, err);
    failed = failed ? failed : run_initdb(job, account, programs, fresh, err);
    if (!failed && rename(fresh, data) < 0) {
        return err_errno(err, errno, "cannot rename '%s'", fresh);
    }
    return failed;
}

/* Its data are made for one role, which it is asked as. */
static int check_user(const struct service_job *job, struct err *err)
{
    CLEANUP(str_free) char *path = database_path(job, "made");
    CLEANUP(str_free) char *made = service_file_get(path);
    const char *user = database_user(job);
    if (made && strcmp(made, user) != 0) {
        return err_set(err, EINVAL, "its data were made for the role '%s': 'user' cannot be '%s'",
                       made, user);
    }
    return made ? 0 : service_file_put(path, user, NULL, err);
}

/* ---- what a killed server left ---- */

static bool works_in(const char *pid, const char *data)
{
    char target[PATH_MAX];
    CLEANUP(str_free) char *path = xasprintf("/proc/%s/cwd", pid);
    CLEANUP(str_free) char *name_path = xasprintf("/proc/%s/comm", pid);
    ssize_t size = readlink(path, target, sizeof(target) - 1);
    target[size > 0 ? size : 0] = '\0';
    if (strcmp(target, data) != 0) {
        return false;
    }
    CLEANUP(str_free) char *name = service_file_get(name_path);
    return name && strcmp(name, "postgres") == 0;
}

/* How many processes work in data; with a number other than 0 each gets that signal. */
static int left_over(const char *data, int number)
{
    int count = 0;
    DIR *folder = opendir("/proc");
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        if (isdigit((unsigned char)entry->d_name[0]) && works_in(entry->d_name, data)) {
            count++;
            if (number) {
                (void)kill((pid_t)strtol(entry->d_name, NULL, 10), number);
            }
        }
    }
    if (folder) {
        (void)closedir(folder);
    }
    return count;
}

/* Its backends have process groups of their own. They end when they see that it has gone; until
 * then the next one finds the shared memory in use and gives up. One that is frozen sees nothing.
 */
static int await_left_over(const struct service_job *job, const char *data, struct err *err)
{
    uint64_t began_ms = clock_now_ms();
    CLEANUP(str_free) char *whole = realpath(data, NULL);
    while (whole && !job->is_running && left_over(whole, 0) > 0) {
        uint64_t passed_ms = clock_now_ms() - began_ms;
        if (passed_ms > LEFT_OVER_MS) {
            return err_set(err, EBUSY, "another server works in '%s', and does not end", data);
        }
        if (passed_ms > LEFT_OVER_ASK) {
            (void)left_over(whole, SIGKILL);
        }
        (void)poll(NULL, 0, LEFT_OVER_POLL);
    }
    return 0;
}

/* ---- start ---- */

static int check_place(const struct service_job *job, struct err *err)
{
    CLEANUP(str_free) char *folder = database_path(job, "run");
    size_t room = sizeof(((struct sockaddr_un *)NULL)->sun_path);
    int port = (int)service_config_number(job->config, "listen_port", 0);
    if (strlen(folder) + SOCKET_NAME_MAX > room) {
        return err_set(
            err, ENAMETOOLONG,
            "the path of its socket would be too long for the kernel (%zu bytes): take a "
            "state folder with a shorter one",
            room - 1);
    }
    if (port > 0 && !job->is_running && service_free_port(port) != port) {
        return err_set(err, EADDRINUSE, "port %d of 127.0.0.1 is taken by another program", port);
    }
    return 0;
}

/* The folder with its data in it. The programs' folder is owned by the caller; NULL with err. */
static char *ready_data(const struct service_job *job, const struct database_account *account,
                        struct err *err)
{
    const char *data = job->paths->config_file;
    int failed = account->other ? open_way(job, account, err) : 0;
    int major = failed ? failed : data_major(data, err);
    CLEANUP(str_free) char *programs = major < 0 ? NULL : database_programs(job, major, err);
    if (!programs || (major == 0 && make_data(job, account, programs, data, err) < 0) ||
        check_user(job, err) < 0 || database_put_passfile(job, err) < 0 ||
        await_left_over(job, data, err) < 0) {
        return NULL;
    }
    return TAKE(programs);
}

int database_prepare(struct service_job *job, struct err *err)
{
    struct database_account account;
    CLEANUP(str_free) char *config = database_path(job, "postgresql.conf");
    int failed = check_place(job, err);
    failed = failed ? failed : service_folder_make(job->paths->folder, err);
    failed = failed ? failed : database_account(job, &account, err);
    if (failed) {
        return failed;
    }
    CLEANUP(str_free) char *programs = ready_data(job, &account, err);
    failed = programs ? put_files(job, config, &account, err) : -EIO;
    if (failed) {
        return failed;
    }
    CLEANUP(str_free) char *server = xasprintf("%s/postgres", programs);
    CLEANUP(str_free) char *config_word = xasprintf("--config-file=%s", config);
    char *words[] = {server, (char *)(uintptr_t) "-D", job->paths->config_file, config_word, NULL};
    database_args(job, &account, words);
    return 0;
}
