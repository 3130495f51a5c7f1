/* What is known of one request when it is answered, for the access log and for traces: both get a
 * copy of it through a batch (batch.h). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/trace_context.h"

struct batch;
struct sockaddr;

#define EXCHANGE_TEXT_MAX 1024 /* bytes of each text; the rest is cut off */

enum exchange_text {
    EXCHANGE_REQUEST_ID,
    EXCHANGE_METHOD,
    EXCHANGE_PATH,
    EXCHANGE_KIND,   /* "action", "walker", ... */
    EXCHANGE_NAME,   /* of the action or operation */
    EXCHANGE_WALKER, /* that ran, or that called the action */
    EXCHANGE_PLACE,
    EXCHANGE_TEXTS
};

struct exchange {
    uint64_t began_ns; /* monotonic, as all points in time here */
    uint64_t ended_ns;
    uint64_t hop_began_ns; /* sent to a worker; 0 = was not */
    uint64_t exec_ns;      /* 0 = not known */
    uint64_t bytes_in;
    uint64_t bytes_out;
    int64_t user_id; /* 0 = nobody */
    int status;
    bool failed;     /* the call, run or operation has failed, though the status may be 200 */
    uint16_t family; /* of the remote address; AF_UNSPEC and AF_UNIX: of this host */
    uint16_t port;   /* in network order */
    unsigned char address[16];
    struct trace_context trace;         /* what is before it are numbers (exchange.c) */
    struct slice texts[EXCHANGE_TEXTS]; /* borrowed; empty = not known */
};

void exchange_set_remote(struct exchange *exchange, const struct sockaddr *remote);

/* Adds a copy; false when there is no room. Any thread. */
bool exchange_put(struct batch *batch, const struct exchange *exchange);

/* The one at *at of a batch's data[size], whose texts lie there; moves *at on. False = no more. */
bool exchange_next(const char *data, size_t size, size_t *at, struct exchange *ret);
