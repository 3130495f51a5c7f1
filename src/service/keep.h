/* Whether a backing service is to be started, looked at or ended, and what its answers make of it.
 *
 * Pure: no I/O, no clock, no memory but struct keep; time and random bits are arguments. So each
 * fault and its repair is a row of a table (keep_test.c). services.c carries the steps out. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The original's numbers and names. */
enum service_state {
    SERVICE_RESTART = -2, /* to be ended and started anew */
    SERVICE_FAILED = -1,  /* did not start, or answers no more; see the error */
    SERVICE_NOT_STARTED,  /* nobody asked for it, or it is not enabled */
    SERVICE_STARTED,      /* has not answered yet */
    SERVICE_RUNNING,
};

const char *service_state_name(enum service_state state);

#define KEEP_MISSES_MAX   2 /* checks in a row without an answer: it hangs or is gone */
#define KEEP_FAILURES_MAX 6 /* in a row: from then on it is quarantined */
/* The longest pause before a start is repeated, and the pause of a quarantined service; with the
 * default interval of 10 s that is five minutes. */
#define KEEP_PAUSE_INTERVALS_MAX 30
#define KEEP_STABLE_INTERVALS    3 /* after so long the next failure counts as the first again */

enum keep_server {
    SERVER_NONE,
    SERVER_RUNS,    /* our own process */
    SERVER_ENDING,  /* our own process, asked to end */
    SERVER_FOREIGN, /* somebody else's: it can be asked, not started */
    SERVER_CLUSTER, /* pods that a cluster makes, and makes anew: it is asked until it answers */
};

enum check_outcome {
    CHECK_GOOD,
    CHECK_BUSY, /* answers that it is not ready yet: it reads its data, say */
    CHECK_SICK, /* answers that it cannot do its work, and a new start would not help: disk full */
    CHECK_MISSED, /* no answer, or not the one that it should give */
};

struct keep { /* what is remembered of a service; all zero = never started */
    enum service_state state;
    bool busy;         /* a preparation or a check is under way; its end is an event */
    unsigned misses;   /* checks in a row without an answer */
    unsigned failures; /* in a row */
    uint64_t since_ms; /* in this state */
    uint64_t next_ms;  /* the next check or start is not due before */
};

struct keep_wish {  /* how it should be, and what is there */
    bool wanted;    /* enabled, and somebody asked for it or it is kept alive */
    bool repaired;  /* kept alive: started again when it failed */
    bool needs_met; /* the service that it needs runs */
    bool on_trial;  /* its config never ran, and there is one that did */
    enum keep_server server;
};

struct keep_rules {
    uint64_t interval_ms;      /* between two checks */
    uint64_t start_timeout_ms; /* from the start to the first answer */
};

enum keep_step {
    KEEP_WAIT,    /* nothing to do before *ret_wake_ms, or before an event */
    KEEP_START,   /* prepare it and start the process, or ask the server for the first time */
    KEEP_CHECK,   /* ask whether it does its work */
    KEEP_GIVE_UP, /* it has not answered: keep_failed, and end the process */
    KEEP_END,     /* it shall not run, or shall be started anew */
    KEEP_REVERT,  /* the config on trial does not run: take the last one that did */
};

enum keep_step keep_decide(const struct keep *keep, const struct keep_wish *wish,
                           const struct keep_rules *rules, uint64_t now_ms, uint64_t *ret_wake_ms);

/* A start begins; or a process of an earlier daemon was found. */
void keep_started(struct keep *keep, uint64_t now_ms);

/* A check ended. */
void keep_checked(struct keep *keep, enum check_outcome outcome, const struct keep_wish *wish,
                  const struct keep_rules *rules, uint64_t now_ms, uint64_t random);

/* The start failed, the process ended by itself, or it is given up. The pause before the next
 * start: none for what ran well so far, then the interval, doubled with each failure, between a
 * half and the whole of it, so that what failed together does not start together. */
void keep_failed(struct keep *keep, const struct keep_rules *rules, uint64_t now_ms,
                 uint64_t random);

/* It is not wanted any more, and nothing of it runs. */
void keep_ended(struct keep *keep, uint64_t now_ms);

/* End what runs and start it anew, at once; failures are forgotten. */
void keep_restart(struct keep *keep, uint64_t now_ms);

/* So many failures in a row that only a slow retry or a person's refresh starts it. */
bool keep_is_quarantined(const struct keep *keep);
