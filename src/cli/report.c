#include "cli/report.h"

#include <string.h>
#include <time.h>

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

#define SYSTEM_COLUMNS 6
#define COLUMNS(list)  (list), sizeof(list) / sizeof((list)[0])

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

/* ---- tracking ---- */

static void add_time(struct table *table, const struct json_object *entry)
{
    time_t at_s = (time_t)json_double(entry, "ts", 0);
    struct tm local;
    char text[40] = "";
    if (localtime_r(&at_s, &local)) {
        (void)strftime(text, sizeof(text), "%F %T", &local);
    }
    table_cell(table, text, COLOUR_DIM);
}

static void add_users(struct table *table, const struct json_object *state,
                      struct json_object *users, const struct column *columns)
{
    if (!json_object_is_type(users, json_type_object)) {
        return;
    }
    json_object_object_foreach(users, name, row)
    {
        add_time(table, state);
        table_cell(table, name, COLOUR_BOLD);
        add_numbers(table, row, columns, SYSTEM_COLUMNS);
    }
}

/* A row for each process and for the host, for each interval. */
static struct table *tracksys_table(struct json_object *report)
{
    static const struct column of_pod[SYSTEM_COLUMNS] = {
        {"CORES", "cpu_utilization_cores", DECIMAL, 1},
        {"MiB", "mem_utilization_bytes", DECIMAL, 1.0 / (1024 * 1024)},
        {"NET IN KiB/s", "network_recv_bytes", DECIMAL, 1.0 / 1024},
        {"NET OUT", "network_tran_bytes", DECIMAL, 1.0 / 1024},
        {"DISK READ", "", DECIMAL, 1},
        {"DISK WRITE", "", DECIMAL, 1},
    };
    static const struct column of_node[SYSTEM_COLUMNS] = {
        {NULL, "cpu_cores", DECIMAL, 1},
        {NULL, "mem_active_bytes", DECIMAL, 1.0 / (1024 * 1024)},
        {NULL, "net_recv_bytes", DECIMAL, 1.0 / 1024},
        {NULL, "net_tran_bytes", DECIMAL, 1.0 / 1024},
        {NULL, "disk_read_bytes", DECIMAL, 1.0 / 1024},
        {NULL, "disk_write_bytes", DECIMAL, 1.0 / 1024},
    };
    struct json_object *states = json_member(report, "states", json_type_array);
    struct table *table = table_new();
    table_column(table, "TIME", TABLE_LEFT);
    table_column(table, "OF", TABLE_LEFT);
    add_columns(table, of_pod, SYSTEM_COLUMNS);
    for (size_t i = 0; states && i < json_object_array_length(states); i++) {
        struct json_object *state = json_object_array_get_idx(states, i);
        add_users(table, state, json_member(state, "prometheus", json_type_object), of_pod);
        add_users(table, state, json_member(state, "nodes", json_type_object), of_node);
    }
    return table;
}

/* A row for each action, for each placement. */
static struct table *trackact_table(struct json_object *report)
{
    static const struct column columns[] = {
        {"CALLS", "count", COUNT, 0},
        {"ERRORS", "errors", BAD_COUNT, 0},
        {"MEAN ms", "mean", DECIMAL, 1000},
        {"P50", "p50", DECIMAL, 1000},
        {"P95", "p95", DECIMAL, 1000},
        {"P99", "p99", DECIMAL, 1000},
        {"EXEC ms", "exec", DECIMAL, 1000},
        {"IN KiB", "bytes_in", DECIMAL, 1.0 / 1024},
        {"OUT KiB", "bytes_out", DECIMAL, 1.0 / 1024},
    };
    static const struct column places[] = {{"MODULE", "module", COUNT, 0},
                                           {"REMOTE", "remote", COUNT, 0}};
    struct table *table = table_new();
    table_column(table, "SINCE", TABLE_LEFT);
    table_column(table, "ACTION", TABLE_LEFT);
    add_columns(table, COLUMNS(columns));
    add_columns(table, COLUMNS(places));
    for (size_t i = 0; i < json_object_array_length(report); i++) {
        struct json_object *entry = json_object_array_get_idx(report, i);
        struct json_object *stats = json_member(entry, "actions_stats", json_type_object);
        if (!stats || json_object_object_length(stats) == 0) {
            add_time(table, entry);
            table_cell(table, "(no calls)", COLOUR_DIM);
            add_numbers(table, NULL, COLUMNS(columns));
            add_numbers(table, NULL, COLUMNS(places));
            continue;
        }
        json_object_object_foreach(stats, action, figures)
        {
            add_time(table, entry);
            table_cell(table, action, COLOUR_BOLD);
            add_numbers(table, figures, COLUMNS(columns));
            add_numbers(table, json_member(figures, "places", json_type_object), COLUMNS(places));
        }
    }
    return table;
}

/* ---- which operation has which ---- */

static const struct {
    const char *ops; /* the beginning of their names */
    enum json_type type;
    struct table *(*make)(struct json_object *result);
} TABLES[] = {
    {"jsorc_benchmark_", json_type_object, benchmark_table},
    {"jsorc_actionstracking_", json_type_array, trackact_table},
    {"jsorc_trackact_", json_type_array, trackact_table},
    {"jsorc_tracksys_", json_type_object, tracksys_table},
};

struct table *report_table(const char *op, struct json_object *result)
{
    for (size_t i = 0; i < sizeof(TABLES) / sizeof(TABLES[0]); i++) {
        if (strncmp(op, TABLES[i].ops, strlen(TABLES[i].ops)) == 0 &&
            json_object_is_type(result, TABLES[i].type)) {
            struct table *table = TABLES[i].make(result);
            return table_rows(table) > 0 ? table : table_free(table);
        }
    }
    return NULL;
}
