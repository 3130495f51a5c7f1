/* What formulas say of a placement, where there are too many to simulate. */
#include <math.h>

#include "policy/candidates.h"

#define MVA_STEPS 30 /* of the fixed point; what it gives is only ranked */

double candidate_screen_s(const struct twin_model *model, const double *calls_per_run,
                          placement_t placement)
{
    double demand_s[POLICY_MODULES_MAX + 1], queue[POLICY_MODULES_MAX + 1];
    double pause_s = model->think_s, users = model->users, response_s = 0, hops_s = 0;
    size_t count = 1;
    demand_s[0] = 0;
    for (size_t w = 0; w < model->problem->walker_count; w++) {
        demand_s[0] += model->share[w] * model->own_s[w];
    }
    for (size_t m = 0; m < model->problem->module_count; m++) {
        double calls = calls_per_run[m];
        if (calls <= 0) {
            continue;
        }
        if (placement_local(placement, m)) {
            demand_s[0] += calls * model->exec_s[m][TWIN_LOCAL];
        } else {
            demand_s[count++] = calls * model->exec_s[m][TWIN_REMOTE];
            hops_s += calls * model->hop_s[m];
        }
    }
    if (users < 1) {
        response_s = hops_s;
        for (size_t k = 0; k < count; k++) {
            double load = model->rate_s * demand_s[k];
            response_s += load < 1 ? demand_s[k] / (1 - load) : OVERLOAD_S * load;
        }
        return response_s;
    }
    for (size_t k = 0; k < count; k++) {
        queue[k] = users / (double)count;
    }
    for (int step = 0; step < MVA_STEPS; step++) {
        response_s = hops_s;
        for (size_t k = 0; k < count; k++) {
            response_s += demand_s[k] * (1 + (users - 1) / users * queue[k]);
        }
        double throughput = users / fmax(pause_s + response_s, 1e-9);
        for (size_t k = 0; k < count; k++) {
            queue[k] = throughput * demand_s[k] * (1 + (users - 1) / users * queue[k]);
        }
    }
    return response_s;
}
