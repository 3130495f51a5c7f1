/* What became of the requests of a load. Filled by generator.c. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct histogram;

/* What became of a request. */
enum load_outcome {
    LOAD_RIGHT,     /* answered as it should be */
    LOAD_WRONG,     /* answered with a bad status, or refused by the judge */
    LOAD_UNSENT,    /* no connection, or closed before it was read */
    LOAD_LOST,      /* sent, and the connection broke, or the answer was no HTTP */
    LOAD_TIMED_OUT, /* no answer in time */
    LOAD_ABANDONED, /* open loop: due, and never sent or answered before the end */
    LOAD_OUTCOMES,
};

const char *load_outcome_text(enum load_outcome outcome);

struct load_sample {
    unsigned kind;
    enum load_outcome outcome;
    int status;      /* of HTTP; 0 without an answer */
    bool warm;       /* of the warm-up */
    uint64_t due_ns; /* monotonic: when it was to be sent; closed loop: when it was sent */
    uint64_t sent_ns;
    uint64_t done_ns;
};

struct load_figures {
    uint64_t outcomes[LOAD_OUTCOMES]; /* without the warm-up's */
    struct histogram *latency;        /* of right answers; owned */
    double latency_sum_ns;
    uint64_t latency_min_ns;
    uint64_t latency_max_ns;
};

struct load_result {
    struct load_figures *kinds; /* [kind_count]; owned */
    struct load_figures all;
    struct histogram *lag; /* open loop: how late a request was sent although a connection was
                              free: the generator's own delay; owned */
    uint64_t warm;         /* requests of the warm-up */
    double seconds;        /* from the end of the warm-up to the last answer */
    unsigned kind_count;
    bool stopped; /* by plan->stop */
};

/* Empty figures; the caller's, to be freed by load_result_done. */
struct load_result load_result_new(unsigned kind_count);

void load_result_done(struct load_result *result);

/* Counts a request that was not of the warm-up. */
void load_result_add(struct load_result *result, const struct load_sample *sample);

/* Right answers a second. */
double load_throughput(const struct load_result *result, const struct load_figures *figures);
double load_mean_ns(const struct load_figures *figures);
