#include "cli/loadtest/result.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/json.h"
#include "cli/loadtest/cell.h"
#include "cli/version.h"

static uint64_t requests_of(const struct cell *cell)
{
    uint64_t count = 0;
    for (int i = 0; i < LOAD_OUTCOMES; i++) {
        count += cell->outcomes[i];
    }
    return count;
}

/* ---- walker_level: the benchmark's report ---- */

static struct json_object *leaf_of(struct cell *cell)
{
    struct json_object *leaf = json_object_new_object();
    struct samples *samples = &cell->all.samples;
    double seconds = cell->all.seconds;
    json_set_double(leaf, "throughput", seconds > 0 ? (double)samples->count / seconds : 0);
    json_set_double(leaf, "average_latency", samples_mean_ms(samples));
    json_set_double(leaf, "50th_latency", samples_percentile(samples, 50));
    json_set_double(leaf, "90th_latency", samples_percentile(samples, 90));
    json_set_double(leaf, "95th_latency", samples_percentile(samples, 95));
    json_set_double(leaf, "99th_latency", samples_percentile(samples, 99));
    json_set_double(leaf, "999th_latency", samples_percentile(samples, 99.9));
    json_set_double(leaf, "min_latency", samples->min_ms);
    json_set_double(leaf, "max_latency", samples->max_ms);
    json_set_int(leaf, "count", (int64_t)samples->count);
    json_set_int(leaf, "errors", (int64_t)(requests_of(cell) - cell->outcomes[LOAD_RIGHT]));
    if (samples_approx(samples)) {
        json_set_bool(leaf, "approx", true);
    }
    return leaf;
}

static struct json_object *walker_level(struct cell *cell)
{
    struct json_object *report = json_object_new_object();
    struct json_object *walkers = json_object_new_object();
    if (cell->all.samples.count > 0) {
        json_set(walkers, cell->app->name, leaf_of(cell));
        json_set(walkers, "all", leaf_of(cell));
        json_set(report, "walker_run", walkers);
    } else {
        (void)json_put(walkers);
    }
    return report;
}

/* ---- the summary ---- */

static const struct cell *baseline_of(const struct cell *cell, const struct cell *cells,
                                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (cells[i].app == cell->app && cells[i].policy == CELL_ALL_REMOTE && &cells[i] != cell) {
            return &cells[i];
        }
    }
    return NULL;
}

/* Of a live policy: how many phases it took, and what users had from it afterwards. */
static void add_live(struct json_object *summary, struct cell *cell, const struct cell *base)
{
    double repetitions = (double)cell->repetitions;
    struct json_object *settled = NULL;
    json_set_double(summary, "phases", cell->phases / repetitions);
    json_set_double(summary, "trials", cell->trials / repetitions);
    if (cell->settled_count > 0) {
        settled = json_object_new_object();
        json_set_int(settled, "repetitions", (int64_t)cell->settled_count);
        tally_write(&cell->settled.samples, cell->settled.seconds, settled);
        tally_write_mean(&cell->settled, cell->repetitions, settled);
        tally_write_speed_up(&cell->settled, base ? &base->all : NULL, cell->repetitions, settled);
    }
    json_set(summary, "settled", settled); /* null: it never settled */
}

static struct json_object *summary_of(struct cell *cell, const struct cell *base)
{
    struct json_object *summary = json_object_new_object();
    uint64_t requests = requests_of(cell);
    uint64_t errors = requests - cell->outcomes[LOAD_RIGHT];
    tally_write(&cell->all.samples, cell->all.seconds, summary);
    json_set_double(summary, "errors_percent",
                    requests > 0 ? 100 * (double)errors / (double)requests : NAN);
    tally_write_mean(&cell->all, cell->repetitions, summary);
    tally_write_speed_up(&cell->all, base ? &base->all : NULL, cell->repetitions, summary);
    if (cell_is_live(cell)) {
        add_live(summary, cell, base);
    }
    return summary;
}

static struct json_object *distribution_of(struct cell *cell)
{
    static const double percentiles[] = {0,  5,  10, 20, 30, 40,   50,   60,   70,    75, 80,
                                         85, 90, 95, 98, 99, 99.5, 99.8, 99.9, 99.99, 100};
    struct json_object *list = json_object_new_array();
    for (size_t i = 0; i < sizeof(percentiles) / sizeof(percentiles[0]); i++) {
        struct json_object *point = json_object_new_array();
        double value = samples_percentile(&cell->all.samples, percentiles[i]);
        if (isnan(value)) {
            (void)json_put(point);
            break;
        }
        (void)json_object_array_add(point, json_object_new_double(percentiles[i]));
        (void)json_object_array_add(point, json_object_new_double(value));
        (void)json_object_array_add(list, point);
    }
    return list;
}

static struct json_object *cell_json(const struct options *options, struct cell *cell,
                                     const struct cell *base)
{
    struct json_object *object = json_object_new_object(), *errors = json_object_new_object();
    for (int i = 0; i < LOAD_OUTCOMES; i++) {
        if (i != LOAD_RIGHT) {
            json_set_int(errors, load_outcome_text(i), (int64_t)cell->outcomes[i]);
        }
    }
    json_set(object, "walker_level", walker_level(cell));
    json_set(object, "action_level", json_ref(cell->action_level));
    json_set_int(object, "clients", options->clients);
    json_set(object, "errors", errors);
    json_set(object, "decisions", json_ref(cell->decisions));
    json_set(object, "summary", summary_of(cell, base));
    json_set(object, "repetitions", json_ref(cell->rows));
    json_set(object, "distribution", distribution_of(cell));
    if (cell->tried) {
        json_set(object, "tried", json_ref(cell->tried));
    }
    return object;
}

