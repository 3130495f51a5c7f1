/* Reads the words of a command line against the rows of a command's parameters. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "cli/command.h"

struct err;
struct json_object;

struct args_rows {
    const struct param *own;    /* looked at first; NULL = none */
    const struct param *common; /* NULL = none */
    bool stop_at_word;          /* end at the first bare word: it begins a command */
    bool fill_required;         /* spare bare words fill required options, in the order of rows */
    bool dashes; /* help writes "_" in names as "-": all but what has the original's spelling */
};

/* What was given, typed, by the name of its row; owned. An option given twice: the last, or a list
 * if its row is `repeated`. */
struct args {
    struct json_object *own;
    struct json_object *common;
    int used; /* words read: all, unless stop_at_word */
};

void args_done(struct args *args);

/* words[count] without the command's own. A long option may be written with one dash or two, with
 * its value after '=' or as the next word, whatever that begins with; a letter with its value
 * attached or next. A value of a boolean option may be left out: true. "--" ends the options.
 * -EINVAL: text says what is wrong with which word. */
int args_parse(const struct args_rows *rows, int count, char *const *words, struct args *ret_args,
               struct err *err);

/* -EINVAL when a required parameter was not given, naming it. */
int args_check_required(const struct param *rows, const struct json_object *values,
                        struct err *err);

/* "NAME" as it is shown in help for that row; borrowed from scratch or the row. */
const char *args_placeholder(const struct param *row, char *scratch, size_t scratch_size);

#define PLACEHOLDER_MAX 64
