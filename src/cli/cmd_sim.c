#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/sim_tournament.h"
#include "cli/value.h"
#include "policy/policy_json.h"

#define GENERATE_MAX 100000 /* hours */

/* ---- instances ---- */

static int load_instance(const char *path, struct sim_instance *instance, struct err *err)
{
    struct buf text = {0};
    CLEANUP(json_put) struct json_object *object = NULL;
    int failed = value_read_file(path, &text, err);
    if (!failed) {
        failed = json_parse_object(buf_slice(&text), &object, err);
        failed = failed ? failed : sim_instance_read(object, instance, err);
        failed = failed ? err_wrap(err, "'%s'", path) : 0;
    }
    buf_done(&text);
    if (!failed && instance->problem.module_count > SIM_ORACLE_MODULES_MAX) {
        sim_instance_done(instance);
        return err_set(err, E2BIG,
                       "'%s' has more than the %d modules of which all placements can "
                       "be tried",
                       path, SIM_ORACLE_MODULES_MAX);
    }
    return failed;
}

static int play_files(struct tournament *tournament, struct json_object *files, struct err *err)
{
    int failed = 0;
    for (size_t i = 0; i < json_object_array_length(files) && !failed; i++) {
        struct sim_instance instance;
        const char *path = json_object_get_string(json_object_array_get_idx(files, i));
        failed = load_instance(path, &instance, err);
        if (!failed) {
            failed = tournament_play(tournament, &instance, err);
            sim_instance_done(&instance);
        }
    }
    return failed;
}

struct range {
    size_t min, max;
};

static int play_generated(struct tournament *tournament, size_t count, uint64_t seed,
                          struct range modules, struct err *err)
{
    int failed = 0;
    for (size_t i = 0; i < count && !failed; i++) {
        struct sim_instance instance;
        sim_generate(seed + i, modules.min, modules.max, &instance);
        failed = tournament_play(tournament, &instance, err);
        sim_instance_done(&instance);
    }
    return failed;
}

static int print_generated(uint64_t seed, struct range modules)
{
    struct sim_instance instance;
    sim_generate(seed, modules.min, modules.max, &instance);
    CLEANUP(json_put) struct json_object *object = sim_instance_write(&instance);
    (void)printf("%s\n", json_text(object));
    sim_instance_done(&instance);
    return CLI_OK;
}

static bool read_range(const char *text, struct range *ret_range)
{
    char *end = NULL;
    unsigned long min = strtoul(text, &end, 10), max = min;
    if (strncmp(end, "..", 2) == 0) {
        max = strtoul(end + 2, &end, 10);
    }
    *ret_range = (struct range){min, max};
    return *end == '\0' && min >= 1 && min <= max && max <= SIM_ORACLE_MODULES_MAX;
}

static int play_all(struct tournament *tournament, struct json_object *values, struct range modules)
{
    struct json_object *files = json_member(values, "instances", json_type_array);
    size_t generate = (size_t)json_int(values, "generate", 0);
    uint64_t seed = (uint64_t)json_int(values, "seed", 1);
    struct err err = {0};
    int failed = files ? play_files(tournament, files, &err) : 0;
    failed = failed ? failed : play_generated(tournament, generate, seed, modules, &err);
    return failed ? cli_fail(tournament->cli, CLI_FAILED, &err) : tournament_report(tournament);
}

