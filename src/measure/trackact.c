#include "measure/trackact.h"

#include <math.h>

#include "base/alloc.h"
#include "base/json.h"
#include "measure/figures.h"
#include "measure/histogram.h"
#include "measure/history.h"

struct placement {
    int64_t unix_ms;           /* its begin */
    struct json_object *state; /* a reference; NULL = not told */
};

struct trackact {
    struct history closed;
    struct placement open; /* the one whose entry grows */
    struct figures *base;  /* at its begin; owned */
    /* Began after it, and wait for the figures at their begin: a second at the most. */
    struct placement *coming; /* coming[coming_count]; owned */
    size_t coming_count;
};

struct trackact *trackact_new(int64_t unix_ms, struct figures *figures)
{
    struct trackact *trackact = xcalloc(1, sizeof(*trackact));
    trackact->open.unix_ms = unix_ms; /* the original's first one has no state */
    trackact->base = figures;
    return trackact;
}

static void forget_coming(struct trackact *trackact)
{
    free(trackact->coming);
    trackact->coming = NULL;
    trackact->coming_count = 0;
}

struct trackact *trackact_free(struct trackact *trackact)
{
    if (trackact) {
        history_done(&trackact->closed);
        (void)json_put(trackact->open.state);
        for (size_t i = 0; i < trackact->coming_count; i++) {
            (void)json_put(trackact->coming[i].state);
        }
        forget_coming(trackact);
        figures_free(trackact->base);
    }
    free(trackact);
    return NULL;
}

/* ---- figures of one entry ---- */

static double mean_s(uint64_t sum_ns, uint64_t count)
{
    return count > 0 ? (double)sum_ns / (double)count / 1e9 : NAN;
}

static double quantile_s(const struct figure *sum, double share)
{
    return histogram_count(sum->latency) > 0 ? histogram_quantile(sum->latency, share) / 1e9 : NAN;
}

static uint64_t calls_at(const struct figures *grown, const char *action, enum place place)
{
    struct figure sum;
    figures_sum(grown, action, place, NULL, &sum);
    histogram_free(sum.latency);
    return sum.calls;
}

static struct json_object *stats_of(const struct figures *grown, const char *action,
                                    const struct figure *sum)
{
    struct json_object *stats = json_object_new_object();
    struct json_object *places = json_object_new_object();
    json_set_int(stats, "count", (int64_t)sum->calls);
    json_set_int(stats, "errors", (int64_t)sum->errors);
    json_set_double(stats, "mean", figure_mean_s(sum));
    json_set_double(stats, "p50", quantile_s(sum, 0.5));
    json_set_double(stats, "p95", quantile_s(sum, 0.95));
    json_set_double(stats, "p99", quantile_s(sum, 0.99));
    json_set_double(stats, "exec", mean_s(sum->exec_ns, sum->executions));
    json_set_int(stats, "bytes_out", (int64_t)sum->bytes_out);
    json_set_int(stats, "bytes_in", (int64_t)sum->bytes_in);
    json_set_int(places, "module", (int64_t)calls_at(grown, action, PLACE_MODULE));
    json_set_int(places, "remote", (int64_t)calls_at(grown, action, PLACE_REMOTE));
    json_set(stats, "places", places);
    return stats;
}

/* The entry of a placement: what the actions did between base and figures. Owned by the caller. */
static struct json_object *entry_of(const struct placement *placement, const struct figures *base,
                                    const struct figures *figures)
{
    struct json_object *entry = json_object_new_object();
    json_set_double(entry, "ts", (double)placement->unix_ms / 1000);
    if (placement->state) {
        json_set(entry, "actions_state", json_ref(placement->state));
    }
    struct json_object *calls = json_object_new_object(), *stats = json_object_new_object();
    CLEANUP(figures_free) struct figures *grown = figures_since(figures, base);
    for (size_t i = 0; i < grown->count; i++) {
        const char *action = grown->rows[i].action;
        struct figure sum;
        if (!action || json_object_object_get_ex(stats, action, NULL)) {
            continue; /* a walker's run, or another series of an action that is done */
        }
        figures_sum(grown, action, PLACE_NONE, NULL, &sum);
        if (histogram_count(sum.latency) > 0) { /* the original counts what went well */
            json_set_double(calls, action, figure_mean_s(&sum));
        }
        if (sum.calls > 0) {
            json_set(stats, action, stats_of(grown, action, &sum));
        }
        histogram_free(sum.latency);
    }
    json_set(entry, "actions_calls", calls);
    json_set(entry, "actions_stats", stats);
    return entry;
}

/* ---- the history ---- */

void trackact_change(struct trackact *trackact, int64_t unix_ms, struct json_object *state)
{
    size_t count = ++trackact->coming_count;
    trackact->coming = xrealloc(trackact->coming, count * sizeof(trackact->coming[0]));
    trackact->coming[count - 1] = (struct placement){unix_ms, json_ref(state)};
}

void trackact_settle(struct trackact *trackact, struct figures *figures)
{
    /* Of changes that came together, all but the last lasted for no call. */
    for (size_t i = 0; i < trackact->coming_count; i++) {
        CLEANUP(json_put)
        struct json_object *entry =
            entry_of(&trackact->open, i == 0 ? trackact->base : figures, figures);
        history_add(&trackact->closed, entry, TRACKACT_ENTRIES_MAX - 1, TRACKACT_BYTES_MAX);
        (void)json_put(trackact->open.state);
        trackact->open = trackact->coming[i];
    }
    if (trackact->coming_count > 0) {
        struct figures *former = trackact->base;
        trackact->base = figures;
        figures = former;
    }
    forget_coming(trackact);
    figures_free(figures);
}

struct json_object *trackact_report(const struct trackact *trackact, const struct figures *figures)
{
    struct json_object *report = json_object_new_array();
    history_copy(&trackact->closed, report);
    (void)json_object_array_add(report, entry_of(&trackact->open, trackact->base, figures));
    if (trackact->closed.dropped > 0) {
        json_set_int(json_object_array_get_idx(report, 0), "dropped",
                     (int64_t)trackact->closed.dropped);
    }
    return report;
}
