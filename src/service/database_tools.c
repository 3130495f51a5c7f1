/* PostgreSQL's programs: where they are, of which version, and run to their end. Its server refuses
 * to run as root, so what touches its data then is an account's of its own, by setpriv; what only
 * asks it is ours. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/child.h"
#include "base/err.h"
#include "service/database.h"

#define DEBIAN_FOLDER    "/usr/lib/postgresql" /* and Ubuntu's: a folder a major version */
#define WORDS_MAX        40
#define OUTPUT_BYTES_MAX (8UL * 1024 * 1024) /* of pg_restore --list, a line each object */
#define VERSION_MS       10000
#define PASSWD_BYTES     16384 /* of one account's record; sysconf's usual answer is 1024 */

int database_account(const struct service_job *job, struct database_account *ret, struct err *err)
{
    *ret = (struct database_account){.uid = geteuid(), .gid = getegid()};
    if (geteuid() != 0) {
        return 0;
    }
    const char *name = database_key(job, "account", "postgres");
    struct passwd record, *found = NULL;
    CLEANUP(str_free) char *text = xcalloc(1, PASSWD_BYTES);
    (void)getpwnam_r(name, &record, text, PASSWD_BYTES, &found);
    if (!found || found->pw_uid == 0) {
        return err_set(err, ENOENT,
                       "PostgreSQL does not run as root, and there is no other account '%s': name "
                       "one by the key 'account'",
                       name);
    }
    *ret = (struct database_account){.other = true, .uid = found->pw_uid, .gid = found->pw_gid};
    return 0;
}

/* ---- where they are ---- */

static bool has_server(const char *folder)
{
    CLEANUP(str_free) char *server = xasprintf("%s/postgres", folder);
    CLEANUP(str_free) char *maker = xasprintf("%s/initdb", folder);
    return access(server, X_OK) == 0 && access(maker, X_OK) == 0;
}

/* The newest below DEBIAN_FOLDER, or that one; owned; NULL = none. */
static char *debian_programs(int major)
{
    int best = 0;
    char *found = NULL;
    DIR *folder = opendir(DEBIAN_FOLDER);
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        int number = (int)strtol(entry->d_name, NULL, 10);
        CLEANUP(str_free) char *path = xasprintf(DEBIAN_FOLDER "/%s/bin", entry->d_name);
        if (number > best && (major == 0 || number == major) && has_server(path)) {
            best = number;
            str_replace(&found, path);
        }
    }
    if (folder) {
        (void)closedir(folder);
    }
    return found;
}

/* Where PATH leads to, as elsewhere than on Debian; owned; NULL = none. */
static char *programs_in_path(void)
{
    const char *at = getenv("PATH");
    while (at && *at) {
        size_t size = strcspn(at, ":");
        CLEANUP(str_free) char *folder = xstrndup(at, size);
        if (has_server(folder)) {
            return TAKE(folder);
        }
        at += size + (at[size] == ':');
    }
    return NULL;
}

int database_major(const char *programs)
{
    CLEANUP(str_free) char *server = xasprintf("%s/postgres", programs);
    char *words[] = {server, (char *)(uintptr_t) "--version", NULL};
    struct buf out = {0}, errors = {0};
    struct child_run run = {.args = words, .timeout_ms = VERSION_MS, .output_bytes_max = 4096};
    int major = 0;
    if (child_capture(&run, &out, &errors, NULL) == 0) {
        CLEANUP(str_free) char *text = xstrndup(out.data + out.start, buf_size(&out));
        const char *number = strpbrk(text, "0123456789"); /* "postgres (PostgreSQL) 15.8 (...)" */
        major = number ? (int)strtol(number, NULL, 10) : 0;
    }
    buf_done(&out);
    buf_done(&errors);
    return major;
}

char *database_programs(const struct service_job *job, int major, struct err *err)
{
    const char *given = database_key(job, "programs", NULL);
    CLEANUP(str_free)
    char *folder = given ? xstrdup(given) : debian_programs(major);
    folder = folder ? folder : programs_in_path();
    folder = folder ? folder : debian_programs(0);
    if (!folder || !has_server(folder)) {
        (void)err_set(err, ENOENT, "no PostgreSQL server is installed%s%s%s (package postgresql)",
                      given ? " in '" : "", given ? given : "", given ? "'" : "");
        return NULL;
    }
    int found = database_major(folder);
    if (major && found != major) {
        (void)err_set(
            err, ENOENT,
            "the data are of PostgreSQL %d, which is not installed, and %d in '%s' cannot "
            "read them: install postgresql-%d; or move the folder 'data' away, set "
            "'regenerate' and let the new one take in the last backup",
            major, found, folder, major);
        return NULL;
    }
    return TAKE(folder);
}

