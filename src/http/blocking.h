/* One HTTP/1.1 connection to a server for a thread that may wait: a request, then its reply, kept
 * alive between them. For a worker's nested calls to the daemon and for the product's benchmarks;
 * whoever runs a loop uses client.h. Plain sockets only. */
#pragma once

#include "http/client.h"

struct http_blocking;

/* address is copied. Nothing is opened before the first call. */
struct http_blocking *http_blocking_new(const struct sockaddr *address, unsigned address_size);
struct http_blocking *http_blocking_free(struct http_blocking *client); /* NULL allowed */

/* Sends and waits. A kept connection that the server has closed unread is replaced by a new one,
 * once. On HTTP_REPLIED *ret_reply is filled, borrowed until the next call; otherwise err says what
 * happened and the connection is closed. One thread at a time. */
enum http_outcome http_blocking_call(struct http_blocking *client, const struct http_send *send,
                                     struct http_reply *ret_reply, struct err *err);
