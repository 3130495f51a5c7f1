#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/suggest.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/transport.h"
#include "cli/value.h"

#define NAMES_TIMEOUT_MS 2000 /* the call has failed anyway */
#define HINT_AFTER_MS    1500 /* then a person has forgotten that input is awaited */

struct call_words {
    const char *action;
    struct json_object *arguments; /* owned */
    const char *format;            /* of -o; borrowed */
    bool timing;
    bool body_given; /* '-' or a JSON object was among the words */
};

/* "image.scale" in a path: what is special there is escaped. Owned by the caller. */
static char *path_of(const char *action)
{
    struct buf path = {0};
    buf_printf(&path, "/actions/");
    for (const unsigned char *at = (const unsigned char *)action; *at; at++) {
        bool plain = isalnum(*at) || strchr("._-~", *at);
        buf_printf(&path, plain ? "%c" : "%%%02X", *at);
    }
    char *copy = xstrndup(path.data, buf_size(&path));
    buf_done(&path);
    return copy;
}

/* Members of the JSON object text; those that options gave stay. */
static int add_object(struct call_words *call, struct slice text, const char *what, struct err *err)
{
    CLEANUP(json_put) struct json_object *object = NULL;
    int failed = json_parse_object(text, &object, err);
    if (failed) {
        return err_wrap(err, "%s", what);
    }
    json_object_object_foreach(object, name, value)
    {
        if (!json_object_object_get_ex(call->arguments, name, NULL)) {
            json_set(call->arguments, name, json_ref(value));
        }
    }
    call->body_given = true;
    return 0;
}

static int read_object(struct call_words *call, const char *path, struct err *err)
{
    struct buf text = {0};
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    bool standard = strcmp(path, "-") == 0;
    if (standard && poll(&input, 1, HINT_AFTER_MS) == 0) {
        (void)fprintf(stderr, "jsorc: reading the arguments, a JSON object, from standard input\n");
    }
    int failed = value_read_file(path, &text, err);
    if (!failed) {
        failed = add_object(call, buf_slice(&text), standard ? "standard input" : path, err);
    }
    buf_done(&text);
    return failed;
}

/* "--text", "--n=5", "--id:str": name, form and an attached value. */
struct option_word {
    struct slice name;
    char form[16];
    const char *value; /* NULL = none attached */
};

static int split_option(const char *word, struct option_word *ret_option, struct err *err)
{
    const char *name = word + (word[1] == '-' ? 2 : 1);
    const char *equals = strchr(name, '=');
    size_t length = equals ? (size_t)(equals - name) : strlen(name);
    const char *colon = memchr(name, ':', length);
    size_t name_length = colon ? (size_t)(colon - name) : length;
    size_t form_length = colon ? length - name_length - 1 : 0;
    struct option_word option = {.name = {name, name_length}, .value = equals ? equals + 1 : NULL};
    if (name_length == 0 || form_length >= sizeof(option.form)) {
        return err_set(err, EINVAL, "'%s' names no parameter; write --NAME VALUE", word);
    }
    if (form_length > 0) {
        memcpy(option.form, colon + 1, form_length);
    }
    *ret_option = option;
    return 0;
}

/* A value may begin with '-': "-5" and "-" are values, "--x" and our own letters are not. */
static bool is_value(const char *word)
{
    bool own = strcmp(word, "-o") == 0 || strcmp(word, "-t") == 0;
    return word && !own && strncmp(word, "--", 2) != 0;
}

static int read_option(struct call_words *call, int argc, char **argv, int *index, struct err *err)
{
    const char *word = argv[*index];
    struct option_word option = {0};
    int failed = split_option(word, &option, err);
    if (failed) {
        return failed;
    }
    const char *text = option.value;
    if (!text && *index + 1 < argc && is_value(argv[*index + 1])) {
        text = argv[++*index];
    }
    CLEANUP(str_free) char *name = xstrndup(option.name.data, option.name.size);
    struct json_object *value = NULL;
    if (text) {
        failed = value_form(option.form, text, &value, err);
    } else if (*option.form && strcmp(option.form, "bool") != 0) {
        failed = err_set(err, EINVAL, "it needs a value");
    } else {
        value = json_object_new_boolean(true);
    }
    if (failed) {
        return err_wrap(err, "--%s", name);
    }
    json_set(call->arguments, name, value);
    return 0;
}

