/* All series at one moment, cumulative. Two such snapshots, one taken from the other, are the
 * figures of the time between them: what a policy's phase or a benchmark is judged by. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "action/place.h"
#include "base/cleanup.h"

struct action_stats;
struct call_stats;
struct histogram;

/* One action at one place for one walker, or (without action) the runs of one walker. */
struct figure {
    const void *key;    /* the series */
    const char *module; /* names: borrowed for the daemon's life. NULL in a walker's row */
    const char *action; /* NULL in a walker's row */
    enum place place;
    const char *walker;  /* that called it, "/actions/NAME" = a request for that action did; NULL =
                            called from outside. "(others)": beyond the limits of action_stats.h, or
                            of no request. In a walker's row NULL = runs of unknown walkers */
    uint64_t calls;      /* that ended */
    uint64_t errors;     /* of them */
    uint64_t latency_ns; /* sum over the calls in latency */
    uint64_t executions; /* of the calls without error: whose execution time is known */
    uint64_t exec_ns;    /* sum of execution times; the rest of the latency is the hop */
    uint64_t nested_ns;  /* of exec_ns: in calls of other actions, whose rows have it, too */
    uint64_t bytes_in;
    uint64_t bytes_out;
    unsigned in_flight;        /* now, also in a difference */
    struct histogram *latency; /* of calls without error, without those whose caller has yet to
                                  tell; owned; never NULL */
};

struct figures {
    uint64_t at_ns; /* monotonic; in a difference: how long it lasted */
    size_t count;
    size_t room;
    struct figure *rows;
};

struct figures *figures_new(uint64_t at_ns);
struct figures *figures_free(struct figures *figures); /* NULL allowed */
DEFINE_CLEANUP(struct figures *, figures_free)

/* Appends one series under names, unless it has seen no call. */
void figures_add_series(struct figures *figures, const struct figure *names,
                        const struct call_stats *stats);

/* Appends the series of stats that have seen a call: `outside` and one a walker. */
void figures_add(struct figures *figures, const char *module, const char *action, enum place place,
                 const struct action_stats *stats);

/* later less earlier, without rows in which nothing happened; owned by the caller. */
struct figures *figures_since(const struct figures *later, const struct figures *earlier);

/* Mean duration of the row's calls without error; NAN when none is known. */
double figure_mean_s(const struct figure *row);

/* Adds up the rows of one action (NULL = all walkers' rows), place (PLACE_NONE = any) and walker
 * (NULL = any, "" = outside) into *ret, whose names stay NULL. ret->latency is the caller's. */
void figures_sum(const struct figures *figures, const char *action, enum place place,
                 const char *walker, struct figure *ret);
