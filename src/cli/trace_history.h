/* What a trace has measured, by the placement under which it was measured. */
#pragma once

#include "cli/trace.h"

struct err;

struct measured {
    placement_t placement;    /* of the history's problem */
    struct json_object *told; /* the measurement; owned */
    size_t line;              /* of the trace */
    bool used;                /* for whoever plays it */
};

struct trace_history {
    struct policy_problem problem; /* the last one told; owned */
    struct json_object *told;      /* the same, as it was told; owned */
    struct measured *items;        /* owned; items[count], oldest first */
    size_t count;
};

/* Measurements of before the last problem count as far as they are of all its modules. 0, or
 * -ENODATA: the trace tells no problem; -EINVAL: one that cannot be read. */
int trace_history_read(const struct trace *trace, struct trace_history *ret_history,
                       struct err *err);
void trace_history_done(struct trace_history *history);

/* The mean of the latencies measured under placement, from line `since` on, and how many they are;
 * NAN without any. */
double trace_history_latency_s(const struct trace_history *history, placement_t placement,
                               size_t since, size_t *ret_phases);

/* The placement that names modules as history's problem does; false = it does not name them all. */
bool trace_history_placement(const struct trace_history *history, struct json_object *placement,
                             placement_t *ret_placement);
