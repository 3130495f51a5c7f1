#include "cli/command.h"

const struct param COMMON_OPTIONS[] = {
    {.name = "output",
     .letter = 'o',
     .placeholder = "FORMAT|FILE",
     .choices = "json table",
     .values = VALUES_FILE,
     .help = "json (texts in quotes), table, or the name of a file in which the result is kept as "
             "well; without it "
             "lists are tables on a terminal and JSON elsewhere"},
    {.name = "url",
     .placeholder = "URL",
     .help = "speak to the daemon at http://, https:// or unix:PATH rather than to this host's; "
             "JSORC_URL is the same"},
    {.name = "token",
     .placeholder = "TOKEN",
     .help = "the token for --url; @FILE keeps it out of the process list; JSORC_TOKEN is the "
             "same"},
    {.name = "state",
     .placeholder = "DIR",
     .values = VALUES_FOLDER,
     .help = "speak to the daemon that keeps its state in DIR; JSORC_STATE is the same; default: "
             "$XDG_STATE_HOME/jsorc, ~/.local/state/jsorc, or /var/lib/jsorc for root"},
    {.name = "local",
     .kind = PARAM_FLAG,
     .type = OP_BOOL,
     .help = "speak to the daemon of this host, whatever JSORC_URL and the login say"},
    {.name = "session",
     .letter = 'f',
     .placeholder = "FILE",
     .values = VALUES_FILE,
     .help = "where the login is kept; default: js.session in the state folder"},
    {.name = "memory",
     .letter = 'm',
     .kind = PARAM_FLAG,
     .type = OP_BOOL,
     .help = "keep a login in this process only (shell and scripts)"},
    {.name = "ca",
     .placeholder = "FILE",
     .values = VALUES_FILE,
     .help = "trust the certificates in FILE rather than the system's"},
    {.name = "timeout",
     .placeholder = "SECONDS",
     .type = OP_FLOAT,
     .help = "give a request that long; 0 = no limit; default: 300"},
    {.name = "help", .letter = 'h', .kind = PARAM_FLAG, .type = OP_BOOL, .help = "show help"},
    {.name = NULL},
};

const struct exit_row EXIT_COMMON[] = {
    {CLI_OK, "done"},
    {CLI_FAILED, "the daemon answered that it failed, or gave no answer in time"},
    {CLI_USAGE, "the command line is wrong"},
    {CLI_UNREACHABLE, "the daemon cannot be reached"},
    {0, NULL},
};

const struct exit_row EXIT_OFFLINE[] = {
    {CLI_OK, "done"},
    {CLI_FAILED, "failed"},
    {CLI_USAGE, "the command line is wrong"},
    {0, NULL},
};
