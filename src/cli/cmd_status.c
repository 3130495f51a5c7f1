#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/table.h"

#define INTERVAL_DEFAULT_S 2.0
#define INTERVAL_MIN_S     0.1
#define SCREEN_CLEAR       "\x1b[H\x1b[2J\x1b[3J"

static size_t list_count(const struct json_object *list)
{
    return list ? json_object_array_length(list) : 0;
}

static void add_text(struct table *table, const char *text, enum text_colour colour)
{
    table_cell(table, text && *text ? text : "-", text && *text ? colour : COLOUR_DIM);
}

/* A member in milliseconds; "-" when null: nothing was measured yet. */
static void add_ms(struct table *table, const struct json_object *object, const char *name)
{
    double ms = json_double(object, name, -1);
    if (ms < 0) {
        table_cell(table, "-", COLOUR_DIM);
    } else {
        table_cell_format(table, COLOUR_NONE, ms < 10 ? "%.3f" : "%.1f", ms);
    }
}

static void add_kb(struct table *table, int64_t kb)
{
    if (kb <= 0) {
        table_cell(table, "-", COLOUR_DIM);
    } else {
        table_cell_format(table, COLOUR_NONE, "%.1f", (double)kb / 1024);
    }
}

static enum text_colour colour_of(const char *state)
{
    if (state && strcmp(state, "ready") == 0) {
        return COLOUR_GOOD;
    }
    return state && strcmp(state, "failed") == 0 ? COLOUR_BAD : COLOUR_WARN;
}

/* Calls, failed, p50, p99 of an action, or of the walkers. */
static void add_figures(struct table *table, const struct json_object *figures)
{
    int64_t failed = json_int(figures, "failed", 0);
    table_cell_format(table, COLOUR_NONE, "%lld", (long long)json_int(figures, "calls", 0));
    table_cell_format(table, failed ? COLOUR_BAD : COLOUR_NONE, "%lld", (long long)failed);
    add_ms(table, figures, "p50_ms");
    add_ms(table, figures, "p99_ms");
}

/* A row for each action; the module's own columns on the first. */
static void add_module(struct table *table, const struct json_object *module)
{
    const char *state = json_str(module, "state");
    struct json_object *actions = json_member(module, "actions", json_type_object);
    bool first = true;
    struct lh_entry *entry = actions ? json_object_get_object(actions)->head : NULL;
    do {
        if (first) {
            add_text(table, json_str(module, "name"), COLOUR_BOLD);
            add_text(table, json_str(module, "place"), COLOUR_NONE);
            add_text(table, state, colour_of(state));
            add_kb(table, json_int(module, "mem_kb", 0));
        }
        for (int i = 0; !first && i < 4; i++) {
            table_cell(table, "", COLOUR_NONE);
        }
        add_text(table, entry ? lh_entry_k(entry) : NULL, COLOUR_NONE);
        if (entry) {
            add_figures(table, lh_entry_v(entry));
        }
        for (int i = 0; !entry && i < 4; i++) {
            table_cell(table, "-", COLOUR_DIM);
        }
        first = false;
        entry = entry ? entry->next : NULL;
    } while (entry);
}

/* They run in the runtime worker: no place, state or memory of their own. */
static void add_walkers(struct table *table, struct json_object *walkers)
{
    const char *title = "(walkers)";
    json_object_object_foreach(walkers, name, figures)
    {
        table_cell(table, title, COLOUR_NONE);
        for (int i = 0; i < 3; i++) {
            table_cell(table, "", COLOUR_NONE);
        }
        add_text(table, name, COLOUR_NONE);
        add_figures(table, figures);
        title = "";
    }
}

static struct table *make_table(const struct json_object *status)
{
    struct table *table = table_new();
    struct json_object *modules = json_member(status, "modules", json_type_array);
    struct json_object *walkers = json_member(status, "walkers", json_type_object);
    static const char *const left[] = {"MODULE", "PLACE", "STATE"};
    static const char *const right[] = {"CALLS", "FAILED", "P50 ms", "P99 ms"};
    for (size_t i = 0; i < 3; i++) {
        table_column(table, left[i], TABLE_LEFT);
    }
    table_column(table, "MiB", TABLE_RIGHT);
    table_column(table, "ACTION", TABLE_LEFT);
    for (size_t i = 0; i < 4; i++) {
        table_column(table, right[i], TABLE_RIGHT);
    }
    for (size_t i = 0; i < list_count(modules); i++) {
        add_module(table, json_object_array_get_idx(modules, i));
    }
    if (walkers && json_object_object_length(walkers) > 0) {
        add_walkers(table, walkers);
    }
    return table;
}

