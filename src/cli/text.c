#include "cli/text.h"

#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "cli/args.h"
#include "cli/table.h"

static void indent_by(struct buf *out, int indent)
{
    buf_printf(out, "%*s", indent, "");
}

/* One line of running text: its words, broken at width. column: where the line already stands.
 * Returns the new column. */
static int wrap_line(struct buf *out, const char *line, size_t length, int indent, int width,
                     int column)
{
    size_t at = 0;
    while (at < length) {
        size_t word = strcspn(line + at, " \n");
        word = word > length - at ? length - at : word;
        if (word == 0) {
            at++;
            continue;
        }
        CLEANUP(str_free) char *text = xstrndup(line + at, word);
        int columns = (int)text_columns(text);
        if (column > indent && column + 1 + columns > width) {
            buf_printf(out, "\n");
            indent_by(out, indent);
            column = indent;
        } else if (column > indent) {
            buf_printf(out, " ");
            column++;
        }
        buf_printf(out, "%s", text);
        column += columns;
        at += word;
    }
    return column;
}

void text_wrap(struct buf *out, const char *text, int indent, int width, bool hang)
{
    int column = indent;
    if (!hang) {
        indent_by(out, indent);
    }
    for (bool first = true; *text; first = false) {
        size_t length = strcspn(text, "\n");
        bool literal = text[0] == ' ' || length == 0;
        if (literal && !first) {
            buf_printf(out, "\n");
            column = indent;
            if (length > 0) {
                indent_by(out, indent);
                buf_printf(out, "%.*s", (int)length, text);
                column = width; /* so that what follows begins a line */
            }
        } else {
            if (!first && column == indent) {
                buf_printf(out, "\n");
                indent_by(out, indent);
            }
            column = wrap_line(out, text, length, indent, width, column);
        }
        text += length + (text[length] == '\n');
    }
    buf_printf(out, "\n");
}

char *text_of_param(const struct command *command, const struct param *row)
{
    char scratch[PLACEHOLDER_MAX];
    const char *value = args_placeholder(row, scratch, sizeof(scratch));
    if (row->kind == PARAM_ARGUMENT || row->kind == PARAM_REST) {
        return xstrdup(value);
    }
    bool op = command && command->op; /* written in the original's way */
    const char *dashes = op ? "-" : "--";
    const char *space = row->kind == PARAM_FLAG ? "" : " ";
    value = row->kind == PARAM_FLAG ? "" : value;
    CLEANUP(str_free) char *name = xstrdup(row->name);
    for (char *at = name; *at && !op; at++) {
        *at = *at == '_' ? '-' : *at;
    }
    if (row->letter) {
        return xasprintf("-%c, %s%s%s%s", row->letter, dashes, name, space, value);
    }
    return xasprintf("%s%s%s%s", dashes, name, space, value);
}

char *text_synopsis(const struct command *command)
{
    if (command->synopsis) {
        return xstrdup(command->synopsis);
    }
    struct buf text = {0};
    bool options = false;
    for (const struct param *row = command->params; row && row->name; row++) {
        CLEANUP(str_free) char *item = text_of_param(command, row);
        bool positional = row->kind == PARAM_ARGUMENT || row->kind == PARAM_REST;
        const char *separator = buf_size(&text) ? " " : "";
        if (positional || row->required) {
            buf_printf(&text, row->required ? "%s%s%s" : "%s[%s]%s", separator, item,
                       row->kind == PARAM_REST ? "..." : "");
        } else {
            options = true;
        }
    }
    if (options) {
        buf_printf(&text, "%s[OPTION]...", buf_size(&text) ? " " : "");
    }
    char *copy = xstrndup(text.data ? text.data : "", buf_size(&text));
    buf_done(&text);
    return copy;
}

char *text_of_help(const struct param *row)
{
    struct buf text = {0};
    size_t length = strlen(row->help);
    bool stop = length > 0 && row->help[length - 1] == '.';
    buf_printf(&text, "%.*s", (int)(stop ? length - 1 : length), row->help);
    bool fallback = row->fallback && strcmp(row->fallback, "null") != 0;
    bool only = row->choices && row->values == VALUES_NONE; /* else the help says what else */
    if (only && !fallback) {
        buf_printf(&text, " (one of %s)", row->choices);
    } else if (only) {
        buf_printf(&text, " (one of %s; default %s)", row->choices, row->fallback);
    } else if (fallback) {
        buf_printf(&text, " (default %s)", row->fallback);
    }
    char *copy = xstrndup(text.data ? text.data : "", buf_size(&text));
    buf_done(&text);
    return copy;
}