char *database_clients(const struct service_job *job, struct err *err)
{
    CLEANUP(str_free) char *path = xasprintf("%s/PG_VERSION", job->paths->config_file);
    CLEANUP(str_free)
    char *major = job->provider == PROVIDER_PROCESS ? service_file_get(path) : NULL;
    return database_programs(job, major ? (int)strtol(major, NULL, 10) : 0, err);
}

/* ---- running them ---- */

/* words with what they begin with; the array is the caller's, its texts are borrowed but for
 * ids[2]. From "/": PostgreSQL's programs want to come back to where they began, and the account
 * may not see our own folder. */
static size_t put_front(const struct database_account *account, char ids[2][32], const char **words)
{
    size_t count = 0;
    words[count++] = "env";
    words[count++] = "--chdir=/";
    words[count++] = "--unset=PGPASSWORD"; /* the password file's is the right one */
    if (account && account->other) {
        (void)snprintf(ids[0], sizeof(ids[0]), "--reuid=%u", (unsigned)account->uid);
        (void)snprintf(ids[1], sizeof(ids[1]), "--regid=%u", (unsigned)account->gid);
        words[count++] = "setpriv";
        words[count++] = ids[0];
        words[count++] = ids[1];
        words[count++] = "--clear-groups";
        words[count++] = "--no-new-privs";
    }
    return count;
}

void database_args(struct service_job *job, const struct database_account *account,
                   char *const *words)
{
    char ids[2][32];
    const char *front[WORDS_MAX];
    size_t count = put_front(account, ids, front), more = 0;
    while (words[more]) {
        more++;
    }
    job->args = xcalloc(count + more + 1, sizeof(char *));
    for (size_t i = 0; i < count; i++) {
        job->args[i] = xstrdup(front[i]);
    }
    for (size_t i = 0; i < more; i++) {
        job->args[count + i] = xstrdup(words[i]);
    }
}

/* The last line that is not empty; owned. */
static char *last_line(const struct buf *text)
{
    const char *begin = text->data + text->start;
    size_t size = buf_size(text);
    while (size > 0 && isspace((unsigned char)begin[size - 1])) {
        size--;
    }
    const char *line = size > 0 ? memrchr(begin, '\n', size) : NULL;
    size_t start = line ? (size_t)(line + 1 - begin) : 0;
    return xstrndup(size > 0 ? begin + start : "it did not say why", size > 0 ? size - start : 18);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

int database_run(const struct database_tool *tool, char *const *words, struct buf *out,
                 struct err *err)
{
    char ids[2][32];
    const char *all[WORDS_MAX];
    size_t count = put_front(tool->account, ids, all);
    for (size_t i = 0; words[i] && count < WORDS_MAX - 1; i++) {
        all[count++] = words[i];
    }
    all[count] = NULL;
    struct buf own = {0}, errors = {0};
    struct child_run run = {.args = (char *const *)(uintptr_t)all,
                            .timeout_ms = tool->timeout_ms,
                            .output_bytes_max = OUTPUT_BYTES_MAX,
                            .stopping = tool->job->stopping};
    int status = child_capture(&run, out ? out : &own, &errors, err);
    if (status > 0) {
        CLEANUP(str_free) char *line = last_line(&errors);
        const char *name = base_name(words[0]);
        bool named = strncmp(line, name, strlen(name)) == 0; /* most tell it themselves */
        status = err_set(err, EIO, "%s%s%s", named ? "" : name, named ? "" : ": ", line);
    }
    buf_done(&own);
    buf_done(&errors);
    return status;
}

/* As libpq reads a quoted value of a connection string. */
static void put_option(struct buf *out, const char *keyword, const char *value)
{
    if (value && *value) {
        buf_printf(out, "%s='", keyword);
        for (; *value; value++) {
            buf_printf(out, "%s%c", *value == '\'' || *value == '\\' ? "\\" : "", *value);
        }
        buf_printf(out, "' ");
    }
}

char *database_conninfo(const struct service_job *job, const char *name)
{
    struct buf text = {0};
    CLEANUP(str_free) char *folder = database_path(job, "run");
    CLEANUP(str_free) char *passfile = database_path(job, "pgpass");
    put_option(&text, "dbname", name);
    put_option(&text, "host",
               job->provider == PROVIDER_PROCESS ? folder : database_key(job, "host", "localhost"));
    buf_printf(&text, "port=%d ", database_port(job));
    put_option(&text, "user", database_user(job));
    put_option(&text, "passfile", passfile);
    char *copy = xstrndup(text.data + text.start, buf_size(&text));
    buf_done(&text);
    return copy;
}
