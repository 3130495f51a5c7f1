/* Shared by caller.c (where a call goes), pick.c (which of several), call.c (its life), parked.c
 * (calls that wait), verdict.c (what came back) and request.c (what is sent to a target and how its
 * answer is read). */
#pragma once

#include <stdatomic.h>

#include "base/slice.h"
#include "call/caller.h"
#include "call/outcome.h"
#include "http/client.h"
#include "loop/loop.h"

struct action_stats;
struct call_stats;
struct json_object;
struct pool;
struct target_set;

#define CALL_ATTEMPTS_MAX 5    /* sends of one call that were not executed */
#define CALL_NAME_MAX     256  /* longer action names do not exist: registration refuses them */
#define CALL_POOLS_MAX    4096 /* targets with connections of one loop */
#define CALL_WAIT_MS      50   /* how often waiting calls are looked at without a new snapshot */

struct call {
    struct call *next; /* in the list of parked ones, oldest first; or of free ones */
    struct caller *caller;
    struct http_request *request;
    char name[CALL_NAME_MAX]; /* action, or path of a walker's route */
    char user[CALL_NAME_MAX];
    const char *walker;         /* the operation that runs a walker; NULL = an action's call */
    struct slice caller_walker; /* an action's call by a walker: its name, a part of request */
    bool timed;                 /* an action's call whose caller tells how long it took */
    uint64_t since_ms;          /* came in */
    uint64_t not_before_ms;     /* parked: not sent again before */
    uint32_t tried_target;      /* id of the target of the last attempt; 0 = none */
    unsigned attempts;
    bool without_slash; /* external: the path with it was answered 404 or 405 */
    bool redirected;
    char *path;               /* external: where a redirect led; owned */
    struct json_object *form; /* walker: what came as a form or in the query; owned; NULL = the
                               * request's body goes on as it is */
    /* set while it is sent */
    struct pool *pool;
    struct http_client *client;
    struct action_stats *action_stats; /* of the route */
    struct call_stats *stats;          /* of these the one in which it is in flight */
    uint64_t timeout_ms;
    bool idempotent;
};

struct caller {
    struct loop *loop; /* borrowed */
    unsigned index;
    struct publisher *publisher; /* borrowed */
    struct call_settings settings;
    const struct snapshot *snapshot; /* of this turn; borrowed */
    uint64_t version;
    call_trouble_fn trouble;
    void *trouble_arg;

    uint32_t picks; /* counts on, so that equals take turns */
    struct pool *pools[CALL_POOLS_MAX];
    size_t pool_count;

    struct call *parked; /* oldest first */
    struct call **parked_last;
    atomic_uint parked_count;
    struct loop_timer parked_timer;

    struct call *free_calls;
    atomic_uint_fast64_t failures[CALL_OUTCOMES];
};

/* call.c: name is copied. Each ends in one call_answer or call_fail. */
struct call *call_new(struct caller *caller, struct http_request *request, struct slice name);
void call_end(struct call *call);
/* From here on the call is one of these figures. */
void call_book(struct call *call, struct action_stats *stats);
/* why, if given, is added to the outcome's text. */
void call_fail(struct call *call, enum call_outcome outcome, const char *why);
void call_answer(struct call *call, const struct http_reply *reply);

/* caller.c: sends the call, parks it, or fails it, as the snapshot says. */
void call_route(struct call *call);

/* pick.c: of those that are not in trouble and did not just fail the call, one with the fewest
 * calls under way; when there is none, one of the others. Equals take turns. */
struct target *call_pick(const struct call *call, const struct target_set *set);

/* parked.c */
void call_park(struct call *call);
/* Takes all parked calls off the list and routes those that may go on now; the others come back. */
void caller_unpark(struct caller *caller, bool fresh_snapshot);
void caller_on_parked_timer(void *arg);

/* verdict.c */
bool call_breaker_open(const struct caller *caller, struct target *target);
void call_on_reply(void *arg, enum http_outcome outcome, const struct http_reply *reply);

/* request.c */
#define CALL_HEAD_MAX 8192 /* further lines of a client are left out */

/* Writes the request's head for the target to head[CALL_HEAD_MAX]; its size, 0 = too long. */
size_t call_head(const struct call *call, const struct target *target, size_t body_size,
                 char *head);

/* An external server's answer that is not the action's: true when the call shall be sent again as
 * changed in call (other path). */
bool call_redirect(struct call *call, struct target *target, const struct http_reply *reply);

#define CALL_WHY_MAX 600

/* Whether it is an external server's error that is not JSON, as the original's "Internal Server
 * Error": then its status and its first 512 bytes are in why[CALL_WHY_MAX]. */
bool call_foreign_error(const struct target *target, const struct http_reply *reply, char *why);

/* Execution time told by Server-Timing ("exec;dur=MS", W3C Server Timing), in ns; 0 = not told. */
uint64_t call_exec_ns(struct slice server_timing);
/* What of it passed in calls of other actions (", nested;dur=MS" behind it); 0 = none. */
uint64_t call_nested_ns(struct slice server_timing);
