#include "cli/op_command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/endpoint.h"
#include "cli/prompt.h"
#include "cli/report.h"
#include "cli/table.h"

#define WAIT_MARGIN_S 30 /* for the daemon to undo and answer after its own time-out */

/* What an operation's row cannot say about a parameter: what its values are to a person. */
struct hint {
    const char *op; /* a name, or its beginning and '*' */
    const char *param;
    enum param_values values;
    const char *choices;
    bool path; /* of this host's file system: made absolute, as the daemon runs elsewhere */
};

static const struct hint HINTS[] = {
    {"jsorc_actions_load", "mode", VALUES_NONE, "module local remote auto", false},
    {"jsorc_actions_unload", "mode", VALUES_NONE, "auto module local remote", false},
    {"jsorc_actions_config", "config", VALUES_FILE, NULL, true},
    {"jsorc_actions_*", "name", VALUES_MODULE, NULL, false},
    {"jsorc_actionpolicy_set", "policy_name", VALUES_NONE, "default evaluation adaptive", false},
    {"apply_yaml", "service", VALUES_NONE, "redis prome elastic task mail database", false},
    {"apply_yaml", "file", VALUES_FILE, NULL, true},
    {"jsorc_diff", "name", VALUES_MODULE, NULL, false},
    {"jsorc_logs", "name", VALUES_MODULE, NULL, false},
    {"load_yaml", "files", VALUES_FILE, NULL, true},
    {"actions_load_local", "file", VALUES_FILE, NULL, true},
    {"actions_unload_module", "name", VALUES_MODULE, NULL, false},
    {"actions_unload_action", "name", VALUES_ACTION, NULL, false},
    {"actions_call", "name", VALUES_ACTION, NULL, false},
};

static bool matches(const char *pattern, const char *name)
{
    size_t length = strlen(pattern);
    return pattern[length - 1] == '*' ? strncmp(pattern, name, length - 1) == 0
                                      : strcmp(pattern, name) == 0;
}

static const struct hint *find_hint(const struct op *op, const char *param)
{
    for (size_t i = 0; i < sizeof(HINTS) / sizeof(HINTS[0]); i++) {
        if (matches(HINTS[i].op, op->name) && strcmp(HINTS[i].param, param) == 0) {
            return &HINTS[i];
        }
    }
    return NULL;
}

static const char *placeholder_of(enum op_type type)
{
    switch (type) {
    case OP_INT:
    case OP_FLOAT:
        return "NUMBER";
    case OP_BOOL:
        return "true|false";
    case OP_DICT:
    case OP_LIST:
    case OP_ANY:
        return "JSON";
    case OP_STR:
    case OP_STR_OR_DICT:
        break;
    }
    return NULL;
}

static struct param make_row(const struct op *op, const struct op_param *param, bool positional)
{
    const struct hint *hint = find_hint(op, param->name);
    return (struct param){
        .name = param->name,
        .kind = positional ? PARAM_ARGUMENT : PARAM_OPTION,
        .type = param->type,
        .required = !param->fallback && strcmp(param->name, "password") != 0, /* asked for */
        .placeholder = positional ? NULL : placeholder_of(param->type),
        .fallback = param->fallback,
        .choices = hint ? hint->choices : NULL,
        .values = hint ? hint->values : VALUES_NONE,
        .help = param->help,
    };
}

/* True when the list of words "name config" has name as its nth, counted from 0. */
static bool is_nth_word(const char *words, size_t n, const char *name)
{
    size_t length = strlen(name);
    for (; words && n > 0; n--) {
        words = strchr(words, ' ');
        words = words ? words + 1 : NULL;
    }
    return words && strncmp(words, name, length) == 0 &&
           (words[length] == ' ' || words[length] == '\0');
}

static bool is_positional(const struct op *op, const char *name)
{
    for (size_t n = 0; n < OP_PARAMS_MAX; n++) {
        if (is_nth_word(op->positionals, n, name)) {
            return true;
        }
    }
    return false;
}

static struct param *make_rows(const struct op *op)
{
    struct param *rows = xcalloc(OP_PARAMS_MAX + 1, sizeof(*rows));
    size_t count = 0;
    for (size_t n = 0; n < OP_PARAMS_MAX; n++) {
        for (size_t i = 0; i < OP_PARAMS_MAX && op->params[i].name; i++) {
            if (is_nth_word(op->positionals, n, op->params[i].name)) {
                rows[count++] = make_row(op, &op->params[i], true);
            }
        }
    }
    for (size_t i = 0; i < OP_PARAMS_MAX && op->params[i].name; i++) {
        if (!is_positional(op, op->params[i].name)) {
            rows[count++] = make_row(op, &op->params[i], false);
        }
    }
    return rows;
}

