/* Tasks and schedules, on a file and on a database. */
#include "store/store_task.h"

#include <errno.h>
#include <stdio.h>

#include "base/test.h"
#include "store/store_testdir.h"

static int add(struct store *store, const char *id, const char *key, int64_t due_ms)
{
    struct store_task task = {
        .id = id, .name = "jsorc.walker", .key = key, .user_id = 7, .due_ms = due_ms, .retries = 2};
    char got[STORE_TASK_ID_MAX + 1];
    bool is_new = false;
    int failed = store_task_add(store, &task, got, &is_new, NULL);
    EXPECT(failed || strcmp(got, id) == 0 || !is_new);
    return failed ? failed : is_new;
}

/* "id:runs " of each. */
static int list(void *arg, const struct store_task *task)
{
    char *text = arg;
    size_t used = strlen(text);
    (void)snprintf(text + used, 200 - used, "%s:%lld ", task->id, (long long)task->runs);
    return 0;
}

static const char *take(struct store *store, const char *owner, int64_t now_ms, int64_t limit)
{
    static char text[200];
    text[0] = '\0';
    struct store_task_take what = {owner, now_ms, now_ms + 100, limit};
    EXPECT_INT(store_task_take(store, &what, list, text, NULL), 0);
    return text;
}

static int copy_task(void *arg, const struct store_task *task)
{
    struct store_task *copy = arg;
    static char texts[3][100];
    *copy = *task;
    (void)snprintf(texts[0], sizeof(texts[0]), "%s", task->owner);
    (void)snprintf(texts[1], sizeof(texts[1]), "%s", task->result ? task->result : "none");
    (void)snprintf(texts[2], sizeof(texts[2]), "%s", task->error ? task->error : "none");
    copy->owner = texts[0];
    copy->result = texts[1];
    copy->error = texts[2];
    return 0;
}

static struct store_task find(struct store *store, const char *id)
{
    struct store_task task = {0};
    EXPECT_INT(store_task_find(store, id, copy_task, &task, NULL), 0);
    return task;
}

static void gives_tasks_in_order_of_their_time_and_each_to_one(void)
{
    CLEANUP(testdir_remove) struct testdir *dir = testdir_new();
    CLEANUP(store_close) struct store *store = testdir_open(dir);
    int64_t due_ms = 0;
    EXPECT_INT(store_task_next_due(store, &due_ms, NULL), 0);
    EXPECT(due_ms == INT64_MAX);
    EXPECT_INT(add(store, "late", NULL, 20), 1);
    EXPECT_INT(add(store, "c", NULL, 10), 1);
    EXPECT_INT(add(store, "a", NULL, 10), 1);
    EXPECT_INT(add(store, "early", NULL, 5), 1);
    EXPECT_INT(add(store, "a", NULL, 1), -EEXIST);
    EXPECT_INT(store_task_next_due(store, &due_ms, NULL), 0);
    EXPECT_INT(due_ms, 5);
    EXPECT_STR(take(store, "one", 4, 9), "");
    EXPECT_STR(take(store, "one", 10, 2), "early:1 c:1 ");
    EXPECT_STR(take(store, "two", 20, 9), "a:1 late:1 ");
    EXPECT_STR(take(store, "two", 20, 9), "");
    struct store_task task = find(store, "c");
    EXPECT_STR(task.owner, "one");
    EXPECT_INT(task.state, STORE_TASK_RUNS);
    EXPECT_INT(task.due_ms, 110);
}

