#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "cli/bench_setup.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/table.h"

#define PAIRS_DEFAULT  5000
#define PAIRS_MAX      1000000 /* 24 MB of samples, a few minutes */
#define WARMUP_DEFAULT 1000
#define BYTES_DEFAULT  16
#define BYTES_MAX      100000

struct samples {
    size_t count;
    double *direct_us;  /* straight to the worker */
    double *through_us; /* through the daemon */
    double *added_us;   /* through - direct, of a pair; may be negative */
};

struct figures {
    double median;
    double p99;
};

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Nearest rank. Sorts the samples. */
static struct figures figures_of(double *samples, size_t count)
{
    qsort(samples, count, sizeof(*samples), compare);
    return (struct figures){.median = samples[count / 2], .p99 = samples[count - 1 - count / 100]};
}

/* A call each way. Which goes first alternates, so that neither has the caches always warm. */
static int measure_pair(struct bench_setup *setup, size_t number, int bytes, uint64_t ret_ns[2],
                        struct err *err)
{
    for (size_t i = 0; i < 2; i++) {
        bool through = (i + number) % 2 == 1;
        struct http_blocking *client = through ? setup->through : setup->direct;
        int failed = bench_call(client, through, bytes, &ret_ns[through], err);
        if (failed) {
            return err_wrap(err, "a call %s failed",
                            through ? "through the daemon" : "to the worker");
        }
    }
    return bench_interrupted() ? err_set(err, EINTR, "interrupted") : 0;
}

static int measure(struct bench_setup *setup, size_t warmup, int bytes, struct samples *samples,
                   struct err *err)
{
    for (size_t i = 0; i < warmup + samples->count; i++) {
        uint64_t ns[2] = {0};
        int failed = measure_pair(setup, i, bytes, ns, err);
        if (failed) {
            return failed;
        }
        if (i >= warmup) {
            size_t at = i - warmup;
            samples->direct_us[at] = (double)ns[0] / 1000;
            samples->through_us[at] = (double)ns[1] / 1000;
            samples->added_us[at] = samples->through_us[at] - samples->direct_us[at];
        }
    }
    return 0;
}

static void add_row(struct table *table, struct json_object *object, const char *name,
                    struct figures figures)
{
    struct json_object *row = json_object_new_object();
    table_cell(table, name, COLOUR_NONE);
    table_cell_format(table, COLOUR_NONE, "%.1f", figures.median);
    table_cell_format(table, COLOUR_NONE, "%.1f", figures.p99);
    json_set_double(row, "median_us", figures.median);
    json_set_double(row, "p99_us", figures.p99);
    json_set(object, name, row);
}

static int report(struct cli *cli, struct samples *samples)
{
    CLEANUP(table_free) struct table *table = table_new();
    CLEANUP(json_put) struct json_object *object = json_object_new_object();
    struct figures direct = figures_of(samples->direct_us, samples->count);
    struct figures through = figures_of(samples->through_us, samples->count);
    struct figures added = figures_of(samples->added_us, samples->count);
    struct figures ratio = {.median = through.median / direct.median,
                            .p99 = through.p99 / direct.p99};
    struct err err = {0};

    table_column(table, "microseconds", TABLE_LEFT);
    table_column(table, "median", TABLE_RIGHT);
    table_column(table, "p99", TABLE_RIGHT);
    json_set_int(object, "pairs", (int64_t)samples->count);
    add_row(table, object, "worker", direct);
    add_row(table, object, "daemon", through);
    add_row(table, object, "added", added);
    table_cell(table, "ratio", COLOUR_NONE);
    table_cell_format(table, COLOUR_NONE, "%.2f", ratio.median);
    table_cell_format(table, COLOUR_NONE, "%.2f", ratio.p99);
    json_set_double(object, "ratio_median", ratio.median);
    json_set_double(object, "ratio_p99", ratio.p99);
    if (cli->output.format == OUTPUT_AUTO) {
        cli->output.format = OUTPUT_TABLE; /* a report is read, also from a file */
    }
    return output_table(&cli->output, table, object, &err) < 0 ? cli_fail(cli, CLI_FAILED, &err)
                                                               : CLI_OK;
}

