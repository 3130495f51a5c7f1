/* How much is simulated. */
#include <math.h>

#include "policy/learned.h"

#define RUNS_MIN        100 /* a mean of fewer is noise, unless there is no time for more */
#define WARMUP_SHARE    0.1 /* of the runs, */
#define WARMUP_CROWD    3   /* and so many of each user */
#define OPEN_CROWD      20  /* users that an open load is taken for */
#define EVENTS_PER_CALL 8   /* own code before it, hop, call, chance; twice, for loops that vary */

static double calls_of_run(const struct learned *learned)
{
    double calls = 1;
    for (size_t m = 0; m < learned->problem->module_count; m++) {
        calls += learned->calls_per_run[m];
    }
    return calls;
}

static struct twin_effort of_runs(const struct learned *learned, double runs, double warmup_runs,
                                  uint64_t seed)
{
    double calls = (runs + warmup_runs) * calls_of_run(learned);
    return (struct twin_effort){.seed = seed,
                                .warmup_runs = (uint32_t)warmup_runs,
                                .runs = (uint32_t)runs,
                                .time_max_s = INFINITY,
                                .events_max = EVENTS_PER_CALL * calls,
                                .stop = learned->problem->stop};
}

struct twin_effort learned_effort(const struct learned *learned, double calls, double work_max,
                                  uint64_t seed)
{
    double users = learned->load.users;
    double in_flight = isnan(users) ? OPEN_CROWD : fmin(users, TWIN_USERS_MAX);
    double runs = fmin(fmax(calls / calls_of_run(learned), RUNS_MIN), TWIN_RUNS_MAX / 2.0);
    double warmup_runs = runs * WARMUP_SHARE + WARMUP_CROWD * in_flight;
    struct twin_effort effort = of_runs(learned, runs, warmup_runs, seed);
    double work = effort_work(learned, &effort);
    if (work <= work_max) {
        return effort;
    }
    double share = work_max / work;
    return of_runs(learned, fmax(runs * share, 1), warmup_runs * share, seed);
}

double effort_work(const struct learned *learned, const struct twin_effort *effort)
{
    double runs = (double)effort->warmup_runs + effort->runs;
    return runs * calls_of_run(learned) * (double)learned->problem->module_count;
}
