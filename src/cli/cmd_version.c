#include "base/err.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/version.h"

void version_print(FILE *out)
{
    (void)fprintf(out, "jsorc %s\n", JSORC_VERSION);
}

static int run(struct cli *cli, struct json_object *values)
{
    (void)values;
    if (cli->output.format != OUTPUT_JSON) {
        version_print(stdout);
        return CLI_OK;
    }
    struct err err = {0};
    CLEANUP(json_put) struct json_object *object = json_object_new_object();
    json_set_str(object, "version", JSORC_VERSION);
    json_set_str(object, "date", JSORC_DATE);
    return output_value(&cli->output, object, &err) < 0 ? cli_fail(cli, CLI_FAILED, &err) : CLI_OK;
}

const struct command COMMAND_VERSION = {
    .words = "version",
    .summary = "Show this program's version",
    .offline = true,
    .run = run,
};
