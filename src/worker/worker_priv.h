/* Shared by worker.c (what it serves, start, end), ending.c (signals and the drain), route.c and
 * guard.c (requests), status.c (what it tells of itself) and nested.c (calls from inside). */
#pragma once

#include <stdatomic.h>

#include "base/slice.h"
#include "loop/loop.h"
#include "worker/call.h"
#include "worker/crew.h"
#include "worker/listen.h"
#include "worker/registry.h"

#define WORKER_LOADERS_MAX 3 /* Python, native, and the one without hooks */

enum worker_listener { LISTENER_UNIX, LISTENER_TCP };

struct http_request;
struct http_server;

struct worker {
    struct worker_config config; /* its texts are owned */
    struct registry *registry;   /* owned */
    struct call_rules rules;
    const struct worker_loader *health_loader; /* borrowed; whose interpreter must still run */

    struct {
        const struct worker_loader *loader; /* NULL = no walkers */
        worker_call_fn call;
        void *arg;
    } walker_run;

    struct {
        void (*fn)(void *arg);
        void *arg;
    } ends[REGISTRY_MODULES_MAX];
    size_t end_count;

    char *spec; /* texts of the documents, owned, made by worker_start */
    char *full_spec;
    char *openapi;
    char address[LISTEN_TEXT_MAX];
    bool loopback_only; /* the TCP address is of this host alone */

    struct loop *loop;          /* owned; the crew's threads run it */
    struct http_server *server; /* owned */
    struct crew *crew;          /* owned */
    bool started;

    int notify_fd; /* owned; -1 = none any more */
    struct loop_watch lifeline;
    struct loop_watch signal; /* eventfd: drain */
    struct loop_timer drain_timer;
    uint64_t drain_deadline_ms;
    bool draining;
    atomic_bool late;                /* calls still ran at the deadline */
    unsigned long long socket_inode; /* of our socket file: another process may have replaced it */
};

/* The server's handler: answers by itself, or makes a job of it. */
void route_handle(void *arg, struct http_request *request);

/* {"detail", "type"} with that status; headers: further lines with CRLF, or "". */
void route_refuse(struct http_request *request, int status, const char *type, const char *detail,
                  const char *headers);

/* True when the request may not be served: it was answered. */
bool guard_refuses(struct worker *worker, struct http_request *request, struct slice path);

/* /jsorc/status. Loop's holder. */
struct json_object *status_document(struct worker *worker);

/* The ready line, with its newline. */
char *status_ready_line(struct worker *worker);

/* Writes line to the notify descriptor and closes it. */
void status_notify(struct worker *worker, struct slice line);

/* Watches signals and the life line, and takes SIGTERM and SIGINT. 0 or -errno. */
int ending_watch(struct worker *worker, struct err *err);

/* Lets go of the signals. */
void ending_done(struct worker *worker);

/* Removes the socket file, if it is still ours. */
void ending_forget_socket(struct worker *worker);
