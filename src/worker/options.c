#include "worker/options.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"

#define SPEC_BYTES_MAX  (16 * 1024 * 1024) /* contexts may hold tables, not data */
#define TOKEN_BYTES_MAX 4096

enum {
    OPTION_SPEC = 256,
    OPTION_SOCKET,
    OPTION_LISTEN,
    OPTION_NOTIFY,
    OPTION_LIFELINE,
    OPTION_DAEMON,
    OPTION_THREADS,
    OPTION_VERBOSE,
    OPTION_TOKEN_FILE,
    OPTION_PYTHON,
    OPTION_HELP,
};

static const struct option WORKER_OPTIONS[] = {
    {"spec", required_argument, NULL, OPTION_SPEC},
    {"socket", required_argument, NULL, OPTION_SOCKET},
    {"listen", required_argument, NULL, OPTION_LISTEN},
    {"notify-fd", required_argument, NULL, OPTION_NOTIFY},
    {"lifeline-fd", required_argument, NULL, OPTION_LIFELINE},
    {"daemon", required_argument, NULL, OPTION_DAEMON},
    {"threads", required_argument, NULL, OPTION_THREADS},
    {"verbose", no_argument, NULL, OPTION_VERBOSE},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

static const struct option HOST_OPTIONS[] = {
    {"listen", required_argument, NULL, OPTION_LISTEN},
    {"socket", required_argument, NULL, OPTION_SOCKET},
    {"token-file", required_argument, NULL, OPTION_TOKEN_FILE},
    {"threads", required_argument, NULL, OPTION_THREADS},
    {"python", required_argument, NULL, OPTION_PYTHON},
    {"verbose", no_argument, NULL, OPTION_VERBOSE},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

static int parse_number(const char *name, const char *text, long number_max, long *ret_number,
                        struct err *err)
{
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (errno || end == text || *end || number < 0 || number > number_max) {
        return err_set(err, EINVAL, "--%s needs a number up to %ld, not '%s'", name, number_max,
                       text);
    }
    *ret_number = number;
    return 0;
}

static int parse_fd(const char *name, const char *text, int *ret_fd, struct err *err)
{
    long number;
    int failed = parse_number(name, text, INT16_MAX, &number, err);
    if (!failed && fcntl((int)number, F_GETFD) < 0) {
        failed = err_set(err, EINVAL, "--%s: there is no open descriptor %ld", name, number);
    }
    if (!failed) {
        *ret_fd = (int)number;
    }
    return failed;
}

static int take_option(struct options *options, int option, const char *value, struct err *err)
{
    long number = 0;
    int failed = 0;
    switch (option) {
    case OPTION_SPEC:
        options->spec_path = value;
        break;
    case OPTION_SOCKET:
        options->config.socket_path = value;
        break;
    case OPTION_LISTEN:
        options->config.listen = value;
        break;
    case OPTION_NOTIFY:
        failed = parse_fd("notify-fd", value, &options->config.notify_fd, err);
        break;
    case OPTION_LIFELINE:
        failed = parse_fd("lifeline-fd", value, &options->config.lifeline_fd, err);
        break;
    case OPTION_DAEMON:
        options->config.daemon_path = value;
        break;
    case OPTION_THREADS:
        failed = parse_number("threads", value, WORKER_THREADS_MAX, &number, err);
        options->config.threads_max = (unsigned)number;
        break;
    case OPTION_VERBOSE:
        options->config.verbose = true;
        break;
    case OPTION_TOKEN_FILE:
        options->token_path = value;
        break;
    case OPTION_PYTHON:
        options->python = value;
        break;
    default:
        options->help = true;
    }
    return failed;
}

/* At most size_max bytes of the file, with a zero byte behind them. */
static int read_file(const char *path, size_t size_max, struct buf *ret, struct err *err)
{
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : 0;
    while (fd >= 0) {
        if (buf_reserve(ret, 65536) < 0) {
            return err_set(err, ENOMEM, "no memory for '%s'", path);
        }
        got = read(fd, ret->data + ret->end, 65535);
        if (got <= 0) {
            break;
        }
        ret->end += (size_t)got;
        if (buf_size(ret) > size_max) {
            return err_set(err, EFBIG, "'%s' has more than %zu bytes", path, size_max);
        }
    }
    if (got < 0) {
        return err_errno(err, errno, "cannot read '%s'", path);
    }
    ret->data[ret->end] = '\0';
    return 0;
}

static enum worker_role role_of(const char *text)
{
    if (text && strcmp(text, "runtime") == 0) {
        return WORKER_RUNTIME;
    }
    return text && strcmp(text, "pod") == 0 ? WORKER_POD : WORKER_HOST;
}

static int read_spec(struct options *options, struct err *err)
{
    struct buf text = {0};
    int failed = read_file(options->spec_path, SPEC_BYTES_MAX, &text, err);
    if (!failed) {
        failed = json_parse_object(buf_slice(&text), &options->spec, err);
        if (failed) {
            (void)err_wrap(err, "spec file '%s'", options->spec_path);
        }
    }
    buf_done(&text);
    if (failed) {
        return failed;
    }
    options->config.name = json_str(options->spec, "name");
    options->config.generation = json_int(options->spec, "generation", 0);
    options->config.role = role_of(json_str(options->spec, "role"));
    options->config.unmeasured = !json_flag(options->spec, "measure", true);
    if (options->config.threads_max == 0) {
        int64_t threads = json_int(options->spec, "threads_max", 0);
        bool possible = threads >= 0 && threads <= WORKER_THREADS_MAX;
        options->config.threads_max = possible ? (unsigned)threads : WORKER_THREADS_MAX;
    }
    return 0;
}

static int read_token(struct options *options, struct err *err)
{
    struct buf text = {0};
    int failed = read_file(options->token_path, TOKEN_BYTES_MAX, &text, err);
    if (!failed) {
        const char *start = text.data + text.start + strspn(text.data + text.start, " \t\r\n");
        options->token = xstrndup(start, strcspn(start, " \t\r\n"));
        options->config.token = options->token;
        if (!*options->token) {
            failed = err_set(err, EINVAL, "token file '%s' is empty", options->token_path);
        }
    }
    buf_done(&text);
    return failed;
}

/* Not in the process's environment any longer than needed: user code and its children see it. */
static void take_token_variable(struct options *options)
{
    const char *token = getenv("JSORC_TOKEN");
    if (!options->token && token && *token) {
        options->token = xstrdup(token);
        options->config.token = options->token;
    }
    (void)unsetenv("JSORC_TOKEN");
}

static int take_sources(struct options *options, int argc, char **argv, struct err *err)
{
    for (int i = optind; i < argc; i++) {
        if (options->source_count == OPTIONS_SOURCES_MAX) {
            return err_set(err, EINVAL, "more than %d modules", OPTIONS_SOURCES_MAX);
        }
        options->sources[options->source_count++] = argv[i];
    }
    if (options_module_count(options) == 0) {
        return err_set(err, EINVAL,
                       "nothing to serve: name a Python module, a .py file or a .so file");
    }
    return 0;
}

int options_parse(struct options *options, bool host, int argc, char **argv, struct err *err)
{
    *options = (struct options){.config = WORKER_CONFIG_DEFAULT};
    options->config.listen = host ? "127.0.0.1:8000" : NULL;
    const struct option *table = host ? HOST_OPTIONS : WORKER_OPTIONS;
    optind = 0;
    opterr = 0;
    int option, failed = 0;
    while (!failed && (option = getopt_long(argc, argv, ":", table, NULL)) != -1) {
        if (option == '?') {
            return err_set(err, EINVAL, "unknown option '%s'; jsorc %s --help lists them",
                           argv[optind - 1], argv[0]);
        }
        if (option == ':') {
            return err_set(err, EINVAL, "option '%s' needs a value", argv[optind - 1]);
        }
        failed = take_option(options, option, optarg, err);
    }
    if (failed || options->help) {
        return failed;
    }
    if (options->spec_path) {
        failed = read_spec(options, err);
    }
    if (!failed && options->token_path) {
        failed = read_token(options, err);
    }
    if (!failed) {
        take_token_variable(options);
        failed = take_sources(options, argc, argv, err);
    }
    return failed;
}

void options_done(struct options *options)
{
    (void)json_put(options->spec);
    free(options->token);
    options->spec = NULL;
    options->token = NULL;
}

static struct json_object *spec_modules(const struct options *options)
{
    return json_member(options->spec, "modules", json_type_array);
}

static size_t spec_count(const struct options *options)
{
    struct json_object *modules = spec_modules(options);
    return modules ? json_object_array_length(modules) : 0;
}

size_t options_module_count(const struct options *options)
{
    return spec_count(options) + options->source_count;
}

bool options_is_native(const char *source)
{
    size_t size = strlen(source);
    return size > 3 && strcmp(source + size - 3, ".so") == 0;
}

/* A file is called by its name up to the first dot, a Python module by its last part. */
static char *name_of(const char *source)
{
    size_t size = strlen(source);
    bool file = strchr(source, '/') || options_is_native(source) ||
                (size > 3 && strcmp(source + size - 3, ".py") == 0);
    if (!file) {
        const char *dot = strrchr(source, '.');
        return xstrdup(dot ? dot + 1 : source);
    }
    const char *slash = strrchr(source, '/');
    const char *base = slash ? slash + 1 : source;
    return xstrndup(base, strcspn(base, "."));
}

int options_module(const struct options *options, size_t index, struct options_module *ret_module,
                   struct err *err)
{
    size_t count = spec_count(options);
    if (index >= count) {
        const char *source = options->sources[index - count];
        *ret_module = (struct options_module){
            .name = name_of(source),
            .kind = options_is_native(source) ? "native" : "python-module",
            .source = source,
        };
        return 0;
    }
    struct json_object *row = json_object_array_get_idx(spec_modules(options), index);
    const char *name = json_str(row, "name"), *kind = json_str(row, "kind");
    const char *source = json_str(row, "source");
    if (!name || !kind || !source) {
        return err_set(err, EINVAL,
                       "spec file '%s': module %zu needs the texts 'name', 'kind' and 'source'",
                       options->spec_path, index + 1);
    }
    *ret_module = (struct options_module){xstrdup(name), kind, source,
                                          json_member(row, "ctx", json_type_object),
                                          json_member(row, "elsewhere", json_type_array)};
    return 0;
}

void options_module_done(struct options_module *module)
{
    free(module->name);
    module->name = NULL;
}
