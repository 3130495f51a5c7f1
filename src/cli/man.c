/* Written in the man macros, the oldest that all formatters know. Each text is escaped, so that it
 * looks the same in groff and mandoc and can be copied from the page: '-' stays a hyphen-minus,
 * quotes stay straight. */
#include "cli/man.h"

#include <ctype.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "cli/args.h"
#include "cli/catalogue.h"
#include "cli/help.h"
#include "cli/text.h"
#include "cli/version.h"

/* A character beyond ASCII as roff's \[uXXXX]; returns its bytes. Bad UTF-8 becomes '?'. */
static size_t append_wide(struct buf *out, const unsigned char *at)
{
    size_t more = at[0] >= 0xf0 ? 3 : at[0] >= 0xe0 ? 2 : 1;
    unsigned code = at[0] & (0x3fu >> more);
    for (size_t i = 1; i <= more; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            buf_printf(out, "?");
            return i;
        }
        code = code << 6 | (at[i] & 0x3fu);
    }
    buf_printf(out, "\\[u%04X]", code);
    return more + 1;
}

static void append_escaped(struct buf *out, const char *text, size_t length)
{
    static const char *const escapes[128] = {
        ['\\'] = "\\e",  ['-'] = "\\-",   ['\''] = "\\(aq", ['`'] = "\\(ga",
        ['^'] = "\\(ha", ['~'] = "\\(ti", ['"'] = "\\(dq"};
    const unsigned char *at = (const unsigned char *)text;
    const unsigned char *end = at + length;
    while (at < end) {
        if (*at >= 0x80) {
            at += append_wide(out, at);
            continue;
        }
        if (escapes[*at]) {
            buf_printf(out, "%s", escapes[*at]);
        } else {
            buf_printf(out, "%c", *at);
        }
        at++;
    }
}

static void append_text(struct buf *out, const char *text)
{
    append_escaped(out, text, strlen(text));
}

#define SOURCE_COLUMNS 72 /* so that the source can be read and compared, too */

/* Running text, in lines of its own. A line that begins with '.' would be a request. */
static void append_prose(struct buf *out, const char *text, size_t length)
{
    size_t column = 0;
    size_t at = 0;
    while (at < length) {
        const char *blank = memchr(text + at, ' ', length - at);
        size_t word = blank ? (size_t)(blank - (text + at)) : length - at;
        if (word > 0) {
            bool fits = column == 0 || column + 1 + word <= SOURCE_COLUMNS;
            buf_printf(out, "%s", column == 0 ? "" : fits ? " " : "\n");
            column = fits ? column + (column > 0) : 0;
            buf_printf(out, "%s", column == 0 && text[at] == '.' ? "\\&" : "");
            append_escaped(out, text + at, word);
            column += word;
        }
        at += word + 1;
    }
    buf_printf(out, "\n");
}

/* A line that stays as it is. */
static void append_literal(struct buf *out, const char *text, size_t length)
{
    append_escaped(out, text, length);
    buf_printf(out, "\n");
}

/* Paragraphs, as text_wrap reads them. */
static void append_paragraphs(struct buf *out, const char *text)
{
    bool literal = false;
    bool broken = false;
    while (*text) {
        size_t length = strcspn(text, "\n");
        bool is_literal = text[0] == ' ' && length > 0;
        if (length == 0) {
            broken = true;
        } else {
            if (literal && !is_literal) {
                buf_printf(out, ".EE\n.PP\n");
            } else if (!literal && is_literal) {
                buf_printf(out, ".PP\n.EX\n");
            } else if (broken && !is_literal) {
                buf_printf(out, ".PP\n");
            }
            literal = is_literal;
            broken = false;
            if (literal) {
                append_literal(out, text, length);
            } else {
                append_prose(out, text, length);
            }
        }
        text += length + (text[length] == '\n');
    }
    if (literal) {
        buf_printf(out, ".EE\n");
    }
}

