#include "cli/loadtest/run.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "cli/loadtest/stop.h"

/* What a cell costs beside its load: modules are loaded and unloaded. Only for the time left. */
#define CELL_OVERHEAD_S 3.0

struct progress {
    const struct run *run;
    const struct cell *cell;
    size_t repetition; /* from 1 */
    double left_s;     /* of the cells after this one */
    bool terminal;
    bool shown;
};

static double cell_seconds(const struct options *options, const struct cell *cell, size_t number)
{
    double seconds = options->warmup_s + options->duration_s + CELL_OVERHEAD_S;
    if (cell->policy == CELL_ORACLE && number == 0) {
        seconds += (double)(1U << cell->app->module_count) * (options->trial_s * 1.25 + 1);
    }
    return seconds;
}

static void show_progress(void *arg, const char *what, double elapsed_s, double whole_s)
{
    struct progress *progress = arg;
    if (!progress->terminal) {
        return;
    }
    double left_s = fmax(0, whole_s - elapsed_s) + progress->left_s;
    (void)fprintf(stderr, "\r\x1b[K%s %s %zu/%zu: %s, %.0f of %.0f s; %d:%02d left",
                  progress->cell->app->name, progress->cell->key, progress->repetition,
                  progress->run->options->repeat, what, fmin(elapsed_s, whole_s), whole_s,
                  (int)(left_s / 60), (int)left_s % 60);
    (void)fflush(stderr);
    progress->shown = true;
}

static void tell(struct progress *progress)
{
    struct cell *cell = (struct cell *)(uintptr_t)progress->cell;
    if (progress->shown) {
        (void)fprintf(stderr, "\r\x1b[K");
    }
    if (progress->run->quiet || cell->repetitions < progress->repetition) {
        return;
    }
    size_t number = progress->repetition - 1;
    const struct tally *all = &cell->all;
    (void)fprintf(stderr, "%s %s %zu/%zu: %.2f requests/s, mean %.2f ms, p99 %.2f ms",
                  cell->app->name, cell->key, progress->repetition, progress->run->options->repeat,
                  all->throughput[number], all->mean_ms[number], all->p99_ms[number]);
    if (cell_is_live(cell) && isnan(cell->settled.mean_ms[number])) {
        (void)fprintf(stderr, "; not settled");
    } else if (cell_is_live(cell)) {
        (void)fprintf(stderr, "; settled: mean %.2f ms, p99 %.2f ms", cell->settled.mean_ms[number],
                      cell->settled.p99_ms[number]);
    }
    (void)fprintf(stderr, "\n");
}

void run_init(struct run *run, const struct apps *apps, const struct options *options,
              struct bed *bed)
{
    *run = (struct run){.apps = apps, .options = options, .bed = bed};
    run->cells = xcalloc(options->app_count * options->policy_count, sizeof(struct cell));
    for (size_t i = 0; i < options->app_count; i++) {
        for (size_t j = 0; j < options->policy_count; j++) {
            cell_init(&run->cells[run->cell_count++], options->apps[i], options->policies[j],
                      options_key(options, options->policies[j]));
        }
    }
}

void run_done(struct run *run)
{
    for (size_t i = 0; i < run->cell_count; i++) {
        cell_done(&run->cells[i]);
    }
    free(run->cells);
    *run = (struct run){0};
}

/* The index of the i-th measurement: by application, then repetition, then policy. */
static size_t cell_of(const struct options *options, size_t i, size_t *ret_repetition)
{
    size_t app_size = options->repeat * options->policy_count;
    size_t within = i % app_size;
    *ret_repetition = within / options->policy_count;
    return i / app_size * options->policy_count + within % options->policy_count;
}

int run_all(struct run *run, void (*after)(void *arg), void *arg, struct err *err)
{
    const struct options *options = run->options;
    struct progress progress = {.run = run, .terminal = !run->quiet && isatty(STDERR_FILENO)};
    struct cell_context context = {.bed = run->bed,
                                   .apps = run->apps,
                                   .options = options,
                                   .on_progress = show_progress,
                                   .arg = &progress};
    size_t count = run->cell_count * options->repeat, repetition = 0;
    for (size_t i = 0; i < count; i++) {
        progress.left_s +=
            cell_seconds(options, &run->cells[cell_of(options, i, &repetition)], repetition);
    }
    int failed = 0;
    for (size_t i = 0; i < count && !failed && !stop_asked; i++) {
        struct cell *cell = &run->cells[cell_of(options, i, &repetition)];
        progress.cell = cell;
        progress.repetition = repetition + 1;
        progress.left_s -= cell_seconds(options, cell, repetition);
        failed = cell_run(cell, &context, err);
        tell(&progress);
        if (!failed) {
            after(arg);
        }
    }
    return failed;
}
