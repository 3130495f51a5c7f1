/* Paragraphs for the terminal, and the pieces of which help and man pages are made. */
#pragma once

#include "cli/command.h"

struct buf;

/* Appends text in lines of at most width columns, each begun with indent blanks (the first too,
 * unless hang: then the line is already there up to indent). Paragraphs are between empty lines;
 * lines that begin with a blank stay as they are. */
void text_wrap(struct buf *out, const char *text, int indent, int width, bool hang);

/* "NAME -mode TEXT [-wait true|false]..." for the parameters of a command; owned by the caller. */
char *text_synopsis(const struct command *command);

/* "-mode TEXT", "-o, --output FORMAT|FILE", "NAME": how a row is written; owned by the caller. */
char *text_of_param(const struct command *command, const struct param *row);

/* The row's help with what else there is to know: default, choices; owned by the caller. */
char *text_of_help(const struct param *row);
