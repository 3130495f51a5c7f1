#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/table.h"
#include "policy/policy_json.h"
#include "policy/sim_play.h"

#define GENERATE_MAX   100000
#define FILE_BYTES_MAX (1 << 20) /* an instance is written by hand or by --write */
#define GAP_QUANTILE   0.9

static const char *const PLAYERS[] = {"adaptive", "evaluation", SIM_ALL_LOCAL, SIM_ALL_REMOTE};

#define PLAYER_COUNT (sizeof(PLAYERS) / sizeof(PLAYERS[0]))

struct score { /* of one player, over instances */
    double *gaps;
    double phases, phases_max, latency_s, trial_s, moves, kept_moves;
    double shift_moves, shift_phases, shift_gap;
    uint32_t over; /* games with more phases than modules + 1 */
};

struct tournament {
    struct cli *cli;
    const struct sim_scenario *scenario;
    struct json_object *params; /* of adaptive; borrowed, may be NULL */
    size_t count, most;         /* instances played, and to be played */
    struct score scores[PLAYER_COUNT];
    struct json_object *games; /* owned */
};

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static struct json_object *game_json(const struct sim_instance *instance, const char *name,
                                     const struct sim_outcome *outcome, double gap)
{
    struct json_object *game = json_object_new_object();
    json_set_str(game, "policy", name);
    json_set(game, "placement", policy_placement_write(outcome->placement, &instance->problem));
    json_set_int(game, "phases", outcome->phases);
    json_set_bool(game, "settled", outcome->settled);
    policy_set_number(game, "latency_s", outcome->latency_s);
    policy_set_number(game, "trial_latency_s", outcome->trial_s);
    policy_set_number(game, "gap", gap);
    json_set_int(game, "moves", outcome->moves);
    json_set_int(game, "kept_moves", outcome->kept_moves);
    if (outcome->shift_latency_s > 0) {
        json_set_int(game, "shift_moves", outcome->shift_moves);
        json_set_int(game, "shift_phases", outcome->shift_phases);
        policy_set_number(game, "shift_latency_s", outcome->shift_latency_s);
        policy_set_number(game, "shift_gap", outcome->shift_gap);
    }
    return game;
}

static void book(struct score *score, size_t number, const struct sim_outcome *outcome, double gap,
                 size_t modules)
{
    score->gaps[number] = gap;
    score->phases += outcome->phases;
    score->phases_max = fmax(score->phases_max, outcome->phases);
    score->over += outcome->phases > modules + 1;
    score->latency_s += outcome->latency_s;
    score->trial_s += isnan(outcome->trial_s) ? outcome->latency_s : outcome->trial_s;
    score->moves += outcome->moves;
    score->kept_moves += outcome->kept_moves;
    score->shift_moves += outcome->shift_moves;
    score->shift_phases += outcome->shift_phases;
    score->shift_gap += outcome->shift_gap;
}

static int play_instance(struct tournament *tournament, const struct sim_instance *instance,
                         struct err *err)
{
    double best_s = 0;
    struct json_object *record = json_object_new_object(), *games = json_object_new_array();
    placement_t best = sim_oracle(instance, &best_s);
    json_set(record, "seed", policy_number((double)instance->seed));
    json_set_int(record, "modules", (int64_t)instance->problem.module_count);
    json_set(record, "oracle", policy_placement_write(best, &instance->problem));
    policy_set_number(record, "oracle_latency_s", best_s);
    json_set(record, "policies", games);
    (void)json_object_array_add(tournament->games, record);
    for (size_t i = 0; i < PLAYER_COUNT; i++) {
        struct sim_outcome outcome;
        int failed = sim_play(instance, PLAYERS[i], i == 0 ? tournament->params : NULL,
                              tournament->scenario, &outcome, err);
        if (failed) {
            return failed;
        }
        double gap = fmax(0, outcome.latency_s / best_s - 1);
        book(&tournament->scores[i], tournament->count, &outcome, gap,
             instance->problem.module_count);
        (void)json_object_array_add(games, game_json(instance, PLAYERS[i], &outcome, gap));
    }
    tournament->count++;
    return 0;
}

/* ---- report ---- */

static void add_figure(struct table *table, struct json_object *row, const char *name,
                       double figure, const char *format, double scale)
{
    char text[32];
    policy_set_number(row, name, figure);
    (void)snprintf(text, sizeof(text), "%.*f%s", strcmp(format, "ms") == 0 ? 2 : 1, figure * scale,
                   format[0] == '%' ? " %" : "");
    table_cell(table, text, COLOUR_NONE);
}

static void add_score(const struct tournament *tournament, size_t player, struct table *table,
                      struct json_object *summary)
{
    const struct score *score = &tournament->scores[player];
    double count = (double)tournament->count, sum = 0;
    struct json_object *row = json_object_new_object();
    qsort(score->gaps, tournament->count, sizeof(*score->gaps), by_size);
    for (size_t i = 0; i < tournament->count; i++) {
        sum += score->gaps[i];
    }
    size_t rank = (size_t)ceil(GAP_QUANTILE * count) - 1; /* nearest rank */
    json_set_str(row, "policy", PLAYERS[player]);
    table_cell(table, PLAYERS[player], COLOUR_NONE);
    add_figure(table, row, "phases_mean", score->phases / count, "", 1);
    add_figure(table, row, "phases_max", score->phases_max, "", 1);
    add_figure(table, row, "trial_latency_s", score->trial_s / count, "ms", 1000);
    add_figure(table, row, "latency_s", score->latency_s / count, "ms", 1000);
    add_figure(table, row, "gap_mean", sum / count, "%", 100);
    add_figure(table, row, "gap_p90", score->gaps[rank], "%", 100);
    add_figure(table, row, "gap_max", score->gaps[tournament->count - 1], "%", 100);
    add_figure(table, row, "moves", score->moves / count, "", 1);
    json_set_int(row, "over_modules_plus_1", score->over);
    if (tournament->scenario->before_s > 0) {
        add_figure(table, row, "kept_moves", score->kept_moves / count, "", 1);
    }
    if (tournament->scenario->after_s > 0) {
        add_figure(table, row, "shift_phases", score->shift_phases / count, "", 1);
        add_figure(table, row, "shift_moves", score->shift_moves / count, "", 1);
        add_figure(table, row, "shift_gap_mean", score->shift_gap / count, "%", 100);
    }
    (void)json_object_array_add(summary, row);
}

