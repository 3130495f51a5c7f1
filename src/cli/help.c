#include "cli/help.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "cli/catalogue.h"
#include "cli/text.h"

#define WIDTH_DEFAULT 80
#define WIDTH_MOST    100 /* longer lines are hard to read */
#define LEFT          26  /* column at which explanations begin */

static int width_of(FILE *out)
{
    struct winsize size = {0};
    if (ioctl(fileno(out), TIOCGWINSZ, &size) < 0 || size.ws_col < LEFT + 20) {
        return WIDTH_DEFAULT;
    }
    return size.ws_col > WIDTH_MOST ? WIDTH_MOST : size.ws_col;
}

static void write_out(struct buf *text, FILE *out)
{
    (void)fwrite(text->data + text->start, 1, buf_size(text), out);
    buf_done(text);
}

/* "  left     explanation", with the explanation below when left is long. */
static void append_item(struct buf *text, const char *left, const char *help, int width)
{
    int columns = 2 + (int)strlen(left);
    buf_printf(text, "  %s", left);
    bool below = columns + 1 > LEFT;
    if (below) {
        buf_printf(text, "\n");
    } else {
        buf_printf(text, "%*s", LEFT - columns, "");
    }
    text_wrap(text, help, LEFT, width, !below);
}

static void append_params(struct buf *text, const struct command *command, const struct param *rows,
                          bool positional, int width)
{
    bool any = false;
    for (const struct param *row = rows; row && row->name; row++) {
        bool is_positional = row->kind == PARAM_ARGUMENT || row->kind == PARAM_REST;
        if (is_positional != positional) {
            continue;
        }
        if (!any) {
            buf_printf(text, positional ? "\nArguments:\n" : "\nOptions:\n");
        }
        any = true;
        CLEANUP(str_free) char *left = text_of_param(command, row);
        CLEANUP(str_free) char *help = text_of_help(row);
        append_item(text, left, help, width);
    }
}

const struct exit_row *help_exits(const struct command *command)
{
    if (command->exits) {
        return command->exits;
    }
    return command->offline ? EXIT_OFFLINE : EXIT_COMMON;
}

void help_command(const struct command *command, FILE *out)
{
    struct buf text = {0};
    int width = width_of(out);
    CLEANUP(str_free) char *synopsis = text_synopsis(command);
    buf_printf(&text, "Usage: jsorc %s%s%s\n\n", command->words, *synopsis ? " " : "", synopsis);
    CLEANUP(str_free) char *summary = xasprintf("%s.", command->summary);
    text_wrap(&text, summary, 0, width, false);
    if (command->detail) {
        buf_printf(&text, "\n");
        text_wrap(&text, command->detail, 0, width, false);
    }
    append_params(&text, command, command->params, true, width);
    append_params(&text, command, command->params, false, width);
    if (!command->offline) {
        buf_printf(&text, "\nOptions that all commands know: 'jsorc help options'.\n");
    }
    buf_printf(&text, "\nExit status:\n");
    for (const struct exit_row *row = help_exits(command); row->when; row++) {
        CLEANUP(str_free) char *left = xasprintf("%d", row->status);
        append_item(&text, left, row->when, width);
    }
    for (const struct example *row = command->examples; row && row->line; row++) {
        buf_printf(&text, "%s  %s\n", row == command->examples ? "\nExamples:\n" : "", row->line);
        text_wrap(&text, row->what, 6, width, false);
    }
    write_out(&text, out);
}

void help_group(const struct catalogue *catalogue, int count, char *const *words, FILE *out)
{
    struct buf text = {0};
    for (size_t i = 0; i < catalogue_count(catalogue); i++) {
        const struct command *command = catalogue_at(catalogue, i);
        if (command_begins_with(command, count, words)) {
            append_item(&text, command->words, command->summary, width_of(out));
        }
    }
    write_out(&text, out);
}

void help_options(FILE *out)
{
    struct buf text = {0};
    int width = width_of(out);
    text_wrap(&text,
              "Options that every command knows. They may stand before the command or after it; "
              "where the command has an option of the same name, only before it. --name VALUE, "
              "--name=VALUE and -name VALUE are the same.",
              0, width, false);
    append_params(&text, NULL, COMMON_OPTIONS, false, width);
    write_out(&text, out);
}

/* "actions", and behind it what may follow: "call, list, load, ...". */
static void append_op_groups(struct buf *text, const struct catalogue *catalogue, int width)
{
    struct buf list = {0};
    char group[COMMAND_WORDS_MAX] = "";
    for (size_t i = 0; i <= catalogue_count(catalogue); i++) {
        const struct command *command =
            i < catalogue_count(catalogue) ? catalogue_at(catalogue, i) : NULL;
        if (command && !command->op) {
            continue;
        }
        size_t length = command ? strcspn(command->words, " ") : 0;
        bool same =
            command && strlen(group) == length && strncmp(group, command->words, length) == 0;
        if (!same && *group) {
            CLEANUP(str_free) char *line = xstrndup(list.data + list.start, buf_size(&list));
            append_item(text, group, line, width);
            buf_done(&list);
        }
        if (!command) {
            break;
        }
        const char *rest = command->words + length;
        (void)snprintf(group, sizeof(group), "%.*s", (int)length, command->words);
        if (*rest) {
            buf_printf(&list, "%s%s", buf_size(&list) ? ", " : "", rest + 1);
        } else {
            buf_printf(&list, "%s", command->summary);
        }
    }
    buf_done(&list);
}

void help_overview(const struct catalogue *catalogue, FILE *out)
{
    struct buf text = {0};
    int width = width_of(out);
    buf_printf(&text, "Usage: jsorc [OPTION]... COMMAND [ARGUMENT]...\n\n");
    text_wrap(&text, HELP_WHAT, 0, width, false);
    buf_printf(&text, "\nCommands:\n");
    for (size_t i = 0; COMMAND_TABLE[i]; i++) { /* in the table's order: the usual ones first */
        if (!COMMAND_TABLE[i]->hidden) {
            append_item(&text, COMMAND_TABLE[i]->words, COMMAND_TABLE[i]->summary, width);
        }
    }
    buf_printf(&text, "\nOperations of the daemon, by their first word:\n");
    append_op_groups(&text, catalogue, width);
    buf_printf(&text, "\n'jsorc help COMMAND' tells all about one, 'jsorc help options' what every "
                      "command knows.\n");
    write_out(&text, out);
}