static int read_word(struct call_words *call, int argc, char **argv, int *index, struct err *err)
{
    const char *word = argv[*index];
    if (strcmp(word, "-t") == 0) {
        call->timing = true;
        return 0;
    }
    if (strncmp(word, "-o", 2) == 0 && (word[2] == '\0' || word[2] == '=')) {
        if (word[2] == '\0' && *index + 1 == argc) {
            return err_set(err, EINVAL, "option '-o' needs a value: json, table, or a file");
        }
        call->format = word[2] ? word + 3 : argv[++*index];
        return 0;
    }
    if (strcmp(word, "-") == 0) {
        return read_object(call, "-", err);
    }
    if (word[0] == '-') {
        return read_option(call, argc, argv, index, err);
    }
    if (word[0] == '{') {
        return add_object(call, slice_str(word), "the arguments", err);
    }
    if (word[0] == '@' && word[1]) {
        return read_object(call, word + 1, err);
    }
    return err_set(err, EINVAL, "argument '%s' has no name: write --NAME '%s'", word, word);
}

/* Nothing given, and something is piped in. A terminal or /dev/null is no such thing. */
static bool is_piped(void)
{
    struct stat info;
    return fstat(STDIN_FILENO, &info) == 0 && (S_ISFIFO(info.st_mode) || S_ISREG(info.st_mode));
}

static int read_words(struct call_words *call, int argc, char **argv, struct err *err)
{
    int failed = 0;
    for (int i = 2; i < argc && !failed; i++) {
        failed = read_word(call, argc, argv, &i, err);
    }
    bool nothing = !call->body_given && json_object_object_length(call->arguments) == 0;
    if (!failed && nothing && is_piped()) {
        failed = read_object(call, "-", err);
    }
    return failed;
}

/* ---- a name that does not exist ---- */

/* "split" for "text.split". */
static bool is_last_part(const char *full, const char *name)
{
    const char *dot = strrchr(full, '.');
    return dot && strcmp(dot + 1, name) == 0;
}

/* What may have been meant, on standard error: a walker of that name, or an action of a similar
 * one. Nothing when the daemon does not tell its names. */
static void suggest_name(struct cli *cli, const struct call_words *call)
{
    static const char actions[] = "/actions/", walkers[] = "/walkers/";
    struct request request = {
        .method = "GET", .path = "/openapi.json", .timeout_ms = NAMES_TIMEOUT_MS};
    struct reply reply = {0};
    if (cli_send_quietly(cli, &request, &reply) != CLI_OK) {
        return;
    }
    CLEANUP(json_put) struct json_object *document = NULL;
    cli_reply_value(&reply, &document);
    reply_done(&reply);
    struct json_object *paths = json_member(document, "paths", json_type_object);
    struct suggest nearest = suggest_for(call->action);
    const char *best = NULL;
    bool walker = false;
    if (paths) {
        json_object_object_foreach(paths, path, unused)
        {
            (void)unused;
            if (strncmp(path, walkers, sizeof(walkers) - 1) == 0) {
                walker |= strcmp(path + sizeof(walkers) - 1, call->action) == 0;
            } else if (strncmp(path, actions, sizeof(actions) - 1) == 0) {
                const char *name = path + sizeof(actions) - 1;
                suggest_try(&nearest, name);
                best = !best && is_last_part(name, call->action) ? name : best;
            }
        }
    }
    best = best ? best : suggest_best(&nearest);
    if (walker) {
        (void)fprintf(stderr, "jsorc: '%s' is a walker: jsorc walker run %s -ctx '%s'\n",
                      call->action, call->action, json_text(call->arguments));
    } else if (best) {
        (void)fprintf(stderr, "jsorc: did you mean '%s'?\n", best);
    }
}

