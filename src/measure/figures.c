#include "measure/figures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "measure/action_stats.h"
#include "measure/histogram.h"

struct figures *figures_new(uint64_t at_ns)
{
    struct figures *figures = xcalloc(1, sizeof(*figures));
    figures->at_ns = at_ns;
    return figures;
}

struct figures *figures_free(struct figures *figures)
{
    for (size_t i = 0; figures && i < figures->count; i++) {
        histogram_free(figures->rows[i].latency);
    }
    if (figures) {
        free(figures->rows);
    }
    free(figures);
    return NULL;
}

static struct figure *append(struct figures *figures)
{
    if (figures->count == figures->room) {
        figures->room = figures->room ? 2 * figures->room : 64;
        figures->rows = xrealloc(figures->rows, figures->room * sizeof(figures->rows[0]));
    }
    return &figures->rows[figures->count++];
}

void figures_add_series(struct figures *figures, const struct figure *names,
                        const struct call_stats *stats)
{
    /* Before the calls, which are counted first: so they are never fewer than the errors. */
    uint64_t errors = atomic_load(&stats->errors);
    uint64_t calls = atomic_load(&stats->calls);
    unsigned in_flight = atomic_load(&stats->in_flight);
    if (calls == 0 && in_flight == 0) {
        return;
    }
    const struct histogram *latency = atomic_load(&stats->latency);
    struct figure *row = append(figures);
    *row = *names;
    row->key = stats;
    row->calls = calls;
    row->errors = errors;
    row->latency_ns = atomic_load(&stats->latency_ns);
    row->executions = atomic_load(&stats->executions);
    row->exec_ns = atomic_load(&stats->exec_ns);
    row->nested_ns = atomic_load(&stats->nested_ns);
    row->bytes_in = atomic_load(&stats->bytes_in);
    row->bytes_out = atomic_load(&stats->bytes_out);
    row->in_flight = in_flight;
    row->latency = histogram_new();
    if (latency) {
        histogram_merge(row->latency, latency);
    }
}

void figures_add(struct figures *figures, const char *module, const char *action, enum place place,
                 const struct action_stats *stats)
{
    struct figure names = {.module = module, .action = action, .place = place};
    figures_add_series(figures, &names, &stats->outside);
    const struct walker_stats *node = NULL;
    while ((node = action_stats_next(stats, node))) {
        names.walker = node->node.name;
        figures_add_series(figures, &names, &node->stats);
    }
}

static void add_up(struct figure *into, const struct figure *row)
{
    into->calls += row->calls;
    into->errors += row->errors;
    into->latency_ns += row->latency_ns;
    into->executions += row->executions;
    into->exec_ns += row->exec_ns;
    into->nested_ns += row->nested_ns;
    into->bytes_in += row->bytes_in;
    into->bytes_out += row->bytes_out;
    into->in_flight += row->in_flight;
    histogram_merge(into->latency, row->latency);
}

static void take_away(struct figure *from, const struct figure *earlier)
{
    from->calls -= earlier->calls;
    from->errors -= earlier->errors;
    /* A failure whose call alone was counted at the earlier moment comes in addition. */
    from->errors = from->errors < from->calls ? from->errors : from->calls;
    from->latency_ns -= earlier->latency_ns;
    from->executions -= earlier->executions;
    from->exec_ns -= earlier->exec_ns;
    from->nested_ns -= earlier->nested_ns;
    from->bytes_in -= earlier->bytes_in;
    from->bytes_out -= earlier->bytes_out;
    histogram_subtract(from->latency, earlier->latency);
}

static int by_key(const void *a, const void *b)
{
    const struct figure *const *left = a, *const *right = b;
    return ((*left)->key > (*right)->key) - ((*left)->key < (*right)->key);
}

/* The rows in the order of their keys; owned by the caller. */
static const struct figure **sorted(const struct figures *figures)
{
    const struct figure **rows = xcalloc(figures->count + 1, sizeof(rows[0]));
    for (size_t i = 0; i < figures->count; i++) {
        rows[i] = &figures->rows[i];
    }
    qsort(rows, figures->count, sizeof(rows[0]), by_key);
    return rows;
}

struct figures *figures_since(const struct figures *later, const struct figures *earlier)
{
    struct figures *difference = figures_new(later->at_ns - earlier->at_ns);
    const struct figure **known = sorted(earlier);
    for (size_t i = 0; i < later->count; i++) {
        const struct figure *row = &later->rows[i];
        const struct figure **before =
            bsearch(&row, known, earlier->count, sizeof(known[0]), by_key);
        if (row->in_flight == 0 && before && (*before)->calls == row->calls) {
            continue;
        }
        struct figure *made = append(difference);
        *made = *row;
        made->latency = histogram_new();
        histogram_merge(made->latency, row->latency);
        if (before) {
            take_away(made, *before);
        }
    }
    free(known);
    return difference;
}

double figure_mean_s(const struct figure *row)
{
    uint64_t count = histogram_count(row->latency);
    return count > 0 ? (double)row->latency_ns / (double)count / 1e9 : NAN;
}

static bool is_of(const char *wanted, const char *name)
{
    return !wanted || strcmp(wanted, name ? name : "") == 0;
}

void figures_sum(const struct figures *figures, const char *action, enum place place,
                 const char *walker, struct figure *ret)
{
    *ret = (struct figure){.place = place, .latency = histogram_new()};
    for (size_t i = 0; i < figures->count; i++) {
        const struct figure *row = &figures->rows[i];
        bool same_action = action ? row->action && strcmp(action, row->action) == 0 : !row->action;
        if (same_action && (place == PLACE_NONE || place == row->place) &&
            is_of(walker, row->walker)) {
            add_up(ret, row);
        }
    }
}
