/* A front server with a caller behind it, and workers that behave as each test wants. */
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
    caller_action(front->caller, request, slice_from(http_request_path(request), 1),
                  http_request_header(request, "X-Jsorc-Walker"));
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

/* After front_stop: its connections are closed then. */
static void worker_stop(struct worker *worker)
{
    atomic_store(&worker->ends, true);
    (void)pthread_join(worker->thread, NULL);
    (void)close(worker->fd);
    (void)unlink(worker->address.sun_path);
    target_unref(worker->target);
}

/* ---- tests ---- */

/* count good answers of serve_one. */
static void expect_booked(const struct call_stats *stats, unsigned count)
{
    EXPECT_INT(atomic_load(&stats->calls), count);
    EXPECT_INT(atomic_load(&stats->errors), 0);
    EXPECT_INT(atomic_load(&stats->in_flight), 0);
    EXPECT_INT(atomic_load(&stats->bytes_in), 2 * count);
    EXPECT_INT(atomic_load(&stats->bytes_out), 4 * count);
    EXPECT_INT(atomic_load(&stats->executions), count);
    EXPECT_INT(atomic_load(&stats->exec_ns), 1500000 * (int64_t)count);
    EXPECT_INT(histogram_count(atomic_load(&stats->latency)), count);
}

static void answers_with_what_the_worker_said_and_counts_it(void)
{
    struct front front;
    struct worker worker;
    char body[600];
    front_start(&front, 1000);
    worker_start(&worker, ANSWER, 1);
    place(&front, worker.target, false);
    for (int i = 0; i < 10; i++) {
        EXPECT_INT(call(&front, "a.b", body), 200);
        EXPECT_STR(body, "\"ok\"");
    }
    EXPECT_INT(call(&front, "a.c", body), 404);
    EXPECT(strstr(body, "UnknownAction") && strstr(body, "a.c"));
    EXPECT_INT(call_with(&front, "a.b", "X-Jsorc-Walker: tidy\r\n", body), 200);
    expect_booked(&front.stats.outside, 10);
    expect_booked(action_stats_find(&front.stats, SLICE("tidy")), 1);
    front_stop(&front);
    EXPECT_INT(atomic_load(&worker.read), 11);
    worker_stop(&worker);
}

static void *place_later(void *arg)
{
    struct {
        struct front *front;
        struct worker *worker;
    } *both = arg;
    test_pause_ms(100);
    place(both->front, both->worker->target, false);
    return NULL;
}

static void lets_a_call_wait_for_its_module(void)
{
    struct front front;
    struct worker worker;
    char body[600];
    front_start(&front, 5000);
    worker_start(&worker, ANSWER, 1);
    place(&front, NULL, false);
    struct {
        struct front *front;
        struct worker *worker;
    } both = {&front, &worker};
    pthread_t thread;
    EXPECT_INT(pthread_create(&thread, NULL, place_later, &both), 0);
    EXPECT_INT(call(&front, "a.b", body), 200);
    (void)pthread_join(thread, NULL);
    front_stop(&front);
    worker_stop(&worker);
}

static void gives_up_a_call_that_waits_too_long(void)
{
    struct front front;
    char body[600];
    front_start(&front, 100);
    place(&front, NULL, false);
    EXPECT_INT(call(&front, "a.b", body), 503);
    EXPECT(strstr(body, "Unavailable") != NULL);
    front_stop(&front);
}

static int send_call(const struct front *front)
{
    static const char text[] = "POST /a.b HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}";
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_INT(connect(fd, (const struct sockaddr *)&front->address, sizeof(front->address)), 0);
    EXPECT_INT(send(fd, text, sizeof(text) - 1, MSG_NOSIGNAL), sizeof(text) - 1);
    return fd;
}

/* Each one that comes must not put off the look at those that wait already. */
static void gives_up_a_call_though_others_keep_coming(void)
{
    enum { CALLS = 40 };
    struct front front;
    int fds[CALLS];
    char data[400] = "";
    front_start(&front, 100);
    place(&front, NULL, false);
    for (int i = 0; i < CALLS; i++) {
        fds[i] = send_call(&front);
        test_pause_ms(20);
    }
    EXPECT(recv(fds[0], data, sizeof(data) - 1, MSG_DONTWAIT) > 0);
    EXPECT(strstr(data, "HTTP/1.1 503 ") == data);
    for (int i = 0; i < CALLS; i++) { /* all of them are answered before the front ends */
        EXPECT(i == 0 || recv(fds[i], data, sizeof(data), 0) > 0);
        (void)close(fds[i]);
    }
    front_stop(&front);
}