static void adds_a_task_with_a_key_once(void)
{
    CLEANUP(testdir_remove) struct testdir *dir = testdir_new();
    CLEANUP(store_close) struct store *store = testdir_open(dir);
    struct store_task other = {.id = "z", .name = "n", .key = "k", .user_id = 8};
    char id[STORE_TASK_ID_MAX + 1] = "";
    bool is_new = false;
    EXPECT_INT(add(store, "a", "k", 10), 1);
    EXPECT_INT(add(store, "b", "k", 10), 0);
    struct store_task again = {.id = "b", .name = "n", .key = "k", .user_id = 7};
    EXPECT_INT(store_task_add(store, &again, id, &is_new, NULL), 0);
    EXPECT_STR(id, "a");
    EXPECT_INT(store_task_add(store, &other, id, &is_new, NULL), 0);
    EXPECT(is_new); /* another user's keys are others */
    EXPECT_STR(take(store, "one", 10, 9), "z:1 a:1 ");
    EXPECT_INT(store_task_finish(
                   store, &(struct store_task_end){.id = "a", .state = STORE_TASK_DONE}, NULL),
               0);
    EXPECT_INT(add(store, "b", "k", 10), 0); /* and stays so when it is over */
}

static void gives_what_nobody_renews_to_others(void)
{
    CLEANUP(testdir_remove) struct testdir *dir = testdir_new();
    CLEANUP(store_close) struct store *store = testdir_open(dir);
    int64_t released = 0;
    EXPECT_INT(add(store, "a", NULL, 0), 1);
    EXPECT_INT(add(store, "b", NULL, 1), 1);
    EXPECT_STR(take(store, "one", 10, 9), "a:1 b:1 ");
    EXPECT_INT(store_task_renew(store, "a", "one", 200, NULL), 0);
    EXPECT_INT(store_task_renew(store, "a", "two", 900, NULL), -ENOENT);
    EXPECT_STR(take(store, "two", 109, 9), "");
    EXPECT_STR(take(store, "two", 110, 9), "b:2 ");
    EXPECT_INT(store_task_renew(store, "b", "one", 900, NULL), -ENOENT);
    EXPECT_INT(store_task_again(store, &(struct store_task_again){.id = "b", .owner = "one"}, NULL),
               -ENOENT);
    EXPECT_INT(store_task_release(store, "one", 120, &released, NULL), 0);
    EXPECT_INT(released, 1);
    EXPECT_STR(take(store, "two", 120, 9), "a:2 ");
}

static void keeps_the_first_end_alone(void)
{
    CLEANUP(testdir_remove) struct testdir *dir = testdir_new();
    CLEANUP(store_close) struct store *store = testdir_open(dir);
    struct store_task_end first = {
        .id = "a", .state = STORE_TASK_DONE, .result = "[1]", .now_ms = 50};
    struct store_task_end second = {.id = "a", .state = STORE_TASK_DEAD, .error = "late"};
    EXPECT_INT(add(store, "a", NULL, 0), 1);
    EXPECT_STR(take(store, "one", 10, 9), "a:1 ");
    EXPECT_INT(store_task_finish(store, &first, NULL), 0);
    EXPECT_INT(store_task_finish(store, &second, NULL), -ENOENT);
    struct store_task task = find(store, "a");
    EXPECT_INT(task.state, STORE_TASK_DONE);
    EXPECT_STR(task.result, "[1]");
    EXPECT_STR(task.error, "none");
    EXPECT_STR(take(store, "two", 1000, 9), "");
    EXPECT_INT(store_task_revive(store, "a", 60, NULL), -ENOENT);
    second.id = "none";
    EXPECT_INT(store_task_finish(store, &second, NULL), -ENOENT);
    EXPECT_INT(store_task_find(store, "none", copy_task, &task, NULL), -ENOENT);
}

static void tries_again_and_revives_the_dead(void)
{
    CLEANUP(testdir_remove) struct testdir *dir = testdir_new();
    CLEANUP(store_close) struct store *store = testdir_open(dir);
    struct store_task_again again = {
        .id = "a", .owner = "one", .error = "no", .failures = 1, .due_ms = 30};
    struct store_task_end end = {
        .id = "a", .state = STORE_TASK_DEAD, .error = "never", .failures = 2, .now_ms = 40};
    EXPECT_INT(add(store, "a", NULL, 0), 1);
    EXPECT_STR(take(store, "one", 10, 9), "a:1 ");
    EXPECT_INT(store_task_again(store, &again, NULL), 0);
    struct store_task task = find(store, "a");
    EXPECT_INT(task.failures, 1);
    EXPECT_STR(task.error, "no");
    EXPECT_STR(take(store, "one", 29, 9), "");
    EXPECT_STR(take(store, "one", 30, 9), "a:2 ");
    EXPECT_INT(store_task_finish(store, &end, NULL), 0);
    EXPECT_INT(store_task_revive(store, "a", 50, NULL), 0);
    EXPECT_INT(store_task_revive(store, "a", 50, NULL), -ENOENT);
    EXPECT_INT(find(store, "a").failures, 0);
    EXPECT_STR(take(store, "one", 50, 9), "a:3 ");
}

