/* A connection to a Redis on an event loop: commands go out in their order, and each reply comes to
 * a function. It connects by itself, and anew after it was lost. The protocol is hiredis'; what may
 * block, looking a name up and connecting, is a job's. Owner: the thread of its loop; all functions
 * are for it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct err;
struct job_pool;
struct loop;
struct redisReply;
struct redis_link;

#define REDIS_REPLY_BYTES_MAX (64UL * 1024 * 1024) /* of one that is not read to its end yet */
#define REDIS_PENDING_MAX     4096                 /* commands whose replies are out */

struct redis_address {  /* copied */
    const char *socket; /* path of a Unix socket; NULL = host and port */
    const char *host;
    int port;
    const char *password; /* NULL = none */
    int db;
};

struct redis_link_options {
    struct loop *loop;
    struct job_pool *jobs;
    struct redis_address address;
    uint64_t timeout_ms; /* without a byte while a reply is out, and of a connect: it is lost */
    uint64_t seed;       /* of the back-off's jitter */
    /* error is NULL while it is up. */
    void (*on_change)(void *arg, bool is_up, const char *error);
    void *arg;
};

/* Begins to connect. */
struct redis_link *redis_link_new(const struct redis_link_options *options);

/* Functions whose replies are out run, with none. After the job pool's end. NULL allowed; returns
 * NULL. */
struct redis_link *redis_link_free(struct redis_link *link);

bool redis_link_is_up(const struct redis_link *link);

/* reply is borrowed until it returns, and may be an error of the server's. NULL = none came: the
 * connection was lost, and whether the command was carried out is not known. */
typedef void (*redis_reply_fn)(void *arg, const struct redisReply *reply);

/* words[count] are copied; fn may be NULL. 0, or -ENOTCONN, -ENOBUFS (REDIS_PENDING_MAX): nothing
 * was sent then and fn does not run. */
int redis_link_send(struct redis_link *link, const struct slice *words, size_t count,
                    redis_reply_fn fn, void *arg);

/* ---- redis_connect.c: for a job's thread ---- */

/* A connected, non-blocking descriptor. -errno: err tells why. */
int redis_connect(const struct redis_address *address, uint64_t timeout_ms, struct err *err);