/* "3 h 12 min" */
static void append_duration(struct buf *out, double seconds)
{
    long whole = (long)seconds;
    if (whole < 120) {
        buf_printf(out, "%ld s", whole);
    } else if (whole < 2 * 3600) {
        buf_printf(out, "%ld min", whole / 60);
    } else if (whole < 2 * 86400) {
        buf_printf(out, "%ld h %ld min", whole / 3600, whole / 60 % 60);
    } else {
        buf_printf(out, "%ld d %ld h", whole / 86400, whole / 3600 % 24);
    }
}

static void append_daemon(struct buf *out, const struct json_object *status)
{
    struct json_object *daemon = json_member(status, "daemon", json_type_object);
    struct json_object *listens = json_member(daemon, "listens", json_type_array);
    const char *version = json_str(daemon, "version");
    buf_printf(out, "jsorc %s, pid %lld, up ", version ? version : "?",
               (long long)json_int(daemon, "pid", 0));
    append_duration(out, json_double(status, "uptime_s", 0));
    for (size_t i = 0; i < list_count(listens); i++) {
        buf_printf(out, "%s%s", i ? ", " : ", listens on ",
                   json_object_get_string(json_object_array_get_idx(listens, i)));
    }
    buf_printf(out, ", %lld moves\n", (long long)json_int(status, "move_count", 0));
}

/* Only where there is something to say: a state that others share. */
static void append_state(struct buf *out, const struct json_object *status)
{
    struct json_object *state = json_member(status, "state", json_type_object);
    const char *error = json_str(state, "error"), *leader = json_str(state, "leader");
    const char *lease_error = json_str(state, "lease_error");
    if (!json_flag(state, "shared", false)) {
        return;
    }
    buf_printf(out, "state %s", json_str(state, "store"));
    if (error) {
        buf_printf(out, ": not reached for ");
        append_duration(out, json_double(state, "error_s", 0));
        buf_printf(out, " (%s); serving goes on, changes wait\n", error);
    } else if (json_flag(state, "leads", false)) {
        buf_printf(out, ", this daemon decides\n");
    } else {
        buf_printf(out, ", %s decides\n", leader ? leader : "nobody yet");
    }
    if (lease_error && !error) {
        buf_printf(out, "lease: %s\n", lease_error);
    }
}

static void append_workers(struct buf *out, const struct json_object *status)
{
    struct json_object *workers = json_member(status, "workers", json_type_array);
    for (size_t i = 0; i < list_count(workers); i++) {
        const struct json_object *worker = json_object_array_get_idx(workers, i);
        const char *name = json_str(worker, "name");
        const char *state = json_str(worker, "state");
        const char *health = json_str(worker, "health");
        const char *access = json_str(worker, "access");
        bool good = !health || strcmp(health, "good") == 0;
        buf_printf(out, "worker %s, pid %lld, %s%s%s%s%s, %.1f MiB, %lld under way\n",
                   name ? name : "?", (long long)json_int(worker, "pid", 0), state ? state : "?",
                   good ? "" : ", ", good ? "" : health, access ? ", access " : "",
                   access ? access : "", (double)json_int(worker, "pss_kb", 0) / 1024,
                   (long long)json_int(worker, "in_flight", 0));
    }
}

/* A module's own words, with its line ends but no escape that would act on the terminal. */
static void append_harmless(struct buf *out, const char *text)
{
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        bool control = (byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7f;
        buf_printf(out, "%c", control ? '?' : *text);
    }
    buf_printf(out, "\n");
}