static void counts_lists_and_trims(void)
{
    CLEANUP(testdir_remove) struct testdir *dir = testdir_new();
    CLEANUP(store_close) struct store *store = testdir_open(dir);
    struct store_task_counts counts;
    int64_t deleted = 0;
    char text[200] = "";
    const char *const ids[] = {"a", "b", "c", "d", "e"};
    for (int i = 0; i < 5; i++) {
        EXPECT_INT(add(store, ids[i], NULL, i), 1);
    }
    EXPECT_STR(take(store, "one", 10, 4), "a:1 b:1 c:1 d:1 ");
    static const enum store_task_state ends[] = {STORE_TASK_DONE, STORE_TASK_DEAD,
                                                 STORE_TASK_CANCELLED};
    for (int i = 0; i < 3; i++) {
        EXPECT_INT(store_task_finish(
                       store,
                       &(struct store_task_end){.id = ids[i], .state = ends[i], .now_ms = 100},
                       NULL),
                   0);
    }
    EXPECT_INT(store_task_count(store, &counts, NULL), 0);
    EXPECT(counts.waiting == 1 && counts.running == 1 && counts.done == 1 && counts.dead == 1 &&
           counts.cancelled == 1);
    struct store_task_search search = {STORE_TASK_ANY, 7, 3, 1};
    EXPECT_INT(store_task_each(store, &search, list, text, NULL), 0);
    EXPECT_STR(text, "d:1 c:1 b:1 ");
    text[0] = '\0';
    search = (struct store_task_search){STORE_TASK_DEAD, STORE_TASK_ANY, 9, 0};
    EXPECT_INT(store_task_each(store, &search, list, text, NULL), 0);
    EXPECT_STR(text, "b:1 ");
    EXPECT_INT(store_task_trim(store, &(struct store_task_trim){100, 100, 9}, &deleted, NULL), 0);
    EXPECT_INT(deleted, 0);
    EXPECT_INT(store_task_trim(store, &(struct store_task_trim){101, 50, 9}, &deleted, NULL), 0);
    EXPECT_INT(deleted, 2); /* the dead one stays longer */
    EXPECT_INT(store_task_trim(store, &(struct store_task_trim){50, 101, 9}, &deleted, NULL), 0);
    EXPECT_INT(deleted, 1);
}

static int refuse(void *arg, const struct store_task *task)
{
    (void)arg, (void)task;
    return -ECANCELED;
}

static void takes_nothing_when_the_taker_refuses(void)
{
    CLEANUP(testdir_remove) struct testdir *dir = testdir_new();
    CLEANUP(store_close) struct store *store = testdir_open(dir);
    struct store_task_take what = {"one", 10, 100, 9};
    EXPECT_INT(add(store, "a", NULL, 0), 1);
    EXPECT_INT(store_task_take(store, &what, refuse, NULL, NULL), -ECANCELED);
    EXPECT_STR(take(store, "two", 10, 9), "a:1 ");
}

/* ---- schedules ---- */

static int64_t plan(struct store *store, const char *name, int64_t user_id, int64_t next_ms)
{
    int64_t id = 0;
    struct store_schedule schedule = {.name = name,
                                      .task = "jsorc.walker",
                                      .user_id = user_id,
                                      .kind = "interval",
                                      .conf = "{}",
                                      .kwargs = "{}",
                                      .next_ms = next_ms};
    int failed = store_schedule_add(store, &schedule, &id, NULL);
    return failed ? failed : id;
}

