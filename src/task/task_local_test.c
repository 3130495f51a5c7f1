/* The queue in the state with the runner on it, on a loop. */
#include "task/task_local.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/test.h"
#include "loop/loop.h"
#include "store/store_testdir.h"
#include "task/runner.h"

#define PATIENCE_MS 30000

/* A daemon without its rest: `script` says what becomes of the runs, a letter each, the last one
 * again and again: w well, f failed, u not begun, h hopeless, - it never answers. */
struct world {
    struct testdir *dir;
    struct store *store;
    struct loop *loop;
    struct task_local *local;
    struct task_runner *runner;
    const char *script;
    unsigned runs;
    char ran[200]; /* names of walkers, in order */
    struct loop_timer timer;
    bool late, shared;
};

static bool leads(void *arg)
{
    (void)arg;
    return true;
}

static void run(void *arg, const struct task *task, task_ran_fn done, void *done_arg)
{
    struct world *world = arg;
    size_t used = strlen(world->ran);
    const char *name = json_str(task->kwargs, "name");
    char what = world->script[0];
    (void)snprintf(world->ran + used, sizeof(world->ran) - used, "%s ", name ? name : "-");
    world->script += world->script[1] != '\0';
    world->runs++;
    CLEANUP(json_put) struct json_object *result = json_object_new_int64(world->runs);
    if (what == 'w') {
        done(done_arg, TASK_WELL, result, NULL);
    } else if (what != '-') {
        done(done_arg,
             what == 'f'   ? TASK_FAILED
             : what == 'u' ? TASK_UNBEGUN
                           : TASK_HOPELESS,
             NULL, "as the script says");
    }
}

static void begin(struct world *world, unsigned concurrency)
{
    struct task_local_options options = {
        .loop = world->loop,
        .store = world->store,
        .owner = "here",
        .shared = world->shared,
        .leads = leads,
        .settings = {.visibility_ms = 60000, .done_keep_ms = 1000000, .dead_keep_ms = 1000000}};
    struct task_runner_options runs = {.run = run, .arg = world, .settings = {concurrency, 1, 10}};
    world->local = task_local_new(&options);
    world->runner = task_runner_new(&runs);
    task_runner_attach(world->runner, task_local_queue(world->local));
}

static void end(struct world *world)
{
    world->local = task_local_free(world->local);
    world->runner = task_runner_free(world->runner);
}

static void on_late(void *arg)
{
    ((struct world *)arg)->late = true;
}

static void open_world(struct world *world, const char *script, unsigned concurrency)
{
    *world = (struct world){.dir = testdir_new(), .loop = loop_new(NULL), .script = script};
    world->store = testdir_open(world->dir);
    world->timer = (struct loop_timer){.fn = on_late, .arg = world};
    loop_timer_set(world->loop, &world->timer, clock_now_ms() + PATIENCE_MS);
    begin(world, concurrency);
}

static void close_world(struct world *world)
{
    end(world);
    (void)store_close(world->store);
    (void)loop_free(world->loop);
    (void)testdir_remove(world->dir);
}

static int add(struct world *world, const char *walker, const char *key, unsigned retries, char *id)
{
    CLEANUP(json_put) struct json_object *kwargs = json_object_new_object();
    char got[STORE_TASK_ID_MAX + 1];
    bool is_new = false;
    json_set_str(kwargs, "name", walker);
    struct task task = {.name = TASK_WALKER, .kwargs = kwargs, .key = key, .retries = retries};
    int failed = task_local_add(world->local, &task, got, &is_new, NULL);
    if (!failed && id) {
        memcpy(id, got, sizeof(got));
    }
    return failed ? failed : is_new;
}

static int64_t over_count(struct world *world)
{
    struct store_task_counts counts;
    EXPECT_INT(store_task_count(world->store, &counts, NULL), 0);
    return counts.done + counts.dead + counts.cancelled;
}

static void turn_until_over(struct world *world, int64_t tasks)
{
    while (!world->late && over_count(world) < tasks) {
        loop_turn(world->loop, 1000);
    }
    EXPECT(!world->late);
}

static void turn_until_runs(struct world *world, unsigned runs)
{
    while (!world->late && world->runs < runs) {
        loop_turn(world->loop, 1000);
    }
    EXPECT(!world->late);
}

static int copy_end(void *arg, const struct store_task *task)
{
    (void)snprintf(arg, 200, "%lld runs=%lld failures=%lld %s %s", (long long)task->state,
                   (long long)task->runs, (long long)task->failures,
                   task->result ? task->result : "-", task->error ? task->error : "-");
    return 0;
}

