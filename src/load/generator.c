/* One thread, one loop. In an open load no list of waiting requests is needed: they are due in the
 * order of the schedule, so the next one that was not sent is all there is to remember; when a
 * connection comes free, it takes that one, however long it has been due.
 *
 * The loop's timers have milliseconds, too coarse for rates of thousands a second: the next due
 * time is a timerfd. */
#include "load/generator.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "http/client.h"
#include "load/schedule.h"
#include "loop/loop.h"
#include "measure/histogram.h"

#define TICK_MS         100
#define PAUSE_MS        10 /* of a closed client whose request did not get through */
#define CONNECT_MS      5000
#define NS_A_MS         UINT64_C(1000000)
#define DURATION_MS_MAX (UINT64_C(7) * 24 * 3600 * 1000)

struct run {
    const struct load_plan *plan;
    struct load_result *result;
    struct loop *loop;
    struct connection *connections; /* [plan->connections] */
    struct connection *idle;        /* open loop: those without a request */
    struct loop_watch due_watch;    /* open loop: the timerfd */
    struct loop_timer tick;
    struct load_schedule schedule;
    uint64_t next_due_ns;   /* open loop: the first request not sent yet */
    uint64_t idle_since_ns; /* open loop: when a connection came free last, none being so */
    uint64_t random;        /* picks the kinds */
    double weight_sum;
    uint64_t start_ns, measured_ns, end_ns, last_done_ns;
    unsigned under_way; /* closed loop: clients that have not ended */
    bool sending;       /* send_due is on the stack */
    bool ended;
};

struct connection {
    struct run *run;
    struct http_client *client; /* owned */
    struct connection *next;    /* in run->idle */
    struct loop_timer timer;    /* closed loop: the next request */
    struct load_sample sample;  /* under way */
    bool busy;
};

static void book(struct run *run, struct load_sample *sample)
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

static unsigned pick_kind(struct run *run)
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

/* due_ns 0 = now. */
static void begin(struct connection *connection, uint64_t due_ns)
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
        .kind = pick_kind(run), .due_ns = due_ns ? due_ns : now_ns, .sent_ns = now_ns};
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
    begin(connection, 0);
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

/* ---- open loop ---- */

static void arm(const struct run *run)
{
    struct itimerspec at = {.it_value = {.tv_sec = (time_t)(run->next_due_ns / 1000000000),
                                         .tv_nsec = (long)(run->next_due_ns % 1000000000)}};
    (void)timerfd_settime(run->due_watch.fd, TFD_TIMER_ABSTIME, &at, NULL);
}

static bool is_over(const struct run *run)
{
    if (run->next_due_ns < run->end_ns) {
        return false;
    }
    for (unsigned i = 0; i < run->plan->connections; i++) {
        if (run->connections[i].busy) {
            return false;
        }
    }
    return true;
}

/* Sends what is due, as long as there are connections for it. */
static void send_due(struct run *run)
{
    if (run->sending || run->ended) {
        return;
    }
    run->sending = true;
    uint64_t now_ns = clock_now_ns();
    while (run->idle && run->next_due_ns <= now_ns && run->next_due_ns < run->end_ns) {
        struct connection *connection = run->idle;
        run->idle = connection->next;
        uint64_t due_ns = run->next_due_ns;
        uint64_t could_ns = due_ns > run->idle_since_ns ? due_ns : run->idle_since_ns;
        run->next_due_ns = load_schedule_next(&run->schedule);
        begin(connection, due_ns);
        uint64_t sent_ns = connection->sample.sent_ns;
        histogram_add(run->result->lag, sent_ns > could_ns ? sent_ns - could_ns : 0);
        now_ns = clock_now_ns();
    }
    run->sending = false;
    if (run->idle && run->next_due_ns < run->end_ns) {
        arm(run);
    } else if (is_over(run)) {
        loop_stop(run->loop);
    }
}

static void on_due(void *arg, uint32_t events)
{
    struct run *run = arg;
    uint64_t count = 0;
    (void)events;
    (void)!read(run->due_watch.fd, &count, sizeof(count));
    send_due(run);
}

static void next_open(struct connection *connection)
{
    struct run *run = connection->run;
    if (!run->idle) {
        run->idle_since_ns = connection->sample.done_ns;
    }
    connection->next = run->idle;
    run->idle = connection;
    send_due(run);
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
    book(run, sample);
    if (run->plan->rate_per_s > 0) {
        next_open(connection);
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

/* Open loop: what was due and has no answer is not left out: that would be the very omission that
 * the open loop is there to avoid. */
static void count_abandoned(struct run *run)
{
    uint64_t now_ns = clock_now_ns();
    uint64_t until_ns = now_ns < run->end_ns ? now_ns : run->end_ns;
    for (unsigned i = 0; i < run->plan->connections; i++) {
        struct connection *connection = &run->connections[i];
        if (connection->busy) {
            connection->sample.outcome = LOAD_ABANDONED;
            connection->sample.done_ns = now_ns;
            book(run, &connection->sample);
        }
    }
    while (run->next_due_ns < until_ns) {
        struct load_sample sample = {.kind = pick_kind(run),
                                     .outcome = LOAD_ABANDONED,
                                     .due_ns = run->next_due_ns,
                                     .done_ns = now_ns};
        book(run, &sample);
        run->next_due_ns = load_schedule_next(&run->schedule);
    }
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

static int start_open(struct run *run, struct err *err)
{
    const struct load_plan *plan = run->plan;
    run->due_watch.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (run->due_watch.fd < 0 || loop_watch(run->loop, &run->due_watch, EPOLLIN) < 0) {
        return err_errno(err, errno, "cannot make a timer");
    }
    load_schedule_init(&run->schedule, run->start_ns, plan->rate_per_s, plan->poisson, plan->seed);
    run->next_due_ns = load_schedule_next(&run->schedule);
    for (unsigned i = plan->connections; i-- > 0;) {
        run->connections[i].next = run->idle;
        run->idle = &run->connections[i];
    }
    arm(run);
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
        return start_open(run, err);
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
    struct run run = {.plan = plan, .result = &result};
    run.due_watch = (struct loop_watch){-1, on_due, &run};
    run.tick = (struct loop_timer){.fn = on_tick, .arg = &run};
    failed = start(&run, err);
    if (!failed) {
        loop_run(run.loop);
        if (plan->rate_per_s > 0 && !result.stopped) {
            count_abandoned(&run);
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
