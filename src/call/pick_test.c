/* Which of several targets a call goes to. */
#include "action/target.h"
#include "base/alloc.h"
#include "base/test.h"
#include "call/caller_priv.h"
#include "loop/loop.h"

#define COUNT 3

struct bench {
    struct loop *loop;
    struct caller *caller;
    struct call call;
    struct target_set *set;
};

static void bench_start(struct bench *bench)
{
    struct target *targets[COUNT];
    *bench = (struct bench){.loop = loop_new(NULL)};
    bench->caller = xcalloc(1, sizeof(*bench->caller));
    bench->caller->loop = bench->loop;
    bench->call.caller = bench->caller;
    for (uint32_t i = 0; i < COUNT; i++) {
        targets[i] = target_new_local(i + 1, "/tmp/x");
    }
    bench->set = target_set_new(targets, COUNT);
    for (uint32_t i = 0; i < COUNT; i++) {
        target_unref(targets[i]);
    }
}

static void bench_end(struct bench *bench)
{
    target_set_unref(bench->set);
    free(bench->caller);
    loop_free(bench->loop);
}

static void takes_one_with_the_fewest_calls_under_way(void)
{
    static const struct {
        unsigned in_flight[COUNT];
        bool shunned[COUNT];
        uint32_t tried;  /* id */
        uint32_t wanted; /* id */
    } rows[] = {
        {{2, 1, 3}, {0}, 0, 2},
        {{0, 1, 3}, {0}, 0, 1},
        {{0, 1, 3}, {true}, 0, 2},              /* failed a moment ago */
        {{0, 1, 3}, {true, true, true}, 0, 1},  /* all did: the least loaded */
        {{0, 1, 3}, {0}, 1, 2},                 /* did not take this call */
        {{0, 1, 3}, {false, true, true}, 1, 2}, /* rather one that failed than the same again */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bench bench;
        bench_start(&bench);
        bench.call.tried_target = rows[i].tried;
        for (size_t k = 0; k < COUNT; k++) {
            uint64_t until_ms = rows[i].shunned[k] ? UINT64_MAX : 0;
            atomic_store(&bench.set->items[k]->in_flight, rows[i].in_flight[k]);
            atomic_store(&bench.set->items[k]->shun_until_ms, until_ms);
        }
        for (int turn = 0; turn < 2 * COUNT; turn++) {
            EXPECT_INT(call_pick(&bench.call, bench.set)->id, rows[i].wanted);
        }
        bench_end(&bench);
    }
}

static void equals_take_turns(void)
{
    struct bench bench;
    unsigned taken[COUNT + 1] = {0};
    bench_start(&bench);
    for (int i = 0; i < 10 * COUNT; i++) {
        taken[call_pick(&bench.call, bench.set)->id]++;
    }
    for (size_t i = 1; i <= COUNT; i++) {
        EXPECT_INT(taken[i], 10);
    }
    bench_end(&bench);
}

/* Calls of unequal length: what is under way stays level. */
static void long_calls_do_not_pile_up(void)
{
    struct bench bench;
    uint32_t busy[30];
    bench_start(&bench);
    for (size_t i = 0; i < 30; i++) {
        struct target *target = call_pick(&bench.call, bench.set);
        busy[i] = target->id - 1;
        atomic_fetch_add(&target->in_flight, 1);
        if (i % 2 == 0) { /* every other one ends at once */
            atomic_fetch_sub(&bench.set->items[busy[i]]->in_flight, 1);
        }
    }
    for (size_t i = 0; i < COUNT; i++) {
        EXPECT_INT(atomic_load(&bench.set->items[i]->in_flight), 5);
    }
    bench_end(&bench);
}

static void a_set_keeps_what_it_refers_to_and_retires_what_is_left_out(void)
{
    struct bench bench;
    bench_start(&bench);
    struct target_set *fewer = target_set_new(bench.set->items, COUNT - 1);
    EXPECT_INT(atomic_load(&bench.set->items[0]->refs), 2);
    target_set_retire(bench.set, fewer);
    EXPECT(!atomic_load(&bench.set->items[0]->retired));
    EXPECT(atomic_load(&bench.set->items[COUNT - 1]->retired));
    atomic_store(&bench.set->items[1]->in_flight, 4);
    EXPECT_INT(target_set_in_flight(bench.set), 4);
    EXPECT_INT(target_set_in_flight(NULL), 0);
    target_set_unref(fewer);
    EXPECT_INT(atomic_load(&bench.set->items[0]->refs), 1);
    bench_end(&bench);
}

TEST_MAIN(takes_one_with_the_fewest_calls_under_way, equals_take_turns, long_calls_do_not_pile_up,
          a_set_keeps_what_it_refers_to_and_retires_what_is_left_out)
