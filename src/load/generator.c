/* A run of the generator: one thread, one loop. */
#include "load/generator_priv.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "http/client.h"
#include "measure/histogram.h"

#define TICK_MS         100
#define PAUSE_MS        10 /* of a closed client whose request did not get through */
#define CONNECT_MS      5000
#define NS_A_MS         UINT64_C(1000000)
#define DURATION_MS_MAX (UINT64_C(7) * 24 * 3600 * 1000)

void generator_book(struct run *run, struct load_sample *sample)
{
    sample->warm = sample->due_ns < run->measured_ns;
    if (sample->warm) {
        run->result->warm++;
    } else {
        load_result_add(run->result, sample);
        run->last_done_ns = sample->done_ns;
    }
    if (run->plan->on_sample) {
        run->plan->on_sample(run->plan->arg, sample);
    }
}

unsigned generator_pick_kind(struct run *run)
{
    const struct load_plan *plan = run->plan;
    if (plan->kind_count == 1) {
        return 0;
    }
    double at = load_random_unit(&run->random) * run->weight_sum;
    for (unsigned i = 0; i + 1 < plan->kind_count; i++) {
        at -= plan->kinds[i].weight;
        if (at < 0) {
            return i;
        }
    }
    return plan->kind_count - 1;
}

static enum load_outcome judge(const struct run *run, enum http_outcome outcome,
                               const struct http_reply *reply)
{
    switch (outcome) {
    case HTTP_REPLIED:
        break;
    case HTTP_UNSENT:
        return LOAD_UNSENT;
    case HTTP_LOST:
    case HTTP_BROKEN:
        return LOAD_LOST;
    case HTTP_TIMED_OUT:
        return LOAD_TIMED_OUT;
    }
    bool right =
        reply->status < 300 && (!run->plan->judge || run->plan->judge(run->plan->arg, reply));
    return right ? LOAD_RIGHT : LOAD_WRONG;
}

static void on_reply(void *arg, enum http_outcome outcome, const struct http_reply *reply);

void generator_begin(struct connection *connection, uint64_t due_ns)
{
    struct run *run = connection->run;
    const struct load_plan *plan = run->plan;
    if (!connection->client || !http_client_usable(connection->client)) {
        http_client_free(connection->client);
        connection->client =
            http_client_new(run->loop, plan->address, plan->address_size, NULL, NULL);
    }
    uint64_t now_ns = clock_now_ns();
    connection->busy = true;
    connection->sample = (struct load_sample){
        .kind = generator_pick_kind(run), .due_ns = due_ns ? due_ns : now_ns, .sent_ns = now_ns};
    const struct load_kind *kind = &plan->kinds[connection->sample.kind];
    http_client_send(connection->client,
                     &(struct http_send){.head = kind->head,
                                         .body = kind->body,
                                         .timeout_ms = plan->timeout_ms,
                                         .connect_timeout_ms = CONNECT_MS,
                                         .reply_bytes_max = plan->reply_bytes_max},
                     on_reply, connection);
}

/* ---- closed loop ---- */

static void on_turn_of(void *arg)
{
    struct connection *connection = arg;
    struct run *run = connection->run;
    if (run->ended || clock_now_ns() >= run->end_ns) {
        if (--run->under_way == 0) {
            loop_stop(run->loop);
        }
        return;
    }
    generator_begin(connection, 0);
}

static void next_closed(struct connection *connection, enum load_outcome outcome)
{
    struct run *run = connection->run;
    uint64_t pause_ms = run->plan->think_ms;
    bool through = outcome == LOAD_RIGHT || outcome == LOAD_WRONG;
    if (!through && pause_ms < PAUSE_MS) {
        pause_ms = PAUSE_MS; /* a server that is not there would be asked without end */
    }
    if (pause_ms == 0) {
        on_turn_of(connection);
    } else {
        loop_timer_set(run->loop, &connection->timer, clock_now_ms() + pause_ms);
    }
}

/* ---- both ---- */

static void on_reply(void *arg, enum http_outcome outcome, const struct http_reply *reply)
{
    struct connection *connection = arg;
    struct run *run = connection->run;
    struct load_sample *sample = &connection->sample;
    sample->done_ns = clock_now_ns();
    sample->status = reply ? reply->status : 0;
    sample->outcome = judge(run, outcome, reply);
    connection->busy = false;
    generator_book(run, sample);
    if (run->plan->rate_per_s > 0) {
        generator_open_next(connection);
    } else {
        next_closed(connection, sample->outcome);
    }
}

static void stop_now(struct run *run)
{
    run->ended = true;
    run->result->stopped = true;
    loop_stop(run->loop);
}

