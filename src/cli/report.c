#include "cli/report.h"

#include <string.h>

#include "base/json.h"
#include "cli/table.h"

/* A column of numbers: a member of a row's object, and how it is shown. */
struct column {
    const char *title;
    const char *member;
    enum { COUNT, BAD_COUNT, DECIMAL } kind;
    double factor; /* of a DECIMAL */
};

static void add_columns(struct table *table, const struct column *columns, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        table_column(table, columns[i].title, TABLE_RIGHT);
    }
}

static void add_numbers(struct table *table, const struct json_object *row,
                        const struct column *columns, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        double value = json_double(row, columns[i].member, -1) *
                       (columns[i].kind == DECIMAL ? columns[i].factor : 1);
        if (value < 0) { /* null: not known */
            table_cell(table, "-", COLOUR_DIM);
        } else if (columns[i].kind == DECIMAL) {
            table_cell_format(table, COLOUR_NONE, value < 10 ? "%.3f" : "%.1f", value);
        } else {
            bool bad = columns[i].kind == BAD_COUNT && value > 0;
            table_cell_format(table, bad ? COLOUR_BAD : COLOUR_NONE, "%.0f", value);
        }
    }
}

#define COLUMNS(list) (list), sizeof(list) / sizeof((list)[0])

/* ---- the benchmark ---- */

static struct table *benchmark_table(struct json_object *report)
{
    static const struct column columns[] = {
        {"CALLS", "count", COUNT, 0},           {"ERRORS", "errors", BAD_COUNT, 0},
        {"CALLS/s", "throughput", DECIMAL, 1},  {"MEAN ms", "average_latency", DECIMAL, 1},
        {"P50", "50th_latency", DECIMAL, 1},    {"P90", "90th_latency", DECIMAL, 1},
        {"P95", "95th_latency", DECIMAL, 1},    {"P99", "99th_latency", DECIMAL, 1},
        {"P99.9", "999th_latency", DECIMAL, 1}, {"MAX", "max_latency", DECIMAL, 1},
    };
    struct table *table = table_new();
    table_column(table, "OPERATION", TABLE_LEFT);
    table_column(table, "NAME", TABLE_LEFT);
    add_columns(table, COLUMNS(columns));
    json_object_object_foreach(report, op, names)
    {
        if (!json_object_is_type(names, json_type_object)) {
            continue; /* of a start: {"success": true} */
        }
        json_object_object_foreach(names, name, figures)
        {
            bool all = strcmp(name, "all") == 0;
            table_cell(table, op, COLOUR_BOLD);
            table_cell(table,
                       all                              ? "(all)"
                       : strcmp(name, "_default_") == 0 ? "-"
                                                        : name,
                       all ? COLOUR_DIM : COLOUR_NONE);
            add_numbers(table, figures, COLUMNS(columns));
        }
    }
    return table;
}

/* ---- which operation has which ---- */

struct table *report_table(const char *op, struct json_object *result)
{
    struct table *table = NULL;
    if (strncmp(op, "jsorc_benchmark_", 16) == 0 && json_object_is_type(result, json_type_object)) {
        table = benchmark_table(result);
    }
    return table && table_rows(table) == 0 ? table_free(table) : table;
}
