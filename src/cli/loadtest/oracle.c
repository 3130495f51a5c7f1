#include "cli/loadtest/oracle.h"

#include <math.h>

#define ERRORS_MAX 0.01 /* of the requests; with more a placement is failing */

struct oracle_trial oracle_trial_of(double mean_ms, const uint64_t outcomes[LOAD_OUTCOMES])
{
    double all = 0;
    for (int i = 0; i < LOAD_OUTCOMES; i++) {
        all += (double)outcomes[i];
    }
    double errors = all > 0 ? 1 - (double)outcomes[LOAD_RIGHT] / all : 1;
    return (struct oracle_trial){.mean_ms = mean_ms, .errors = errors};
}

bool oracle_is_better(const struct oracle_trial *a, const struct oracle_trial *b)
{
    bool failing = a->errors > ERRORS_MAX || b->errors > ERRORS_MAX;
    if (failing && a->errors != b->errors) {
        return a->errors < b->errors;
    }
    return a->mean_ms < b->mean_ms || (isnan(b->mean_ms) && !isnan(a->mean_ms));
}
