#include "cli/lines.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "cli/cli.h"
#include "cli/words.h"

int line_run(struct cli *cli, const char *line, struct json_object *defaults)
{
    struct words words = {0};
    struct err err = {0};
    if (words_split(line, &words, &err) < 0) {
        return cli_fail(cli, CLI_USAGE, &err);
    }
    int first = words.count > 0 && strcmp(words.items[0], "jsorc") == 0 ? 1 : 0;
    int status = CLI_OK;
    bool shell = cli->shell;
    const struct command *command = cli->command;
    cli->shell = true;
    cli->command = NULL;
    if (words.count > 0) {
        status = cli_run(cli, words.count - first, words.items + first, defaults);
    }
    cli->command = command;
    cli->shell = shell;
    (void)fflush(stdout);
    words_done(&words);
    return status;
}