static void append_services(struct buf *out, const struct json_object *status)
{
    struct json_object *services = json_member(status, "services", json_type_array);
    for (size_t i = 0; i < list_count(services); i++) {
        const struct json_object *service = json_object_array_get_idx(services, i);
        const char *name = json_str(service, "name"), *state = json_str(service, "state");
        const char *provider = json_str(service, "provider"), *error = json_str(service, "error");
        int64_t pid = json_int(service, "pid", 0), restarts = json_int(service, "restarts", 0);
        if (provider && strcmp(provider, "embedded") == 0 && !error) {
            continue; /* a part of the daemon */
        }
        buf_printf(out, "service %s, %s, %s", name ? name : "?", provider ? provider : "?",
                   state ? state : "?");
        if (pid > 0) {
            buf_printf(out, ", pid %lld, %lld restarts", (long long)pid, (long long)restarts);
        }
        if (json_flag(service, "quarantined", false)) {
            buf_printf(out, ", quarantined");
        }
        if (error) {
            buf_printf(out, ": ");
            append_harmless(out, error);
        } else {
            buf_printf(out, "\n");
        }
    }
}

static void append_errors(struct buf *out, const struct json_object *status)
{
    struct json_object *modules = json_member(status, "modules", json_type_array);
    size_t told = 0;
    for (size_t i = 0; i < list_count(modules); i++) {
        const struct json_object *module = json_object_array_get_idx(modules, i);
        const char *error = json_str(module, "error");
        if (error && *error) {
            buf_printf(out, "%s%s: ", told++ ? "" : "\n", json_str(module, "name"));
            append_harmless(out, error);
        }
    }
}

/* The table with the facts about daemon and workers around it, as one text. */
static int show(const struct cli *cli, struct json_object *status, struct err *err)
{
    if (!output_wants_table(&cli->output)) {
        return output_value(&cli->output, status, err);
    }
    struct buf text = {0};
    CLEANUP(table_free) struct table *table = make_table(status);
    append_daemon(&text, status);
    append_state(&text, status);
    append_workers(&text, status);
    append_services(&text, status);
    buf_printf(&text, "\n");
    if (table_rows(table) > 0) {
        table_render(table, cli->output.width, cli->output.colour, &text);
    } else {
        buf_printf(&text, "No module is loaded: 'jsorc actions load local FILE' loads one.\n");
    }
    append_errors(&text, status);
    int failed = output_text(&cli->output, text.data + text.start, buf_size(&text), err);
    buf_done(&text);
    return failed;
}

static int run(struct cli *cli, struct json_object *values)
{
    bool watch = json_flag(values, "watch", false);
    double interval_s = json_double(values, "interval", INTERVAL_DEFAULT_S);
    if (interval_s < INTERVAL_MIN_S || interval_s > 86400) {
        return cli_usage(cli, "--interval is a number of seconds from %g to 86400", INTERVAL_MIN_S);
    }
    for (;;) {
        CLEANUP(json_put) struct json_object *params = json_object_new_object();
        CLEANUP(json_put) struct json_object *result = NULL;
        struct err err = {0};
        int status = cli_op(cli, "jsorc_status", params, &result);
        if (status != CLI_OK) {
            return status;
        }
        if (watch && cli->output.terminal) {
            (void)fputs(SCREEN_CLEAR, stdout);
        }
        if (show(cli, result, &err) < 0) {
            return cli_fail(cli, CLI_FAILED, &err);
        }
        if (!watch || fflush(stdout) != 0) {
            return CLI_OK;
        }
        (void)poll(NULL, 0, (int)(interval_s * 1000));
    }
}

static const struct param PARAMS[] = {
    {.name = "watch",
     .letter = 'w',
     .kind = PARAM_FLAG,
     .type = OP_BOOL,
     .help = "show it again and again, until interrupted"},
    {.name = "interval",
     .letter = 'i',
     .type = OP_FLOAT,
     .placeholder = "SECONDS",
     .fallback = "2",
     .help = "between two looks of --watch"},
    {.name = NULL},
};

static const struct example EXAMPLES[] = {
    {"jsorc status --watch", "A screen that follows."},
    {"jsorc status -o json", "All that the daemon tells, for a program."},
    {NULL, NULL},
};

const struct command COMMAND_STATUS = {
    .words = "status",
    .summary = "Show what is loaded where, and how it does",
    .detail =
        "For each action: where its module is placed and in which state, the memory of the "
        "module in MiB (a pod's own, or what loading added to the runtime worker), calls, "
        "failed calls, median and 99th percentile of a call's time as its caller sees it; "
        "calls of walkers within their process count, too. Then the same of walkers. With "
        "-o json also the last moves, workers and their health. Backing services have a line each.",
    .params = PARAMS,
    .examples = EXAMPLES,
    .run = run,
};
