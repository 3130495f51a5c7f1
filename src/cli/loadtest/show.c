#include "cli/loadtest/show.h"

#include "base/err.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/loadtest/figure_text.h"
#include "cli/loadtest/result.h"
#include "cli/table.h"

static void add_ms(struct table *table, struct json_object *summary, const char *name)
{
    table_cell_format(table, COLOUR_NONE, "%.2f", json_double(summary, name, 0));
}

static void add_text(struct table *table, const char *text, bool known)
{
    table_cell(table, known ? text : "-", known ? COLOUR_NONE : COLOUR_DIM);
}

static void add_mean(struct table *table, struct json_object *figures)
{
    char text[FIGURE_TEXT_SIZE];
    bool known = figure_mean_text(figures, text);
    add_text(table, text, known);
}

static void add_speed_up(struct table *table, struct json_object *figures)
{
    char text[FIGURE_TEXT_SIZE];
    bool known = figure_speed_up_text(figures, text);
    add_text(table, text, known);
}

/* What the policy took to settle, and what users had from it then; "-" where none decides. */
static void add_live(struct table *table, struct json_object *summary)
{
    struct json_object *settled = NULL;
    if (!json_object_object_get_ex(summary, "settled", &settled)) {
        for (int i = 0; i < 3; i++) {
            add_text(table, "", false);
        }
        return;
    }
    table_cell_format(table, COLOUR_NONE, "%.1f of %.1f", json_double(summary, "trials", 0),
                      json_double(summary, "phases", 0));
    if (settled) {
        add_mean(table, settled);
        add_speed_up(table, settled);
    } else {
        table_cell(table, "not settled", COLOUR_WARN);
        add_text(table, "", false);
    }
}

static void add_row(void *arg, const char *app, const char *key, struct json_object *cell)
{
    struct table *table = arg;
    struct json_object *summary = json_member(cell, "summary", json_type_object);
    double errors = json_double(summary, "errors_percent", 0);
    table_cell(table, app, COLOUR_NONE);
    table_cell(table, key, COLOUR_NONE);
    table_cell_format(table, COLOUR_NONE, "%lld", (long long)json_int(summary, "count", 0));
    table_cell_format(table, errors > 0 ? COLOUR_BAD : COLOUR_NONE, "%.2f", errors);
    table_cell_format(table, COLOUR_NONE, "%.2f", json_double(summary, "throughput", 0));
    add_mean(table, summary);
    add_ms(table, summary, "p50_ms");
    add_ms(table, summary, "p99_ms");
    add_speed_up(table, summary);
    add_live(table, summary);
}

int show_result(struct cli *cli, struct json_object *result)
{
    struct err err = {0};
    CLEANUP(table_free) struct table *table = table_new();
    table_column(table, "APPLICATION", TABLE_LEFT);
    table_column(table, "POLICY", TABLE_LEFT);
    table_column(table, "REQUESTS", TABLE_RIGHT);
    table_column(table, "ERRORS %", TABLE_RIGHT);
    table_column(table, "PER S", TABLE_RIGHT);
    table_column(table, "MEAN MS", TABLE_RIGHT);
    table_column(table, "P50", TABLE_RIGHT);
    table_column(table, "P99", TABLE_RIGHT);
    table_column(table, "SPEED-UP", TABLE_RIGHT);
    table_column(table, "TRIALS", TABLE_RIGHT);
    table_column(table, "SETTLED MS", TABLE_RIGHT);
    table_column(table, "SPEED-UP", TABLE_RIGHT);
    result_each(result, add_row, table);
    return output_table(&cli->output, table, result, &err) < 0 ? cli_fail(cli, CLI_FAILED, &err)
                                                               : CLI_OK;
}
