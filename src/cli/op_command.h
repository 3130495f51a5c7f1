/* An operation of the API as a command: its name split at '_' gives the words, its parameters the
 * arguments and options. */
#pragma once

#include "cli/command.h"

/* Owned by the caller; borrows op. */
struct command *op_command_new(const struct op *op);
struct command *op_command_free(struct command *command);

/* Sends an operation and shows its result. values: parameters; borrowed. Returns a cli_exit. */
int op_command_run(struct cli *cli, const struct op *op, struct json_object *values);
