#include "loop/loop.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/test.h"

struct order {
    struct loop *loop;
    struct loop_timer timers[50];
    int fired[50];
    int count;
};

struct order_entry {
    struct order *order;
    int index;
};

static void note(void *arg)
{
    struct order_entry *entry = arg;
    entry->order->fired[entry->order->count++] = entry->index;
    if (entry->order->count == 49) {
        loop_stop(entry->order->loop);
    }
}

static void fires_timers_in_the_order_of_their_deadlines(void)
{
    struct order order = {.loop = loop_new(NULL)};
    struct order_entry entries[50];
    uint64_t start_ms = clock_now_ms();
    for (int i = 0; i < 50; i++) {
        entries[i] = (struct order_entry){&order, i};
        order.timers[i].fn = note;
        order.timers[i].arg = &entries[i];
        /* first in reverse, then moved to the order of the index */
        loop_timer_set(order.loop, &order.timers[i], start_ms + 20 - (uint64_t)i % 20);
    }
    for (int i = 0; i < 50; i++) {
        loop_timer_set(order.loop, &order.timers[i], start_ms + 25 + (uint64_t)i / 5 * 5);
    }
    loop_timer_clear(order.loop, &order.timers[7]);
    loop_run(order.loop);
    EXPECT_INT(order.count, 49);
    for (int i = 1; i < order.count; i++) {
        EXPECT(order.fired[i - 1] / 5 <= order.fired[i] / 5);
        EXPECT(order.fired[i] != 7);
    }
    loop_free(order.loop);
}

#define POSTS 20000

struct posted {
    struct loop *loop;
    int count;
    int last[2];
};

struct post {
    struct loop_task task;
    struct posted *to;
    int thread;
    int number;
};

static struct post posts[2][POSTS];

static void take(void *arg)
{
    struct post *post = arg;
    EXPECT(post->to->last[post->thread] < post->number); /* each thread's order is kept */
    post->to->last[post->thread] = post->number;
    if (++post->to->count == 2 * POSTS) {
        loop_stop(post->to->loop);
    }
}

static void *post_all(void *arg)
{
    struct post *mine = arg;
    for (int i = 0; i < POSTS; i++) {
        loop_post(mine->to->loop, &mine[i].task);
    }
    return NULL;
}

static void runs_every_posted_task_once_and_in_order(void)
{
    struct posted to = {.loop = loop_new(NULL), .last = {-1, -1}};
    pthread_t threads[2];
    for (int t = 0; t < 2; t++) {
        for (int i = 0; i < POSTS; i++) {
            posts[t][i] = (struct post){{.fn = take, .arg = &posts[t][i]}, &to, t, i};
        }
        EXPECT_INT(pthread_create(&threads[t], NULL, post_all, posts[t]), 0);
    }
    loop_run(to.loop);
    for (int t = 0; t < 2; t++) {
        (void)pthread_join(threads[t], NULL);
    }
    EXPECT_INT(to.count, 2 * POSTS);
    loop_free(to.loop);
}

struct pair {
    struct loop *loop;
    struct loop_watch watches[2];
    struct loop_timer end;
    int calls;
};

static void unwatch_both(void *arg, uint32_t events)
{
    struct pair *pair = arg;
    (void)events;
    pair->calls++;
    loop_unwatch(pair->loop, &pair->watches[0]);
    loop_unwatch(pair->loop, &pair->watches[1]);
}

static void stop(void *arg)
{
    loop_stop(arg);
}

static void delivers_nothing_to_a_watch_that_ended_in_the_same_turn(void)
{
    struct pair pair = {.loop = loop_new(NULL)};
    int pipes[2][2];
    for (int i = 0; i < 2; i++) {
        EXPECT_INT(pipe(pipes[i]), 0);
        EXPECT_INT(write(pipes[i][1], "x", 1), 1);
        pair.watches[i] = (struct loop_watch){pipes[i][0], unwatch_both, &pair};
        EXPECT_INT(loop_watch(pair.loop, &pair.watches[i], EPOLLIN), 0);
    }
    pair.end = (struct loop_timer){.fn = stop, .arg = pair.loop};
    loop_timer_set(pair.loop, &pair.end, clock_now_ms() + 20);
    loop_run(pair.loop);
    EXPECT_INT(pair.calls, 1);
    for (int i = 0; i < 2; i++) {
        (void)close(pipes[i][0]);
        (void)close(pipes[i][1]);
    }
    loop_free(pair.loop);
}

struct shared {
    struct loop *loop;
    int value; /* what another thread would have shared */
    int taken; /* what the turn found */
    int at_event;
};

static void take_shared(void *arg)
{
    struct shared *shared = arg;
    shared->taken = shared->value;
}

static void look_at_shared(void *arg)
{
    struct shared *shared = arg;
    shared->at_event = shared->taken;
}

/* A request that came after a change must not be served with what was taken before it. */
static void takes_what_is_shared_between_the_wait_and_the_events(void)
{
    struct shared shared = {.loop = loop_new(NULL)};
    struct loop_task task = {.fn = look_at_shared, .arg = &shared};
    loop_set_turn(shared.loop, take_shared, &shared);
    loop_turn(shared.loop, 0);
    shared.value = 7;
    loop_post(shared.loop, &task);
    loop_turn(shared.loop, 0);
    EXPECT_INT(shared.at_event, 7);
    loop_free(shared.loop);
}

TEST_MAIN(fires_timers_in_the_order_of_their_deadlines, runs_every_posted_task_once_and_in_order,
          delivers_nothing_to_a_watch_that_ended_in_the_same_turn,
          takes_what_is_shared_between_the_wait_and_the_events)
