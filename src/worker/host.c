#include "worker/host.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "worker/native.h"
#include "worker/options.h"
#include "worker/worker.h"

static const char WORKER_HELP[] =
    "usage: jsorc worker [OPTION]... [LIBRARY.so]...\n"
    "\n"
    "Serves the actions of C modules. The daemon starts it; see also: jsorc host --help\n"
    "\n"
    "  --spec FILE       what to load, as JSON\n"
    "  --socket PATH     serve on a Unix socket\n"
    "  --listen ADDR     serve on TCP, such as 127.0.0.1:8000\n"
    "  --notify-fd N     write one JSON line there when ready, or when loading failed\n"
    "  --lifeline-fd N   end when the other end of this pipe closes\n"
    "  --daemon PATH     Unix socket of the daemon, for calls of actions that are elsewhere\n"
    "  --threads N       calls that may run at the same time (default 40)\n"
    "  --verbose         a log line for each call\n"
    "\n"
    "The environment variable JSORC_TOKEN, when set, is asked of TCP clients.\n";

static const char HOST_HELP[] =
    "usage: jsorc host MODULE | FILE.py | LIBRARY.so ... [OPTION]...\n"
    "\n"
    "Serves the actions of these modules, without a daemon, until SIGTERM or Ctrl-C.\n"
    "\n"
    "  --listen ADDR       address (default 127.0.0.1:8000); 0.0.0.0:80 is every address\n"
    "  --socket PATH       serve on a Unix socket, too\n"
    "  --token-file FILE   ask TCP clients for the token in FILE (Authorization: Token ...)\n"
    "  --threads N         calls that may run at the same time (default 40)\n"
    "  --python PATH       interpreter of Python modules (default: the active virtual\n"
    "                      environment's, else python3)\n"
    "  --verbose           a log line for each call\n"
    "\n"
    "Try:  curl -d '{}' http://127.0.0.1:8000/FUNCTION/    or open /docs in a browser\n";

static int complain(const struct err *err, int status)
{
    (void)fprintf(stderr, "jsorc: error: %s\n", err->text);
    return status;
}

/* ---- a native worker ---- */

static const char *stage_of(const char *text)
{
    static const char *const stages[] = {"import", "setup", "actions"};
    for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++) {
        size_t size = strlen(stages[i]);
        if (strncmp(text, stages[i], size) == 0 && text[size] == ':') {
            return stages[i];
        }
    }
    return "import";
}

static int load_module(struct worker *worker, const struct options_module *module, struct err *err)
{
    if (strcmp(module->kind, "native") != 0) {
        return err_set(err, EINVAL,
                       "import: '%s' is no C module: this worker runs without Python; serve it "
                       "with python3 -m jsorc.worker",
                       module->source);
    }
    for (size_t i = 0; module->elsewhere && i < json_object_array_length(module->elsewhere); i++) {
        const char *name = json_object_get_string(json_object_array_get_idx(module->elsewhere, i));
        int failed = name ? worker_cede(worker, module->name, name, err) : 0;
        if (failed) {
            return failed;
        }
    }
    return native_load(worker, module->name, module->source, module->ctx, err);
}

static int load_all(struct worker *worker, const struct options *options, struct err *err)
{
    int failed = 0;
    for (size_t i = 0; !failed && i < options_module_count(options); i++) {
        struct options_module module = {0};
        failed = options_module(options, i, &module, err);
        if (failed) {
            worker_report_failure(worker, NULL, "import", err->text, NULL, NULL);
            break;
        }
        failed = load_module(worker, &module, err);
        if (failed) {
            const char *stage = stage_of(err->text);
            const char *cause = strchr(err->text, ':');
            worker_report_failure(worker, module.name, stage, cause ? cause + 2 : err->text, NULL,
                                  NULL);
            (void)err_wrap(err, "cannot load module '%s'", module.name);
        }
        options_module_done(&module);
    }
    return failed;
}

static void announce(const struct worker *worker, const struct options *options)
{
    const char *address = worker_address(worker);
    bool local = strncmp(address, "127.", 4) == 0 || strncmp(address, "[::1]", 5) == 0;
    (void)printf("jsorc: serving on http://%s (documentation at /docs)\n", address);
    (void)fflush(stdout);
    if (!local && !options->config.token) {
        log_info("serving without a token",
                 "address=%s hint=\"whoever reaches it may call; --token-file asks for one\"",
                 address);
    }
}

