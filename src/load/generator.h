/* Sends a load of HTTP requests and tells what became of each. For `jsorc loadtest` and bench/.
 *
 * Closed loop: each client sends its next request when it has the answer to the last one, as the
 * original's load test does. A server that stalls stalls its clients, so most of what users would
 * have met meanwhile is never sent, and never measured (coordinated omission).
 *
 * Open loop: requests are due at times fixed beforehand, and a latency is counted from when its
 * request was due, not from when a connection was free to send it. What had to wait has waited.
 * Source: G. Tene, "How NOT to Measure Latency"; his wrk2 and HdrHistogram's notes on it;
 * Schroeder et al., "Open Versus Closed: A Cautionary Tale", NSDI 2006. */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "load/result.h"

struct err;
struct http_reply;
struct sockaddr;

#define LOAD_CONNECTIONS_MAX 4096 /* of one thread */
#define LOAD_KINDS_MAX       64
#define LOAD_RATE_MAX        1e6 /* a second; one thread sends about a tenth of it */

struct load_kind {
    const char *name;  /* e.g. the walker's */
    struct slice head; /* request line and headers with the empty line */
    struct slice body;
    double weight; /* share of the requests, relative to the others'; > 0 */
};

/* What the plan borrows must live until load_run returns. */
struct load_plan {
    const struct sockaddr *address;
    unsigned address_size;
    const struct load_kind *kinds;
    unsigned kind_count;
    unsigned connections; /* closed: clients; open: requests under way at the most */
    double rate_per_s;    /* 0 = closed loop */
    bool poisson;         /* open loop: exponential gaps instead of equal ones */
    uint64_t seed;
    uint64_t warmup_ms;
    uint64_t duration_ms; /* after the warm-up */
    uint64_t think_ms;    /* closed loop: between an answer and the next request */
    uint64_t timeout_ms;  /* of a request, from when it is sent */
    size_t reply_bytes_max;
    const volatile sig_atomic_t *stop; /* NULL = none; once it is not 0 the load ends early */
    /* Whether an answer is right; NULL: every status below 300 is. */
    bool (*judge)(void *arg, const struct http_reply *reply);
    void (*on_sample)(void *arg, const struct load_sample *sample); /* NULL = none */
    void (*on_tick)(void *arg, uint64_t elapsed_ms); /* about ten a second; or NULL */
    void *arg;                                       /* of the three */
};

/* Runs the load to its end; blocks. 0, -EINVAL (err says what of the plan), or what making a loop
 * gave. Results are the caller's to free by load_result_done. */
int load_run(const struct load_plan *plan, struct load_result *ret_result, struct err *err);
