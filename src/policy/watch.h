/* Watches the kept placement, phase by phase, for evidence that things are no longer what they were
 * when it was chosen. It is slow to believe: a shift must be large, must stand out of the phases'
 * own scatter, and must last. */
#pragma once

#include <stdbool.h>

#include "policy/problem.h"

#define WATCH_WINDOW 6 /* phases that a shift is judged by */
#define WATCH_BASE   6 /* phases before it that are the least to compare with */

enum watch_figure {
    WATCH_LATENCY, /* log of the mean latency */
    WATCH_LOAD,    /* log of the requests under way or thinking; of the rate if that is unknown */
    WATCH_FIGURES,
};

struct watch_series {            /* of one figure, in the order of phases */
    double mean, squares, count; /* of the base: Welford's running mean and sum of squares */
    double recent[WATCH_WINDOW];
    size_t recent_count;
};

struct watch {
    double shift;        /* relative change that matters */
    double errors_known; /* share of the runs that failed when it was chosen */
    struct watch_series series[WATCH_FIGURES];
    struct watch_series share[POLICY_WALKERS_MAX]; /* of the runs */
    double runs, errors;                           /* of the recent phases, fading */
};

void watch_init(struct watch *watch, double shift, double errors_known);

/* Books a phase; returns what has shifted: "latency", "load", "mix", "errors"; NULL = nothing.
 * think_s: NAN = the load is not closed. */
const char *watch_add(struct watch *watch, const struct policy_measurement *seen, double think_s,
                      double phase_s);
