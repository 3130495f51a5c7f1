/* Conditions under which `jsorc loadtest` fails: "p99>20ms". Pure. */
#pragma once

#include <stdbool.h>

struct err;
struct json_object;

struct fail_on {
    const char *metric; /* a member of a cell's summary; borrowed from a table */
    char compare;       /* '<' or '>' */
    bool or_equal;
    double limit; /* in the metric's own unit */
};

/* METRIC OP VALUE [UNIT]: metric mean, p50, p90, p95, p99, p99.9, max (us, ms or s is needed),
 * throughput
 * (/s), errors (%, of all requests), speedup (x; of the mean latency); op < <= > >=. -EINVAL.
 * A speed-up that has a confidence interval meets it only with the whole of that: noise is no
 * reason to fail. */
int fail_on_parse(const char *text, struct fail_on *ret, struct err *err);

/* Whether summary (a cell's) meets the condition. False when it has no such figure. */
bool fail_on_met(const struct fail_on *condition, struct json_object *summary);
