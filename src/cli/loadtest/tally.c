#include "cli/loadtest/tally.h"

#include <math.h>

#include "base/json.h"

void tally_init(struct tally *tally)
{
    *tally = (struct tally){.seconds = 0};
    samples_init(&tally->samples);
    for (size_t i = 0; i < REPEAT_MAX; i++) {
        tally->mean_ms[i] = tally->p99_ms[i] = tally->throughput[i] = NAN;
    }
}

void tally_done(struct tally *tally)
{
    samples_done(&tally->samples);
}

static double rate_of(const struct samples *samples, double seconds)
{
    return seconds > 0 ? (double)samples->count / seconds : NAN;
}

void tally_add(struct tally *tally, size_t number, struct samples *samples, double seconds)
{
    tally->mean_ms[number] = samples_mean_ms(samples);
    tally->p99_ms[number] = samples_percentile(samples, 99);
    tally->throughput[number] = rate_of(samples, seconds);
    tally->seconds += seconds;
    samples_merge(&tally->samples, samples);
}

void tally_write(struct samples *samples, double seconds, struct json_object *object)
{
    static const struct {
        const char *name;
        double percentile;
    } rows[] = {{"p50_ms", 50}, {"p90_ms", 90},    {"p95_ms", 95},
                {"p99_ms", 99}, {"p999_ms", 99.9}, {"max_ms", 100}};
    json_set_int(object, "count", (int64_t)samples->count);
    json_set_double(object, "seconds", seconds);
    json_set_double(object, "throughput", rate_of(samples, seconds));
    json_set_double(object, "mean_ms", samples_mean_ms(samples));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        json_set_double(object, rows[i].name, samples_percentile(samples, rows[i].percentile));
    }
}

static struct json_object *interval_json(struct stats_interval interval)
{
    struct json_object *object = json_object_new_object();
    json_set_double(object, "value", interval.value);
    json_set_double(object, "low", interval.low);
    json_set_double(object, "high", interval.high);
    return object;
}

void tally_write_mean(const struct tally *tally, size_t repetitions, struct json_object *object)
{
    double means[REPEAT_MAX];
    size_t count = 0;
    for (size_t i = 0; i < repetitions; i++) {
        if (!isnan(tally->mean_ms[i])) {
            means[count++] = tally->mean_ms[i];
        }
    }
    json_set(object, "mean_of_repetitions", interval_json(stats_mean(means, count)));
}

void tally_write_speed_up(const struct tally *tally, const struct tally *base, size_t repetitions,
                          struct json_object *object)
{
    json_set_double(object, "speed_up", NAN);
    if (!base) {
        return;
    }
    struct stats_interval mean = stats_ratio(base->mean_ms, tally->mean_ms, repetitions);
    struct json_object *over = json_object_new_object();
    json_set_double(object, "speed_up", mean.value);
    json_set(over, "mean", interval_json(mean));
    json_set(over, "throughput",
             interval_json(stats_ratio(tally->throughput, base->throughput, repetitions)));
    json_set(over, "p99", interval_json(stats_ratio(base->p99_ms, tally->p99_ms, repetitions)));
    json_set(object, "over_all_remote", over);
}
