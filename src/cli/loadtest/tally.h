/* What repetitions have shown: figures of each, and all their latencies together. */
#pragma once

#include "cli/loadtest/options.h"
#include "cli/loadtest/samples.h"
#include "load/stats.h"

struct json_object;

struct tally {
    double mean_ms[REPEAT_MAX]; /* NAN where the repetition has none */
    double p99_ms[REPEAT_MAX];
    double throughput[REPEAT_MAX]; /* right answers a second */
    struct samples samples;        /* of all repetitions */
    double seconds;                /* of all repetitions */
};

void tally_init(struct tally *tally);
void tally_done(struct tally *tally);

/* Books repetition number, counted from 0. */
void tally_add(struct tally *tally, size_t number, struct samples *samples, double seconds);

/* Adds members: count, seconds, throughput, mean_ms, percentiles, max_ms. */
void tally_write(struct samples *samples, double seconds, struct json_object *object);

/* Adds what needs all repetitions: mean_of_repetitions, with its interval. */
void tally_write_mean(const struct tally *tally, size_t repetitions, struct json_object *object);

/* Adds speed_up and over_all_remote: tally's figures against those of base (NULL = there is none),
 * above 1 is better. */
void tally_write_speed_up(const struct tally *tally, const struct tally *base, size_t repetitions,
                          struct json_object *object);
