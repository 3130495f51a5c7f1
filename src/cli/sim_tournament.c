#include "cli/sim_tournament.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/table.h"
#include "policy/policy_json.h"

#define GAP_QUANTILE 0.9

static const char *const PLAYERS[] = {TOURNAMENT_PLAYER, "evaluation", SIM_ALL_LOCAL,
                                      SIM_ALL_REMOTE};

#define PLAYER_COUNT (sizeof(PLAYERS) / sizeof(PLAYERS[0]))

struct score { /* of one player, over instances */
    double *gaps;
    double phases, phases_max, latency_s, trial_s, moves, kept_moves;
    double shift_moves, shift_phases, shift_gap;
    uint32_t over; /* games with more phases than modules + 1 */
};

void tournament_init(struct tournament *tournament, struct cli *cli,
                     const struct sim_scenario *scenario, size_t most)
{
    *tournament = (struct tournament){
        .cli = cli,
        .scenario = scenario,
        .scores = xcalloc(PLAYER_COUNT, sizeof(struct score)),
        .games = json_object_new_array(),
    };
    for (size_t i = 0; i < PLAYER_COUNT; i++) {
        tournament->scores[i].gaps = xcalloc(most, sizeof(double));
    }
}

void tournament_done(struct tournament *tournament)
{
    for (size_t i = 0; tournament->scores && i < PLAYER_COUNT; i++) {
        free(tournament->scores[i].gaps);
    }
    free(tournament->scores);
    (void)json_put(tournament->games);
    *tournament = (struct tournament){.count = 0};
}

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

int tournament_play(struct tournament *tournament, const struct sim_instance *instance,
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

int tournament_report(struct tournament *tournament)
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
