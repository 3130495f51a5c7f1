/* The generator against a server of its own, in another thread. A stall is what tells an open load
 * from a closed one: see bench/stall.py for the same at length. */
#include "load/generator.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/test.h"
#include "http/server.h"
#include "loop/loop.h"
#include "measure/histogram.h"

#define STALL_MS 150

struct peer {
    struct loop *loop;
    struct http_server *server;
    struct sockaddr_in address;
    pthread_t thread;
    atomic_int stall_at; /* the request before which it stalls; 0 = none */
    atomic_int requests;
    atomic_bool silent; /* holds each request until it ends */
    struct http_request *held[64];
    int held_count;
};

static void handle(void *arg, struct http_request *request)
{
    struct peer *peer = arg;
    int number = atomic_fetch_add(&peer->requests, 1) + 1;
    if (number == atomic_load(&peer->stall_at)) {
        test_pause_ms(STALL_MS);
    }
    if (atomic_load(&peer->silent) && peer->held_count < 64) {
        peer->held[peer->held_count++] = request;
        return;
    }
    bool bad = slice_eq(http_request_path(request), slice_str("/bad"));
    http_respond(request, &(struct http_response){.status = bad ? 500 : 200,
                                                  .content_type = "application/json",
                                                  .body = http_request_body(request)});
}

static void *serve(void *arg)
{
    struct peer *peer = arg;
    loop_run(peer->loop);
    for (int i = 0; i < peer->held_count; i++) {
        http_respond(peer->held[i], &(struct http_response){.status = 503});
    }
    loop_turn(peer->loop, 0); /* what answering left to the loop */
    return NULL;
}

