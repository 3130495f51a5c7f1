#include "daemon/paths.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/state.h"
#include "cli/commands.h"
#include "provider/process/process.h"

void paths_done(struct paths *paths)
{
    free(paths->state);
    free(paths->run);
    free(paths->logs);
    free(paths->database);
    free(paths->copy);
    free(paths->socket);
    free(paths->program);
    free(paths->python_path);
    free(paths->python);
    *paths = (struct paths){0};
}

/* As mkdir -p, with mode 0700 for what it makes. */
static int make_folder(const char *path, struct err *err)
{
    CLEANUP(str_free) char *part = xstrdup(path);
    for (char *at = part + 1;; at++) {
        if (*at == '/' || *at == '\0') {
            char kept = *at;
            *at = '\0';
            if (mkdir(part, 0700) < 0 && errno != EEXIST) {
                return err_errno(err, errno, "cannot make the folder '%s'", part);
            }
            *at = kept;
            if (!kept) {
                return 0;
            }
        }
    }
}

static char *own_program(void)
{
    char path[PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - 1);
    return xstrndup(path, size > 0 ? (size_t)size : 0);
}

/* Installed: PREFIX/lib/jsorc/python beside PREFIX/bin; in a build tree, where meson put it. */
static char *own_python_path(const char *program)
{
    const char *given = getenv("JSORC_PYTHONPATH");
    if (given && *given) {
        return xstrdup(given);
    }
    CLEANUP(str_free) char *folder = xstrdup(program);
    char *slash = strrchr(folder, '/');
    if (slash) {
        *slash = '\0';
    }
    CLEANUP(str_free) char *installed = xasprintf("%s/../lib/jsorc/python", folder);
    char *whole = realpath(installed, NULL);
    return whole ? whole : xstrdup(JSORC_BUILD_PYTHONPATH);
}

char *daemon_python(const char *given)
{
    return process_find_python(given);
}

char *daemon_python_path(void)
{
    CLEANUP(str_free) char *program = own_program();
    return own_python_path(program);
}

int paths_make(const struct settings *settings, struct paths *ret, struct err *err)
{
    int failed = make_folder(settings->state, err);
    if (failed) {
        return failed;
    }
    char *state = realpath(settings->state, NULL);
    struct paths paths = {.state = state ? state : xstrdup(settings->state)};
    paths.run = xasprintf("%s/run", paths.state);
    paths.logs = xasprintf("%s/logs", paths.state);
    paths.database = xasprintf("%s/jsorc.db", paths.state);
    paths.copy = xasprintf("%s/copy.db", paths.state);
    paths.socket = state_socket(paths.state);
    paths.program = own_program();
    paths.python_path = own_python_path(paths.program);
    paths.python = process_find_python(settings->python);
    failed = make_folder(paths.run, err);
    if (!failed) {
        failed = make_folder(paths.logs, err);
    }
    if (failed) {
        paths_done(&paths);
        return failed;
    }
    *ret = paths;
    return 0;
}
