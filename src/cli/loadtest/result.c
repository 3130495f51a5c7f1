#include "cli/loadtest/result.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/json.h"
#include "cli/loadtest/cell.h"
#include "cli/version.h"
#include "load/stats.h"

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
    struct samples *samples = &cell->samples;
    json_set_double(leaf, "throughput",
                    cell->seconds > 0 ? (double)samples->count / cell->seconds : 0);
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
    if (cell->samples.count > 0) {
        json_set(walkers, cell->app->name, leaf_of(cell));
        json_set(walkers, "all", leaf_of(cell));
        json_set(report, "walker_run", walkers);
    } else {
        (void)json_put(walkers);
    }
    return report;
}

/* ---- the summary ---- */

static struct json_object *interval_json(struct stats_interval interval)
{
    struct json_object *object = json_object_new_object();
    json_set_double(object, "value", interval.value);
    json_set_double(object, "low", interval.low);
    json_set_double(object, "high", interval.high);
    return object;
}

static const struct cell *baseline_of(const struct cell *cell, const struct cell *cells,
                                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (cells[i].app == cell->app && cells[i].policy == CELL_ALL_REMOTE) {
            return &cells[i];
        }
    }
    return NULL;
}

/* Above 1 = better than all_remote: its latency over ours, our throughput over its. */
static void add_speed_up(struct json_object *summary, const struct cell *cell,
                         const struct cell *base)
{
    json_set_double(summary, "speed_up", NAN);
    if (!base || base == cell) {
        return;
    }
    size_t pairs = cell->repetitions < base->repetitions ? cell->repetitions : base->repetitions;
    struct stats_interval mean = stats_ratio(base->mean_ms, cell->mean_ms, pairs);
    struct json_object *object = json_object_new_object();
    json_set_double(summary, "speed_up", mean.value);
    json_set(object, "mean", interval_json(mean));
    json_set(object, "throughput",
             interval_json(stats_ratio(cell->throughput, base->throughput, pairs)));
    json_set(object, "p99", interval_json(stats_ratio(base->p99_ms, cell->p99_ms, pairs)));
    json_set(summary, "over_all_remote", object);
}

static struct json_object *summary_of(struct cell *cell, const struct cell *base)
{
    static const struct {
        const char *name;
        double percentile;
    } rows[] = {{"p50_ms", 50}, {"p90_ms", 90},    {"p95_ms", 95},
                {"p99_ms", 99}, {"p999_ms", 99.9}, {"max_ms", 100}};
    struct json_object *summary = json_object_new_object();
    uint64_t requests = requests_of(cell);
    uint64_t errors = requests - cell->outcomes[LOAD_RIGHT];
    json_set_int(summary, "count", (int64_t)cell->samples.count);
    json_set_double(summary, "mean_ms", samples_mean_ms(&cell->samples));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        json_set_double(summary, rows[i].name,
                        samples_percentile(&cell->samples, rows[i].percentile));
    }
    json_set_double(summary, "throughput",
                    cell->seconds > 0 ? (double)cell->samples.count / cell->seconds : NAN);
    json_set_double(summary, "errors_percent",
                    requests > 0 ? 100 * (double)errors / (double)requests : NAN);
    json_set(summary, "mean_of_repetitions",
             interval_json(stats_mean(cell->mean_ms, cell->repetitions)));
    add_speed_up(summary, cell, base);
    return summary;
}

static struct json_object *distribution_of(struct cell *cell)
{
    static const double percentiles[] = {0,  5,  10, 20, 30, 40,   50,   60,   70,    75, 80,
                                         85, 90, 95, 98, 99, 99.5, 99.8, 99.9, 99.99, 100};
    struct json_object *list = json_object_new_array();
    for (size_t i = 0; i < sizeof(percentiles) / sizeof(percentiles[0]); i++) {
        struct json_object *point = json_object_new_array();
        double value = samples_percentile(&cell->samples, percentiles[i]);
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

static const char *const COLUMNS[] = {"seconds", "count",   "errors", "throughput",
                                      "mean_ms", "p50_ms",  "p90_ms", "p95_ms",
                                      "p99_ms",  "p999_ms", "max_ms", "stopped"};

#define COLUMN_COUNT (sizeof(COLUMNS) / sizeof(COLUMNS[0]))

static void csv_cell(void *arg, const char *app, const char *key, struct json_object *cell)
{
    struct buf *out = arg;
    struct json_object *rows = json_member(cell, "repetitions", json_type_array);
    for (size_t i = 0; i < json_object_array_length(rows); i++) {
        struct json_object *row = json_object_array_get_idx(rows, i);
        buf_printf(out, "%s,%s,%zu", app, key, i + 1);
        for (size_t column = 0; column < COLUMN_COUNT; column++) {
            struct json_object *value = NULL;
            (void)json_object_object_get_ex(row, COLUMNS[column], &value);
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
        buf_printf(&out, ",%s", COLUMNS[column]);
    }
    buf_printf(&out, "\n");
    result_each(result, csv_cell, &out);
    char *text = xstrndup(out.data + out.start, buf_size(&out));
    buf_done(&out);
    return text;
}
