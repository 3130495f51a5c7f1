/* On whose behalf a thread works: the request that it answers and the walker that it runs. Calls
 * from inside the process are counted for that walker, and calls that leave it tell it on. */
#pragma once

#include "base/slice.h"

struct http_request;

struct origin {                         /* on the stack of what executes a call */
    const struct http_request *request; /* borrowed; NULL = none */
    struct slice walker;                /* borrowed; empty = none, or in the request */
    bool looked;                        /* whether it is in the request is known */
    struct slice lines;                 /* header lines made beforehand; else from the request */
    struct origin *outer;
};

/* Makes it the thread's until origin_end. Without a request, that of the outer call goes on. */
void origin_begin(struct origin *origin, const struct http_request *request);
void origin_end(struct origin *origin);

/* NULL = this thread executes no call. */
struct origin *origin_current(void);

/* The walker that runs here, or the one elsewhere that called this action. Empty = none. */
struct slice origin_walker(struct origin *origin);

#define ORIGIN_LINES_MAX 2048

/* What a call sent on tells of where it comes from, as header lines in lines[ORIGIN_LINES_MAX]. */
struct slice origin_lines(struct origin *origin, char *lines);