static int show(struct cli *cli, const struct call_words *call, const struct reply *reply)
{
    CLEANUP(json_put) struct json_object *value = NULL;
    struct err err = {0};
    cli_reply_value(reply, &value);
    if (call->timing && reply->exec_ms >= 0) {
        (void)fprintf(stderr, "executed in %.3f ms, answered in %.3f ms\n", reply->exec_ms,
                      reply->total_ms);
    } else if (call->timing) {
        (void)fprintf(stderr, "answered in %.3f ms\n", reply->total_ms);
    }
    if (reply->status >= 300) {
        cli_report_reply(cli, reply, value);
        const char *type = json_str(value, "type");
        if (type && strcmp(type, "UnknownAction") == 0) {
            suggest_name(cli, call);
        }
        return CLI_FAILED;
    }
    bool json = !reply->content_type || strncmp(reply->content_type, "application/json", 16) == 0;
    int failed = json ? output_value(&cli->output, value, &err)
                      : output_bytes(&cli->output, reply->body.data, buf_size(&reply->body), &err);
    return failed ? cli_fail(cli, CLI_FAILED, &err) : CLI_OK;
}

static int run(struct cli *cli, int argc, char **argv)
{
    if (argc < 2 || argv[1][0] == '-') {
        return cli_usage(cli, argc < 2 ? "argument ACTION is missing"
                                       : "ACTION comes first, then its arguments");
    }
    CLEANUP(json_put) struct json_object *arguments = json_object_new_object();
    struct call_words call = {
        .action = argv[1], .arguments = arguments, .format = json_str(cli->common, "output")};
    struct err err = {0};
    if (read_words(&call, argc, argv, &err) < 0) {
        return cli_usage(cli, "%s", err.text);
    }
    output_init(&cli->output, stdout, call.format);
    CLEANUP(str_free) char *path = path_of(call.action);
    struct request request = {.method = "POST",
                              .path = path,
                              .body = slice_str(json_text(arguments)),
                              .timeout_ms = cli_timeout_ms(cli)};
    struct reply reply = {0};
    int status = cli_send(cli, &request, &reply);
    if (status == CLI_OK) {
        status = show(cli, &call, &reply);
        reply_done(&reply);
    }
    return status;
}

static const struct param PARAMS[] = {
    {.name = "action",
     .kind = PARAM_ARGUMENT,
     .required = true,
     .values = VALUES_ACTION,
     .help = "name of the action; 'jsorc actions list' shows them"},
    {.name = "output",
     .letter = 'o',
     .placeholder = "FORMAT|FILE",
     .choices = "json table",
     .values = VALUES_FILE,
     .help = "with one letter only, as in all that follows ACTION: long names are the action's"},
    {.name = "timing",
     .letter = 't',
     .kind = PARAM_FLAG,
     .type = OP_BOOL,
     .help = "with one letter only: tell on standard error how long it took"},
    {.name = NULL},
};

static const struct exit_row EXITS[] = {
    {CLI_OK, "the action returned a result, which was printed"},
    {CLI_FAILED, "the action failed or does not exist, its arguments are wrong, or it did not "
                 "answer in time"},
    {CLI_USAGE, "the command line is wrong"},
    {CLI_UNREACHABLE, "the daemon cannot be reached"},
    {0, NULL},
};

static const struct example EXAMPLES[] = {
    {"jsorc call text.split --text 'one two' --n 5", "A text and a number."},
    {"jsorc call text.split --text:str 5", "The text 5, not the number."},
    {"jsorc call image.read --image:base64 @page.png", "A file's bytes, in base64."},
    {"echo '{\"text\": \"hi\"}' | jsorc call text.split", "Arguments as JSON."},
    {NULL, NULL},
};

const struct command COMMAND_CALL = {
    .words = "call",
    .synopsis = "ACTION [--NAME[:FORM] VALUE]... [JSON|@FILE|-] [-o FORMAT|FILE] [-t]",
    .summary = "Call an action and print its result",
    .detail =
        "What looks like a number, true, false, null, a JSON list, object or quoted string is one; "
        "all else is text. --NAME alone is true. @FILE is the text of a file, @FILE.json its JSON, "
        "@@TEXT a text that begins with '@'.\n"
        "\n"
        "A form makes the value what it shall be: --NAME:str, :int, :float, :bool, :json (also for "
        "@FILE), :base64 (a file's bytes, or a text, in base64).\n"
        "\n"
        "All arguments together may be given as a JSON object: as a word, in @FILE, or on standard "
        "input for '-' and, when there are no other arguments, for what is piped in. Named "
        "arguments go before it.\n"
        "\n"
        "Options that all commands know stand before 'call'; behind ACTION a long name is always "
        "the action's.",
    .params = PARAMS,
    .examples = EXAMPLES,
    .exits = EXITS,
    .run_words = run,
};
