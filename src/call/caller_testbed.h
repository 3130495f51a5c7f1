/* For caller_test.c: a front server with a caller behind it, and workers that behave as each test
 * wants. */
#pragma once

#include "call/caller.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "action/publisher.h"
#include "action/snapshot.h"
#include "action/target.h"
#include "base/alloc.h"
#include "base/test.h"
#include "http/blocking.h"
#include "http/server.h"
#include "loop/loop.h"
#include "measure/action_stats.h"
#include "measure/histogram.h"

/* ---- the front ---- */

struct front {
    struct loop *loop;
    struct http_server *server;
    struct publisher *publisher;
    struct caller *caller;
    pthread_t thread;
    struct sockaddr_un address;
    struct action_stats stats;
    struct stats_budget budget;
    struct loop_task kick;
    atomic_int troubles;
};

static void on_request(void *arg, struct http_request *request)
{
    struct front *front = arg;
    caller_action(front->caller, request,
                  &(struct action_call){
                      .name = slice_from(http_request_path(request), 1),
                      .walker = http_request_header(request, "X-Jsorc-Walker"),
                      .timed = http_request_header(request, "X-Jsorc-Timed").size > 0,
                  });
}

static void on_turn(void *arg)
{
    caller_turn(((struct front *)arg)->caller);
}

static void on_trouble(void *arg, struct target *target)
{
    (void)target;
    atomic_fetch_add(&((struct front *)arg)->troubles, 1);
}

static void do_nothing(void *arg)
{
    (void)arg;
}

static void *run(void *arg)
{
    loop_run(arg);
    return NULL;
}

static int listen_at(struct sockaddr_un *address, const char *name)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    (void)snprintf(address->sun_path, sizeof(address->sun_path), "/tmp/jsorc-caller-%s-%d", name,
                   (int)getpid());
    (void)unlink(address->sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    EXPECT_INT(bind(fd, (struct sockaddr *)address, sizeof(*address)), 0);
    EXPECT_INT(listen(fd, 64), 0);
    return fd;
}

static void front_start(struct front *front, uint64_t park_timeout_ms)
{
    *front = (struct front){.loop = loop_new(NULL), .publisher = publisher_new(1, NULL)};
    action_stats_init(&front->stats, STATS_WALKERS_MAX, &front->budget);
    struct call_settings settings = CALL_SETTINGS_DEFAULT;
    settings.park_timeout_ms = park_timeout_ms;
    front->caller = caller_new(front->loop, 0, front->publisher, &settings);
    caller_on_trouble(front->caller, on_trouble, front);
    front->server = http_server_new(front->loop, &HTTP_LIMITS_DEFAULT, on_request, front);
    front->kick = (struct loop_task){.fn = do_nothing};
    loop_set_turn(front->loop, on_turn, front);
    int fd = listen_at(&front->address, "front");
    EXPECT_INT(http_server_listen(front->server, fd, NULL, 0, NULL), 0);
    EXPECT_INT(pthread_create(&front->thread, NULL, run, front->loop), 0);
}

static void front_stop(struct front *front)
{
    loop_stop(front->loop);
    (void)pthread_join(front->thread, NULL);
    http_server_free(front->server);
    caller_free(front->caller);
    publisher_free(front->publisher);
    loop_free(front->loop);
    action_stats_done(&front->stats);
    (void)unlink(front->address.sun_path);
}

/* Publishes a placement with the one action "a.b" on targets[count]; none = it waits. */
static void place_on(struct front *front, struct target *const *targets, uint32_t count,
                     bool idempotent)
{
    struct snapshot *snapshot = xcalloc(1, sizeof(*snapshot));
    snapshot->module_count = 1;
    snapshot->modules = xcalloc(1, sizeof(snapshot->modules[0]));
    snapshot->modules[0] = (struct module_route){
        .name = xstrdup("a"),
        .state = count ? ROUTE_READY : ROUTE_WAITING,
        .targets = count ? target_set_new(targets, count) : NULL,
    };
    snapshot->action_count = 1;
    snapshot->actions = xcalloc(1, sizeof(snapshot->actions[0]));
    snapshot->actions[0] = (struct action_route){.name = xstrdup("a.b"),
                                                 .module = &snapshot->modules[0],
                                                 .stats = &front->stats,
                                                 .timeout_ms = 1500,
                                                 .idempotent = idempotent};
    publisher_publish(front->publisher, snapshot);
    loop_post(front->loop, &front->kick);
    test_pause_ms(20); /* the loop has taken it, and the task may be posted again */
}

