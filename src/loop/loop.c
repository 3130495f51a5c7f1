/* Three sources feed one turn: epoll, a heap of timers, and a lock-free stack of posted tasks.
 *
 * Timers are kept by a lower bound of their deadline. Pushing a deadline later only writes the new
 * value; when the old one comes up the timer is queued again. So a keep-alive connection that sets
 * its time-out for each request costs no heap work.
 *
 * A watch that ends while events of this turn are still undelivered is struck from the array, so
 * an owner may be freed inside any callback. */
#include "loop/loop.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"

#define LOOP_EVENTS_MAX 128 /* delivered a turn; more wait for the next one */

struct loop {
    int epoll_fd;
    struct loop_watch wake; /* eventfd: a task was posted or the loop shall stop */
    atomic_bool stopping;
    uint64_t now_ms;

    _Atomic(struct loop_task *) tasks; /* newest first */

    struct loop_timer **heap; /* heap[0] is due first */
    uint32_t timer_count;
    uint32_t timer_capacity;

    loop_fn turn;
    void *turn_arg;

    struct epoll_event events[LOOP_EVENTS_MAX];
    int event_count; /* of this turn */
    int event_next;
};

static void wake(struct loop *loop)
{
    uint64_t one = 1;
    (void)!write(loop->wake.fd, &one, sizeof(one));
}

static void run_tasks(struct loop *loop)
{
    struct loop_task *stack = atomic_exchange(&loop->tasks, NULL);
    struct loop_task *oldest_first = NULL;
    while (stack) {
        struct loop_task *next = stack->next;
        stack->next = oldest_first;
        oldest_first = stack;
        stack = next;
    }
    while (oldest_first) {
        struct loop_task *task = oldest_first;
        oldest_first = task->next; /* read before: the task may free itself */
        task->fn(task->arg);
    }
}

static void on_wake(void *arg, uint32_t events)
{
    struct loop *loop = arg;
    (void)events;
    uint64_t count;
    (void)!read(loop->wake.fd, &count, sizeof(count));
    run_tasks(loop);
}

struct loop *loop_new(struct err *err)
{
    struct loop *loop = xcalloc(1, sizeof(*loop));
    loop->wake.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->wake.fd < 0 || loop->epoll_fd < 0) {
        (void)err_errno(err, errno, "cannot create an event loop");
        return loop_free(loop);
    }
    loop->wake.fn = on_wake;
    loop->wake.arg = loop;
    loop->now_ms = clock_now_ms();
    if (loop_watch(loop, &loop->wake, EPOLLIN) < 0) {
        (void)err_errno(err, errno, "cannot create an event loop");
        return loop_free(loop);
    }
    return loop;
}

struct loop *loop_free(struct loop *loop)
{
    if (loop) {
        (void)fd_close(loop->wake.fd);
        (void)fd_close(loop->epoll_fd);
        free(loop->heap);
        free(loop);
    }
    return NULL;
}

static void heap_put(struct loop *loop, uint32_t index, struct loop_timer *timer)
{
    loop->heap[index] = timer;
    timer->place = index + 1;
}

static void heap_up(struct loop *loop, uint32_t index)
{
    struct loop_timer *timer = loop->heap[index];
    while (index > 0) {
        uint32_t parent = (index - 1) / 2;
        if (loop->heap[parent]->queued_ms <= timer->queued_ms) {
            break;
        }
        heap_put(loop, index, loop->heap[parent]);
        index = parent;
    }
    heap_put(loop, index, timer);
}

static void heap_down(struct loop *loop, uint32_t index)
{
    struct loop_timer *timer = loop->heap[index];
    for (;;) {
        uint32_t child = 2 * index + 1;
        if (child >= loop->timer_count) {
            break;
        }
        if (child + 1 < loop->timer_count &&
            loop->heap[child + 1]->queued_ms < loop->heap[child]->queued_ms) {
            child++;
        }
        if (timer->queued_ms <= loop->heap[child]->queued_ms) {
            break;
        }
        heap_put(loop, index, loop->heap[child]);
        index = child;
    }
    heap_put(loop, index, timer);
}

void loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t deadline_ms)
{
    timer->deadline_ms = deadline_ms;
    if (timer->place > 0) {
        if (deadline_ms < timer->queued_ms) {
            timer->queued_ms = deadline_ms;
            heap_up(loop, timer->place - 1);
        }
        return;
    }
    if (loop->timer_count == loop->timer_capacity) {
        loop->timer_capacity = loop->timer_capacity ? 2 * loop->timer_capacity : 64;
        loop->heap = xrealloc(loop->heap, loop->timer_capacity * sizeof(struct loop_timer *));
    }
    timer->queued_ms = deadline_ms;
    loop->heap[loop->timer_count++] = timer;
    heap_up(loop, loop->timer_count - 1);
}

void loop_timer_clear(struct loop *loop, struct loop_timer *timer)
{
    if (timer->place == 0) {
        return;
    }
    uint32_t index = timer->place - 1;
    struct loop_timer *last = loop->heap[--loop->timer_count];
    timer->place = 0;
    if (last != timer) {
        heap_put(loop, index, last);
        heap_up(loop, index);
        heap_down(loop, last->place - 1);
    }
}

static void run_timers(struct loop *loop)
{
    while (loop->timer_count > 0 && loop->heap[0]->queued_ms <= loop->now_ms) {
        struct loop_timer *timer = loop->heap[0];
        if (timer->deadline_ms > loop->now_ms) {
            timer->queued_ms = timer->deadline_ms;
            heap_down(loop, 0);
            continue;
        }
        loop_timer_clear(loop, timer);
        timer->fn(timer->arg);
    }
}

static int wait_ms(const struct loop *loop, int wait_ms_max)
{
    if (loop->timer_count == 0 || wait_ms_max == 0) {
        return wait_ms_max;
    }
    uint64_t due_ms = loop->heap[0]->queued_ms, now_ms = clock_now_ms();
    if (due_ms <= now_ms) {
        return 0;
    }
    return due_ms - now_ms < (uint64_t)wait_ms_max ? (int)(due_ms - now_ms) : wait_ms_max;
}

void loop_turn(struct loop *loop, int wait_ms_max)
{
    int count =
        epoll_wait(loop->epoll_fd, loop->events, LOOP_EVENTS_MAX, wait_ms(loop, wait_ms_max));
    loop->now_ms = clock_now_ms();
    loop->event_count = count > 0 ? count : 0;
    loop->event_next = 0;
    if (loop->turn) {
        loop->turn(loop->turn_arg);
    }
    while (loop->event_next < loop->event_count) {
        struct epoll_event *event = &loop->events[loop->event_next++];
        struct loop_watch *watch = event->data.ptr;
        if (watch) {
            watch->fn(watch->arg, event->events);
        }
    }
    loop->event_count = 0;
    run_timers(loop);
}

void loop_run(struct loop *loop)
{
    while (!atomic_load(&loop->stopping)) {
        if (loop->turn) {
            loop->turn(loop->turn_arg);
        }
        loop_turn(loop, LOOP_WAIT_MS_MAX);
    }
}

void loop_stop(struct loop *loop)
{
    atomic_store(&loop->stopping, true);
    wake(loop);
}

void loop_set_turn(struct loop *loop, loop_fn fn, void *arg)
{
    loop->turn = fn;
    loop->turn_arg = arg;
}

uint64_t loop_now_ms(const struct loop *loop)
{
    return loop->now_ms;
}

int loop_watch(struct loop *loop, struct loop_watch *watch, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};
    return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, watch->fd, &event) < 0 ? -errno : 0;
}

int loop_rewatch(struct loop *loop, struct loop_watch *watch, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};
    return epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event) < 0 ? -errno : 0;
}

void loop_unwatch(struct loop *loop, struct loop_watch *watch)
{
    if (watch->fd < 0) {
        return;
    }
    (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
    for (int i = loop->event_next; i < loop->event_count; i++) {
        if (loop->events[i].data.ptr == watch) {
            loop->events[i].data.ptr = NULL;
        }
    }
    watch->fd = -1;
}

void loop_post(struct loop *loop, struct loop_task *task)
{
    struct loop_task *head = atomic_load_explicit(&loop->tasks, memory_order_relaxed);
    do {
        task->next = head;
    } while (!atomic_compare_exchange_weak(&loop->tasks, &head, task));
    if (!head) { /* whoever found the stack empty wakes the loop; the others ride along */
        wake(loop);
    }
}