static int measure_all(struct cli *cli, struct json_object *values, struct samples *samples)
{
    struct bench_setup setup = {0};
    struct err err = {0};
    size_t warmup = (size_t)json_int(values, "warmup", WARMUP_DEFAULT);
    int bytes = (int)json_int(values, "bytes", BYTES_DEFAULT);
    int failed = bench_setup_start(&setup, json_str(values, "python"), &err);
    failed = failed ? failed : measure(&setup, warmup, bytes, samples, &err);
    bench_setup_stop(&setup);
    return failed ? cli_fail(cli, CLI_FAILED, &err) : CLI_OK;
}

static bool in_range(struct json_object *values, const char *name, int64_t fallback, int64_t least,
                     int64_t most)
{
    int64_t number = json_int(values, name, fallback);
    return number >= least && number <= most;
}

static int run(struct cli *cli, struct json_object *values)
{
    if (!in_range(values, "pairs", PAIRS_DEFAULT, 1, PAIRS_MAX) ||
        !in_range(values, "warmup", WARMUP_DEFAULT, 0, PAIRS_MAX) ||
        !in_range(values, "bytes", BYTES_DEFAULT, 1, BYTES_MAX)) {
        return cli_usage(cli, "--pairs and --warmup go up to %d, --bytes to %d", PAIRS_MAX,
                         BYTES_MAX);
    }
    size_t count = (size_t)json_int(values, "pairs", PAIRS_DEFAULT);
    struct samples samples = {.count = count,
                              .direct_us = xcalloc(count, sizeof(double)),
                              .through_us = xcalloc(count, sizeof(double)),
                              .added_us = xcalloc(count, sizeof(double))};
    int status = measure_all(cli, values, &samples);
    if (status == CLI_OK) {
        status = report(cli, &samples);
    }
    free(samples.direct_us);
    free(samples.through_us);
    free(samples.added_us);
    return status;
}

static const struct param PARAMS[] = {
    {.name = "pairs",
     .letter = 'n',
     .type = OP_INT,
     .placeholder = "NUMBER",
     .fallback = "5000",
     .help = "pairs of calls that are measured"},
    {.name = "warmup",
     .type = OP_INT,
     .placeholder = "NUMBER",
     .fallback = "1000",
     .help = "pairs of calls before them"},
    {.name = "bytes",
     .type = OP_INT,
     .placeholder = "NUMBER",
     .fallback = "16",
     .help = "length of the text that is echoed"},
    {.name = "python",
     .placeholder = "PATH",
     .values = VALUES_FILE,
     .help = "interpreter of the workers; default: that of $VIRTUAL_ENV, else python3"},
    {.name = NULL},
};

static const struct example EXAMPLES[] = {
    {"jsorc bench overhead", "A table: worker, daemon, added, ratio."},
    {"jsorc bench overhead -n 50000 -o json", "The same figures for a program."},
    {NULL, NULL},
};

static const struct exit_row EXITS[] = {
    {CLI_OK, "measured"},
    {CLI_FAILED, "a server did not start, or a call failed"},
    {CLI_USAGE, "the command line is wrong"},
    {0, NULL},
};

const struct command COMMAND_BENCH_OVERHEAD = {
    .words = "bench overhead",
    .summary = "Measure what a call through the daemon takes longer than one to the worker",
    .detail =
        "Starts a worker alone and a daemon on this host, both with one Python action that returns "
        "its text, in a temporary folder and on free loopback ports; calls them in turn over TCP, "
        "each by one connection that is kept; ends them and removes the folder. 'added' is made of "
        "the differences within each pair of calls, 'ratio' of the two medians and the two p99. "
        "Nothing that runs already is touched.",
    .params = PARAMS,
    .examples = EXAMPLES,
    .exits = EXITS,
    .offline = true,
    .run = run,
};
