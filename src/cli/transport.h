/* Requests to a daemon, by libcurl: over its Unix socket or by URL. One connection is kept between
 * the requests of a process. */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/slice.h"

struct endpoint;
struct err;
struct transport;

#define TRANSPORT_REPLY_MAX  (256 * 1024 * 1024) /* a report file; beyond: something went wrong */
#define TRANSPORT_CONNECT_MS 5000

struct request {
    const char *method;       /* "GET", "POST" */
    const char *path;         /* "/js_admin/config_get", with its query if any */
    const char *content_type; /* NULL = application/json */
    struct slice body;
    long timeout_ms; /* the whole request; 0 = none */
};

struct reply {
    int status;
    bool op_failed;     /* header X-Jsorc-Error: 1 */
    char *content_type; /* owned; NULL = none */
    double exec_ms;     /* of Server-Timing; < 0 = not told */
    double total_ms;    /* as seen from here */
    struct buf body;    /* owned */
};

void reply_done(struct reply *reply);

/* Never NULL. */
struct transport *transport_new(void);
struct transport *transport_free(struct transport *transport);
DEFINE_CLEANUP(struct transport *, transport_free)

/* 0 with a reply of whatever status (owned by the caller), or
 * -EHOSTUNREACH: no connection; the request was not sent,
 * -ETIMEDOUT: sent, and no whole reply in timeout_ms,
 * -EFBIG: a reply of more than TRANSPORT_REPLY_MAX bytes,
 * -EPROTO: anything else; the request may have been executed. */
int transport_send(struct transport *transport, const struct endpoint *endpoint,
                   const struct request *request, struct reply *ret_reply, struct err *err);
