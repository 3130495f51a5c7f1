/* A command of `jsorc`: one row from which parsing, help, man page and completion come. Rows of our
 * own end their file (cmd_*.c) and are listed in command_table.c; rows of the API's operations are
 * made from OP_TABLE by op_command.c. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "api/op.h"

struct cli;
struct json_object;

/* What a command ends with; man pages list them. */
enum cli_exit { CLI_OK, CLI_FAILED, CLI_USAGE, CLI_UNREACHABLE };

enum param_kind {
    PARAM_OPTION,   /* --name VALUE, also -name VALUE */
    PARAM_FLAG,     /* --name */
    PARAM_ARGUMENT, /* a bare word, in the order of the rows */
    PARAM_REST,     /* all further bare words, as a list; last of its command */
};

/* What completion offers for a value. */
enum param_values {
    VALUES_NONE,
    VALUES_FILE,
    VALUES_FOLDER,
    VALUES_ACTION,  /* asks the daemon */
    VALUES_MODULE,  /* asks the daemon */
    VALUES_COMMAND, /* the words of a command */
};

struct param {
    const char *name; /* NULL ends a list; '_' and '-' are the same to the parser */
    char letter;      /* 0 = none */
    enum param_kind kind;
    enum op_type type;
    bool required;
    bool repeated;           /* an option that may be given several times: its values are a list */
    const char *placeholder; /* "FILE"; NULL = the name in capitals */
    const char *fallback;    /* JSON text, for the reader; NULL = nothing to say */
    const char *choices;     /* "json table": offered by completion; NULL = free */
    enum param_values values;
    const char *help; /* one sentence without full stop */
};

struct example {
    const char *line; /* NULL ends a list */
    const char *what;
};

struct exit_row {
    int status;
    const char *when; /* NULL ends a list */
};

struct command {
    const char *words;    /* "bench overhead" */
    const char *synopsis; /* what follows the words; NULL = made from params */
    const char *summary;  /* one sentence without full stop */
    const char *detail;   /* paragraphs between empty lines; lines that begin with a space stay as
                             they are; NULL = the summary says it all */
    const struct param *params; /* NULL = none */
    const struct example *examples;
    const struct exit_row *exits; /* NULL = exit_common */
    bool offline;                 /* speaks to no daemon: --url and the like have no meaning */
    bool hidden;                  /* left out of lists, pages and completion */
    /* values: name -> value of what was given; borrowed. Returns an enum cli_exit. */
    int (*run)(struct cli *cli, struct json_object *values);
    /* Instead of run, for commands that read their own words; argv[0] is the command's last word.
     */
    int (*run_words)(struct cli *cli, int argc, char **argv);
    const struct op *op; /* NULL = a command of our own */
};

/* Ended by NULL. */
extern const struct command *const COMMAND_TABLE[];

/* What every command that speaks to the daemon ends with. */
extern const struct exit_row EXIT_COMMON[];
/* And those that do not. */
extern const struct exit_row EXIT_OFFLINE[];

/* Options that every command knows, unless it has one of the same name. Ended by a NULL name. */
extern const struct param COMMON_OPTIONS[];
