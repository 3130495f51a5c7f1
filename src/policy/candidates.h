/* Placements worth a look, and what is expected of each: the twin's prediction, corrected by what
 * it got wrong where that is known. */
#pragma once

#include "policy/krige.h"
#include "policy/learned.h"

#define OVERLOAD_S     1e6 /* latency that stands for a queue that grows for ever */
#define CANDIDATES_MAX 128 /* all of 7 modules; of more, those that formulas find the best */

struct candidate {
    placement_t placement;
    double screened_s; /* by formulas; optimistic */
    double log_s;      /* log of the twin's mean latency */
    double hope;       /* how much lower log_s is if unmeasured sides are as fast as hoped */
    bool measured;     /* in the present load */
    double measured_s; /* mean latency, if it was */
    bool gamble;       /* has modules where they were never measured */
    /* The expectation of the logarithm and its standard deviation, all things considered. */
    double mean, deviation;
};

struct candidates {
    size_t count;
    struct candidate items[CANDIDATES_MAX];
    struct krige krige;
};

struct candidate_rules {
    placement_t held;     /* where uncalled modules may as well stay */
    placement_t never[2]; /* modules that must not be: [TWIN_REMOTE], [TWIN_LOCAL] */
    double optimism;      /* service time on an unmeasured side / what is likely, 0..1 */
    uint64_t seed;
};

/* All that is feasible, as far as CANDIDATES_MAX goes, with what is measured among it. At least one
 * item unless the rules forbid everything. learned is calibrated. */
void candidates_make(const struct learned *learned, const struct candidate_rules *rules,
                     struct candidates *ret_candidates);

/* Mean latency by mean-value analysis (Schweitzer's approximation for closed loads, M/M/1 queues
 * for open ones): wrong by ten per cent and more, but takes a microsecond. Schweitzer, "Approximate
 * analysis of multiclass closed networks of queues", 1979; Lazowska et al., "Quantitative System
 * Performance", 1984, ch. 6. */
double candidate_screen_s(const struct twin_model *model, const double *calls_per_run,
                          placement_t placement);
