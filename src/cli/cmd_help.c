#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "cli/catalogue.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/help.h"

#define WORDS_MAX 16 /* more than any command has */

/* The strings of a list; borrowed from it. */
static int words_of(struct json_object *list, char *ret_words[WORDS_MAX])
{
    size_t count = list ? json_object_array_length(list) : 0;
    count = count > WORDS_MAX ? WORDS_MAX : count;
    for (size_t i = 0; i < count; i++) {
        ret_words[i] = (char *)json_object_get_string(json_object_array_get_idx(list, i));
    }
    return (int)count;
}

static bool is_group(const struct catalogue *catalogue, int count, char *const *words)
{
    for (size_t i = 0; i < catalogue_count(catalogue); i++) {
        if (command_begins_with(catalogue_at(catalogue, i), count, words)) {
            return true;
        }
    }
    return false;
}

static int run(struct cli *cli, struct json_object *values)
{
    char *storage[WORDS_MAX];
    char **words = storage;
    int count = words_of(json_member(values, "command", json_type_array), words);
    if (count > 1 && strcmp(words[0], "jsorc") == 0) {
        words++;
        count--;
    }
    if (count == 0) {
        help_overview(cli->catalogue, stdout);
        return CLI_OK;
    }
    if (count == 1 && strcmp(words[0], "options") == 0) {
        help_options(stdout);
        return CLI_OK;
    }
    int used = 0;
    const struct command *command = catalogue_match(cli->catalogue, count, words, &used);
    bool group = is_group(cli->catalogue, count, words);
    if (command && (used == count || !group)) {
        help_command(command, stdout);
    }
    if (group) {
        (void)fprintf(stdout, "%sCommands that begin with these words:\n", command ? "\n" : "");
        help_group(cli->catalogue, count, words, stdout);
    }
    if (!command && !group) {
        cli->command = NULL;
        return cli_usage(cli, "no command '%s'", words[0]);
    }
    return CLI_OK;
}

static const struct param PARAMS[] = {
    {.name = "command",
     .kind = PARAM_REST,
     .values = VALUES_COMMAND,
     .help = "the words of a command, or 'options'; without it, an overview"},
    {.name = NULL},
};

static const struct example EXAMPLES[] = {
    {"jsorc help actions", "What begins with 'actions'."},
    {"jsorc help actions load", "All about one command."},
    {NULL, NULL},
};

const struct command COMMAND_HELP = {
    .words = "help",
    .summary = "Show help",
    .params = PARAMS,
    .examples = EXAMPLES,
    .offline = true,
    .run = run,
};
