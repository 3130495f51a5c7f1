/* Figures of one action at one place, added to on the request path without locks. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

struct histogram;

struct call_stats {
    atomic_uint_fast64_t calls;          /* answered, with any status */
    atomic_uint_fast64_t errors;         /* of them: status >= 500, or no answer at all */
    atomic_uint_fast64_t exec_ns;        /* sum of execution times as the worker tells them */
    atomic_uint_fast64_t bytes_in;       /* request bodies */
    atomic_uint_fast64_t bytes_out;      /* answer bodies */
    _Atomic(struct histogram *) latency; /* as the caller sees it; made by the first call */
};

void call_stats_done(struct call_stats *stats);

struct call_sample {
    uint64_t latency_ns;
    uint64_t exec_ns;
    uint64_t bytes_in;
    uint64_t bytes_out;
    int failed; /* 0 or 1; failed calls stay out of the latency */
};

/* Any thread. */
void call_stats_add(struct call_stats *stats, const struct call_sample *sample);
