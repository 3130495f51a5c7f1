/* One load on one application's walker, and what was seen. */
#pragma once

#include "cli/loadtest/samples.h"
#include "cli/loadtest/timeline.h"
#include "load/result.h"

struct app;
struct cell_context;
struct err;
struct json_object;

#define SERIES_MAX 120 /* points of a plot over time */

struct aim {
    double warmup_s;
    double duration_s; /* after the warm-up */
    uint64_t seed;
    void (*on_progress)(void *arg, double elapsed_s, double whole_s);
    void *arg;
};

struct shot_point { /* requests whose answers came in that part of the time */
    uint64_t right;
    uint64_t failed;
    double sum_ms;
    double max_ms;
};

struct shot {
    struct samples samples;   /* latencies of right answers, without the warm-up's */
    struct timeline timeline; /* the same, since the begin of the load */
    uint64_t outcomes[LOAD_OUTCOMES];
    uint64_t warm; /* requests of the warm-up */
    double seconds;
    double lag_p99_ms; /* open loop: how late the generator itself was */
    double started;    /* Unix time */
    double point_s;    /* length of a point */
    struct shot_point points[SERIES_MAX];
    bool stopped;
};

/* 0, or what load_run gave. *ret_shot is the caller's to free by shot_done. */
int shoot(const struct cell_context *context, const struct app *app, const struct aim *aim,
          struct shot *ret_shot, struct err *err);
void shot_done(struct shot *shot);

/* Figures and series as they stand in the result; owned by the caller. */
struct json_object *shot_json(struct shot *shot);