static void sends_what_was_not_executed_to_the_next_target(void)
{
    struct front front;
    struct worker bad, good;
    char body[600];
    front_start(&front, 5000);
    worker_start(&bad, CLOSE_UNREAD, 1);
    worker_start(&good, ANSWER, 2);
    place(&front, bad.target, false);
    struct {
        struct front *front;
        struct worker *worker;
    } both = {&front, &good};
    pthread_t thread;
    EXPECT_INT(pthread_create(&thread, NULL, place_later, &both), 0);
    EXPECT_INT(call(&front, "a.b", body), 200);
    EXPECT(atomic_load(&front.troubles) > 0);
    (void)pthread_join(thread, NULL);
    front_stop(&front);
    EXPECT_INT(atomic_load(&good.read), 1);
    worker_stop(&bad);
    worker_stop(&good);
}

static void repeats_what_may_have_run_only_if_it_may(void)
{
    for (int idempotent = 0; idempotent < 2; idempotent++) {
        struct front front;
        struct worker worker;
        char body[600];
        front_start(&front, 5000);
        worker_start(&worker, CLOSE_READ, 1);
        place(&front, worker.target, idempotent);
        int status = call(&front, "a.b", body);
        EXPECT_INT(status, idempotent ? 503 : 502);
        EXPECT_INT(atomic_load(&front.stats.outside.errors), 1);
        EXPECT_INT(atomic_load(&front.stats.outside.in_flight), 0);
        EXPECT(strstr(body, idempotent ? "Unavailable" : "WorkerLost") != NULL);
        front_stop(&front);
        EXPECT(idempotent ? atomic_load(&worker.read) > 1 : atomic_load(&worker.read) == 1);
        worker_stop(&worker);
    }
}

static void answers_504_when_the_limit_is_over(void)
{
    struct front front;
    struct worker worker;
    char body[600];
    front_start(&front, 5000);
    worker_start(&worker, SILENT, 1);
    place(&front, worker.target, true);
    EXPECT_INT(call(&front, "a.b", body), 504);
    EXPECT_INT(atomic_load(&worker.target->timeouts), 1);
    front_stop(&front);
    EXPECT_INT(atomic_load(&worker.read), 1);
    worker_stop(&worker);
}

/* One closes what it is sent unread, one is not there at all: no call fails. */
static void sends_to_the_replicas_that_are_well(void)
{
    enum { CALLS = 30 };
    struct front front;
    struct worker bad, good, other;
    char body[600];
    front_start(&front, 5000);
    worker_start(&bad, CLOSE_UNREAD, 1);
    worker_start(&good, ANSWER, 2);
    worker_start(&other, ANSWER, 3);
    struct target *gone = target_new_local(4, "/tmp/jsorc-caller-nobody");
    struct target *targets[] = {bad.target, gone, good.target, other.target};
    place_on(&front, targets, 4, false);
    for (int i = 0; i < CALLS; i++) {
        EXPECT_INT(call(&front, "a.b", body), 200);
    }
    EXPECT_INT(atomic_load(&front.stats.outside.errors), 0);
    EXPECT(atomic_load(&gone->failures) > 0); /* it was tried, and then left alone */
    EXPECT(atomic_load(&gone->failures) < CALLS / 2);
    front_stop(&front);
    EXPECT_INT(atomic_load(&good.read) + atomic_load(&other.read), CALLS);
    EXPECT(atomic_load(&good.read) > 0 && atomic_load(&other.read) > 0);
    worker_stop(&bad);
    worker_stop(&good);
    worker_stop(&other);
    target_unref(gone);
}

TEST_MAIN(answers_with_what_the_worker_said_and_counts_it, lets_a_call_wait_for_its_module,
          gives_up_a_call_that_waits_too_long, gives_up_a_call_though_others_keep_coming,
          sends_what_was_not_executed_to_the_next_target, repeats_what_may_have_run_only_if_it_may,
          answers_504_when_the_limit_is_over, sends_to_the_replicas_that_are_well)