/* "-mode TEXT": what is typed bold, what is replaced in italics. */
static void append_item(struct buf *out, const char *text)
{
    bool value = false;
    bool open = false;
    for (size_t i = 0; text[i]; i++) {
        bool starts = i == 0 || text[i - 1] == ' ';
        if (starts) {
            bool typed = text[i] == '-';
            if (open && value == typed) {
                buf_printf(out, "\\fR");
            }
            if (!open || value == typed) {
                buf_printf(out, typed ? "\\fB" : "\\fI");
            }
            open = true;
            value = !typed;
        }
        append_escaped(out, text + i, 1);
    }
    buf_printf(out, "%s", open ? "\\fR" : "");
}

static void append_head(struct buf *out, const char *name, const char *summary)
{
    buf_printf(out, ".\\\" Made by jsorc %s from its own commands: change src/cli.\n",
               JSORC_VERSION);
    buf_printf(out, ".TH ");
    for (const char *at = name; *at; at++) {
        char upper = (char)toupper((unsigned char)*at);
        append_escaped(out, &upper, 1);
    }
    buf_printf(out, " 1 %s \"jsorc %s\" \"User Commands\"\n", JSORC_DATE, JSORC_VERSION);
    buf_printf(out, ".SH NAME\n");
    append_text(out, name);
    buf_printf(out, " \\- ");
    append_text(out, summary);
    buf_printf(out, "\n.SH SYNOPSIS\n");
}

static void append_params(struct buf *out, const struct command *command, const struct param *rows,
                          bool positional, const char *title)
{
    bool any = false;
    for (const struct param *row = rows; row && row->name; row++) {
        bool is_positional = row->kind == PARAM_ARGUMENT || row->kind == PARAM_REST;
        if (is_positional != positional) {
            continue;
        }
        buf_printf(out, "%s%s", any ? "" : title, any ? "" : "\n");
        any = true;
        CLEANUP(str_free) char *item = text_of_param(command, row);
        CLEANUP(str_free) char *help = text_of_help(row);
        buf_printf(out, ".TP\n");
        append_item(out, item);
        buf_printf(out, "\n");
        append_prose(out, help, strlen(help));
    }
}

static void append_exits(struct buf *out, const struct exit_row *row)
{
    buf_printf(out, ".SH EXIT STATUS\n");
    for (; row->when; row++) {
        buf_printf(out, ".TP\n\\fB%d\\fR\n", row->status);
        append_prose(out, row->when, strlen(row->when));
    }
}

static void append_examples(struct buf *out, const struct example *row)
{
    if (!row || !row->line) {
        return;
    }
    buf_printf(out, ".SH EXAMPLES\n");
    for (; row->line; row++) {
        buf_printf(out, ".TP\n\\fB");
        append_text(out, row->line);
        buf_printf(out, "\\fR\n");
        append_prose(out, row->what, strlen(row->what));
    }
}

char *man_name(const struct command *command)
{
    char *name = xasprintf("jsorc-%s", command->words);
    for (char *at = name; *at; at++) {
        *at = *at == ' ' ? '-' : *at;
    }
    return name;
}

void man_command(const struct command *command, struct buf *out)
{
    CLEANUP(str_free) char *name = man_name(command);
    CLEANUP(str_free) char *synopsis = text_synopsis(command);
    append_head(out, name, command->summary);
    buf_printf(out, "\\fBjsorc ");
    append_text(out, command->words);
    buf_printf(out, "\\fR%s", *synopsis ? "\n" : "");
    append_prose(out, synopsis, strlen(synopsis));
    buf_printf(out, ".SH DESCRIPTION\n");
    CLEANUP(str_free) char *summary = xasprintf("%s.", command->summary);
    append_prose(out, summary, strlen(summary));
    if (command->detail) {
        if (command->detail[0] != ' ') {
            buf_printf(out, ".PP\n");
        }
        append_paragraphs(out, command->detail);
    }
    append_params(out, command, command->params, true, ".SH ARGUMENTS");
    append_params(out, command, command->params, false, ".SH OPTIONS");
    append_exits(out, help_exits(command));
    append_examples(out, command->examples);
    buf_printf(out, ".SH SEE ALSO\n\\fBjsorc\\fR(1)%s\n",
               command->offline ? "" : ", for the options that all commands know");
}

