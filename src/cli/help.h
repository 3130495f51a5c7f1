/* Help texts, made from the rows of the commands. */
#pragma once

#include <stdio.h>

struct catalogue;
struct command;

/* What jsorc is and which commands there are. */
void help_overview(const struct catalogue *catalogue, FILE *out);

/* All about one command. */
void help_command(const struct command *command, FILE *out);

/* The commands whose words begin with words[count]. */
void help_group(const struct catalogue *catalogue, int count, char *const *words, FILE *out);

/* The options that every command knows, and the environment. */
void help_options(FILE *out);

/* What a command ends with: its own rows, or those of its kind. Never NULL. */
const struct exit_row *help_exits(const struct command *command);

#define HELP_WHAT                                                                                  \
    "Serves functions written in Python or C as actions, places each module in the process that "  \
    "calls it or in one of its own, and moves it while requests run."
