/* An I/O thread: a loop with its own connections and its own calls. It shares nothing with other
 * threads but the placement snapshots. */
#pragma once

#include "call/caller.h"
#include "daemon/front.h"
#include "daemon/listen.h"
#include "http/http_limits.h"

struct access_log;
struct control;
struct exposition;
struct io;
struct publisher;
struct request_stats;
struct tls_server;
struct tracer;

#define IO_THREADS_MAX 16 /* one carries tens of thousands of calls a second */

struct io_config { /* borrowed until io_stop */
    unsigned index;
    struct publisher *publisher;
    struct control *control; /* woken when a target is in trouble */
    struct http_limits limits;
    struct call_settings calls;
    const struct listeners *listeners; /* each thread accepts on its own duplicates */
    struct tls_server *tls;            /* NULL = plain */
    struct front front;
    bool unmeasured;               /* requests are not counted, and not told to: */
    struct access_log *access_log; /* NULL = none */
    struct tracer *tracer;         /* NULL = none */
};

struct io *io_start(const struct io_config *config, struct err *err);

/* Any thread: there is a new snapshot. */
void io_kick(struct io *io);

/* Any thread: accept nothing more, finish what is under way. */
void io_drain(struct io *io);
/* Any thread: nothing is under way any more (only true after io_drain). */
bool io_is_drained(const struct io *io);

/* What it does, for the metrics. Any thread. */
const struct request_stats *io_requests(const struct io *io);
const struct caller *io_caller(const struct io *io);
unsigned io_connections(const struct io *io);

/* Writes the metrics of ios[count] together. */
void ios_expose(struct io *const *ios, unsigned count, struct exposition *exposition);

/* Ends the thread. NULL allowed; returns NULL. */
struct io *io_stop(struct io *io);
