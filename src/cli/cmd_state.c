#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "base/state.h"
#include "cli/cli.h"
#include "cli/commands.h"

static int run_migrate(struct cli *cli, struct json_object *values)
{
    struct err err = {0};
    const char *given = json_str(values, "state");
    CLEANUP(str_free)
    char *folder = state_folder(given ? given : json_str(cli->common, "state"));
    int failed =
        state_migrate(folder, json_str(values, "to"), json_flag(values, "replace", false), &err);
    return failed ? cli_fail(cli, CLI_FAILED, &err) : CLI_OK;
}

static const struct param PARAMS[] = {
    {.name = "to",
     .placeholder = "URL",
     .required = true,
     .help = "the database, postgresql://USER@HOST/DATABASE; the password from PGPASSWORD or a "
             "password file, as of psql; 'database' = the service of that name in this folder"},
    {.name = "replace",
     .kind = PARAM_FLAG,
     .type = OP_BOOL,
     .help = "when the database holds another state already, put this one in its place"},
    {.name = "state",
     .placeholder = "DIR",
     .values = VALUES_FOLDER,
     .help = "state folder with the file; default: as of 'jsorc serve'"},
    {.name = NULL},
};

static const struct example EXAMPLES[] = {
    {"jsorc state migrate --to postgresql://jsorc@db.example/jsorc",
     "Afterwards: jsorc serve --state-url postgresql://jsorc@db.example/jsorc"},
    {NULL, NULL},
};

const struct command COMMAND_STATE_MIGRATE = {
    .words = "state migrate",
    .summary = "Copy the state from its file into a PostgreSQL database",
    .detail =
        "Copies accounts, tokens, configs, modules with their places, and the record of "
        "decisions, all or nothing, and compares every table in both before it is kept. No "
        "daemon may use the folder meanwhile. The file stays as it is. To do it again changes "
        "nothing.",
    .params = PARAMS,
    .examples = EXAMPLES,
    .offline = true,
    .run = run_migrate,
};
