/* Runs lines of text as commands, for the shell and for scripts. */
#pragma once

struct cli;
struct json_object;

/* The line may begin with the program's own name. Returns the command's status; CLI_USAGE for a
 * line that cannot be read; CLI_OK for an empty one. */
int line_run(struct cli *cli, const char *line, struct json_object *defaults);
