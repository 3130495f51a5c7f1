/* The commands that are programs of their own: the daemon and the workers. Their words go to
 * src/daemon unread; the rows here are their help, man pages and completion. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/commands.h"

/* "jsorc --state DIR serve" is "jsorc serve --state DIR". */
static int run_serve(struct cli *cli, int argc, char **argv)
{
    const char *state = json_str(cli->common, "state");
    char **words = xcalloc((size_t)argc + 3, sizeof(*words));
    int count = 0;
    words[count++] = argv[0];
    if (state) {
        words[count++] = (char *)"--state";
        words[count++] = (char *)state;
    }
    for (int i = 1; i < argc; i++) {
        words[count++] = argv[i];
    }
    int status = serve_main(count, words);
    free(words);
    return status;
}

static int run_host(struct cli *cli, int argc, char **argv)
{
    (void)cli;
    return host_main(argc, argv);
}

static int run_worker(struct cli *cli, int argc, char **argv)
{
    (void)cli;
    return worker_main(argc, argv);
}

/* Completed by command_serve_prepare: what a setting is called is known to src/daemon only. */
static struct param serve_rows[SERVE_PARAMS_MAX + 3] = {
    {.name = "source",
     .placeholder = "DIR|FILE|MODULE",
     .kind = PARAM_REST,
     .values = VALUES_FILE,
     .help = "what to load at the start: a folder (its modules), a Python file, a shared library, "
             "or an importable Python module"},
    {.name = "config",
     .letter = 'c',
     .placeholder = "FILE",
     .values = VALUES_FILE,
     .help = "settings; default: jsorc.yaml in DIR or here, if there is one"},
};

void command_serve_prepare(void)
{
    (void)serve_params(serve_rows + 2, SERVE_PARAMS_MAX, true);
}

static const struct exit_row SERVE_EXITS[] = {
    {0, "it was told to end, and did"},
    {1, "it could not start, or ended by a failure; the log says why"},
    {2, "the command line or a setting is wrong"},
    {0, NULL},
};

static const struct example SERVE_EXAMPLES[] = {
    {"jsorc serve", "With no module: load some later with 'jsorc actions load'."},
    {"jsorc serve examples/hello", "The modules in a folder."},
    {"jsorc serve text.py ./libprice.so --listen 127.0.0.1:9000", "Two files, another port."},
    {NULL, NULL},
};

const struct command COMMAND_SERVE = {
    .words = "serve",
    .summary = "Run the daemon",
    .detail = "Serves the HTTP API, starts and watches the workers and routes calls to them, until "
              "SIGTERM or SIGINT. Keeps the placement and the accounts in the state folder and "
              "goes on from there when started again.",
    .params = serve_rows,
    .examples = SERVE_EXAMPLES,
    .exits = SERVE_EXITS,
    .offline = true,
    .run_words = run_serve,
};

static const struct param HOST_PARAMS[] = {
    {.name = "source",
     .placeholder = "MODULE|FILE",
     .kind = PARAM_REST,
     .required = true,
     .values = VALUES_FILE,
     .help = "an importable Python module, a Python file, or a shared library"},
    {.name = "listen",
     .placeholder = "ADDRESS",
     .help = "listen on HOST:PORT; port 0 = a free one"},
    {.name = "socket",
     .placeholder = "PATH",
     .values = VALUES_FILE,
     .help = "listen on a Unix socket, too"},
    {.name = "token-file",
     .placeholder = "FILE",
     .values = VALUES_FILE,
     .help = "ask callers over TCP for the token in FILE"},
    {.name = "threads",
     .placeholder = "NUMBER",
     .type = OP_INT,
     .help = "calls that run at once (default 40)"},
    {.name = "python",
     .placeholder = "PATH",
     .values = VALUES_FILE,
     .help = "interpreter to run in; default: that of $VIRTUAL_ENV, else python3"},
    {.name = "verbose", .kind = PARAM_FLAG, .type = OP_BOOL, .help = "log a line a call"},
    {.name = NULL},
};

static const struct example HOST_EXAMPLES[] = {
    {"jsorc host text.py --listen 127.0.0.1:8000", "Its actions at POST /FUNCTION/."},
    {NULL, NULL},
};

const struct command COMMAND_HOST = {
    .words = "host",
    .summary = "Serve modules alone, without the daemon",
    .detail = "An action server as the original's: GET /jaseci_actions_spec/ lists the actions, "
              "POST /FUNCTION/ calls one. A daemon elsewhere uses it by 'jsorc actions load remote "
              "URL'.",
    .params = HOST_PARAMS,
    .examples = HOST_EXAMPLES,
    .exits = SERVE_EXITS,
    .offline = true,
    .run_words = run_host,
};

const struct command COMMAND_WORKER = {
    .words = "worker",
    .synopsis = "--socket PATH --spec FILE [OPTION]...",
    .summary = "Run native modules for a daemon, which starts this itself",
    .hidden = true,
    .offline = true,
    .run_words = run_worker,
};
