#include "cli/complete.h"

#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/slice.h"
#include "cli/args.h"
#include "cli/catalogue.h"
#include "cli/cli.h"
#include "cli/text.h"
#include "cli/transport.h"

#define NAMES_TIMEOUT_MS 500 /* a person waits for the list */

struct completion {
    struct cli *cli;
    const char *prefix; /* what is written of the last word */
    struct buf *out;
    enum param_values files; /* what the shell adds */
};

static void offer(struct completion *completion, const char *word, const char *explanation)
{
    if (strncmp(word, completion->prefix, strlen(completion->prefix)) == 0 &&
        !strpbrk(word, "\n\t")) {
        buf_printf(completion->out, "%s\t%s\n", word, explanation);
    }
}

static void offer_names(struct completion *completion, const char *path, const char *what)
{
    struct request request = {.method = "POST",
                              .path = path,
                              .body = SLICE("{\"name\":\"\"}"),
                              .timeout_ms = NAMES_TIMEOUT_MS};
    struct reply reply = {0};
    if (cli_send_quietly(completion->cli, &request, &reply) != CLI_OK) {
        return;
    }
    CLEANUP(json_put) struct json_object *value = NULL;
    cli_reply_value(&reply, &value);
    if (json_object_is_type(value, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(value); i++) {
            struct json_object *item = json_object_array_get_idx(value, i);
            offer(completion, json_object_get_string(item), what);
        }
    }
    struct json_object *map = json_member(value, "action_status", json_type_object);
    if (map) {
        json_object_object_foreach(map, name, unused)
        {
            (void)unused;
            offer(completion, name, what);
        }
    }
    reply_done(&reply);
}

static void offer_values(struct completion *completion, const struct param *row)
{
    CLEANUP(str_free) char *choices = row->choices ? xstrdup(row->choices) : NULL;
    char *rest = choices;
    for (char *word = NULL; rest && (word = strsep(&rest, " "));) {
        offer(completion, word, "");
    }
    if (row->type == OP_BOOL && row->kind == PARAM_OPTION) {
        offer(completion, "true", "");
        offer(completion, "false", "");
    }
    switch (row->values) {
    case VALUES_ACTION:
        offer_names(completion, "/js_admin/actions_list", "action");
        break;
    case VALUES_MODULE:
        offer_names(completion, "/js_admin/jsorc_actions_status", "module");
        break;
    case VALUES_FILE:
    case VALUES_FOLDER:
        completion->files = row->values;
        break;
    case VALUES_COMMAND:
    case VALUES_NONE:
        break;
    }
}

static void offer_options(struct completion *completion, const struct command *command,
                          const struct param *rows)
{
    bool two = strncmp(completion->prefix, "--", 2) == 0;
    const char *dashes = two || !command || !command->op ? "--" : "-";
    for (const struct param *row = rows; row && row->name; row++) {
        if (row->kind != PARAM_REST && (row->kind != PARAM_ARGUMENT || two)) {
            CLEANUP(str_free) char *option = xasprintf("%s%s", dashes, row->name);
            for (char *at = option; command && !command->op && (at = strchr(at, '_'));) {
                *at = '-'; /* as help writes them */
            }
            offer(completion, option, row->help);
        }
    }
}

/* The row of the option that word is, when its value comes next; NULL otherwise. */
static const struct param *option_row(const struct command *command, const char *word)
{
    if (word[0] != '-' || word[1] == '\0' || strchr(word, '=')) {
        return NULL;
    }
    const struct param *const lists[] = {command ? command->params : NULL, COMMON_OPTIONS};
    const char *name = word + strspn(word, "-");
    for (int i = 0; i < 2; i++) {
        for (const struct param *row = lists[i]; row && row->name; row++) {
            bool letter = row->letter && name[0] == row->letter && name[1] == '\0';
            if (row->kind != PARAM_FLAG && (letter || strcmp(row->name, name) == 0)) {
                return row;
            }
        }
    }
    return NULL;
}

