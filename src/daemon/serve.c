/* `jsorc serve`: the same command line makes a supervisor first and the daemon under it. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/log.h"
#include "cli/commands.h"
#include "daemon/backing.h"
#include "daemon/daemon.h"
#include "daemon/listen.h"
#include "daemon/paths.h"
#include "daemon/settings.h"
#include "daemon/sources.h"
#include "daemon/supervisor.h"
#include "worker/host.h"

enum { EXIT_OK, EXIT_START, EXIT_USAGE_ };

static int complain(const struct err *err, int status)
{
    (void)fprintf(stderr, "jsorc: %s\n", err->text);
    return status;
}

static int set_log_level(const char *name, struct err *err)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) == 0) {
            log_set_level((enum log_level)i);
            return 0;
        }
    }
    return err_set(err, EINVAL, "log_level '%s' is none of debug, info, warn, error", name);
}

/* Paths are put behind it. */
static int check_public_url(const char *url, struct err *err)
{
    if (!url) {
        return 0;
    }
    size_t scheme = strncmp(url, "http://", 7) == 0 ? 7 : strncmp(url, "https://", 8) == 0 ? 8 : 0;
    size_t size = strlen(url);
    return scheme > 0 && size > scheme && strcspn(url, "?# \"<>\t\r\n") == size
               ? 0
               : err_set(err, EINVAL,
                         "public_url '%s' is no URL as https://HOST, with or without a port and a "
                         "path",
                         url);
}

static int check_choices(const struct settings *settings, struct err *err)
{
    const char *open = settings->open_actions;
    if (strcmp(open, "auto") != 0 && strcmp(open, "yes") != 0 && strcmp(open, "no") != 0) {
        return err_set(err, EINVAL, "open_actions '%s' is none of auto, yes, no", open);
    }
    int failed = check_public_url(settings->public_url, err);
    failed = failed ? failed : backing_check(settings, err);
    return failed ? failed : set_log_level(settings->log_level, err);
}

/* A descriptor that the supervisor named; none of our own children shall have it. -1 = none. */
static int inherit_fd(const char *variable)
{
    const char *text = getenv(variable);
    int fd = text ? (int)strtol(text, NULL, 10) : -1;
    (void)unsetenv(variable);
    return fd >= 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 ? fd : -1;
}

static int run_daemon(const struct settings *settings, const struct paths *paths)
{
    struct err err = {0};
    struct listeners listeners = {.count = 0};
    const char *restart = getenv(ENV_RESTART);
    if (listeners_inherit(getenv(ENV_LISTEN), &listeners, &err) < 0) {
        return complain(&err, EXIT_START);
    }
    struct daemon_options options = {.settings = settings,
                                     .paths = paths,
                                     .listeners = &listeners,
                                     .lifeline_fd = inherit_fd(ENV_LIFELINE),
                                     .restarted = restart && *restart == '1'};
    /* Workers and other children are not daemons of this supervisor. */
    (void)unsetenv(ENV_LISTEN);
    (void)unsetenv(ENV_RESTART);
    (void)inherit_fd(ENV_LOCK); /* held to the end of the process */
    int failed = daemon_run(&options, &err);
    listeners_close(&listeners);
    return failed ? complain(&err, EXIT_START) : EXIT_OK;
}

/* The supervisor's argv with the program's name in front, as the daemon will see it. */
static char **daemon_argv(int argc, char **argv)
{
    char **copy = xcalloc((size_t)argc + 2, sizeof(char *));
    copy[0] = (char *)(uintptr_t) "jsorc";
    copy[1] = (char *)(uintptr_t) "serve";
    for (int i = 1; i < argc; i++) {
        copy[i + 1] = argv[i];
    }
    return copy;
}

static int run_supervisor(const struct settings *settings, const struct paths *paths, int argc,
                          char **argv)
{
    struct err err = {0};
    struct listeners listeners = {.count = 0};
    int lock_fd = -1;
    if (supervisor_lock(paths, &lock_fd, &err) < 0) {
        return complain(&err, EXIT_START);
    }
    int failed = sources_check(settings, paths, &err);
    failed = failed ? failed : listeners_open(settings, &listeners, &err);
    if (failed) { /* -EINVAL: no other machine and no later time would take these settings */
        return complain(&err, failed == -EINVAL ? EXIT_USAGE_ : EXIT_START);
    }
    char **words = daemon_argv(argc, argv);
    int status = supervisor_run(&(struct supervisor_options){
        .paths = paths,
        .listeners = &listeners,
        .lock_fd = lock_fd,
        .argv = words,
        .stop_grace_s = settings->stop_grace_s,
    });
    (void)unlink(paths->socket);
    free(words);
    listeners_close(&listeners);
    return status; /* the process ends: the lock and the life line with it */
}

int host_main(int argc, char **argv)
{
    CLEANUP(str_free) char *python_path = daemon_python_path();
    return host_run(argc, argv, python_path);
}

int serve_main(int argc, char **argv)
{
    struct err err = {0};
    struct settings settings;
    struct paths paths = {0};
    if (argc == 2 && strcmp(argv[1], "--settings") == 0) {
        settings_print();
        return EXIT_OK;
    }
    if (settings_read(&settings, argc, argv, &err) < 0 || check_choices(&settings, &err) < 0) {
        settings_done(&settings);
        return complain(&err, EXIT_USAGE_);
    }
    if (paths_make(&settings, &paths, &err) < 0) {
        settings_done(&settings);
        return complain(&err, EXIT_START);
    }
    int status = getenv(ENV_LISTEN) ? run_daemon(&settings, &paths)
                                    : run_supervisor(&settings, &paths, argc, argv);
    paths_done(&paths);
    settings_done(&settings);
    return status;
}
