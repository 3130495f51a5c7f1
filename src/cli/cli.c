#include "cli/cli.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/child.h"
#include "base/err.h"
#include "base/json.h"
#include "base/suggest.h"
#include "cli/args.h"
#include "cli/catalogue.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/op_command.h"
#include "cli/transport.h"

/* Members of more that object lacks. */
static void merge(struct json_object *object, struct json_object *more)
{
    if (!more) {
        return;
    }
    json_object_object_foreach(more, name, value)
    {
        if (!json_object_object_get_ex(object, name, NULL)) {
            json_set(object, name, json_ref(value));
        }
    }
}

/* The command that differs least from as many of words[count] as it has itself; NULL = none. */
static const char *nearest_command(const struct catalogue *catalogue, int count, char **words)
{
    const char *best = NULL;
    struct buf typed = {0};
    for (int n = 1; n <= count && n <= CATALOGUE_WORDS_MAX; n++) {
        buf_printf(&typed, "%s%s", n > 1 ? " " : "", words[n - 1]);
        CLEANUP(str_free) char *text = xstrndup(typed.data + typed.start, buf_size(&typed));
        struct suggest nearest = suggest_for(text);
        for (size_t i = 0; i < catalogue_count(catalogue); i++) {
            suggest_try(&nearest, catalogue_at(catalogue, i)->words);
        }
        const char *found = suggest_best(&nearest);
        best = found ? found : best;
    }
    buf_done(&typed);
    return best;
}

static int unknown_command(const struct cli *cli, int count, char **words)
{
    bool group = false;
    for (size_t i = 0; i < catalogue_count(cli->catalogue); i++) {
        group = group || command_begins_with(catalogue_at(cli->catalogue, i), count, words);
    }
    if (group) {
        (void)fprintf(stderr, "jsorc: '%s' goes on with one of these:\n", words[count - 1]);
        help_group(cli->catalogue, count, words, stderr);
        return CLI_USAGE;
    }
    const char *best = nearest_command(cli->catalogue, count, words);
    if (best) {
        return cli_usage(cli, "no such command; did you mean '%s'?", best);
    }
    return cli_usage(cli, "unknown command '%s'", words[0]);
}

/* Without the options that follow, for the message about an unknown command. */
static int count_bare(int count, char **words)
{
    int bare = 0;
    while (bare < count && words[bare][0] != '-') {
        bare++;
    }
    return bare;
}

static int run_rows(struct cli *cli, int count, char **words)
{
    const struct command *command = cli->command;
    struct args_rows rows = {.own = command->params,
                             .common = COMMON_OPTIONS,
                             .fill_required = command->op != NULL,
                             .dashes = command->op == NULL};
    struct args args = {0};
    struct err err = {0};
    if (args_parse(&rows, count, words, &args, &err) < 0) {
        return cli_usage(cli, "%s", err.text);
    }
    struct json_object *outer = cli->common;
    merge(args.common, outer);
    cli->common = args.common;
    int status = CLI_OK;
    if (json_flag(args.common, "help", false)) {
        help_command(command, stdout);
    } else if (args_check_required(command->params, args.own, &err) < 0) {
        status = cli_usage(cli, "%s", err.text);
    } else {
        output_init(&cli->output, stdout, json_str(args.common, "output"));
        status =
            command->op ? op_command_run(cli, command->op, args.own) : command->run(cli, args.own);
    }
    cli->common = outer;
    args_done(&args);
    return status;
}

static int run_command(struct cli *cli, int used, int count, char **words)
{
    if (!cli->command->run_words) {
        return run_rows(cli, count - used, words + used);
    }
    for (int i = used; i < count && strcmp(words[i], "--") != 0 && !cli->command->hidden; i++) {
        if (strcmp(words[i], "--help") == 0 || (i == used && strcmp(words[i], "-h") == 0)) {
            help_command(cli->command, stdout);
            return CLI_OK;
        }
    }
    output_init(&cli->output, stdout, json_str(cli->common, "output"));
    return cli->command->run_words(cli, count - used + 1, words + used - 1);
}

static int run_words(struct cli *cli, int count, char **words)
{
    if (count == 0) {
        if (!cli->shell && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)) {
            return shell_run(cli);
        }
        help_overview(cli->catalogue, cli->shell ? stdout : stderr);
        return cli->shell ? CLI_OK : CLI_USAGE;
    }
    int used = 0;
    const struct command *command = catalogue_match(cli->catalogue, count, words, &used);
    if (!command && count > 1 && strcmp(words[0], "jsorc") == 0) { /* typed twice */
        words++;
        count--;
        command = catalogue_match(cli->catalogue, count, words, &used);
    }
    if (!command) {
        return unknown_command(cli, count_bare(count, words), words);
    }
    const struct command *outer = cli->command;
    cli->command = command;
    int status = run_command(cli, used, count, words);
    cli->command = outer;
    return status;
}

int cli_run(struct cli *cli, int count, char **words, struct json_object *defaults)
{
    static const struct param version[] = {
        {.name = "version", .kind = PARAM_FLAG, .type = OP_BOOL},
        {.name = NULL},
    };
    struct args_rows rows = {.own = version, .common = COMMON_OPTIONS, .stop_at_word = true};
    struct args args = {0};
    struct err err = {0};
    if (args_parse(&rows, count, words, &args, &err) < 0) {
        return cli_usage(cli, "%s", err.text);
    }
    bool bare = args.used == count;
    int status = CLI_OK;
    struct json_object *outer = cli->common;
    merge(args.common, defaults);
    cli->common = args.common;
    if (json_flag(args.own, "version", false)) {
        version_print(stdout);
    } else if (bare && json_flag(args.common, "help", false)) {
        help_overview(cli->catalogue, stdout);
    } else {
        status = run_words(cli, count - args.used, words + args.used);
    }
    cli->common = outer;
    args_done(&args);
    return status;
}

/* Results must not be lost unseen: a full disk behind a redirection is a failure. */
static int flush(int status)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        (void)fprintf(stderr, "jsorc: cannot write the output\n");
        return status == CLI_OK ? CLI_FAILED : status;
    }
    return status;
}

int cli_main(int argc, char **argv)
{
    struct cli cli = {0};
    child_obey_parent();
    (void)setlocale(LC_CTYPE, "C.UTF-8"); /* for the width of text; numbers stay as they are */
    command_serve_prepare();
    CLEANUP(catalogue_free) struct catalogue *catalogue = catalogue_new();
    cli.catalogue = catalogue;
    output_init(&cli.output, stdout, NULL);
    int status = cli_run(&cli, argc > 0 ? argc - 1 : 0, argv + 1, NULL);
    (void)transport_free(cli.transport);
    session_done(&cli.memory);
    return flush(status);
}