static const char *end_of(struct world *world, const char *id)
{
    static char text[200];
    EXPECT_INT(store_task_find(world->store, id, copy_end, text, NULL), 0);
    return text;
}

static void runs_tasks_in_their_order(void)
{
    struct world world;
    char id[STORE_TASK_ID_MAX + 1];
    open_world(&world, "w", 2);
    EXPECT_INT(add(&world, "a", NULL, 0, id), 1);
    EXPECT_INT(add(&world, "b", NULL, 0, NULL), 1);
    EXPECT_INT(add(&world, "c", NULL, 0, NULL), 1);
    turn_until_over(&world, 3);
    EXPECT_STR(world.ran, "a b c ");
    EXPECT_STR(end_of(&world, id), "2 runs=1 failures=0 1 -");
    close_world(&world);
}

static void tries_again_as_often_as_it_may_and_no_more(void)
{
    struct world world;
    char id[STORE_TASK_ID_MAX + 1];
    open_world(&world, "ffw", 1);
    EXPECT_INT(add(&world, "a", NULL, 2, id), 1);
    turn_until_over(&world, 1);
    EXPECT_STR(end_of(&world, id), "2 runs=3 failures=2 3 -");
    world.script = "f";
    EXPECT_INT(add(&world, "b", NULL, 2, id), 1);
    turn_until_over(&world, 2);
    EXPECT_STR(end_of(&world, id), "3 runs=3 failures=3 null as the script says");

    /* A person looks at it, mends the cause, and lets it begin anew. */
    world.script = "w";
    EXPECT_INT(task_local_revive(world.local, id, NULL), 0);
    turn_until_over(&world, 2);
    EXPECT_STR(end_of(&world, id), "2 runs=4 failures=0 7 -");
    close_world(&world);
}

static void counts_no_failure_while_nobody_is_there(void)
{
    struct world world;
    char id[STORE_TASK_ID_MAX + 1];
    open_world(&world, "uuuuw", 1);
    EXPECT_INT(add(&world, "a", NULL, 0, id), 1);
    turn_until_over(&world, 1);
    EXPECT_STR(end_of(&world, id), "2 runs=5 failures=0 5 -");
    world.script = "h";
    EXPECT_INT(add(&world, "b", NULL, 9, id), 1);
    turn_until_over(&world, 2);
    EXPECT_STR(end_of(&world, id), "3 runs=1 failures=0 null as the script says");
    close_world(&world);
}

static void begins_anew_what_an_earlier_life_had(void)
{
    struct world world;
    char id[STORE_TASK_ID_MAX + 1];
    open_world(&world, "-w", 1);
    EXPECT_INT(add(&world, "a", "key", 0, id), 1);
    turn_until_runs(&world, 1);
    EXPECT_INT(add(&world, "a", "key", 0, NULL), 0); /* while it runs */
    end(&world);                                     /* as by kill -9 */
    begin(&world, 1);
    turn_until_over(&world, 1);
    EXPECT_STR(world.ran, "a a ");
    EXPECT_STR(end_of(&world, id), "2 runs=2 failures=0 2 -");
    EXPECT_INT(add(&world, "a", "key", 0, NULL), 0); /* and when it is over */
    close_world(&world);
}

static void has_no_more_at_once_than_it_may(void)
{
    struct world world;
    open_world(&world, "-", 2);
    for (int i = 0; i < 5; i++) {
        EXPECT_INT(add(&world, "a", NULL, 0, NULL), 1);
    }
    turn_until_runs(&world, 2);
    for (int i = 0; i < 5; i++) {
        loop_turn(world.loop, 10);
    }
    EXPECT_INT(world.runs, 2);
    task_runner_set(world.runner, &(struct task_runner_settings){4, 1, 10});
    turn_until_runs(&world, 4);
    EXPECT_INT(task_runner_running(world.runner), 4);
    close_world(&world);
}

static void on_over(void *arg, bool over)
{
    *(int *)arg = over ? 1 : -1;
}

static void tells_who_waits(void)
{
    struct world world;
    char id[STORE_TASK_ID_MAX + 1];
    int over = 0;
    open_world(&world, "w", 1);
    EXPECT_INT(add(&world, "a", NULL, 0, id), 1);
    EXPECT_INT(task_local_wait(world.local, id, PATIENCE_MS, on_over, &over, NULL), 0);
    turn_until_over(&world, 1);
    EXPECT_INT(over, 1);
    over = 0;
    EXPECT_INT(task_local_wait(world.local, id, PATIENCE_MS, on_over, &over, NULL), 0);
    EXPECT_INT(over, 1);
    over = 0;
    EXPECT_INT(task_local_wait(world.local, "none", 1, on_over, &over, NULL), 0);
    while (!world.late && over == 0) {
        loop_turn(world.loop, 1000);
    }
    EXPECT_INT(over, -1);
    close_world(&world);
}

