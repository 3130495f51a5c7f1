/* One cell of a load test: an application under a policy, measured a few times. */
#pragma once

#include "cli/loadtest/tally.h"
#include "load/result.h"

struct bed;
struct err;
struct json_object;

struct cell {
    const struct app *app;
    enum cell_policy policy;
    char *key;          /* owned; the name of the policy in the result */
    size_t repetitions; /* measured so far */
    struct tally all;
    struct tally settled;    /* of a live policy: what came once it had settled */
    size_t settled_count;    /* repetitions in which it did */
    unsigned phases, trials; /* of a live policy, of all repetitions */
    uint64_t outcomes[LOAD_OUTCOMES];
    struct json_object *rows; /* owned; an object a repetition */
    struct json_object
        *action_level;             /* owned; history of trackact, repetitions one after another */
    struct json_object *decisions; /* owned; what the policy told, one entry a repetition */
    struct json_object *tried;     /* owned; the oracle's trials; NULL = none yet */
    unsigned best;                 /* the oracle's placement: bit i set = module i is remote */
};

void cell_init(struct cell *cell, const struct app *app, enum cell_policy policy, char *key);
void cell_done(struct cell *cell);

/* Its policy decides while it is measured, so that trials are in the figures of all. */
bool cell_is_live(const struct cell *cell);

struct cell_context {
    struct bed *bed;
    const struct apps *apps;
    const struct options *options;
    /* About ten times a second while something is measured: what, since when, how long. */
    void (*on_progress)(void *arg, const char *what, double elapsed_s, double whole_s);
    void *arg;
};

/* Loads the application's modules, sets the policy, sends the load, books what was seen, and takes
 * all of it back. A stop (stop.h) ends the load early and is no error: what was measured counts.
 * -errno: nothing was booked. */
int cell_run(struct cell *cell, const struct cell_context *context, struct err *err);
