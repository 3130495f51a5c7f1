#include "call/caller_testbed.h"

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

/* Its caller waits longer than is seen here, and tells how long. */
static void leaves_the_duration_of_a_timed_call_to_its_caller(void)
{
    struct front front;
    struct worker worker;
    char body[600];
    front_start_on(&front, 1000, &worker, ANSWER, false);
    EXPECT_INT(call_with(&front, "a.b", "X-Jsorc-Walker: tidy\r\nX-Jsorc-Timed: 1\r\n", body), 200);
    const struct call_stats *stats = action_stats_find(&front.stats, SLICE("tidy"));
    EXPECT_INT(atomic_load(&stats->calls), 1);
    EXPECT_INT(atomic_load(&stats->executions), 1);
    EXPECT_INT(atomic_load(&stats->latency_ns), 0);
    EXPECT(atomic_load(&stats->latency) == NULL);
    front_stop(&front);
    worker_stop(&worker);
}

static void answers_with_what_the_worker_said_and_counts_it(void)
{
    struct front front;
    struct worker worker;
    char body[600];
    front_start_on(&front, 1000, &worker, ANSWER, false);
    atomic_store(&worker.target->overruns, 5); /* of long ago: not of this answer's row */
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
    EXPECT_INT(atomic_load(&worker.target->overruns), 0);
    worker_stop(&worker);
}

struct later {
    struct front *front;
    struct worker *worker;
};

static void *place_later(void *arg)
{
    const struct later *both = arg;
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
    struct later both = {&front, &worker};
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
    struct later both = {&front, &good};
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
        front_start_on(&front, 5000, &worker, CLOSE_READ, idempotent);
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
    front_start_on(&front, 5000, &worker, SILENT, true);
    EXPECT_INT(call(&front, "a.b", body), 504);
    EXPECT_INT(atomic_load(&worker.target->timeouts), 1);
    EXPECT_INT(atomic_load(&worker.target->overruns), 1);
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

TEST_MAIN(answers_with_what_the_worker_said_and_counts_it,
          leaves_the_duration_of_a_timed_call_to_its_caller, lets_a_call_wait_for_its_module,
          gives_up_a_call_that_waits_too_long, gives_up_a_call_though_others_keep_coming,
          sends_what_was_not_executed_to_the_next_target, repeats_what_may_have_run_only_if_it_may,
          answers_504_when_the_limit_is_over, sends_to_the_replicas_that_are_well)
