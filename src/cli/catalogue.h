/* All commands: our own (COMMAND_TABLE) and one for each operation of the API (OP_TABLE), and which
 * of them the first words of a command line mean. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "cli/command.h"

struct catalogue;

#define CATALOGUE_WORDS_MAX 6 /* words a command has; the longest operation has four */

/* Never NULL; the caller owns it. */
struct catalogue *catalogue_new(void);
struct catalogue *catalogue_free(struct catalogue *catalogue);
DEFINE_CLEANUP(struct catalogue *, catalogue_free)

/* Sorted by words; all but the hidden ones, and without operations that a command of our own
 * stands before. Borrowed. */
size_t catalogue_count(const struct catalogue *catalogue);
const struct command *catalogue_at(const struct catalogue *catalogue, size_t index);

/* The command that the most of words[count] name, and how many. An operation jsorc_actions_load is
 * named by "actions load" and by "jsorc actions load", actions_load_local by "actions load local".
 * Of equally long names: ours, then jsorc_*, then the others; if the first word is "jsorc",
 * jsorc_* comes first. A word in which '_' joins what others separate ("actions_load") counts as
 * those words. NULL = none. */
const struct command *catalogue_match(const struct catalogue *catalogue, int count,
                                      char *const *words, int *ret_used);

/* True when command's words begin with all of words[count] and go on. */
bool command_begins_with(const struct command *command, int count, char *const *words);

/* Splits a command's words; returns how many (at most CATALOGUE_WORDS_MAX). ret_words point into
 * scratch. */
#define COMMAND_WORDS_MAX 64
int command_split(const struct command *command, char scratch[COMMAND_WORDS_MAX],
                  char *ret_words[CATALOGUE_WORDS_MAX]);
