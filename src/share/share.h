/* A daemon's part in a state that several daemons share: keeps the connection, hears what others
 * changed, and holds the lease or waits for it. Owner: the control thread; all functions are for
 * it.
 *
 * Nothing of it stands in the way of a request: while there is no connection, daemons serve what
 * they know, and whoever wants to change the state waits here. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "loop/loop.h"

struct job_pool;
struct json_object;
struct lease;
struct share;
struct store;

struct share_options {   /* borrowed for the share's life */
    struct store *store; /* a shared one */
    struct loop *loop;
    struct job_pool *jobs;
    struct lease *lease; /* taken over */
    uint64_t lease_ms;   /* so long after the leader's last sign another one leads */
    /* What others changed, as bits of enum store_changed. Returns those that could not be taken in:
     * it is told of them again. */
    unsigned (*on_change)(void *arg, unsigned changed);
    void (*on_lead)(void *arg, bool leads);
    void *arg;
};

struct share *share_new(const struct share_options *options);
/* After the job pool's end. NULL allowed; returns NULL. */
struct share *share_free(struct share *share);

/* Asks for the lease at once; from then on by itself. */
void share_start(struct share *share);

/* An orderly end begins: leads no more, so that another daemon can, and lets go those who wait. */
void share_end(struct share *share);
/* The others know that they may lead, or will see it by themselves. */
bool share_has_ended(const struct share *share);

bool share_leads(const struct share *share);
/* There is a connection. */
bool share_is_ready(const struct share *share);

struct share_wait {
    struct share_wait *next;
    uint64_t deadline_ms;
    loop_fn fn;
    void *arg;
};

/* fn(arg) runs once there is a connection, or after timeout_ms without one. wait belongs to the
 * share until then. */
void share_wait(struct share *share, struct share_wait *wait, uint64_t timeout_ms, loop_fn fn,
                void *arg);

struct share_figures {
    const char *state; /* its URL without the password; texts are borrowed until the next turn */
    const char *error; /* why there is no connection; NULL = there is one */
    uint64_t error_ms; /* for so long */
    bool leads;
    const char *leader;      /* name of who leads; NULL = nobody knows */
    const char *lease;       /* where that is agreed upon: "postgresql", "kubernetes" */
    const char *lease_error; /* why it cannot be; NULL = it can, or there is no connection */
    int64_t number;          /* of the leader: how often another one began to lead */
    uint64_t reconnects;
    uint64_t waiting; /* who wait for a connection */
};

void share_figures(const struct share *share, struct share_figures *ret);