/* target is referenced, NULL = it waits. */
static void place(struct front *front, struct target *target, bool idempotent)
{
    place_on(front, &target, target ? 1 : 0, idempotent);
}

/* Calls name through the front with further header lines; the answer's status, its body in
 * body[600]. */
static int call_with(const struct front *front, const char *name, const char *headers, char *body)
{
    struct http_blocking *client =
        http_blocking_new((const struct sockaddr *)&front->address, sizeof(front->address));
    struct http_reply reply = {0};
    char head[200];
    int size =
        snprintf(head, sizeof(head), "POST /%s HTTP/1.1\r\nHost: h\r\n%sContent-Length: 2\r\n\r\n",
                 name, headers);
    struct http_send send = {.head = {head, (size_t)size},
                             .body = SLICE("{}"),
                             .timeout_ms = 5000,
                             .connect_timeout_ms = 1000,
                             .reply_bytes_max = 4096};
    EXPECT_INT(http_blocking_call(client, &send, &reply, NULL), HTTP_REPLIED);
    (void)snprintf(body, 600, "%.*s", (int)reply.body.size, reply.body.size ? reply.body.data : "");
    http_blocking_free(client);
    return reply.status;
}

static int call(const struct front *front, const char *name, char *body)
{
    return call_with(front, name, "", body);
}

/* ---- workers ---- */

enum manners { ANSWER, CLOSE_UNREAD, CLOSE_READ, SILENT };

struct worker {
    enum manners manners;
    int fd;
    struct sockaddr_un address;
    struct target *target;
    pthread_t thread;
    atomic_int read; /* requests that it read */
    atomic_bool ends;
};

static void serve_one(struct worker *worker, int fd)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                 "Server-Timing: exec;dur=1.5\r\nContent-Length: 4\r\n\r\n\"ok\"";
    char data[4096];
    if (worker->manners == CLOSE_UNREAD) {
        test_pause_ms(20);
        return;
    }
    while (recv(fd, data, sizeof(data), 0) > 0) {
        atomic_fetch_add(&worker->read, 1);
        if (worker->manners == CLOSE_READ) {
            return;
        }
        if (worker->manners == ANSWER) {
            EXPECT(send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL) > 0);
        }
    }
}

static void *serve(void *arg)
{
    struct worker *worker = arg;
    while (!atomic_load(&worker->ends)) {
        int fd = accept(worker->fd, NULL, NULL);
        if (fd < 0) {
            test_pause_ms(1);
            continue;
        }
        serve_one(worker, fd);
        (void)close(fd);
    }
    return NULL;
}

static void worker_start(struct worker *worker, enum manners manners, uint32_t id)
{
    char name[32];
    (void)snprintf(name, sizeof(name), "worker-%u", id);
    *worker = (struct worker){.manners = manners};
    worker->fd = listen_at(&worker->address, name);
    worker->target = target_new_local(id, worker->address.sun_path);
    EXPECT_INT(pthread_create(&worker->thread, NULL, serve, worker), 0);
}

/* Both, with "a.b" placed on the worker. */
static void front_start_on(struct front *front, uint64_t park_timeout_ms, struct worker *worker,
                           enum manners manners, bool idempotent)
{
    front_start(front, park_timeout_ms);
    worker_start(worker, manners, 1);
    place(front, worker->target, idempotent);
}

/* After front_stop: its connections are closed then. */
static void worker_stop(struct worker *worker)
{
    atomic_store(&worker->ends, true);
    (void)pthread_join(worker->thread, NULL);
    (void)close(worker->fd);
    (void)unlink(worker->address.sun_path);
    target_unref(worker->target);
}
