/* Jobs of the twin that wait for a time, not for a server: a binary heap, the first one on top. */
#pragma once

#include <math.h>
#include <stdint.h>

struct delayed {
    double due_s;
    uint32_t job;
};

struct delays {
    struct delayed *items; /* owned */
    uint32_t count;
};

/* For at most count_max jobs at a time. */
void delays_init(struct delays *delays, uint32_t count_max);
void delays_done(struct delays *delays);

void delays_add(struct delays *delays, uint32_t job, double due_s);

/* When the first one is due; INFINITY = there is none. */
static inline double delays_first_s(const struct delays *delays)
{
    return delays->count ? delays->items[0].due_s : INFINITY;
}

/* Takes the first one out, and returns its job. There must be one. */
uint32_t delays_pop(struct delays *delays);
