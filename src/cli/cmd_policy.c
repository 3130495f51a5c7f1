#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/table.h"
#include "policy/policy_json.h"

#define POLICY_DEFAULT_NAME "adaptive"

/* The next line without its end. False at the end of the input. A line that is too long ends in
 * its middle, beyond what policy_talk_line accepts. */
static bool read_line(FILE *in, struct buf *line)
{
    int byte = 0;
    buf_consume(line, buf_size(line));
    while (buf_size(line) <= POLICY_LINE_MAX && (byte = getc_unlocked(in)) != EOF && byte != '\n') {
        char one = (char)byte;
        if (buf_append(line, &one, 1) < 0) {
            abort();
        }
    }
    return byte != EOF || buf_size(line) > 0;
}

static bool is_blank(struct slice line)
{
    size_t i = 0;
    while (i < line.size && strchr(" \t\r", line.data[i]) && line.data[i]) {
        i++;
    }
    return i == line.size;
}

static int answer_line(struct cli *cli, struct policy_talk *talk, struct slice line, int number)
{
    CLEANUP(json_put) struct json_object *answer = NULL;
    struct err err = {0};
    if (policy_talk_line(talk, line, &answer, &err) < 0) {
        return cli_usage(cli, "line %d: %s", number, err.text);
    }
    if (printf("%s\n", json_text(answer)) < 0 || fflush(stdout) != 0) {
        (void)err_errno(&err, errno, "cannot write the answer to line %d", number);
        return cli_fail(cli, CLI_FAILED, &err);
    }
    return CLI_OK;
}

static int advise(struct cli *cli, struct policy_talk *talk)
{
    struct buf line = {0};
    int status = CLI_OK;
    for (int number = 1; status == CLI_OK && read_line(stdin, &line); number++) {
        if (!is_blank(buf_slice(&line))) {
            status = answer_line(cli, talk, buf_slice(&line), number);
        }
    }
    buf_done(&line);
    policy_talk_done(talk);
    return status;
}

static int run(struct cli *cli, struct json_object *values)
{
    CLEANUP(json_put) struct json_object *params = NULL;
    struct err err = {0};
    const char *name = json_str(values, "policy"), *text = json_str(values, "params");
    if (text && json_parse_object(slice_str(text), &params, &err) < 0) {
        return cli_usage(cli, "--params '%s': %s", text, err.text);
    }
    struct policy_talk talk = {
        .name = name ? name : POLICY_DEFAULT_NAME,
        .params = params,
        .seed = (uint64_t)json_int(values, "seed", 1),
    };
    /* A wrong name or parameter is said at once, not after the first line. */
    struct policy_problem none = {0};
    CLEANUP(policy_free) struct policy *trial = NULL;
    if (policy_new(talk.name, &none, params, talk.seed, &trial, &err) < 0) {
        return cli_usage(cli, "%s", err.text);
    }
    return advise(cli, &talk);
}

static const struct param PARAMS[] = {
    {.name = "policy",
     .letter = 'p',
     .placeholder = "NAME",
     .fallback = "\"adaptive\"",
     .choices = "adaptive evaluation default",
     .help = "the policy that is asked"},
    {.name = "params",
     .placeholder = "JSON",
     .help = "its parameters, such as {\"min_gain\": 0.01}; docs/policies.md lists them"},
    {.name = "seed",
     .type = OP_INT,
     .placeholder = "NUMBER",
     .fallback = "1",
     .help = "of the policy's simulations; the same seed and lines give the same answers"},
    {.name = NULL},
};

static const struct example EXAMPLES[] = {
    {"jsorc policy advise --policy adaptive <lines.json", "An answer for each line."},
    {"jsorc policy advise -p evaluation --params '{\"eval_phase\": 20}'",
     "The original's rule, from a terminal."},
    {NULL, NULL},
};

static const struct exit_row EXITS[] = {
    {CLI_OK, "the input has ended"},
    {CLI_FAILED, "an answer could not be written"},
    {CLI_USAGE, "a line, the policy's name or a parameter is wrong; the text says which and why"},
    {0, NULL},
};

