/* Latencies with the times at which their requests were due, so that a part of a measurement can be
 * told by itself once it is known which one matters. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct samples;

/* 32 MB; five hours of 200 requests a second. What comes later is not in the part. */
#define TIMELINE_MAX 4000000

struct timed {
    float due_s;
    float latency_ms; /* to 10^-7 of it */
};

struct timeline {
    struct timed *items; /* owned; in the order of the answers */
    size_t count;
    size_t capacity;
};

void timeline_add(struct timeline *timeline, double due_s, uint64_t latency_ns);
void timeline_done(struct timeline *timeline);

/* Adds to samples the latencies of requests that were due in [from_s, to_s). */
void timeline_part(const struct timeline *timeline, double from_s, double to_s,
                   struct samples *samples);