static void on_tick(void *arg)
{
    struct run *run = arg;
    uint64_t now_ns = clock_now_ns();
    if (run->plan->on_tick) {
        run->plan->on_tick(run->plan->arg, (now_ns - run->start_ns) / NS_A_MS);
    }
    if (run->plan->stop && *run->plan->stop) {
        stop_now(run);
        return;
    }
    if (run->plan->rate_per_s > 0 && now_ns > run->end_ns + run->plan->timeout_ms * NS_A_MS) {
        run->ended = true; /* what is left counts as abandoned */
        loop_stop(run->loop);
        return;
    }
    loop_timer_set(run->loop, &run->tick, clock_now_ms() + TICK_MS);
}

static int check(const struct load_plan *plan, struct err *err)
{
    if (plan->connections < 1 || plan->connections > LOAD_CONNECTIONS_MAX) {
        return err_set(err, EINVAL, "a load has 1 to %d connections, not %u", LOAD_CONNECTIONS_MAX,
                       plan->connections);
    }
    if (plan->kind_count < 1 || plan->kind_count > LOAD_KINDS_MAX) {
        return err_set(err, EINVAL, "a load has 1 to %d kinds of request, not %u", LOAD_KINDS_MAX,
                       plan->kind_count);
    }
    if (!(plan->rate_per_s >= 0 && plan->rate_per_s <= LOAD_RATE_MAX)) {
        return err_set(err, EINVAL, "a rate is at most %.0f a second", LOAD_RATE_MAX);
    }
    if (plan->duration_ms < 1 || plan->duration_ms > DURATION_MS_MAX ||
        plan->warmup_ms > DURATION_MS_MAX) {
        return err_set(err, EINVAL, "a load lasts 1 ms to 7 days");
    }
    for (unsigned i = 0; i < plan->kind_count; i++) {
        if (!(plan->kinds[i].weight > 0)) {
            return err_set(err, EINVAL, "the weight of '%s' is not above 0", plan->kinds[i].name);
        }
    }
    return 0;
}

/* Clients of a closed load begin spread over the think time, not in step. */
static void start_closed(struct run *run)
{
    const struct load_plan *plan = run->plan;
    run->under_way = plan->connections;
    for (unsigned i = 0; i < plan->connections; i++) {
        loop_timer_set(run->loop, &run->connections[i].timer,
                       run->start_ns / NS_A_MS + plan->think_ms * i / plan->connections);
    }
}

static int start(struct run *run, struct err *err)
{
    const struct load_plan *plan = run->plan;
    run->loop = loop_new(err);
    if (!run->loop) {
        return -EMFILE;
    }
    run->connections = xcalloc(plan->connections, sizeof(struct connection));
    for (unsigned i = 0; i < plan->connections; i++) {
        run->connections[i].run = run;
        run->connections[i].timer =
            (struct loop_timer){.fn = on_turn_of, .arg = &run->connections[i]};
    }
    for (unsigned i = 0; i < plan->kind_count; i++) {
        run->weight_sum += plan->kinds[i].weight;
    }
    run->random = plan->seed ^ UINT64_C(0x6b696e6473); /* other than the schedule's */
    run->start_ns = clock_now_ns();
    run->measured_ns = run->start_ns + plan->warmup_ms * NS_A_MS;
    run->end_ns = run->measured_ns + plan->duration_ms * NS_A_MS;
    loop_timer_set(run->loop, &run->tick, run->start_ns / NS_A_MS + TICK_MS);
    if (plan->rate_per_s > 0) {
        return generator_open(run, err);
    }
    start_closed(run);
    return 0;
}

int load_run(const struct load_plan *plan, struct load_result *ret_result, struct err *err)
{
    int failed = check(plan, err);
    if (failed) {
        return failed;
    }
    struct load_result result = load_result_new(plan->kind_count);
    struct run run = {.plan = plan, .result = &result, .due_watch = {.fd = -1}};
    run.tick = (struct loop_timer){.fn = on_tick, .arg = &run};
    failed = start(&run, err);
    if (!failed) {
        loop_run(run.loop);
        if (plan->rate_per_s > 0 && !result.stopped) {
            generator_open_abandon(&run);
        }
        uint64_t until_ns = run.last_done_ns;
        if (until_ns < run.end_ns && !result.stopped) {
            until_ns = run.end_ns;
        }
        result.seconds =
            until_ns > run.measured_ns ? (double)(until_ns - run.measured_ns) / 1e9 : 0;
    }
    for (unsigned i = 0; run.connections && i < plan->connections; i++) {
        http_client_free(run.connections[i].client);
    }
    (void)fd_close(run.due_watch.fd);
    free(run.connections);
    loop_free(run.loop);
    if (failed) {
        load_result_done(&result);
        return failed;
    }
    *ret_result = result;
    return 0;
}
