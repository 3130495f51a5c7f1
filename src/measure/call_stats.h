/* Figures of one series of calls, added to on the request path without locks. They only grow, but
 * for in_flight. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct histogram;

/* Whether an answer with this HTTP status counts as an error: the one rule for actions, walkers and
 * the benchmark. A refusal (4xx) has executed nothing, so its duration says nothing of the action.
 */
static inline bool call_status_failed(int status)
{
    return status >= 400;
}

struct call_stats {
    atomic_uint_fast64_t calls;      /* answered, with any status, or failed */
    atomic_uint_fast64_t errors;     /* of them: call_status_failed, or no answer at all */
    atomic_uint_fast64_t latency_ns; /* sum over the calls without error that are in latency */
    atomic_uint_fast64_t executions; /* calls without error whose worker told how long it took */
    atomic_uint_fast64_t exec_ns;    /* sum of what it told; the rest of latency_ns is the hop */
    atomic_uint_fast64_t nested_ns;  /* of exec_ns: in calls of other actions, which count there */
    atomic_uint_fast64_t bytes_in;   /* request bodies */
    atomic_uint_fast64_t bytes_out;  /* answer bodies */
    atomic_uint in_flight;           /* begun and not ended */
    _Atomic(struct histogram *) latency; /* as the caller sees it; made by the first call. Of calls
                                            timed elsewhere it comes later than the rest */
};

void call_stats_done(struct call_stats *stats);

struct call_sample {
    uint64_t latency_ns;
    uint64_t exec_ns;   /* 0 = not told */
    uint64_t nested_ns; /* at most exec_ns */
    uint64_t bytes_in;
    uint64_t bytes_out;
    int failed;           /* 0 or 1; failed calls stay out of the latency */
    bool timed_elsewhere; /* so does this one: its caller tells it */
};

/* Any thread. */
void call_stats_add(struct call_stats *stats, const struct call_sample *sample);

/* The series' histogram, made if there is none. Borrowed. Any thread. */
struct histogram *call_stats_latency(struct call_stats *stats);