/* "jsorc_actions_load" -> "actions load": the first word is the program's name. */
static char *make_words(const char *name)
{
    char *words = xstrdup(strncmp(name, "jsorc_", 6) == 0 ? name + 6 : name);
    for (char *at = words; *at; at++) {
        *at = *at == '_' ? ' ' : *at;
    }
    return words;
}

static char *make_summary(const char *help)
{
    size_t length = strlen(help);
    return xstrndup(help, length > 0 && help[length - 1] == '.' ? length - 1 : length);
}

static char *make_detail(const struct op *op)
{
    static const char *const rights[] = {"Anybody may do this.", "Needs an account.",
                                         "Needs a staff account, or the daemon's own user on its "
                                         "host."};
    static const char *const folders[] = {"js_public", "js", "js_admin"};
    bool result = op->result && *op->result;
    return xasprintf("%s%s%sOperation %s: %s /%s/%s. %s", result ? "Result: " : "",
                     result ? op->result : "", result ? "\n\n" : "", op->name,
                     op->get ? "GET" : "POST", folders[op->access], op->name, rights[op->access]);
}

struct command *op_command_new(const struct op *op)
{
    struct command *command = xcalloc(1, sizeof(*command));
    command->op = op;
    command->words = make_words(op->name);
    command->summary = make_summary(op->help ? op->help : "");
    command->detail = make_detail(op);
    command->params = make_rows(op);
    return command;
}

struct command *op_command_free(struct command *command)
{
    if (command) {
        free((void *)command->words);
        free((void *)command->summary);
        free((void *)command->detail);
        free((void *)command->params);
    }
    free(command);
    return NULL;
}

/* A relative path means this process's folder; the daemon's is another. Names of packages stay:
 * only what names a file that exists here, or has a '/', is a path. */
static void make_paths_absolute(const struct op *op, struct json_object *values)
{
    for (size_t i = 0; i < OP_PARAMS_MAX && op->params[i].name; i++) {
        const char *name = op->params[i].name;
        const struct hint *hint = find_hint(op, name);
        const char *path = json_str(values, name);
        if (!hint || !hint->path || !path || path[0] == '/' || path[0] == '{' ||
            strstr(path, "://")) {
            continue; /* none, absolute, or what is to be read from it itself */
        }
        bool is_path = strchr(path, '/') || access(path, F_OK) == 0;
        char folder[4096];
        if (is_path && getcwd(folder, sizeof(folder))) {
            CLEANUP(str_free) char *absolute = xasprintf("%s/%s", folder, path);
            json_set_str(values, name, absolute);
        }
    }
}

/* A password that was not given is asked for; "-" reads it from standard input. */
static int ask_passwords(const struct op *op, struct json_object *values, struct err *err)
{
    for (size_t i = 0; i < OP_PARAMS_MAX && op->params[i].name; i++) {
        if (strcmp(op->params[i].name, "password") != 0) {
            continue;
        }
        const char *given = json_str(values, "password");
        bool missing = !json_object_object_get_ex(values, "password", NULL);
        if (!missing && !(given && strcmp(given, "-") == 0)) {
            continue;
        }
        if (missing && !prompt_possible()) {
            continue; /* the daemon says whether it needs one */
        }
        char *password = NULL;
        int failed = prompt_secret("Password: ", &password, err);
        if (failed) {
            return failed;
        }
        json_set_str(values, "password", password);
        prompt_wipe(password);
    }
    return 0;
}

static bool is_local(struct cli *cli)
{
    struct endpoint endpoint = {0};
    bool local = endpoint_find(cli->common, &cli->memory, &endpoint, NULL) == 0 &&
                 (endpoint.socket || endpoint_is_loopback(endpoint.url));
    endpoint_done(&endpoint);
    return local;
}

int op_command_run(struct cli *cli, const struct op *op, struct json_object *values)
{
    struct err err = {0};
    if (ask_passwords(op, values, &err) < 0) {
        return cli_fail(cli, CLI_USAGE, &err);
    }
    if (is_local(cli)) {
        make_paths_absolute(op, values);
    }
    double wait_s = json_double(values, "timeout", 0) + WAIT_MARGIN_S;
    if (wait_s * 1000 > (double)cli_timeout_ms(cli) && cli_timeout_ms(cli) > 0) {
        json_set_double(cli->common, "timeout", wait_s);
    }
    CLEANUP(json_put) struct json_object *result = NULL;
    int status = cli_op(cli, op->name, values, &result);
    if (status != CLI_OK) {
        return status;
    }
    CLEANUP(table_free)
    struct table *table = output_wants_table(&cli->output) ? report_table(op->name, result) : NULL;
    int failed = table ? output_table(&cli->output, table, result, &err)
                       : output_value(&cli->output, result, &err);
    if (failed) {
        return cli_fail(cli, CLI_FAILED, &err);
    }
    return json_flag(result, "success", true) ? CLI_OK : CLI_FAILED;
}