static struct json_object *config_json(const struct options *options, struct json_object *machine,
                                       bool interrupted)
{
    struct json_object *config = json_object_new_object();
    json_set(config, "machine", json_ref(machine));
    json_set_str(config, "version", JSORC_VERSION);
    json_set_str(config, "loop", options->rate_per_s > 0 ? "open" : "closed");
    json_set_int(config, "clients", options->clients);
    json_set_double(config, "rate", options->rate_per_s);
    json_set_bool(config, "poisson", options->poisson);
    json_set_double(config, "think", options->think_s);
    json_set_int(config, "seed", (int64_t)options->seed);
    json_set_int(config, "repeat", (int64_t)options->repeat);
    json_set_double(config, "experiment_duration", options->duration_s);
    json_set_double(config, "warmup", options->warmup_s);
    json_set_double(config, "eval_phase", options->eval_phase_s);
    json_set_double(config, "perf_phase", options->perf_phase_s);
    json_set_double(config, "mem", options->mem_gib);
    json_set_str(config, "variant", options->scale.variant);
    json_set_double(config, "time_scale", options->scale.time);
    json_set_double(config, "memory_scale", options->scale.memory);
    json_set_bool(config, "interrupted", interrupted);
    return config;
}

struct json_object *result_json(const struct options *options, struct cell *cells, size_t count,
                                struct json_object *machine, bool interrupted)
{
    struct json_object *result = json_object_new_object();
    for (size_t i = 0; i < count; i++) {
        struct cell *cell = &cells[i];
        if (cell->repetitions == 0) {
            continue;
        }
        struct json_object *app = json_member(result, cell->app->name, json_type_object);
        if (!app) {
            app = json_object_new_object();
            json_set(result, cell->app->name, app);
        }
        json_set(app, cell->key, cell_json(options, cell, baseline_of(cell, cells, count)));
    }
    json_set(result, "config", config_json(options, machine, interrupted));
    return result;
}

void result_each(struct json_object *result,
                 void (*fn)(void *arg, const char *app, const char *key, struct json_object *cell),
                 void *arg)
{
    json_object_object_foreach(result, app, cells)
    {
        if (strcmp(app, "config") == 0) {
            continue;
        }
        json_object_object_foreach(cells, key, cell)
        {
            fn(arg, app, key, cell);
        }
    }
}

/* ---- CSV ---- */

/* of: NULL = of the repetition itself; a column is empty where there is no such figure. */
static const struct {
    const char *title, *of, *member;
} COLUMNS[] = {
    {"seconds", NULL, "seconds"},
    {"count", NULL, "count"},
    {"errors", NULL, "errors"},
    {"throughput", NULL, "throughput"},
    {"mean_ms", NULL, "mean_ms"},
    {"p50_ms", NULL, "p50_ms"},
    {"p90_ms", NULL, "p90_ms"},
    {"p95_ms", NULL, "p95_ms"},
    {"p99_ms", NULL, "p99_ms"},
    {"p999_ms", NULL, "p999_ms"},
    {"max_ms", NULL, "max_ms"},
    {"stopped", NULL, "stopped"},
    {"phases", NULL, "phases"},
    {"trials", NULL, "trials"},
    {"settled_from_s", "settled", "from_s"},
    {"settled_count", "settled", "count"},
    {"settled_throughput", "settled", "throughput"},
    {"settled_mean_ms", "settled", "mean_ms"},
    {"settled_p50_ms", "settled", "p50_ms"},
    {"settled_p99_ms", "settled", "p99_ms"},
};

#define COLUMN_COUNT (sizeof(COLUMNS) / sizeof(COLUMNS[0]))

static void csv_cell(void *arg, const char *app, const char *key, struct json_object *cell)
{
    struct buf *out = arg;
    struct json_object *rows = json_member(cell, "repetitions", json_type_array);
    for (size_t i = 0; i < json_object_array_length(rows); i++) {
        struct json_object *row = json_object_array_get_idx(rows, i);
        buf_printf(out, "%s,%s,%zu", app, key, i + 1);
        for (size_t column = 0; column < COLUMN_COUNT; column++) {
            const char *of = COLUMNS[column].of;
            struct json_object *from = of ? json_member(row, of, json_type_object) : row;
            struct json_object *value = NULL;
            (void)json_object_object_get_ex(from, COLUMNS[column].member, &value);
            buf_printf(out, ",%s", value ? json_object_get_string(value) : "");
        }
        buf_printf(out, "\n");
    }
}

char *result_csv(struct json_object *result)
{
    struct buf out = {0};
    buf_printf(&out, "application,policy,repetition");
    for (size_t column = 0; column < COLUMN_COUNT; column++) {
        buf_printf(&out, ",%s", COLUMNS[column].title);
    }
    buf_printf(&out, "\n");
    result_each(result, csv_cell, &out);
    char *text = xstrndup(out.data + out.start, buf_size(&out));
    buf_done(&out);
    return text;
}
