#include "cli/catalogue.h"

#include <string.h>

#include "base/json.h"
#include "base/test.h"
#include "cli/op_command.h"

static int run_nothing(struct cli *cli, struct json_object *values)
{
    (void)cli;
    (void)values;
    return CLI_OK;
}

static const struct command STATUS = {.words = "status", .summary = "ours", .run = run_nothing};
static const struct command SECRET = {
    .words = "__complete", .summary = "hidden", .hidden = true, .run = run_nothing};
const struct command *const COMMAND_TABLE[] = {&STATUS, &SECRET, NULL};

#define OP(id, op_name, op_positionals)                                                            \
    static const struct op id = {.name = (op_name),                                                \
                                 .params = {{"config", OP_STR, NULL, "package"},                   \
                                            {"name", OP_STR, NULL, "module"},                      \
                                            {"mode", OP_STR, "\"auto\"", "place"}},                \
                                 .positionals = (op_positionals),                                  \
                                 .help = "Help."}

OP(op_load, "jsorc_actions_load", "name");
OP(op_load_local, "actions_load_local", "name");
OP(op_config, "jsorc_actions_config", "name config");
OP(op_status, "jsorc_status", "");
OP(op_policy, "jsorc_actionpolicy_set", "");
OP(op_get, "config_get", "name");
/* As nobody should name them: the same words in both families. */
OP(op_same, "same_thing", "");
OP(op_same_jsorc, "jsorc_same_thing", "");
const struct op *const OP_TABLE[] = {&op_load,   &op_load_local, &op_config,
                                     &op_status, &op_policy,     &op_get,
                                     &op_same,   &op_same_jsorc, NULL};

const struct op *op_find(const char *name, size_t size)
{
    (void)name;
    (void)size;
    return NULL;
}

/* "NAME USED" of the operation or command that the line means, or "none". */
static const char *matched(const char *line)
{
    static char result[128];
    CLEANUP(catalogue_free) struct catalogue *catalogue = catalogue_new();
    char copy[128];
    char *words[8];
    int count = 0;
    int used = 0;
    (void)snprintf(copy, sizeof(copy), "%s", line);
    char *rest = copy;
    for (char *word = NULL; count < 8 && (word = strsep(&rest, " "));) {
        words[count++] = word;
    }
    const struct command *command = catalogue_match(catalogue, count, words, &used);
    if (!command) {
        return "none";
    }
    (void)snprintf(result, sizeof(result), "%s %d",
                   command->op ? command->op->name : command->words, used);
    return result;
}

static void finds_operations_of_both_families(void)
{
    EXPECT_STR(matched("actions load use_enc -mode module"), "jsorc_actions_load 2");
    EXPECT_STR(matched("jsorc actions load use_enc"), "jsorc_actions_load 3");
    EXPECT_STR(matched("config get META_CONFIG"), "config_get 2");
    EXPECT_STR(matched("actionpolicy set default"), "jsorc_actionpolicy_set 2");
}

static void takes_the_longest_match(void)
{
    EXPECT_STR(matched("actions load local FILE"), "actions_load_local 3");
    EXPECT_STR(matched("actions load"), "jsorc_actions_load 2");
    EXPECT_STR(matched("actions load locals"), "jsorc_actions_load 2");
}

static void lets_the_word_jsorc_choose_the_family(void)
{
    EXPECT_STR(matched("jsorc actions load local"), "jsorc_actions_load 3");
    EXPECT_STR(matched("jsorc status"), "jsorc_status 2");
    EXPECT_STR(matched("jsorc same thing"), "jsorc_same_thing 3");
}

static void prefers_our_own_and_then_jsorc_operations(void)
{
    EXPECT_STR(matched("status"), "status 1");
    EXPECT_STR(matched("same thing"), "jsorc_same_thing 2");
}

static void takes_underscores_for_blanks(void)
{
    EXPECT_STR(matched("actions_load_local FILE"), "actions_load_local 1");
    EXPECT_STR(matched("jsorc_actions_load use_enc"), "jsorc_actions_load 1");
    EXPECT_STR(matched("config_get X"), "config_get 1");
}

static void finds_nothing_in_other_words(void)
{
    EXPECT_STR(matched("actions"), "none");
    EXPECT_STR(matched("action load x"), "none");
    EXPECT_STR(matched("stat"), "none");
    EXPECT_STR(matched("-"), "none");
}

static void lists_what_is_shown_in_order(void)
{
    CLEANUP(catalogue_free) struct catalogue *catalogue = catalogue_new();
    const char *last = "";
    int shown = 0;
    for (size_t i = 0; i < catalogue_count(catalogue); i++) {
        const struct command *command = catalogue_at(catalogue, i);
        EXPECT(strcmp(last, command->words) <= 0);
        EXPECT(!command->hidden);
        shown += strcmp(command->words, "status") == 0;
        last = command->words;
    }
    EXPECT_INT(shown, 1); /* ours; the operation jsorc_status stands behind it */
    EXPECT_STR(matched("__complete"), "__complete 1");
}

static void makes_rows_in_the_order_of_the_command_line(void)
{
    struct command *command = op_command_new(&op_config);
    EXPECT_STR(command->words, "actions config");
    EXPECT_STR(command->summary, "Help");
    EXPECT_STR(command->params[0].name, "name");
    EXPECT_STR(command->params[1].name, "config");
    EXPECT_INT(command->params[1].kind, PARAM_ARGUMENT);
    EXPECT_STR(command->params[2].name, "mode");
    EXPECT_INT(command->params[2].kind, PARAM_OPTION);
    EXPECT(!command->params[2].required);
    EXPECT(command->params[3].name == NULL);
    (void)op_command_free(command);
}

static void knows_what_a_group_of_words_begins(void)
{
    char *actions[] = {"actions"};
    char *load[] = {"actions", "load"};
    struct command *command = op_command_new(&op_load);
    EXPECT(command_begins_with(command, 0, NULL));
    EXPECT(command_begins_with(command, 1, actions));
    EXPECT(!command_begins_with(command, 2, load)); /* it is the whole */
    (void)op_command_free(command);
}

TEST_MAIN(finds_operations_of_both_families, takes_the_longest_match,
          lets_the_word_jsorc_choose_the_family, prefers_our_own_and_then_jsorc_operations,
          takes_underscores_for_blanks, finds_nothing_in_other_words, lists_what_is_shown_in_order,
          makes_rows_in_the_order_of_the_command_line, knows_what_a_group_of_words_begins)
