#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/init_files.h"
#include "cli/text.h"

#define HELP_COLUMNS 90 /* behind "# " */

/* 0, -EEXIST (left as it is), or -errno. */
static int write_new(const char *path, const char *text, struct err *err)
{
    CLEANUP_FD int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) {
        return err_errno(err, errno, "cannot write '%s'", path);
    }
    size_t size = strlen(text);
    ssize_t written = write(fd, text, size);
    if (written != (ssize_t)size) {
        int code = written < 0 ? errno : ENOSPC;
        (void)unlink(path);
        return err_errno(err, code, "cannot write '%s'", path);
    }
    return 0;
}

/* The settings with their help and defaults, as comments. */
static void append_settings(struct buf *out)
{
    struct param rows[SERVE_PARAMS_MAX];
    size_t count = serve_params(rows, SERVE_PARAMS_MAX, false);
    for (size_t i = 0; i < count; i++) {
        struct buf help = {0};
        text_wrap(&help, rows[i].help, 0, HELP_COLUMNS, false);
        buf_printf(out, "\n");
        const char *at = help.data + help.start;
        const char *end = help.data + help.end;
        while (at < end) {
            const char *line_end = memchr(at, '\n', (size_t)(end - at));
            int length = (int)((line_end ? line_end : end) - at);
            buf_printf(out, "# %.*s\n", length, at);
            at += length + 1;
        }
        buf_printf(out, "# %s: %s\n", rows[i].name, rows[i].fallback);
        buf_done(&help);
    }
}

/* The text of a file; owned by the caller. */
static char *text_of_file(const struct embedded_file *file)
{
    struct buf text = {0};
    buf_printf(&text, "%s", file->text);
    if (strcmp(file->name, "jsorc.yaml") == 0) {
        append_settings(&text);
    }
    char *copy = xstrndup(text.data + text.start, buf_size(&text));
    buf_done(&text);
    return copy;
}

static int make_folders(const char *folder, struct err *err)
{
    CLEANUP(str_free) char *path = xstrdup(folder);
    for (char *slash = path;;) {
        slash = strchr(slash + 1, '/');
        if (slash) {
            *slash = '\0';
        }
        if (mkdir(path, 0777) < 0 && errno != EEXIST) {
            return err_errno(err, errno, "cannot make the folder '%s'", path);
        }
        if (!slash) {
            return 0;
        }
        *slash = '/';
    }
}

static int run(struct cli *cli, struct json_object *values)
{
    const char *folder = json_str(values, "dir");
    struct err err = {0};
    unsigned kept = 0;
    if (folder && *folder && make_folders(folder, &err) < 0) {
        return cli_fail(cli, CLI_FAILED, &err);
    }
    folder = folder && *folder ? folder : ".";
    for (const struct embedded_file *file = INIT_FILES; file->name; file++) {
        CLEANUP(str_free) char *path = xasprintf("%s/%s", folder, file->name);
        CLEANUP(str_free) char *text = text_of_file(file);
        int failed = write_new(path, text, &err);
        if (failed && failed != -EEXIST) {
            return cli_fail(cli, CLI_FAILED, &err);
        }
        kept += failed == -EEXIST;
        (void)printf("%s %s\n", failed ? "kept   " : "written", path);
    }
    if (kept > 0) {
        (void)printf("What was there is as it was.\n");
    }
    (void)printf("Next: jsorc serve %s\n", folder);
    return CLI_OK;
}

static const struct param PARAMS[] = {
    {.name = "dir",
     .kind = PARAM_ARGUMENT,
     .values = VALUES_FOLDER,
     .help = "where to; made when missing; default: here"},
    {.name = NULL},
};

static const struct exit_row EXITS[] = {
    {CLI_OK, "each file was written, or was there already"},
    {CLI_FAILED, "a file could not be written"},
    {CLI_USAGE, "the command line is wrong"},
    {0, NULL},
};

static const struct example EXAMPLES[] = {
    {"jsorc init shop && jsorc serve shop", "A project to start from, served."},
    {NULL, NULL},
};

const struct command COMMAND_INIT = {
    .words = "init",
    .summary = "Write a small project to start from",
    .detail = "Writes jsorc.yaml, actions.py, walkers.py and README.md. Never overwrites a file.",
    .params = PARAMS,
    .examples = EXAMPLES,
    .exits = EXITS,
    .offline = true,
    .run = run,
};
