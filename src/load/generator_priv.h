/* What the files of the generator share: generator.c runs a load and its closed loop,
 * generator_open.c is the open loop. */
#pragma once

#include <stdbool.h>

#include "load/generator.h"
#include "load/schedule.h"
#include "loop/loop.h"

struct http_client;

struct run {
    const struct load_plan *plan;
    struct load_result *result;
    struct loop *loop;
    struct connection *connections; /* [plan->connections] */
    struct connection *idle;        /* open loop: those without a request */
    struct loop_watch due_watch;    /* open loop: the timerfd */
    struct loop_timer tick;
    struct load_schedule schedule;
    uint64_t next_due_ns;   /* open loop: the first request not sent yet */
    uint64_t idle_since_ns; /* open loop: when a connection came free last, none being so */
    uint64_t random;        /* picks the kinds */
    double weight_sum;
    uint64_t start_ns, measured_ns, end_ns, last_done_ns;
    unsigned under_way; /* closed loop: clients that have not ended */
    bool sending;       /* send_due is on the stack */
    bool ended;
};

struct connection {
    struct run *run;
    struct http_client *client; /* owned */
    struct connection *next;    /* in run->idle */
    struct loop_timer timer;    /* closed loop: the next request */
    struct load_sample sample;  /* under way */
    bool busy;
};

/* Sends the connection's next request, due at due_ns; 0 = now. */
void generator_begin(struct connection *connection, uint64_t due_ns);

/* A request has ended. */
void generator_book(struct run *run, struct load_sample *sample);

unsigned generator_pick_kind(struct run *run);

/* Makes the schedule and waits for its first request. -errno: no timer. */
int generator_open(struct run *run, struct err *err);

/* The connection is free again. */
void generator_open_next(struct connection *connection);

/* What was due and has no answer is not left out: that would be the very omission that the open
 * loop is there to avoid. */
void generator_open_abandon(struct run *run);
