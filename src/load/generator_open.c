/* The open loop. No list of waiting requests is needed: they are due in the order of the schedule,
 * so the next one that was not sent is all there is to remember; when a connection comes free, it
 * takes that one, however long it has been due.
 *
 * The loop's timers have milliseconds, too coarse for rates of thousands a second: the next due
 * time is a timerfd. */
#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "load/generator_priv.h"
#include "measure/histogram.h"

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
        generator_begin(connection, due_ns);
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

void generator_open_next(struct connection *connection)
{
    struct run *run = connection->run;
    if (!run->idle) {
        run->idle_since_ns = connection->sample.done_ns;
    }
    connection->next = run->idle;
    run->idle = connection;
    send_due(run);
}

int generator_open(struct run *run, struct err *err)
{
    const struct load_plan *plan = run->plan;
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    run->due_watch = (struct loop_watch){fd, on_due, run};
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

void generator_open_abandon(struct run *run)
{
    uint64_t now_ns = clock_now_ns();
    uint64_t until_ns = now_ns < run->end_ns ? now_ns : run->end_ns;
    for (unsigned i = 0; i < run->plan->connections; i++) {
        struct connection *connection = &run->connections[i];
        if (connection->busy) {
            connection->sample.outcome = LOAD_ABANDONED;
            connection->sample.done_ns = now_ns;
            generator_book(run, &connection->sample);
        }
    }
    while (run->next_due_ns < until_ns) {
        struct load_sample sample = {.kind = generator_pick_kind(run),
                                     .outcome = LOAD_ABANDONED,
                                     .due_ns = run->next_due_ns,
                                     .done_ns = now_ns};
        generator_book(run, &sample);
        run->next_due_ns = load_schedule_next(&run->schedule);
    }
}
