#include "policy/watch.h"

#include <math.h>

#define SIGMAS       6.0   /* between base and window: once in 10^8 if the scatter is normal */
#define SCATTER_MIN  0.015 /* of a phase's figure; fewer phases cannot show less */
#define MIX_SHIFT    0.10  /* of all runs, from one walker to others */
#define ERRORS_MIN   5     /* failed runs among the recent ones */
#define ERRORS_SHARE 0.02  /* of the recent runs */
#define ERRORS_FADE  0.7   /* a phase */
#define FAST_WINDOW  3     /* a shift of twice the size is believed after so many phases */
#define FAST_FACTOR  2.0

void watch_init(struct watch *watch, double shift, double errors_known)
{
    *watch = (struct watch){.shift = shift, .errors_known = errors_known};
}

static void base_add(struct watch_series *series, double value)
{
    series->count++;
    double off = value - series->mean;
    series->mean += off / series->count;
    series->squares += off * (value - series->mean);
}

/* The oldest of the window goes to the base. */
static void series_add(struct watch_series *series, double value)
{
    if (!isfinite(value)) {
        return;
    }
    if (series->recent_count == WATCH_WINDOW) {
        base_add(series, series->recent[0]);
        for (size_t i = 1; i < WATCH_WINDOW; i++) {
            series->recent[i - 1] = series->recent[i];
        }
        series->recent_count--;
    }
    series->recent[series->recent_count++] = value;
}

static bool differs(const struct watch_series *series, size_t window, double least)
{
    if (series->count < WATCH_BASE || series->recent_count < window) {
        return false;
    }
    double sum = 0, low = INFINITY;
    for (size_t i = series->recent_count - window; i < series->recent_count; i++) {
        sum += series->recent[i];
    }
    double shift = sum / (double)window - series->mean;
    /* Each phase alone must say so, at least half as loud: one freak phase is no shift. */
    for (size_t i = series->recent_count - window; i < series->recent_count; i++) {
        low = fmin(low, (series->recent[i] - series->mean) * (shift < 0 ? -1 : 1));
    }
    double scatter = fmax(sqrt(series->squares / (series->count - 1)), SCATTER_MIN);
    double error = scatter * sqrt(1.0 / (double)window + 1 / series->count);
    return fabs(shift) > least && fabs(shift) > SIGMAS * error && low > fabs(shift) / 2;
}

static bool has_shifted(const struct watch_series *series, double least)
{
    return differs(series, WATCH_WINDOW, least) ||
           differs(series, FAST_WINDOW, FAST_FACTOR * least);
}

const char *watch_add(struct watch *watch, const struct policy_measurement *seen, double think_s,
                      double phase_s)
{
    double runs = 0;
    double load =
        isnan(think_s) ? seen->throughput_s : seen->throughput_s * (seen->mean_latency_s + think_s);
    series_add(&watch->series[WATCH_LATENCY], log(seen->mean_latency_s));
    series_add(&watch->series[WATCH_LOAD], log(load));
    for (size_t i = 0; i < seen->walker_count; i++) {
        runs += seen->walkers[i].runs;
    }
    for (size_t i = 0; runs > 0 && i < seen->walker_count; i++) {
        series_add(&watch->share[i], seen->walkers[i].runs / runs);
    }
    runs = runs > 0 ? runs : fmax(0, seen->throughput_s * phase_s); /* fmax: NAN is 0 */
    watch->runs = ERRORS_FADE * watch->runs + runs;
    watch->errors = ERRORS_FADE * watch->errors + seen->errors;
    /* What failed before as well is no news, or an outage would make trials for as long as it
     * lasts. */
    double failed = watch->errors / fmax(watch->runs + watch->errors, 1);
    if (watch->errors >= ERRORS_MIN && failed > ERRORS_SHARE + 2 * watch->errors_known) {
        return "errors";
    }
    for (size_t i = 0; i < seen->walker_count; i++) {
        if (has_shifted(&watch->share[i], MIX_SHIFT)) {
            return "mix";
        }
    }
    double least = log1p(watch->shift);
    if (has_shifted(&watch->series[WATCH_LOAD], least)) {
        return "load";
    }
    return has_shifted(&watch->series[WATCH_LATENCY], least) ? "latency" : NULL;
}
