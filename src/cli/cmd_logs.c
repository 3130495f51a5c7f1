#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/commands.h"

#define LINES_DEFAULT  50
#define LINES_MAX      10000 /* the daemon reads them in one go */
#define FOLLOW_POLL_MS 500
#define FOLLOW_LINES   1000

/* What is new since after (< 0 = the last lines). Returns a cli_exit. */
static int get_lines(struct cli *cli, const char *name, int64_t after, int64_t limit,
                     struct json_object **ret_result)
{
    CLEANUP(json_put) struct json_object *params = json_object_new_object();
    if (name) {
        json_set_str(params, "name", name);
    }
    json_set_int(params, "limit", limit);
    if (after >= 0) {
        json_set_int(params, "after", after);
    }
    return cli_op(cli, "jsorc_logs", params, ret_result);
}

static void print_lines(const struct cli *cli, struct json_object *lines)
{
    for (size_t i = 0; lines && i < json_object_array_length(lines); i++) {
        struct json_object *line = json_object_array_get_idx(lines, i);
        (void)output_value(&cli->output, line, NULL); /* only a file can fail, and none is kept */
    }
    (void)fflush(stdout);
}

static int run(struct cli *cli, struct json_object *values)
{
    const char *name = json_str(values, "name");
    bool follow = json_flag(values, "follow", false);
    int64_t limit = json_int(values, "lines", LINES_DEFAULT);
    if (limit < 0 || limit > LINES_MAX) {
        return cli_usage(cli, "--lines is a number from 0 to %d", LINES_MAX);
    }
    if (follow && cli->output.file) {
        return cli_usage(cli, "--follow writes no file; redirect its output");
    }
    int64_t after = -1;
    for (;;) {
        CLEANUP(json_put) struct json_object *result = NULL;
        int status = get_lines(cli, name, after, after < 0 ? limit : FOLLOW_LINES, &result);
        if (status != CLI_OK) {
            return status;
        }
        struct json_object *lines = json_member(result, "lines", json_type_array);
        after = json_int(result, "next", 0);
        if (cli->output.format == OUTPUT_JSON && !follow) {
            struct err err = {0};
            return output_value(&cli->output, result, &err) < 0 ? cli_fail(cli, CLI_FAILED, &err)
                                                                : CLI_OK;
        }
        print_lines(cli, lines);
        if (!follow || ferror(stdout)) {
            return CLI_OK;
        }
        if (!lines || json_object_array_length(lines) < FOLLOW_LINES) {
            (void)poll(NULL, 0, FOLLOW_POLL_MS);
        }
    }
}

static const struct param PARAMS[] = {
    {.name = "name",
     .kind = PARAM_ARGUMENT,
     .values = VALUES_MODULE,
     .choices = "runtime daemon",
     .help = "a module placed remote; 'runtime' for those in the runtime worker, the default; or "
             "'daemon'"},
    {.name = "follow",
     .letter = 'f',
     .kind = PARAM_FLAG,
     .type = OP_BOOL,
     .help = "go on with what is written, until interrupted"},
    {.name = "lines",
     .letter = 'n',
     .type = OP_INT,
     .placeholder = "NUMBER",
     .fallback = "50",
     .help = "how many of the last lines"},
    {.name = NULL},
};

static const struct example EXAMPLES[] = {
    {"jsorc logs -f", "What the modules in the runtime worker print, as they do."},
    {"jsorc logs text -n 1000", "The last lines of module 'text', which has a process of its own."},
    {NULL, NULL},
};

const struct command COMMAND_LOGS = {
    .words = "logs",
    .summary = "Show what a worker, or the daemon, wrote to its standard output and error",
    .params = PARAMS,
    .examples = EXAMPLES,
    .run = run,
};