static int list_schedule(void *arg, const struct store_schedule *schedule)
{
    char *text = arg;
    size_t used = strlen(text);
    (void)snprintf(text + used, 200 - used, "%s@%lld+%lld ", schedule->name,
                   (long long)schedule->next_ms, (long long)schedule->runs);
    return 0;
}

static void keeps_schedules_of_users(void)
{
    CLEANUP(testdir_remove) struct testdir *dir = testdir_new();
    CLEANUP(store_close) struct store *store = testdir_open(dir);
    struct store_schedule_search search = {.user_id = STORE_TASK_ANY};
    char text[200] = "";
    EXPECT_INT(plan(store, "a", 1, 10), 2);
    EXPECT_INT(plan(store, "a", 2, 10), -EEXIST);
    EXPECT_INT(plan(store, "B_%", 2, 20), 3);
    EXPECT_INT(store_schedule_each(store, &search, list_schedule, text, NULL), 0);
    EXPECT_STR(text, "B_%@20+0 a@10+0 ");
    text[0] = '\0';
    search = (struct store_schedule_search){.user_id = 2, .text = "b_", .limit = 5};
    EXPECT_INT(store_schedule_each(store, &search, list_schedule, text, NULL), 0);
    EXPECT_STR(text, "B_%@20+0 ");
    text[0] = '\0';
    search.text = "_b";
    EXPECT_INT(store_schedule_each(store, &search, list_schedule, text, NULL), 0);
    EXPECT_STR(text, "");
    EXPECT_INT(store_schedule_delete(store, 3, 1, NULL), -ENOENT);
    EXPECT_INT(store_schedule_delete(store, 3, 2, NULL), 0);
    EXPECT_INT(store_schedule_delete(store, 2, STORE_TASK_ANY, NULL), 0);
    EXPECT_INT(plan(store, "a", 1, 10), 4); /* no number twice */
}

static void fires_a_schedule_once_for_each_of_its_times(void)
{
    CLEANUP(testdir_remove) struct testdir *dir = testdir_new();
    CLEANUP(store_close) struct store *store = testdir_open(dir);
    int64_t id = plan(store, "a", 1, 10), due_ms = 0;
    struct store_task task = {.id = "t1", .name = "jsorc.walker", .due_ms = 10};
    struct store_schedule_fire fire = {id, 10, 20, &task};
    char text[200] = "";
    bool added = false;
    EXPECT_INT(store_schedule_next_due(store, &due_ms, NULL), 0);
    EXPECT_INT(due_ms, 10);
    EXPECT_INT(store_schedule_due(store, 9, 9, list_schedule, text, NULL), 0);
    EXPECT_STR(text, "");
    EXPECT_INT(store_schedule_fire(store, &fire, &added, NULL), 0);
    EXPECT(added);
    EXPECT_INT(store_schedule_fire(store, &fire, &added, NULL), -ENOENT);
    task.id = "t2";
    fire.due_ms = 20;
    fire.next_ms = 30;
    EXPECT_INT(store_schedule_fire(store, &fire, &added, NULL), 0);
    EXPECT(!added); /* the first one is still to be done */
    EXPECT_INT(store_task_finish(
                   store, &(struct store_task_end){.id = "t1", .state = STORE_TASK_DONE}, NULL),
               0);
    fire.due_ms = 30;
    fire.next_ms = INT64_MAX;
    EXPECT_INT(store_schedule_fire(store, &fire, &added, NULL), 0);
    EXPECT(added);
    EXPECT_INT(store_schedule_due(store, INT64_MAX, 9, list_schedule, text, NULL), 0);
    EXPECT_STR(text, "a@9223372036854775807+2 ");
    EXPECT_STR(take(store, "one", 100, 9), "t2:1 ");
}

TEST_MAIN(gives_tasks_in_order_of_their_time_and_each_to_one, adds_a_task_with_a_key_once,
          gives_what_nobody_renews_to_others, keeps_the_first_end_alone,
          tries_again_and_revives_the_dead, counts_lists_and_trims,
          takes_nothing_when_the_taker_refuses, keeps_schedules_of_users,
          fires_a_schedule_once_for_each_of_its_times)
