/* Numbers that look random and are a pure function of what they are for, so that two placements
 * are simulated with the same luck (common random numbers) and a replay is the same to the bit. */
#pragma once

#include <stdint.h>

#include "base/random.h"

/* The number for `what` (any coordinates, mixed by the caller) under a seed. */
static inline uint64_t random_at(uint64_t seed, uint64_t what)
{
    return random_mix(seed ^ random_mix(what));
}

/* In (0, 1). */
static inline double random_unit(uint64_t bits)
{
    return ((double)(bits >> 11) + 0.5) * 0x1p-53;
}

/* A stream, for generators that draw one after the other. */
struct random {
    uint64_t seed, count;
};

static inline double random_next(struct random *random)
{
    return random_unit(random_at(random->seed, random->count++));
}

static inline double random_between(struct random *random, double low, double high)
{
    return low + (high - low) * random_next(random);
}

/* Standard normal. */
double random_normal(struct random *random);

/* The value that a standard normal number is below with probability p, in (0, 1). Relative error
 * below 1.2e-9: P. J. Acklam's rational approximation. */
double random_normal_quantile(double p);