static int run(struct cli *cli, struct json_object *values)
{
    CLEANUP(json_put) struct json_object *params = NULL;
    struct range modules = {0, 0};
    struct err err = {0};
    const char *name = json_str(values, "scenario"), *text = json_str(values, "params");
    const char *range = json_str(values, "modules");
    struct json_object *files = json_member(values, "instances", json_type_array);
    size_t file_count = files ? json_object_array_length(files) : 0;
    int64_t generate = json_int(values, "generate", 0);
    if (generate < 0 || generate > GENERATE_MAX) {
        return cli_usage(cli, "--generate goes from 1 to %d", GENERATE_MAX);
    }
    if (!read_range(range ? range : "3..7", &modules)) {
        return cli_usage(cli, "--modules '%s': a number or a range such as 3..7, at most %d", range,
                         SIM_ORACLE_MODULES_MAX);
    }
    if (json_flag(values, "print", false)) {
        return print_generated((uint64_t)json_int(values, "seed", 1), modules);
    }
    if (generate == 0 && file_count == 0) {
        return cli_usage(cli, "no INSTANCE and no --generate: nothing to simulate");
    }
    const struct sim_scenario *scenario = sim_scenario_find(name ? name : "settle");
    if (!scenario) {
        return cli_usage(cli, "no scenario '%s'; there are settle, steady, shift, calm", name);
    }
    if (text && json_parse_object(slice_str(text), &params, &err) < 0) {
        return cli_usage(cli, "--params '%s': %s", text, err.text);
    }
    struct policy_problem none = {0};
    CLEANUP(policy_free) struct policy *trial = NULL;
    if (policy_new(TOURNAMENT_PLAYER, &none, params, 1, &trial, &err) < 0) {
        return cli_usage(cli, "%s", err.text);
    }
    struct tournament tournament;
    tournament_init(&tournament, cli, scenario, file_count + (size_t)generate);
    tournament.params = params;
    int status = play_all(&tournament, values, modules);
    tournament_done(&tournament);
    return status;
}

static const struct param PARAMS[] = {
    {.name = "instances",
     .kind = PARAM_REST,
     .type = OP_LIST,
     .placeholder = "INSTANCE",
     .values = VALUES_FILE,
     .help = "a file of JSON each, as --print writes it; - = standard input"},
    {.name = "generate",
     .letter = 'g',
     .type = OP_INT,
     .placeholder = "NUMBER",
     .help = "simulate that many made-up instances as well"},
    {.name = "seed",
     .type = OP_INT,
     .placeholder = "NUMBER",
     .fallback = "1",
     .help = "of the first made-up one; the others have the seeds that follow"},
    {.name = "modules",
     .placeholder = "RANGE",
     .fallback = "\"3..7\"",
     .help = "how many modules a made-up instance has"},
    {.name = "scenario",
     .placeholder = "NAME",
     .fallback = "\"settle\"",
     .choices = "settle steady shift calm",
     .help = "what happens: nothing more than settling; an hour under the same load; half an hour, "
             "and half an hour under four times the load, or a quarter of it"},
    {.name = "params",
     .placeholder = "JSON",
     .help = "parameters of the policy adaptive, to see what they do"},
    {.name = "print",
     .kind = PARAM_FLAG,
     .type = OP_BOOL,
     .help = "simulate nothing, write the made-up instance of --seed"},
    {.name = NULL},
};

static const struct example EXAMPLES[] = {
    {"jsorc sim --generate 200",
     "Which policy comes how near to the best placement, and how soon."},
    {"jsorc sim --print --seed 7 >my.json", "An instance to change and to simulate."},
    {"jsorc sim my.json --scenario shift", "And what happens there when the load grows."},
    {NULL, NULL},
};

static const struct exit_row EXITS[] = {
    {CLI_OK, "simulated"},
    {CLI_FAILED, "an instance cannot be read"},
    {CLI_USAGE, "the command line is wrong"},
    {0, NULL},
};

const struct command COMMAND_SIM = {
    .words = "sim",
    .summary = "Play the policies in a simulated system and compare them with the best placement",
    .detail =
        "An instance is a problem, as 'jsorc policy advise' reads it, with what the policies have "
        "to "
        "find out: of each module module_s and remote_s, the mean seconds that a call takes there, "
        "and true_hop_s; of each walker own_s, of its own code; scv, the squared coefficient of "
        "variation of the service times; noise, the relative error of what is measured; seed.\n"
        "\n"
        "Each policy is asked and told until it has settled; all_local (as far as memory goes) and "
        "all_remote stand beside them. The columns: phases until then, on average and at "
        "most; mean latency meanwhile and afterwards; the gap of the latter to the oracle, which "
        "has "
        "tried all placements, on average, at the 90th percentile and at worst; modules moved "
        "meanwhile. With a scenario: modules moved then, though nothing had changed; phases from "
        "the shift of load until settled anew, modules moved in it, and the gap afterwards. "
        "The same seed gives the same figures. docs/policies.md has figures of it.",
    .params = PARAMS,
    .examples = EXAMPLES,
    .exits = EXITS,
    .offline = true,
    .run = run,
};
