#include "cli/commands.h"

/* All commands but those that OP_TABLE gives. One row ends one file. */
const struct command *const COMMAND_TABLE[] = {
    &COMMAND_SERVE,         &COMMAND_HOST,         &COMMAND_WORKER,
    &COMMAND_STATUS,        &COMMAND_CALL,         &COMMAND_LOGS,
    &COMMAND_INIT,          &COMMAND_DOCTOR,       &COMMAND_BENCH_OVERHEAD,
    &COMMAND_LOADTEST,      &COMMAND_WHY,          &COMMAND_PLAN,
    &COMMAND_WHAT_IF,       &COMMAND_TRACE_RECORD, &COMMAND_TRACE_REPLAY,
    &COMMAND_POLICY_ADVISE, &COMMAND_LOGIN,        &COMMAND_PUBLOGIN,
    &COMMAND_LOGOUT,        &COMMAND_SCRIPT,       &COMMAND_SHELL,
    &COMMAND_COMPLETION,    &COMMAND_COMPLETE,     &COMMAND_MAN,
    &COMMAND_HELP,          &COMMAND_VERSION,      NULL,
};
