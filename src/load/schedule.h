/* When the requests of an open load are to be sent: fixed beforehand, whatever the server does.
 * Pure: times are arguments. Owned by generator.c. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct load_schedule {
    uint64_t start_ns;
    double interval_ns; /* mean time between two */
    bool poisson;
    uint64_t random;  /* state of the generator */
    uint64_t count;   /* times given so far */
    double offset_ns; /* of the next one from start_ns */
};

/* rate_per_s > 0. Constant: one each 1 / rate. Poisson: gaps are exponential with that mean, as of
 * many users that know nothing of each other. The same seed gives the same times. */
void load_schedule_init(struct load_schedule *schedule, uint64_t start_ns, double rate_per_s,
                        bool poisson, uint64_t seed);

/* The next time, monotonic ns; never before the last one. */
uint64_t load_schedule_next(struct load_schedule *schedule);

/* Uniform in [0, 1). */
double load_random_unit(uint64_t *state);
