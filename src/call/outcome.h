/* What can become of a call that brings no answer of its action, and how that is told: one table
 * for the HTTP status, the type in the body and what a person should know. */
#pragma once

enum call_outcome {
    CALL_UNKNOWN,     /* no such action */
    CALL_UNAVAILABLE, /* its module is not running and could not be started in time */
    CALL_OVERLOADED,  /* too many calls wait */
    CALL_TIMED_OUT,   /* sent, no answer in time */
    CALL_LOST,        /* the worker ended while it may have been executing */
    CALL_BROKEN,      /* the answer was no HTTP or too large */
    CALL_REFUSED,     /* the breaker of a failing server is open */
    CALL_UNREACHABLE, /* an external server refuses or drops connections */
    CALL_FOREIGN,     /* an external server's error in words of its own, no JSON */
    CALL_NO_WALKERS,  /* nothing that runs walkers is loaded */
    CALL_OUTCOMES
};

struct call_outcome_row {
    int status;       /* HTTP */
    const char *type; /* "type" of the body */
    const char *text; /* "detail" of the body; %s = the action's name */
};

#define CALL_DETAIL_MAX 1024

/* The detail for that action, and ": " and why if it is given, in detail[CALL_DETAIL_MAX]. */
void call_outcome_detail(enum call_outcome outcome, const char *action, const char *why,
                         char *detail);

const struct call_outcome_row *call_outcome_row(enum call_outcome outcome);
