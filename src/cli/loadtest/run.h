/* The matrix of a load test: applications, repetitions, policies. */
#pragma once

#include "cli/loadtest/cell.h"

struct err;

struct run {
    const struct apps *apps;
    const struct options *options;
    struct bed *bed;
    struct cell *cells; /* [cell_count], owned: by application, then by policy */
    size_t cell_count;
    bool quiet; /* no line a cell, no progress */
};

void run_init(struct run *run, const struct apps *apps, const struct options *options,
              struct bed *bed);
void run_done(struct run *run);

/* Repetition by repetition, so that a slow minute of the machine meets all policies alike. after is
 * called after each measurement, with what there is so far. 0, also when it was stopped (stop.h),
 * or what cell_run gave. */
int run_all(struct run *run, void (*after)(void *arg), void *arg, struct err *err);
