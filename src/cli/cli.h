/* The command line of jsorc. The binary's main calls cli_main; commands (cmd_*.c) are given a
 * struct cli and speak to the daemon and the user through the functions below. */
#pragma once

#include <stdbool.h>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/session.h"

struct catalogue;
struct endpoint;
struct err;
struct reply;
struct request;
struct transport;

/* Runs the command that argv names, or the shell when it names none. Returns the exit status. */
int cli_main(int argc, char **argv);

struct cli {
    struct catalogue *catalogue;   /* owned by cli_main */
    struct transport *transport;   /* owned; NULL until the first request */
    const struct command *command; /* being run; borrowed */
    struct json_object *common;    /* values of COMMON_OPTIONS; borrowed for the run */
    struct output output;          /* by --output */
    struct session memory;         /* a login that is kept in this process only */
    bool shell;                    /* lines of a shell or script, not words of a process */
};

/* Runs one command line without the program's name: words[count], with common options (may be
 * NULL) that a whole shell was started with. */
int cli_run(struct cli *cli, int count, char **words, struct json_object *defaults);

/* Reports an error on standard error and returns status. */
int cli_fail(const struct cli *cli, enum cli_exit status, const struct err *err);
int cli_fail_text(const struct cli *cli, enum cli_exit status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As cli_fail_text with CLI_USAGE, and the way to the command's help. */
int cli_usage(const struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- the daemon ---- */

/* Sends a request to the endpoint that the options mean. CLI_OK with a reply of any status (owned
 * by the caller), or the exit status for why there is none; that was reported unless quiet. */
int cli_send(struct cli *cli, const struct request *request, struct reply *ret_reply);
int cli_send_quietly(struct cli *cli, const struct request *request, struct reply *ret_reply);

/* Milliseconds that --timeout gives a request, else 300 s. 0 = no limit. */
long cli_timeout_ms(const struct cli *cli);

/* The body as JSON; a string when it is none. *ret_value owned, NULL for null. */
void cli_reply_value(const struct reply *reply, struct json_object **ret_value);

/* True when reply says that what was asked was not done: its status, X-Jsorc-Error, or
 * "success": false. */
bool cli_reply_failed(const struct reply *reply, struct json_object *value);

/* The reply's own words for the failure, and what to do about it, on standard error. */
void cli_report_reply(const struct cli *cli, const struct reply *reply, struct json_object *value);

/* Sends an operation of the API. CLI_OK with its result (owned, NULL for null), else the exit
 * status, with the failure reported. */
int cli_op(struct cli *cli, const char *op, struct json_object *params,
           struct json_object **ret_result);
