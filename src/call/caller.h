/* Calls of one I/O loop: pick the target from the placement snapshot, send, judge the outcome, and
 * answer the client. One caller a loop; nothing here is shared with other loops but the snapshot's
 * targets and their counters.
 *
 * A call whose module has no target yet waits (parked) for the next snapshot. A call that was
 * certainly not executed is sent again; one that may have run only if its action is idempotent. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "call/outcome.h"

struct caller;
struct http_request;
struct loop;
struct publisher;
struct snapshot;
struct target;

#define CALL_PARKED_MAX 4096 /* a loop; the next one is answered 503 */
#define CALL_SENT_MAX   1024 /* connections a loop and target; more calls wait in the loop */

struct call_settings {
    uint64_t park_timeout_ms; /* a call waits so long for its module to be started */
    uint64_t connect_timeout_ms;
    uint64_t idle_timeout_ms; /* a kept connection to an external server */
    size_t reply_bytes_max;
    bool unmeasured; /* calls are not counted */
};

#define CALL_SETTINGS_DEFAULT                                                                      \
    ((struct call_settings){.park_timeout_ms = 30000,                                              \
                            .connect_timeout_ms = 2000,                                            \
                            .idle_timeout_ms = 3000,                                               \
                            .reply_bytes_max = 256UL * 1024 * 1024})

/* Told in the loop's thread when a target did not do its part: it closed, refused, talked nonsense
 * or ran over the limit of a call. */
typedef void (*call_trouble_fn)(void *arg, struct target *target);

struct caller *caller_new(struct loop *loop, unsigned index, struct publisher *publisher,
                          const struct call_settings *settings);
/* Calls under way are dropped; their requests must be gone or the server about to be freed. */
struct caller *caller_free(struct caller *caller);

void caller_on_trouble(struct caller *caller, call_trouble_fn fn, void *arg);

/* Once a turn: takes the newest snapshot; when it changed, parked calls go on and connections to
 * retired targets are closed. */
void caller_turn(struct caller *caller);

/* The snapshot of this turn; NULL before the first was published. */
const struct snapshot *caller_snapshot(const struct caller *caller);

struct action_call {
    struct slice name;   /* copied */
    struct slice walker; /* the one that calls, a part of the request; empty = none */
    bool timed; /* the caller measures how long it takes and tells it by itself: it is told the
                   action's place (X-Jsorc-Place), and no duration is counted here */
};

/* Answers the request with the result of an action, the body being its named parameters. */
void caller_action(struct caller *caller, struct http_request *request,
                   const struct action_call *action);

struct walker_call {
    const char *op; /* "walker_run" or "wapi": the name that a benchmark books it under; static */
    struct slice path; /* of the runtime worker: "/walker_run/", the walker's name in the body, or
                          "/wapi/NAME/" */
    struct slice user; /* for the walker's context; may be empty */
};

/* As caller_action, for a walker. Slices are copied. */
void caller_walker(struct caller *caller, struct http_request *request,
                   const struct walker_call *walker);

/* Any thread. */
unsigned caller_parked(const struct caller *caller);
uint64_t caller_failures(const struct caller *caller, enum call_outcome outcome);
