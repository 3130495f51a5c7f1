/* Random numbers for what has no secrets: SplitMix64 (Steele, Lea and Flood, "Fast splittable
 * pseudorandom number generators", OOPSLA 2014). */
#pragma once

#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>

#define RANDOM_STEP UINT64_C(0x9e3779b97f4a7c15)

/* A pure function of x that looks random. */
static inline uint64_t random_mix(uint64_t x)
{
    x += RANDOM_STEP;
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* The next 64 bits of a stream. state: any, best from random_seed. */
static inline uint64_t random_bits(uint64_t *state)
{
    uint64_t bits = random_mix(*state);
    *state += RANDOM_STEP;
    return bits;
}

/* From the kernel. */
static inline uint64_t random_seed(void)
{
    uint64_t seed;
    if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed)) {
        abort(); /* without signals, not for 8 bytes: getrandom(2) */
    }
    return seed;
}