static void tells_of_ends_that_others_wrote(void)
{
    struct world world;
    char ids[2][STORE_TASK_ID_MAX + 1];
    int over[3] = {0};
    open_world(&world, "-", 1);
    end(&world);
    world.shared = true;
    begin(&world, 1);
    for (size_t i = 0; i < 2; i++) {
        EXPECT_INT(add(&world, "a", NULL, 0, ids[i]), 1);
        EXPECT_INT(task_local_wait(world.local, ids[i], PATIENCE_MS, on_over, &over[i], NULL), 0);
    }
    EXPECT_INT(task_local_wait(world.local, "none", PATIENCE_MS, on_over, &over[2], NULL), 0);
    for (size_t i = 0; i < 2; i++) {
        struct store_task_end done = {.id = ids[i], .state = STORE_TASK_DONE, .now_ms = 1};
        EXPECT_INT(store_task_finish(world.store, &done, NULL), 0);
    }
    while (!world.late && (over[0] == 0 || over[1] == 0)) {
        loop_turn(world.loop, 1000);
    }
    EXPECT(over[0] == 1 && over[1] == 1 && over[2] == 0);
    close_world(&world);
}

static void cancels_what_waits_and_what_runs(void)
{
    struct world world;
    char first[STORE_TASK_ID_MAX + 1], second[STORE_TASK_ID_MAX + 1];
    open_world(&world, "-", 1);
    EXPECT_INT(add(&world, "a", NULL, 0, first), 1);
    EXPECT_INT(add(&world, "b", NULL, 0, second), 1);
    turn_until_runs(&world, 1);
    EXPECT_INT(task_local_cancel(world.local, first, NULL), 0);
    EXPECT_INT(task_local_cancel(world.local, second, NULL), 0);
    EXPECT_INT(task_local_cancel(world.local, second, NULL), -ENOENT);
    EXPECT_STR(end_of(&world, first), "4 runs=1 failures=0 - it was cancelled");
    close_world(&world);
}

static void refuses_what_is_no_task(void)
{
    struct world world;
    struct err err = {0};
    char id[STORE_TASK_ID_MAX + 1];
    bool is_new;
    open_world(&world, "w", 1);
    struct task task = {.name = TASK_WALKER, .key = "with a blank"};
    EXPECT_INT(task_local_add(world.local, &task, id, &is_new, &err), -EINVAL);
    task.key = "";
    EXPECT_INT(task_local_add(world.local, &task, id, &is_new, &err), -EINVAL);
    task.key = NULL;
    task.retries = TASK_RETRIES_MAX + 1;
    EXPECT_INT(task_local_add(world.local, &task, id, &is_new, &err), -EINVAL);
    close_world(&world);
}

static void makes_tasks_of_schedules(void)
{
    struct world world;
    int64_t id = 0;
    open_world(&world, "w", 1);
    struct store_schedule schedule = {.name = "often",
                                      .task = TASK_WALKER,
                                      .kind = "interval",
                                      .conf = "{\"every\": 1, \"period\": \"hours\"}",
                                      .kwargs = "{\"name\": \"tidy\"}",
                                      .next_ms = 1}; /* long ago: made up for once */
    EXPECT_INT(store_schedule_add(world.store, &schedule, &id, NULL), 0);
    schedule.name = "once";
    schedule.one_off = 1;
    EXPECT_INT(store_schedule_add(world.store, &schedule, &id, NULL), 0);
    task_local_wake(world.local);
    turn_until_over(&world, 2);
    EXPECT_STR(world.ran, "tidy tidy ");
    int64_t next_ms = 0, now_ms = clock_unix_ms();
    EXPECT_INT(store_schedule_next_due(world.store, &next_ms, NULL), 0);
    EXPECT(next_ms > now_ms - PATIENCE_MS && next_ms <= now_ms + 3600000);
    close_world(&world);
}

TEST_MAIN(runs_tasks_in_their_order, tries_again_as_often_as_it_may_and_no_more,
          counts_no_failure_while_nobody_is_there, begins_anew_what_an_earlier_life_had,
          has_no_more_at_once_than_it_may, tells_who_waits, tells_of_ends_that_others_wrote,
          cancels_what_waits_and_what_runs, refuses_what_is_no_task, makes_tasks_of_schedules)
