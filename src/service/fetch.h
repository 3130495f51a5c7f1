/* One HTTP exchange by libcurl, for a thread that may wait: names, TLS and passwords as servers of
 * others need them. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct err;

struct fetch {
    const char *url;
    const char *user; /* "NAME:PASSWORD" of basic authentication; NULL = none */
    bool post;
    struct slice body;
    const char *content_type; /* of the body; NULL = none */
    uint64_t timeout_ms;
    size_t bytes_max;            /* of the answer */
    const atomic_bool *stopping; /* true ends it; NULL = nobody asks */
};

struct fetch_reply { /* owned by the caller */
    int status;
    struct buf body;
    char *content_type; /* NULL = none */
    char *location;     /* as sent; NULL = none */
};

/* 0 whatever the status is. Else -EHOSTUNREACH: no answer, err says why; *ret is then empty. */
int fetch_run(const struct fetch *fetch, struct fetch_reply *ret, struct err *err);
void fetch_reply_done(struct fetch_reply *reply);

/* text as a part of a query, %XX where needed; owned by the caller. */
char *fetch_escape(const char *text);
