/* On whose behalf a thread works: the request that it answers and the walker that it runs. Calls
 * from inside the process are counted for that walker, and calls that leave it tell it on. A
 * request for one action is as a walker whose name is the daemon's path of that action, whichever
 * of its names it came by ("/actions/a.b"). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "measure/action_stats.h"

struct http_request;

struct origin {                         /* on the stack of what executes a call */
    const struct http_request *request; /* borrowed; NULL = none */
    struct slice walker;                /* borrowed, or in path; empty = in the request */
    struct slice action;                /* full name, when the request is for one; borrowed */
    char path[STATS_NAME_MAX + 1];      /* the daemon's of that action */
    uint64_t nested_ns;                 /* what its calls of other actions took, from its thread */
    struct slice lines;                 /* header lines made beforehand; else from the request */
    struct origin *outer;
};

/* Makes it the thread's until origin_end. Without a request, that of the outer call goes on. */
void origin_begin(struct origin *origin, const struct http_request *request);
void origin_end(struct origin *origin);

/* The current call, if there is one, has waited for another one for that long. */
void origin_add_nested(uint64_t nested_ns);

/* NULL = this thread executes no call. */
struct origin *origin_current(void);

/* The walker that runs here, the one elsewhere that called this action, or the action's path when
 * the request comes from outside; STATS_OTHER where none can be told, and where origin is NULL: a
 * call from inside is never taken for a request. Of 1 .. STATS_NAME_MAX bytes; borrowed as
 * long as origin lasts. */
struct slice origin_walker(struct origin *origin);

#define ORIGIN_LINES_MAX 2048

/* What a call sent on tells of where it comes from, as header lines in lines[ORIGIN_LINES_MAX].
 * origin: NULL = none. */
struct slice origin_lines(struct origin *origin, char *lines);