const struct command COMMAND_POLICY_ADVISE = {
    .words = "policy advise",
    .summary = "Ask a policy for placements, line by line, in any environment",
    .detail =
        "Reads JSON, a line each, and answers each line with one. The first line is the problem:\n"
        "\n"
        " {\"modules\": [{\"name\": \"a\", \"mem_mb\": 200, \"hop_s\": 0.004}],\n"
        "  \"budget_mb\": 1000, \"walkers\": [{\"name\": \"w\", \"calls\": [\"a\", \"a\"]}],\n"
        "  \"users\": 8, \"think_s\": 0, \"phase_s\": 10}\n"
        "\n"
        "(here on three lines for reading). The answer says which placement to hold for phase_s "
        "seconds:\n"
        "\n"
        " {\"placement\": {\"a\": \"module\"}, \"done\": false, ...}\n"
        "\n"
        "The next line is what was measured meanwhile; times in seconds, mean_s as the caller saw "
        "the calls, exec_s as the worker executed them:\n"
        "\n"
        " {\"mean_latency_s\": 0.031, \"throughput\": 210.0,\n"
        "  \"actions\": {\"a\": {\"calls\": 4200, \"mean_s\": 0.012, \"exec_s\": 0.009}},\n"
        "  \"walkers\": {\"w\": {\"runs\": 2100}}}\n"
        "\n"
        "and so on. \"done\": true: the policy has settled on the placement; it may be told more "
        "phases, and takes its word back when they show that things have changed. Another line "
        "with \"modules\" tells it of a changed problem. Members may be missing, and unknown ones "
        "are ignored. docs/policies.md describes all members and how each policy decides.",
    .params = PARAMS,
    .examples = EXAMPLES,
    .exits = EXITS,
    .offline = true,
    .run = run,
};

/* ---- policy list ---- */

static struct json_object *params_of(const struct policy_ops *ops, struct table *table)
{
    struct json_object *params = json_object_new_array();
    if (!ops->params[0].name) {
        table_cell(table, ops->name, COLOUR_NONE);
        for (int i = 0; i < 4; i++) {
            table_cell(table, "", COLOUR_NONE);
        }
    }
    for (size_t i = 0; ops->params[i].name; i++) {
        const struct policy_param *row = &ops->params[i];
        struct json_object *param = json_object_new_object();
        json_set_str(param, "name", row->name);
        policy_set_number(param, "default", row->fallback);
        policy_set_number(param, "min", row->min);
        policy_set_number(param, "max", row->max);
        json_set_str(param, "help", row->help);
        (void)json_object_array_add(params, param);
        table_cell(table, i == 0 ? ops->name : "", COLOUR_NONE);
        table_cell(table, row->name, COLOUR_NONE);
        table_cell_format(table, COLOUR_NONE, "%g", row->fallback);
        table_cell_format(table, COLOUR_NONE, "%g..%g", row->min, row->max);
        table_cell(table, row->help, COLOUR_NONE);
    }
    return params;
}

static int run_list(struct cli *cli, struct json_object *values)
{
    static const char *const columns[] = {"policy", "parameter", "default", "range", "meaning"};
    CLEANUP(table_free) struct table *table = table_new();
    CLEANUP(json_put) struct json_object *list = json_object_new_array();
    struct err err = {0};
    (void)values;
    for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
        table_column(table, columns[i], TABLE_LEFT);
    }
    for (size_t i = 0; POLICY_TABLE[i]; i++) {
        struct json_object *item = json_object_new_object();
        json_set_str(item, "policy", POLICY_TABLE[i]->name);
        json_set_str(item, "summary", POLICY_TABLE[i]->summary);
        json_set(item, "params", params_of(POLICY_TABLE[i], table));
        (void)json_object_array_add(list, item);
    }
    return output_table(&cli->output, table, list, &err) < 0 ? cli_fail(cli, CLI_FAILED, &err)
                                                             : CLI_OK;
}

const struct command COMMAND_POLICY_LIST = {
    .words = "policy list",
    .summary = "Show the policies and their parameters",
    .offline = true,
    .run = run_list,
};