static void peer_start(struct peer *peer)
{
    socklen_t size = sizeof(peer->address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    *peer = (struct peer){.loop = loop_new(NULL), .address.sin_family = AF_INET};
    peer->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_INT(bind(fd, (struct sockaddr *)&peer->address, size), 0);
    EXPECT_INT(getsockname(fd, (struct sockaddr *)&peer->address, &size), 0);
    EXPECT_INT(listen(fd, 64), 0);
    peer->server = http_server_new(peer->loop, &HTTP_LIMITS_DEFAULT, handle, peer);
    EXPECT_INT(http_server_listen(peer->server, fd, NULL, 0, NULL), 0);
    EXPECT_INT(pthread_create(&peer->thread, NULL, serve, peer), 0);
}

static void peer_stop(struct peer *peer)
{
    loop_stop(peer->loop);
    (void)pthread_join(peer->thread, NULL);
    http_server_free(peer->server);
    loop_free(peer->loop);
}

static struct load_kind kind_of(const char *path, double weight)
{
    static char heads[4][128];
    static int next;
    char *head = heads[next++ % 4];
    (void)snprintf(head, sizeof(heads[0]),
                   "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n", path);
    return (struct load_kind){
        .name = path, .head = slice_str(head), .body = SLICE("{}"), .weight = weight};
}

static struct load_plan plan_for(const struct peer *peer, const struct load_kind *kind)
{
    return (struct load_plan){.address = (const struct sockaddr *)&peer->address,
                              .address_size = sizeof(peer->address),
                              .kinds = kind,
                              .kind_count = 1,
                              .connections = 1,
                              .duration_ms = 100,
                              .timeout_ms = 5000,
                              .reply_bytes_max = 4096};
}

struct seen {
    int slow; /* latency beyond half the stall */
    int samples;
    int early; /* sent before it was due */
};

static void look(void *arg, const struct load_sample *sample)
{
    struct seen *seen = arg;
    seen->samples++;
    seen->slow += sample->done_ns - sample->due_ns > STALL_MS * UINT64_C(500000);
    seen->early += sample->sent_ns < sample->due_ns;
}

static struct seen stall_under(double rate_per_s)
{
    struct peer peer;
    struct seen seen = {0};
    struct load_result result;
    struct load_kind kind = kind_of("/", 1);
    peer_start(&peer);
    atomic_store(&peer.stall_at, 50);
    struct load_plan plan = plan_for(&peer, &kind);
    plan.rate_per_s = rate_per_s;
    plan.duration_ms = 500;
    plan.think_ms = rate_per_s > 0 ? 0 : 1;
    plan.on_sample = look;
    plan.arg = &seen;
    EXPECT_INT(load_run(&plan, &result, NULL), 0);
    EXPECT_INT(result.all.outcomes[LOAD_RIGHT], seen.samples);
    EXPECT(result.all.latency_max_ns >= STALL_MS * UINT64_C(900000));
    EXPECT_INT(seen.early, 0);
    load_result_done(&result);
    peer_stop(&peer);
    return seen;
}

/* 1000 a second: about 75 requests are due in the first half of the stall. */
static void an_open_load_counts_what_waited_behind_a_stall(void)
{
    struct seen seen = stall_under(1000);
    EXPECT_INT(seen.samples, 500); /* what was due in 500 ms, all of it */
    EXPECT(seen.slow >= 60);
}

static void a_closed_load_meets_a_stall_once(void)
{
    struct seen seen = stall_under(0);
    EXPECT(seen.slow >= 1 && seen.slow <= 4); /* a busy machine may add its own */
}

static void kinds_are_mixed_by_weight_and_counted_apart(void)
{
    struct peer peer;
    struct load_result result;
    struct load_kind kinds[] = {kind_of("/good", 3), kind_of("/bad", 1)};
    peer_start(&peer);
    struct load_plan plan = plan_for(&peer, kinds);
    plan.kind_count = 2;
    plan.rate_per_s = 4000;
    plan.connections = 4;
    plan.duration_ms = 250;
    EXPECT_INT(load_run(&plan, &result, NULL), 0);
    uint64_t good = result.kinds[0].outcomes[LOAD_RIGHT];
    uint64_t bad = result.kinds[1].outcomes[LOAD_WRONG];
    EXPECT_INT(good + bad, 1000);
    EXPECT(good > 700 && good < 800);
    EXPECT_INT(result.all.outcomes[LOAD_WRONG], bad);
    EXPECT_INT(histogram_count(result.all.latency), good); /* failures are no latencies */
    EXPECT_INT(histogram_count(result.lag), 1000);
    load_result_done(&result);
    peer_stop(&peer);
}

static void the_warm_up_is_not_counted(void)
{
    struct peer peer;
    struct load_result result;
    struct load_kind kind = kind_of("/", 1);
    peer_start(&peer);
    struct load_plan plan = plan_for(&peer, &kind);
    plan.rate_per_s = 1000;
    plan.warmup_ms = 50;
    EXPECT_INT(load_run(&plan, &result, NULL), 0);
    EXPECT_INT(result.warm, 50);
    EXPECT_INT(result.all.outcomes[LOAD_RIGHT], 100);
    double per_s = load_throughput(&result, &result.all);
    EXPECT(per_s > 10 && per_s <= 1001); /* a busy machine answers the last one late */
    load_result_done(&result);
    peer_stop(&peer);
}

static void no_server_is_unsent_and_no_endless_loop(void)
{
    struct peer peer;
    struct load_result result;
    struct load_kind kind = kind_of("/", 1);
    peer_start(&peer);
    peer_stop(&peer);
    struct load_plan plan = plan_for(&peer, &kind);
    EXPECT_INT(load_run(&plan, &result, NULL), 0);
    EXPECT(result.all.outcomes[LOAD_UNSENT] >= 1 && result.all.outcomes[LOAD_UNSENT] <= 11);
    load_result_done(&result);
    plan.rate_per_s = 1000;
    EXPECT_INT(load_run(&plan, &result, NULL), 0);
    EXPECT_INT(result.all.outcomes[LOAD_UNSENT], 100);
    load_result_done(&result);
}

/* Two connections, a server that never answers: 2 time out, again and again; the rest was due. */
static void what_was_due_and_never_sent_is_abandoned(void)
{
    struct peer peer;
    struct load_result result;
    struct load_kind kind = kind_of("/", 1);
    peer_start(&peer);
    atomic_store(&peer.silent, true);
    struct load_plan plan = plan_for(&peer, &kind);
    plan.rate_per_s = 500;
    plan.connections = 2;
    plan.timeout_ms = 60;
    EXPECT_INT(load_run(&plan, &result, NULL), 0);
    uint64_t abandoned = result.all.outcomes[LOAD_ABANDONED];
    EXPECT_INT(result.all.outcomes[LOAD_TIMED_OUT] + abandoned, 50);
    EXPECT(abandoned >= 35);
    load_result_done(&result);
    peer_stop(&peer);
}

static void a_stop_ends_it_early(void)
{
    struct peer peer;
    struct load_result result;
    struct load_kind kind = kind_of("/", 1);
    const volatile sig_atomic_t stop = 1;
    peer_start(&peer);
    struct load_plan plan = plan_for(&peer, &kind);
    plan.duration_ms = 3600 * 1000;
    plan.stop = &stop;
    EXPECT_INT(load_run(&plan, &result, NULL), 0);
    EXPECT(result.stopped);
    EXPECT(result.all.outcomes[LOAD_RIGHT] > 0);
    load_result_done(&result);
    peer_stop(&peer);
}

static void plans_out_of_range_are_refused(void)
{
    struct peer peer = {0};
    struct load_kind kind = kind_of("/", 1), weightless = kind_of("/", 0);
    struct load_plan plans[] = {plan_for(&peer, &kind), plan_for(&peer, &kind),
                                plan_for(&peer, &kind), plan_for(&peer, &kind),
                                plan_for(&peer, &weightless)};
    plans[0].connections = 0;
    plans[1].kind_count = 0;
    plans[2].rate_per_s = 1e9;
    plans[3].duration_ms = 0;
    for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
        struct err err = {0};
        struct load_result result;
        EXPECT_INT(load_run(&plans[i], &result, &err), -EINVAL);
        EXPECT(err.text[0] != '\0');
    }
}

TEST_MAIN(an_open_load_counts_what_waited_behind_a_stall, a_closed_load_meets_a_stall_once,
          kinds_are_mixed_by_weight_and_counted_apart, the_warm_up_is_not_counted,
          no_server_is_unsent_and_no_endless_loop, what_was_due_and_never_sent_is_abandoned,
          a_stop_ends_it_early, plans_out_of_range_are_refused)
