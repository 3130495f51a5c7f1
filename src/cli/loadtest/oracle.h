/* Which of the placements that were tried is the best one. Pure. */
#pragma once

#include <stdbool.h>

#include "load/result.h"

struct oracle_trial {
    double mean_ms; /* of right answers; NAN = there were none */
    double errors;  /* share of the requests, 0..1; 1 = there were none */
};

/* mean_ms is of the right ones among them. */
struct oracle_trial oracle_trial_of(double mean_ms, const uint64_t outcomes[LOAD_OUTCOMES]);

/* First the share of errors: what fails fast is not fast. Up to 1 % of the requests are not held
 * against a placement, as in evaluation. */
bool oracle_is_better(const struct oracle_trial *a, const struct oracle_trial *b);
