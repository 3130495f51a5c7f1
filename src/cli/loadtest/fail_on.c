#include "cli/loadtest/fail_on.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"

#define SPEED_UP "speed_up"

static const struct metric {
    const char *written;
    const char *member;
    const char *unit; /* of the member */
} METRICS[] = {
    {"mean", "mean_ms", "ms"},         {"p50", "p50_ms", "ms"},
    {"p90", "p90_ms", "ms"},           {"p95", "p95_ms", "ms"},
    {"p99", "p99_ms", "ms"},           {"p99.9", "p999_ms", "ms"},
    {"max", "max_ms", "ms"},           {"throughput", "throughput", "/s"},
    {"errors", "errors_percent", "%"}, {"speedup", SPEED_UP, "x"},
};

#define METRIC_COUNT (sizeof(METRICS) / sizeof(METRICS[0]))

/* What a value in that unit is multiplied by; NaN = not a unit of the metric. A time needs one: a
 * build that takes seconds for milliseconds never fails. */
static double factor_of(const struct metric *metric, const char *unit)
{
    static const struct {
        const char *unit;
        double ms;
    } times[] = {{"us", 0.001}, {"ms", 1}, {"s", 1000}};
    bool is_time = strcmp(metric->unit, "ms") == 0;
    if ((*unit == '\0' && !is_time) || strcmp(unit, metric->unit) == 0) {
        return 1;
    }
    for (size_t i = 0; is_time && i < 3; i++) {
        if (strcmp(unit, times[i].unit) == 0) {
            return times[i].ms;
        }
    }
    return NAN;
}

int fail_on_parse(const char *text, struct fail_on *ret, struct err *err)
{
    size_t name_size = strcspn(text, "<> ");
    const char *at = text + name_size + strspn(text + name_size, " ");
    const struct metric *metric = NULL;
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        bool same = strlen(METRICS[i].written) == name_size &&
                    strncmp(METRICS[i].written, text, name_size) == 0;
        metric = same ? &METRICS[i] : metric;
    }
    if (!metric) {
        return err_set(err, EINVAL,
                       "'%s' begins with none of mean, p50, p90, p95, p99, p99.9, max, throughput, "
                       "errors, speedup",
                       text);
    }
    struct fail_on condition = {.metric = metric->member, .compare = *at};
    if (*at != '<' && *at != '>') {
        return err_set(err, EINVAL, "'%s' has no < or > after '%s'", text, metric->written);
    }
    condition.or_equal = at[1] == '=';
    at += condition.or_equal ? 2 : 1;
    char *end = NULL;
    condition.limit = strtod(at, &end);
    if (end == at || !isfinite(condition.limit)) {
        return err_set(err, EINVAL, "'%s' has no number at its end", text);
    }
    const char *unit = end + strspn(end, " ");
    double factor = factor_of(metric, unit);
    if (isnan(factor) && *unit == '\0') {
        return err_set(err, EINVAL, "'%s' has no unit at its end; write us, ms or s, as in '%sms'",
                       text, text);
    }
    if (isnan(factor)) {
        return err_set(err, EINVAL, "'%s' is no unit of '%s', which has %s", unit, metric->written,
                       metric->unit);
    }
    condition.limit *= factor;
    *ret = condition;
    return 0;
}

/* The end of the interval at which the condition is hardest to meet; value without one. */
static double sure_speed_up(struct json_object *summary, char compare, double value)
{
    struct json_object *over = json_member(summary, "over_all_remote", json_type_object);
    struct json_object *mean = json_member(over, "mean", json_type_object);
    return json_double(mean, compare == '<' ? "high" : "low", value);
}

bool fail_on_met(const struct fail_on *condition, struct json_object *summary)
{
    double value = json_double(summary, condition->metric, NAN);
    if (strcmp(condition->metric, SPEED_UP) == 0) {
        value = sure_speed_up(summary, condition->compare, value);
    }
    if (isnan(value)) {
        return false;
    }
    if (condition->or_equal && value == condition->limit) {
        return true;
    }
    return condition->compare == '<' ? value < condition->limit : value > condition->limit;
}