static int serve(const struct options *options, bool host)
{
    struct err err = {0};
    struct worker *worker = worker_new(&options->config, &err);
    if (!worker) {
        return complain(&err, 1);
    }
    if (load_all(worker, options, &err) < 0) {
        _exit(complain(&err, 1)); /* no teardown: what was registered may be gone */
    }
    if (worker_start(worker, &err) < 0) {
        worker_report_failure(worker, NULL, "listen", err.text, NULL, NULL);
        (void)worker_free(worker);
        return complain(&err, 1);
    }
    if (host && options->config.listen) {
        announce(worker, options);
    }
    if (worker_wait(worker) < 0) {
        log_warn("calls were still running at the end of the drain", "pid=%d", getpid());
        _exit(1);
    }
    (void)worker_free(worker);
    return 0;
}

int worker_main(int argc, char **argv)
{
    struct options options;
    struct err err = {0};
    if (options_parse(&options, false, argc, argv, &err) < 0) {
        options_done(&options);
        return complain(&err, 2);
    }
    if (options.help) {
        (void)fputs(WORKER_HELP, stdout);
        return 0;
    }
    int status = serve(&options, false);
    options_done(&options);
    return status;
}

/* ---- host ---- */

static char *find_python(const struct options *options)
{
    const char *environment = getenv("VIRTUAL_ENV");
    if (options->python) {
        return xstrdup(options->python);
    }
    return environment && *environment ? xasprintf("%s/bin/python3", environment)
                                       : xstrdup("python3");
}

static void prepend_python_path(const char *python_path)
{
    const char *given = getenv("PYTHONPATH");
    CLEANUP(str_free)
    char *path = given && *given ? xasprintf("%s:%s", python_path, given) : xstrdup(python_path);
    (void)setenv("PYTHONPATH", path, 1);
}

/* Does not return unless Python cannot be started. */
static int become_python(const struct options *options, const char *python_path)
{
    struct err err = {0};
    const char *args[OPTIONS_SOURCES_MAX + 16];
    char threads[16];
    size_t count = 0;
    CLEANUP(str_free) char *python = find_python(options);
    args[count++] = python;
    args[count++] = "-m";
    args[count++] = "jsorc.worker";
    args[count++] = "--listen";
    args[count++] = options->config.listen;
    if (options->config.socket_path) {
        args[count++] = "--socket";
        args[count++] = options->config.socket_path;
    }
    if (options->config.threads_max) {
        (void)snprintf(threads, sizeof(threads), "%u", options->config.threads_max);
        args[count++] = "--threads";
        args[count++] = threads;
    }
    if (options->config.verbose) {
        args[count++] = "--verbose";
    }
    for (size_t i = 0; i < options->source_count; i++) {
        args[count++] = options->sources[i];
    }
    args[count] = NULL;
    if (options->token) {
        (void)setenv("JSORC_TOKEN", options->token, 1);
    }
    if (python_path) {
        prepend_python_path(python_path);
    }
    (void)execvp(python, (char *const *)(uintptr_t)args);
    (void)err_errno(&err, errno,
                    "cannot start Python as '%s' (install python3, activate a virtual environment, "
                    "or give --python PATH)",
                    python);
    return complain(&err, 1);
}

/* A path that is not there is told before an interpreter is started for it. */
static int check_files(const struct options *options, struct err *err)
{
    for (size_t i = 0; i < options->source_count; i++) {
        const char *source = options->sources[i];
        size_t size = strlen(source);
        bool file = strchr(source, '/') || options_is_native(source) ||
                    (size > 3 && strcmp(source + size - 3, ".py") == 0);
        if (file && access(source, R_OK) < 0) {
            return err_errno(err, errno, "cannot read '%s'", source);
        }
    }
    return 0;
}

int host_run(int argc, char **argv, const char *python_path)
{
    struct options options;
    struct err err = {0};
    if (options_parse(&options, true, argc, argv, &err) < 0) {
        options_done(&options);
        return complain(&err, 2);
    }
    if (options.help) {
        (void)fputs(HOST_HELP, stdout);
        return 0;
    }
    if (check_files(&options, &err) < 0) {
        options_done(&options);
        return complain(&err, 1);
    }
    bool native = true;
    for (size_t i = 0; i < options.source_count; i++) {
        native &= options_is_native(options.sources[i]);
    }
    int status = native ? serve(&options, true) : become_python(&options, python_path);
    options_done(&options);
    return status;
}
