/* The rows of our own commands, and what some of them offer to others. */
#pragma once

#include <stdio.h>

#include "cli/command.h"

/* A row ends its file cmd_*.c. */
extern const struct command COMMAND_BENCH_OVERHEAD;
extern const struct command COMMAND_CALL;
extern const struct command COMMAND_COMPLETE;
extern const struct command COMMAND_COMPLETION;
extern const struct command COMMAND_DOCTOR;
extern const struct command COMMAND_HELP;
extern const struct command COMMAND_HOST;
extern const struct command COMMAND_INIT;
extern const struct command COMMAND_LOADTEST;
extern const struct command COMMAND_LOGIN;
extern const struct command COMMAND_LOGOUT;
extern const struct command COMMAND_LOGS;
extern const struct command COMMAND_MAN;
extern const struct command COMMAND_PLAN;
extern const struct command COMMAND_POLICY_ADVISE;
extern const struct command COMMAND_POLICY_LIST;
extern const struct command COMMAND_PUBLOGIN;
extern const struct command COMMAND_SCRIPT;
extern const struct command COMMAND_SERVE;
extern const struct command COMMAND_SHELL;
extern const struct command COMMAND_SIM;
extern const struct command COMMAND_STATE_MIGRATE;
extern const struct command COMMAND_STATUS;
extern const struct command COMMAND_TRACE_RECORD;
extern const struct command COMMAND_TRACE_REPLAY;
extern const struct command COMMAND_VERSION;
extern const struct command COMMAND_WHAT_IF;
extern const struct command COMMAND_WHY;
extern const struct command COMMAND_WORKER;

/* Other ways into the binary, implemented by src/daemon; argv[0] is "serve", "host", "worker".
 * They read their own words; the rows in cmd_serve.c are their help, man pages and completion. */
int serve_main(int argc, char **argv);
int host_main(int argc, char **argv);
int worker_main(int argc, char **argv);

struct err;

/* Copies the state file of folder into the database of the URL `to`; what comes of it is printed.
 * 0 or -errno. Implemented by src/daemon. */
int state_migrate(const char *folder, const char *to, bool replace, struct err *err);

/* The interpreter that workers run in: given (may be NULL), or of $VIRTUAL_ENV, or "python3"; and
 * the folder of the package jsorc that is put before its PYTHONPATH. Owned by the caller.
 * Implemented by src/daemon, so that `jsorc doctor` looks at what the daemon would use. */
char *daemon_python(const char *given);
char *daemon_python_path(void);

/* The settings of `jsorc serve` as rows, at most max; those of the command line, or all. Returns
 * how many. Texts live for ever. Implemented by src/daemon from its table. */
size_t serve_params(struct param *rows, size_t max, bool command_line);

#define SERVE_PARAMS_MAX 64 /* the table of settings has about 20 */

/* Puts the settings into the row of `jsorc serve`; once, before any help is made of it. */
void command_serve_prepare(void);

/* Reads commands from the terminal until its end; returns the last status. */
int shell_run(struct cli *cli);

/* "jsorc 0.1.0". */
void version_print(FILE *out);
