/* HTTP/1.1 server on a loop: keep-alive, pipelining, chunked requests, limits, optional TLS.
 * Used by the daemon's I/O loops and by every worker. Parsing is http_parser's.
 *
 * A connection has one request at a time. It is handed to the handler when its body is complete
 * and belongs to the handler until http_respond, which any thread may call: the answer is written
 * by that thread, and only what the socket does not take is left to the loop. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/trace_context.h"
#include "http/http_limits.h"

struct err;
struct loop;
struct http_request;
struct http_server;
struct sockaddr;
struct tls_server;

enum request_method {
    METHOD_GET,
    METHOD_HEAD,
    METHOD_POST,
    METHOD_PUT,
    METHOD_PATCH,
    METHOD_DELETE,
    METHOD_OPTIONS,
    METHOD_OTHER
};

struct http_response {
    int status;
    const char *content_type; /* NULL = no such header */
    struct slice headers;     /* further lines, each ended by CRLF; may be empty */
    struct slice body;
    bool close; /* end the connection after this answer */
};

/* Runs in the loop's thread, once a request. */
typedef void (*http_handler_fn)(void *arg, struct http_request *request);

struct http_server *http_server_new(struct loop *loop, const struct http_limits *limits,
                                    http_handler_fn handler, void *arg);

/* Closes all connections. Requests still with the handler must have been answered. */
struct http_server *http_server_free(struct http_server *server);

/* Accepts on listen_fd (owned from here on, also on failure); tls may be NULL, borrowed.
 * kind is what http_request_listener tells of a request that came this way. 0 or -errno. */
int http_server_listen(struct http_server *server, int listen_fd, struct tls_server *tls, int kind,
                       struct err *err);

/* Answers what has reached us, also through connections that were not accepted yet, and nothing
 * more: idle connections are closed, the others after their answer. Listeners of kept_kind (-1 =
 * none) go on accepting, one request a connection: for what the requests under way need. */
void http_server_drain(struct http_server *server, int kept_kind);

/* Loop's thread. While paused no request is read or handed over: unread requests stay in the
 * kernel's buffers, where a dying process leaves them provably unexecuted. */
void http_server_pause(struct http_server *server);
void http_server_resume(struct http_server *server);

unsigned http_server_connections(const struct http_server *server);

/* All results are borrowed until http_respond. */
enum request_method http_request_method(const struct http_request *request);
const char *http_request_method_name(
    const struct http_request *request); /* as sent: "TRACE"; "" = unread */
struct slice http_request_path(const struct http_request *request);  /* as sent, no query */
struct slice http_request_query(const struct http_request *request); /* without '?' */
struct slice http_request_body(const struct http_request *request);
struct slice http_request_header(const struct http_request *request, const char *name);
size_t http_request_header_count(const struct http_request *request);
void http_request_header_at(const struct http_request *request, size_t index, struct slice *name,
                            struct slice *value);
int http_request_listener(const struct http_request *request);
const struct sockaddr *http_request_peer(const struct http_request *request);
int http_request_fd(const struct http_request *request);            /* for peer credentials */
uint64_t http_request_start_ns(const struct http_request *request); /* handed to the handler */

/* The client hung up: the answer will be thrown away. */
bool http_request_gone(const struct http_request *request);

#define HTTP_REQUEST_ID_MAX 64 /* as long as two UUIDs; a longer one is not taken */

/* The header X-Request-Id, if it is harmless in a header, a log and a query; else empty. */
struct slice http_request_id(const struct http_request *request);

/* What a handler finds out about a request, for the observer; empty at first. Texts are borrowed
 * and live until the answer. */
struct http_note {
    int kind;              /* as the handlers number them */
    struct slice name;     /* of the action or the operation */
    struct slice walker;   /* that runs, or that calls the action (or
                              the path of an action that does) */
    const char *place;     /* of the action's module; NULL = none */
    uint64_t hop_began_ns; /* sent on to a worker; 0 = was not */
    uint64_t exec_ns;      /* how long it ran there; 0 = not told */
    bool failed;           /* it ran and did not do what was asked, whatever the status */
    int64_t user_id;       /* 0 = nobody */
    char request_id[HTTP_REQUEST_ID_MAX + 1]; /* is answered as X-Request-Id; "" = none */
    struct trace_context trace;
};

struct http_note *http_request_note(struct http_request *request);
const struct http_note *http_request_noted(const struct http_request *request);

/* fn sees each answer before it is written, in the thread that answers; also those of the server
 * itself to what is no request, of which nothing is noted. */
typedef void (*http_observe_fn)(void *arg, const struct http_request *request,
                                const struct http_response *response);
void http_server_observe(struct http_server *server, http_observe_fn fn, void *arg);

/* Exactly once a request; copies what it must keep. Any thread. */
void http_respond(struct http_request *request, const struct http_response *response);

/* {"detail": TEXT} as JSON with that status; text may be any bytes. */
void http_respond_detail(struct http_request *request, int status, const char *text);

/* The standard phrase; "" when unknown. */
const char *http_status_text(int status);
