#include <editline/readline.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/state.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/complete.h"
#include "cli/endpoint.h"
#include "cli/lines.h"

#define HISTORY_LINES 1000

/* What the completion callbacks of libedit work on; it has no argument for it. One shell a
 * process. */
static struct cli *shell_cli;
static struct buf candidates; /* lines of complete_line not yet given */

/* The words of the line up to the cursor, the last as far as it is written. */
static void complete_at_cursor(void)
{
    CLEANUP(str_free) char *line = xstrndup(rl_line_buffer, (size_t)rl_point);
    char *words[64];
    int count = 0;
    char *rest = line;
    for (char *word = NULL; count < 64 && (word = strsep(&rest, " "));) {
        if (*word || !rest) {
            words[count++] = word;
        }
    }
    buf_done(&candidates);
    if (count > 0) {
        complete_line(shell_cli, count, words, &candidates);
    }
}

/* The next candidate, as libedit asks for it: malloc'ed, NULL at the end. */
static char *next_candidate(const char *prefix, int state)
{
    (void)prefix;
    if (state == 0) {
        complete_at_cursor();
    }
    while (buf_size(&candidates) > 0) {
        const char *line = candidates.data + candidates.start;
        const char *end = memchr(line, '\n', buf_size(&candidates));
        size_t length = end ? (size_t)(end - line) : buf_size(&candidates);
        const char *tab = memchr(line, '\t', length);
        char *word = tab ? xstrndup(line, (size_t)(tab - line)) : NULL;
        bool files = length > 1 && line[0] == ':';
        buf_consume(&candidates, length + (end ? 1 : 0));
        if (word) {
            return word;
        }
        rl_attempted_completion_over = !files; /* files are libedit's own */
    }
    return NULL;
}

static char **attempt(const char *text, int start, int end)
{
    (void)start;
    (void)end;
    rl_attempted_completion_over = 1;
    return rl_completion_matches(text, next_candidate);
}

/* Lines with a secret are not kept. */
static bool is_secret(const char *line)
{
    static const char *const marks[] = {"password", "token", "login", "-p ", "secret", "api_key"};
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        if (strcasestr(line, marks[i])) {
            return true;
        }
    }
    return false;
}

static bool is_blank(const char *line)
{
    return line[strspn(line, " \t")] == '\0';
}

/* "@" while commands go to a daemon elsewhere, as in the original. */
static const char *prompt_of(const struct cli *cli)
{
    struct endpoint endpoint = {0};
    bool found = endpoint_find(cli->common, &cli->memory, &endpoint, NULL) == 0;
    bool remote = found && !endpoint.socket;
    endpoint_done(&endpoint);
    return remote ? "@jsorc > " : "jsorc > ";
}

static bool ends_shell(const char *line)
{
    static const char *const words[] = {"exit", "quit", ":q"};
    const char *start = line + strspn(line, " \t");
    size_t length = strcspn(start, " \t");
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strlen(words[i]) == length && strncmp(start, words[i], length) == 0) {
            return is_blank(start + length);
        }
    }
    return false;
}

static void keep_line(const char *line, const char *history)
{
    mode_t mask = umask(077); /* the history is its owner's */
    (void)add_history(line);
    (void)write_history(history);
    (void)umask(mask);
}

static int read_lines(struct cli *cli, struct json_object *defaults, const char *history)
{
    int status = CLI_OK;
    for (;;) {
        char *line = readline(prompt_of(cli));
        if (!line) {
            (void)fputc('\n', stdout);
            return status;
        }
        bool end = ends_shell(line);
        if (!end && !is_blank(line)) {
            if (!is_secret(line)) {
                keep_line(line, history);
            }
            status = line_run(cli, line, defaults);
        }
        free(line);
        if (end) {
            return status;
        }
    }
}

int shell_run(struct cli *cli)
{
    CLEANUP(str_free) char *state = state_folder(json_str(cli->common, "state"));
    CLEANUP(str_free) char *history = xasprintf("%s/history", state);
    struct json_object *defaults = cli->common;

    shell_cli = cli;
    rl_readline_name = (char *)"jsorc";
    rl_attempted_completion_function = attempt;
    rl_basic_word_break_characters = " \t";
    using_history();
    stifle_history(HISTORY_LINES);
    (void)read_history(history);
    version_print(stdout);
    (void)puts("'help' shows the commands, Tab completes, Ctrl-D or 'exit' ends.");

    bool outer = cli->shell;
    cli->shell = true;
    int status = read_lines(cli, defaults, history);
    cli->shell = outer;
    buf_done(&candidates);
    return status;
}

static int run(struct cli *cli, struct json_object *values)
{
    (void)values;
    if (cli->shell) {
        return cli_fail_text(cli, CLI_USAGE, "this is the shell already");
    }
    return shell_run(cli);
}

static const struct example EXAMPLES[] = {
    {"jsorc --url http://127.0.0.1:8642 shell", "All commands go there."},
    {NULL, NULL},
};

const struct command COMMAND_SHELL = {
    .words = "shell",
    .summary = "Read commands from the terminal, as jsorc without a command does",
    .detail = "Commands are written without the word jsorc, though it does no harm. Tab completes; "
              "lines are kept in the state folder's history, but none that seems to hold a "
              "password or token. The prompt begins with @ while commands go to a daemon "
              "elsewhere. Options given to 'shell' hold for every line.",
    .examples = EXAMPLES,
    .run = run,
};