static const struct {
    const char *name;
    const char *what;
} ENVIRONMENT[] = {
    {"JSORC_URL", "Address of the daemon that commands speak to, as --url."},
    {"JSORC_TOKEN", "The token for it, as --token."},
    {"JSORC_STATE", "State folder, as --state, for the daemon and for commands."},
    {"NO_COLOR", "When set, no colours on a terminal."},
    {"VIRTUAL_ENV", "Its interpreter runs the Python modules, unless --python names another."},
};

static const struct {
    const char *name;
    const char *what;
} FILES[] = {
    {"STATE/run/jsorc.sock", "The daemon's socket. Its own user needs no login there."},
    {"STATE/jsorc.db", "Placement, configuration, accounts."},
    {"STATE/logs/", "What the workers write."},
    {"STATE/js.session", "The login: address and token."},
    {"STATE/history", "Lines of the interactive shell."},
};

static void append_list_item(struct buf *out, const char *name, const char *what)
{
    buf_printf(out, ".TP\n\\fB");
    append_text(out, name);
    buf_printf(out, "\\fR\n");
    append_prose(out, what, strlen(what));
}

void man_main(const struct catalogue *catalogue, struct buf *out)
{
    append_head(out, "jsorc", "serve functions as actions, and move them while they run");
    buf_printf(out, "\\fBjsorc\\fR [\\fIOPTION\\fR]... \\fICOMMAND\\fR [\\fIARGUMENT\\fR]...\n");
    buf_printf(out, ".SH DESCRIPTION\n");
    append_prose(out, HELP_WHAT, strlen(HELP_WHAT));
    append_paragraphs(
        out, "\nWithout a command, on a terminal, jsorc is a shell that reads commands.\n"
             "\nCommands are words. An operation of the daemon's API is a command as well: "
             "config_get is 'jsorc config get', and jsorc_actions_load is 'jsorc actions load'. "
             "Where the words of one command begin those of another the longer one is meant: "
             "'jsorc actions load local FILE' is actions_load_local. A module that is called "
             "'local' is loaded by 'jsorc jsorc actions load local': with that word before it, "
             "only jsorc_ operations are meant.\n"
             "\nOptions are written --name VALUE, --name=VALUE or -name VALUE. The word None "
             "is null, @FILE stands for the content of a file, @@TEXT for a text that begins "
             "with '@', and -- ends the options. Lists and objects are written in JSON.");
    buf_printf(out, ".SH COMMANDS\n");
    for (size_t i = 0; i < catalogue_count(catalogue); i++) {
        const struct command *command = catalogue_at(catalogue, i);
        CLEANUP(str_free) char *summary = xasprintf("%s.", command->summary);
        append_list_item(out, command->words, summary);
    }
    append_params(out, NULL, COMMON_OPTIONS, false, ".SH OPTIONS");
    append_exits(out, EXIT_COMMON);
    buf_printf(out, ".SH ENVIRONMENT\n");
    for (size_t i = 0; i < sizeof(ENVIRONMENT) / sizeof(ENVIRONMENT[0]); i++) {
        append_list_item(out, ENVIRONMENT[i].name, ENVIRONMENT[i].what);
    }
    buf_printf(out, ".SH FILES\nSTATE is the state folder, see \\fB\\-\\-state\\fR.\n");
    for (size_t i = 0; i < sizeof(FILES) / sizeof(FILES[0]); i++) {
        append_list_item(out, FILES[i].name, FILES[i].what);
    }
    buf_printf(out, ".SH SEE ALSO\n");
    for (size_t i = 0; i < catalogue_count(catalogue); i++) {
        CLEANUP(str_free) char *name = man_name(catalogue_at(catalogue, i));
        buf_printf(out, ".BR ");
        append_text(out, name);
        buf_printf(out, " (1)%s\n", i + 1 < catalogue_count(catalogue) ? "," : "");
    }
}