/* The bare words of words[count]: no options, no values of options. */
static int bare_words(const struct command *command, int count, char **words, char **ret_words)
{
    int bare = 0;
    for (int i = 0; i < count; i++) {
        if (option_row(command, words[i])) {
            i++;
        } else if (words[i][0] != '-' || words[i][1] == '\0') {
            ret_words[bare++] = words[i];
        }
    }
    return bare;
}

/* The next word of commands that begin with words[count]. */
static void offer_next_words(struct completion *completion, int count, char **words)
{
    const struct catalogue *catalogue = completion->cli->catalogue;
    char last[COMMAND_WORDS_MAX] = "";
    for (size_t i = 0; i < catalogue_count(catalogue); i++) {
        const struct command *command = catalogue_at(catalogue, i);
        char scratch[COMMAND_WORDS_MAX];
        char *own[CATALOGUE_WORDS_MAX];
        int own_count = command_split(command, scratch, own);
        if (!command_begins_with(command, count, words) || strcmp(own[count], last) == 0) {
            continue;
        }
        (void)snprintf(last, sizeof(last), "%s", own[count]);
        offer(completion, own[count], own_count == count + 1 ? command->summary : "...");
    }
}

/* The row that the nth bare word after the command fills. */
static const struct param *nth_argument(const struct command *command, int n)
{
    for (const struct param *row = command->params; row && row->name; row++) {
        if (row->kind == PARAM_REST || (row->kind == PARAM_ARGUMENT && n == 0)) {
            return row;
        }
        n -= row->kind == PARAM_ARGUMENT;
    }
    return NULL;
}

static void complete_bare(struct completion *completion, const struct command *command, int used,
                          int bare, char **words)
{
    offer_next_words(completion, bare, words);
    const struct param *row = command ? nth_argument(command, bare - used) : NULL;
    if (row && row->values == VALUES_COMMAND) {
        offer_next_words(completion, bare - used, words + used);
    } else if (row) {
        offer_values(completion, row);
    }
}

#define LINE_WORDS_MAX 256 /* longer lines are not completed */

static void complete_words(struct cli *cli, int count, char **words, struct buf *out)
{
    struct completion completion = {.cli = cli, .prefix = words[count - 1], .out = out};
    char *bare_list[LINE_WORDS_MAX];
    char **bare = bare_list;
    if (count > 1 && strcmp(words[0], "jsorc") == 0) {
        words++;
        count--;
    }
    if (count > LINE_WORDS_MAX) {
        buf_printf(out, ":\n");
        return;
    }
    int used = 0;
    int bare_count = bare_words(NULL, count - 1, words, bare);
    const struct command *command = catalogue_match(cli->catalogue, bare_count, bare, &used);
    bare_count = bare_words(command, count - 1, words, bare); /* now its own options are known */
    const struct param *row = count > 1 ? option_row(command, words[count - 2]) : NULL;
    if (row) {
        offer_values(&completion, row);
    } else if (completion.prefix[0] == '-') {
        offer_options(&completion, command, command ? command->params : NULL);
        offer_options(&completion, NULL, COMMON_OPTIONS);
    } else {
        complete_bare(&completion, command, used, bare_count, bare);
    }
    static const char *const adds[] = {[VALUES_FILE] = "file", [VALUES_FOLDER] = "folder"};
    bool add = completion.files == VALUES_FILE || completion.files == VALUES_FOLDER;
    buf_printf(out, ":%s\n", add ? adds[completion.files] : "");
}

void complete_line(struct cli *cli, int count, char **words, struct buf *out)
{
    /* Names are asked of the daemon that the line itself means: --url, --state before the command.
     */
    struct args_rows rows = {.common = COMMON_OPTIONS, .stop_at_word = true};
    struct args args = {0};
    if (args_parse(&rows, count - 1, words, &args, NULL) < 0) {
        args.common = json_object_new_object();
    }
    struct json_object *outer = cli->common;
    cli->common = args.common;
    complete_words(cli, count, words, out);
    cli->common = outer;
    args_done(&args);
}