static int report(struct tournament *tournament)
{
    static const char *const columns[] = {"phases", "most",    "trials ms", "latency ms",
                                          "gap",    "p90 gap", "worst",     "moves"};
    CLEANUP(table_free) struct table *table = table_new();
    CLEANUP(json_put) struct json_object *object = json_object_new_object();
    struct json_object *summary = json_object_new_array();
    struct err err = {0};
    struct cli *cli = tournament->cli;
    table_column(table, "policy", TABLE_LEFT);
    for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
        table_column(table, columns[i], TABLE_RIGHT);
    }
    if (tournament->scenario->before_s > 0) {
        table_column(table, "then", TABLE_RIGHT);
    }
    if (tournament->scenario->after_s > 0) {
        table_column(table, "anew", TABLE_RIGHT);
        table_column(table, "moves", TABLE_RIGHT);
        table_column(table, "gap", TABLE_RIGHT);
    }
    json_set_int(object, "instances", (int64_t)tournament->count);
    json_set_str(object, "scenario", tournament->scenario->name);
    json_set(object, "summary", summary);
    for (size_t i = 0; i < PLAYER_COUNT; i++) {
        add_score(tournament, i, table, summary);
    }
    json_set(object, "games", json_ref(tournament->games));
    if (cli->output.format == OUTPUT_AUTO) {
        cli->output.format = OUTPUT_TABLE; /* a report is read, also from a file */
    }
    return output_table(&cli->output, table, object, &err) < 0 ? cli_fail(cli, CLI_FAILED, &err)
                                                               : CLI_OK;
}

/* ---- instances ---- */

static int read_file(const char *path, struct buf *text, struct err *err)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        return err_errno(err, errno, "cannot read '%s'", path);
    }
    if (buf_reserve(text, FILE_BYTES_MAX) < 0) {
        abort();
    }
    text->end += fread(text->data + text->end, 1, FILE_BYTES_MAX, file);
    bool whole = feof(file) && !ferror(file);
    (void)fclose(file);
    return whole ? 0 : err_set(err, EFBIG, "'%s' has more than %d bytes", path, FILE_BYTES_MAX);
}

static int load_instance(const char *path, struct sim_instance *instance, struct err *err)
{
    struct buf text = {0};
    CLEANUP(json_put) struct json_object *object = NULL;
    int failed = read_file(path, &text, err);
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
            failed = play_instance(tournament, &instance, err);
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
        failed = play_instance(tournament, &instance, err);
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
    size_t file_count = files ? json_object_array_length(files) : 0;
    size_t generate = (size_t)json_int(values, "generate", 0);
    uint64_t seed = (uint64_t)json_int(values, "seed", 1);
    struct err err = {0};
    tournament->most = file_count + generate;
    tournament->games = json_object_new_array();
    for (size_t i = 0; i < PLAYER_COUNT; i++) {
        tournament->scores[i].gaps = xcalloc(tournament->most, sizeof(double));
    }
    int failed = files ? play_files(tournament, files, &err) : 0;
    failed = failed ? failed : play_generated(tournament, generate, seed, modules, &err);
    int status = failed ? cli_fail(tournament->cli, CLI_FAILED, &err) : report(tournament);
    for (size_t i = 0; i < PLAYER_COUNT; i++) {
        free(tournament->scores[i].gaps);
    }
    (void)json_put(tournament->games);
    return status;
}

static int run(struct cli *cli, struct json_object *values)
{
    struct tournament tournament = {.cli = cli};
    CLEANUP(json_put) struct json_object *params = NULL;
    struct range modules = {0, 0};
    struct err err = {0};
    const char *scenario = json_str(values, "scenario"), *text = json_str(values, "params");
    const char *range = json_str(values, "modules");
    struct json_object *files = json_member(values, "instances", json_type_array);
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
    if (generate == 0 && (!files || json_object_array_length(files) == 0)) {
        return cli_usage(cli, "no INSTANCE and no --generate: nothing to simulate");
    }
    tournament.scenario = sim_scenario_find(scenario ? scenario : "settle");
    if (!tournament.scenario) {
        return cli_usage(cli, "no scenario '%s'; there are settle, steady, shift, calm", scenario);
    }
    if (text && json_parse_object(slice_str(text), &params, &err) < 0) {
        return cli_usage(cli, "--params '%s': %s", text, err.text);
    }
    tournament.params = params;
    struct policy_problem none = {0};
    CLEANUP(policy_free) struct policy *trial = NULL;
    if (policy_new(PLAYERS[0], &none, params, 1, &trial, &err) < 0) {
        return cli_usage(cli, "%s", err.text);
    }
    return play_all(&tournament, values, modules);
}

static const struct param PARAMS[] = {
    {.name = "instances",
     .kind = PARAM_REST,
     .type = OP_LIST,
     .placeholder = "INSTANCE",
     .values = VALUES_FILE,
     .help = "a file of JSON each, as --print writes it"},
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
        "The same seed gives the same figures. docs/policies.md has the method.",
    .params = PARAMS,
    .examples = EXAMPLES,
    .exits = EXITS,
    .offline = true,
    .run = run,
};
