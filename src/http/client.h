/* One HTTP/1.1 connection to a server, on a loop: a request at a time, kept alive between them.
 * What became of a request is told so exactly that a caller can decide about sending it again. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct err;
struct http_client;
struct loop;
struct sockaddr;
struct tls_client;

enum http_outcome {
    HTTP_REPLIED,   /* a whole reply */
    HTTP_UNSENT,    /* the server cannot have executed it: connect failed, or closed unread */
    HTTP_LOST,      /* sent, then closed or reset: it may have been executed */
    HTTP_BROKEN,    /* sent, and the reply is no HTTP or over a limit */
    HTTP_TIMED_OUT, /* sent, no reply in time: it may have been executed */
};

struct http_reply { /* borrowed until the callback returns */
    int status;
    struct slice content_type;
    struct slice server_timing;
    struct slice location;
    struct slice disposition; /* Content-Disposition; only from http_client_send */
    struct slice walker;      /* X-Jsorc-Walker; only from http_client_send */
    struct slice place;       /* X-Jsorc-Place; only from http_blocking_call */
    struct slice body;
};

/* reply is NULL unless outcome is HTTP_REPLIED. Runs in the loop's thread. From here the client may
 * be used for the next request if http_client_usable, or freed (which ends the reply, too). */
typedef void (*http_reply_fn)(void *arg, enum http_outcome outcome, const struct http_reply *reply);

/* Begins to connect; never fails at once (a failure is the first request's HTTP_UNSENT).
 * address is copied; tls NULL = plain; server_name for SNI and verification. */
struct http_client *http_client_new(struct loop *loop, const struct sockaddr *address,
                                    unsigned address_size, struct tls_client *tls,
                                    const char *server_name);

/* Also with a request under way: its callback is not called. */
struct http_client *http_client_free(struct http_client *client);

/* Open and idle. */
bool http_client_usable(const struct http_client *client);

/* Runs when an idle connection was closed by the server; the owner may free the client in it. */
void http_client_set_closed(struct http_client *client, void (*fn)(void *arg), void *arg);

struct http_send {
    struct slice head; /* request line and headers with the empty line */
    struct slice body;
    uint64_t timeout_ms;         /* from here (or from when the connection stands) to the reply */
    uint64_t connect_timeout_ms; /* for a connection not yet established */
    size_t reply_bytes_max;      /* a larger body is HTTP_BROKEN */
};

/* Head and body are copied if the socket does not take them at once. The callback may run before
 * this returns, and may free the client. */
void http_client_send(struct http_client *client, const struct http_send *send, http_reply_fn fn,
                      void *arg);
