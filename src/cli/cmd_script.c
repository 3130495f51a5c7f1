#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/lines.h"

#define DEPTH_MAX 8 /* scripts that run scripts; deeper is a circle */

static int run_lines(struct cli *cli, FILE *file, const char *path, bool keep_going)
{
    char *line = NULL;
    size_t capacity = 0;
    int status = CLI_OK;
    for (int number = 1; getline(&line, &capacity, file) > 0; number++) {
        int result = line_run(cli, line, cli->common);
        if (result == CLI_OK) {
            continue;
        }
        (void)fprintf(stderr, "jsorc: %s:%d: status %d\n", path, number, result);
        status = result;
        if (!keep_going) {
            break;
        }
    }
    free(line);
    return status;
}

static int run(struct cli *cli, struct json_object *values)
{
    static int depth;
    struct err err = {0};
    const char *path = json_str(values, "file");
    if (!path) {
        return cli_usage(cli, "argument FILE is missing");
    }
    if (depth == DEPTH_MAX) {
        return cli_fail_text(cli, CLI_FAILED, "'%s': scripts run each other more than %d deep",
                             path, DEPTH_MAX);
    }
    bool standard = strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : fopen(path, "re");
    if (!file) {
        (void)err_errno(&err, errno, "cannot read '%s'", path);
        return cli_fail(cli, CLI_FAILED, &err);
    }
    depth++;
    int status = run_lines(cli, file, path, json_flag(values, "keep-going", false));
    depth--;
    if (!standard) {
        (void)fclose(file);
    }
    return status;
}

static const struct param PARAMS[] = {
    {.name = "file",
     .kind = PARAM_ARGUMENT,
     .required = true,
     .values = VALUES_FILE,
     .help = "commands, one a line; - is standard input"},
    {.name = "keep-going",
     .letter = 'k',
     .kind = PARAM_FLAG,
     .type = OP_BOOL,
     .help = "go on after a command that failed; the status is the last failure's"},
    {.name = NULL},
};

static const struct exit_row EXITS[] = {
    {CLI_OK, "all commands did"},
    {CLI_FAILED, "a command failed, or the file cannot be read"},
    {CLI_USAGE, "a line is wrong"},
    {CLI_UNREACHABLE, "the daemon cannot be reached"},
    {0, NULL},
};

static const struct example EXAMPLES[] = {
    {"jsorc script setup.jsorc", "Lines such as 'actions load use_enc -mode module'."},
    {NULL, NULL},
};

const struct command COMMAND_SCRIPT = {
    .words = "script",
    .summary = "Run the commands in a file, one a line",
    .detail = "Lines are split into words as a shell does, with quotes and backslash; they may "
              "begin with the word jsorc. What follows a '#' is a comment. Options given to "
              "'script' hold for every line. Ends at the first command that fails.",
    .params = PARAMS,
    .examples = EXAMPLES,
    .exits = EXITS,
    .run = run,
};
