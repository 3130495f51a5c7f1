/* What the files of the database's service share. database.c: its config and its checks;
 * database_server.c: the files and the words of our own server; database_tools.c: PostgreSQL's
 * programs and who runs them; database_ask.c: a connection; database_backup.c and
 * database_restore.c. All run in job threads. */
#pragma once

#include <libpq-fe.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/slice.h"
#include "service/service_priv.h"

struct buf;

#define DATABASE_NAME_MAX 63 /* bytes of a name in PostgreSQL (NAMEDATALEN less one) */
/* Our own state's database in the server; the applications' is the config's `db`. */
#define DATABASE_OF_STATE "jsorc"

/* ---- database.c ---- */

extern const struct service_ops service_database;

/* The text of a key, or fallback when it is absent or empty. Borrowed. */
const char *database_key(const struct service_job *job, const char *key, const char *fallback);
/* The role that we are; NULL = libpq's own choice, at somebody else's server. Borrowed. */
const char *database_user(const struct service_job *job);
/* The port, which also names the socket of our own server. */
int database_port(const struct service_job *job);
/* A path in the service's folder; owned by the caller. */
char *database_path(const struct service_job *job, const char *name);
/* Of the database `name`, without a secret: it names the password file. Owned by the caller. */
char *database_url(const struct service_job *job, const char *name);
/* Our own server's password, or the config's; owned; NULL = none. */
char *database_password(const struct service_job *job);
/* Writes the file of database_url. 0 or -errno. */
int database_put_passfile(const struct service_job *job, struct err *err);

/* ---- database_ask.c ---- */

static inline PGconn *database_close(PGconn *connection)
{
    PQfinish(connection);
    return NULL;
}
DEFINE_CLEANUP(PGconn *, database_close)

static inline PGresult *database_clear(PGresult *result)
{
    PQclear(result);
    return NULL;
}
DEFINE_CLEANUP(PGresult *, database_clear)

/* NULL with err: within timeout_ms nobody answered, or refused. */
PGconn *database_open(const struct service_job *job, const char *name, uint64_t timeout_ms,
                      struct err *err);
/* One statement, or several, which are one transaction then. NULL with err; -> the last's result.
 */
PGresult *database_ask(PGconn *connection, const char *sql, uint64_t timeout_ms, struct err *err);
/* The same for a format of xasprintf's; 0 or -EIO. */
int database_tell(PGconn *connection, uint64_t timeout_ms, struct err *err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The name in quotes, as SQL wants it; owned by the caller. */
char *database_quoted(const char *name);

/* ---- database_tools.c ---- */

struct database_account { /* whose the server's process and data are */
    bool other;           /* not ours: we are root, which PostgreSQL refuses */
    uid_t uid;
    gid_t gid;
};

/* -ENOENT: there is no such account. */
int database_account(const struct service_job *job, struct database_account *ret, struct err *err);

/* Folder of the programs of that major version (0 = the newest); owned by the caller. NULL: -ENOENT
 * with a text that names the package. */
char *database_programs(const struct service_job *job, int major, struct err *err);
/* The same of those that ask a server and restore into it. Our own one's are of its version: a
 * newer pg_restore may send what an older server does not know. */
char *database_clients(const struct service_job *job, struct err *err);
/* The version of the programs in that folder, e.g. 15; 0 = none that answers. */
int database_major(const char *programs);

/* Runs a program to its end; words are PostgreSQL's, ended by NULL. With account it is that one's,
 * else ours, with the password in its environment. 0, or -EIO with its last line, -ETIMEDOUT,
 * -ECANCELED (jsorc ends), -errno of starting it. out may be NULL. */
struct database_tool {
    const struct service_job *job;
    const struct database_account *account; /* NULL = a client */
    uint64_t timeout_ms;
};
int database_run(const struct database_tool *tool, char *const *words, struct buf *out,
                 struct err *err);
/* words[0..] with what makes them the account's in front, as job->args. */
void database_args(struct service_job *job, const struct database_account *account,
                   char *const *words);
/* "dbname='...' host='...' ...": for -d of a client. Owned by the caller. */
char *database_conninfo(const struct service_job *job, const char *name);

/* ---- database_server.c ---- */

int database_prepare(struct service_job *job, struct err *err);

/* ---- database_backup.c ---- */

#define DATABASE_TOOL_MS                                                                           \
    (4ULL * 3600 * 1000) /* of a dump or its way back: a large one takes long */

#define DATABASE_TIME_SIZE 17 /* of database_time, with the zero */

/* The present time as it is in names: 20260131T120000Z. */
void database_time(char ret[DATABASE_TIME_SIZE]);
/* Opens the folder of the backups and locks it: one backup or restore at a time. The descriptor, or
 * -EBUSY, -errno. */
int database_lock(const struct service_job *job, struct err *err);
/* Makes one; *ret is what is told of it, owned by the caller. */
int database_backup(const struct service_job *job, const char *reason, struct json_object **ret,
                    struct err *err);
/* Whether the schedule wants one now. */
bool database_backup_is_due(const struct service_job *job);
/* Newest first: [{"name", "at", "reason", "version", "databases": [{"name", "file", "bytes"}]}].
 * Owned by the caller. */
struct json_object *database_backups(const struct service_job *job);

int database_run_backup(struct service_job *job, struct json_object **ret, struct err *err);
int database_run_backups(struct service_job *job, struct json_object **ret, struct err *err);

/* ---- database_restore.c ---- */

int database_run_restore(struct service_job *job, struct json_object **ret, struct err *err);
/* Into a server that was begun anew, as the file `restore` in the folder says; 0 also when there is
 * nothing to do. */
int database_regenerate(const struct service_job *job, struct err *err);
