/* Splits a line into words as a shell would: blanks separate, quotes and backslash keep together.
 * No variables, no patterns. */
#pragma once

#include "base/cleanup.h"

struct err;

#define WORDS_MAX 1024 /* a line of a script is written by hand */

struct words {
    int count;
    char **items; /* owned; items[count] is NULL */
};

void words_done(struct words *words);

/* A '#' that begins a word begins a comment. -EINVAL: a quote is not closed; -E2BIG: more than
 * WORDS_MAX words. */
int words_split(const char *line, struct words *ret_words, struct err *err);
