/* What the adaptive policy has learned: a record for each placement that was measured, and the
 * figures that follow from all of them, as a twin of the system. */
#pragma once

#include <stdbool.h>

#include "policy/problem.h"
#include "policy/twin.h"

#define RECORDS_MAX 96 /* placements measured; the oldest stale one goes for a new one */

struct load {
    double users;   /* NAN = open; of several phases: a mean */
    double think_s; /* their pause */
    double rate_s;  /* requests a second of an open one; NAN = not known */
};

/* Measurements under one placement: means over its phases. */
struct record {
    placement_t placement;
    double phases;       /* that were told; older ones weigh less after a shift */
    double runs, errors; /* sums */
    double latency_s;    /* NAN = only failures */
    double sampled;      /* runs that latency_s is the mean of; 0 = not told */
    double throughput_s; /* NAN = not told */
    bool stale;          /* of before a shift */
    bool void_latency;   /* and of another system: only its service times say something still */
    struct load load;    /* mean over its phases */
    bool barred;         /* could not be placed like this */
    struct policy_action_figures actions[POLICY_MODULES_MAX]; /* calls and errors are sums */
    struct policy_walker_figures walkers[POLICY_WALKERS_MAX];
};

struct learned {
    const struct policy_problem *problem; /* borrowed */
    struct policy_problem shape;          /* owned: walkers with all calls that were seen */
    struct record *records;               /* owned; records[record_count] */
    size_t record_count;
    struct load load; /* now; whole users */

    /* What follows from the records; set by learned_calibrate. */
    struct twin_model model;
    double calls_per_run[POLICY_MODULES_MAX];
    placement_t known[2]; /* modules whose service time was measured: [TWIN_REMOTE], [TWIN_LOCAL] */
    placement_t failing[2];                 /* modules that fail there but not in the other place */
    double hop_known_s[POLICY_MODULES_MAX]; /* NAN = only what the problem says */
    bool wall_clock; /* execution times contain the waiting for others in the same worker */
    size_t nature;   /* which of the hypotheses about workers fits best */
};

void learned_init(struct learned *learned, const struct policy_problem *problem);
void learned_done(struct learned *learned);

/* Books a phase; returns its record, valid until the next one. */
struct record *learned_add(struct learned *learned, placement_t placement,
                           const struct policy_measurement *seen);

/* NULL = was not measured. */
struct record *learned_find(struct learned *learned, placement_t placement);

/* Something has shifted: figures of before weigh less. only_load: the system is the same, so that
 * its latencies still tell how it behaves under the load that it had. */
void learned_age(struct learned *learned, bool only_load);

/* Its latency is worth comparing with the twin's under its load. */
static inline bool record_is_comparable(const struct record *record)
{
    return !record->barred && record->latency_s > 0 && !record->void_latency;
}

void learned_set_load(struct twin_model *model, struct load load);

/* The model under the load and the mix of walkers that record is of: near saturation, two per cent
 * more of the heavy runs make the latency of a phase ten per cent longer, whatever the placement.
 */
void learned_model_of(const struct learned *learned, const struct record *record,
                      struct twin_model *ret_model);

/* problem has changed in place from former: figures go to the modules and walkers of the same
 * names. */
void learned_change(struct learned *learned, const struct policy_problem *former);

/* Makes the model agree with the records, under the hypothesis with which it agrees best. */
void learned_calibrate(struct learned *learned, uint64_t seed);

/* Simulated runs that take about `calls` calls, at least some; fewer where that were more than
 * work_max. Work is calls times modules, for each event looks at all servers: some 7 ns. Counted
 * and not timed, so that the same lines get the same answers on any machine. */
struct twin_effort learned_effort(const struct learned *learned, double calls, double work_max,
                                  uint64_t seed);
double effort_work(const struct learned *learned, const struct twin_effort *effort);

/* Relative variance that its latency has for being a mean of few runs; 0 = not known. */
double record_scatter(const struct record *record);

/* Failed runs / all runs under record; 0 when there were none. */
double record_error_ratio(const struct record *record);
