#include "task/task_local.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "store/store.h"
#include "task/task_local_priv.h"

/* Counting goes over all rows: as old as this they may be for who reads figures, and for the limit.
 */
#define COUNT_MS     5000
#define COUNT_MS_MAX 60000

void task_local_wake(struct task_local *local)
{
    loop_timer_set(local->options.loop, &local->timer, clock_now_ms());
}

static void want(struct task_queue *queue, unsigned more)
{
    task_local_of(queue)->room += more;
    task_local_wake(task_local_of(queue));
}

static const struct task_queue_ops OPS = {"state", want, task_held_finish, task_held_again};

/* ---- life ---- */

struct task_local *task_local_new(const struct task_local_options *options)
{
    struct task_local *local = xcalloc(1, sizeof(*local));
    local->queue.ops = &OPS;
    local->options = *options;
    local->settings = options->settings;
    local->timer = (struct loop_timer){.fn = task_local_turn, .arg = local};
    local->trimmed_ms = clock_now_ms();
    task_local_wake(local);
    return local;
}

struct task_local *task_local_free(struct task_local *local)
{
    if (!local) {
        return NULL;
    }
    loop_timer_clear(local->options.loop, &local->timer);
    while (local->held) {
        struct task_held *held = local->held;
        local->held = held->next;
        task_held_free(held);
    }
    while (local->waits) {
        struct task_wait *wait = local->waits;
        local->waits = wait->next;
        free(wait);
    }
    free(local);
    return NULL;
}

struct task_queue *task_local_queue(struct task_local *local)
{
    return &local->queue;
}

void task_local_set(struct task_local *local, const struct task_local_settings *settings)
{
    local->settings = *settings;
}

void task_local_end(struct task_local *local)
{
    local->ending = true;
    task_local_let_go(local, NULL, UINT64_MAX);
}

/* ---- what is asked ---- */

static int is_over(void *arg, const struct store_task *task)
{
    *(bool *)arg = task->state >= STORE_TASK_DONE;
    return 0;
}

bool task_local_is_over(struct task_local *local, const char *id)
{
    bool over = false;
    return store_task_find(local->options.store, id, is_over, &over, NULL) == 0 && over;
}

static int check(const struct task *task, const char *args, const char *kwargs, struct err *err)
{
    if (task->key && (!*task->key || strlen(task->key) > TASK_KEY_BYTES_MAX)) {
        return err_set(err, EINVAL, "a key has 1 to %d bytes", TASK_KEY_BYTES_MAX);
    }
    for (const char *at = task->key; at && *at; at++) { /* it is a header's value for the walker */
        if (*at <= ' ' || *at > '~') {
            return err_set(err, EINVAL, "a key has visible ASCII characters only");
        }
    }
    if (task->retries > TASK_RETRIES_MAX) {
        return err_set(err, EINVAL, "retries must be 0 to %d", TASK_RETRIES_MAX);
    }
    if (strlen(args) + strlen(kwargs) > TASK_ARGS_BYTES_MAX) {
        return err_set(err, E2BIG, "the arguments have %zu bytes, over the limit of %lu",
                       strlen(args) + strlen(kwargs), TASK_ARGS_BYTES_MAX);
    }
    return 0;
}

static void count(struct task_local *local, uint64_t age_ms)
{
    uint64_t now_ms = clock_now_ms();
    bool fresh = local->counted_ms > 0 && now_ms - local->counted_ms < age_ms;
    if (!fresh && store_task_count(local->options.store, &local->figures.counts, NULL) == 0) {
        local->waiting = local->figures.counts.waiting + local->figures.counts.running;
        local->counted_ms = now_ms;
    }
}

int task_local_add(struct task_local *local, const struct task *task,
                   char ret_id[STORE_TASK_ID_MAX + 1], bool *ret_is_new, struct err *err)
{
    const char *args = task->args ? json_text(task->args) : "[]";
    const char *kwargs = task->kwargs ? json_text(task->kwargs) : "{}";
    char id[TASK_ID_SIZE];
    int64_t now_ms = clock_unix_ms();
    int failed = check(task, args, kwargs, err);
    if (failed) {
        return failed;
    }
    /* What an earlier life left, and what others add, is only known by counting. */
    count(local, COUNT_MS_MAX);
    if (local->waiting >= TASK_WAITING_MAX) {
        return err_set(err, ENOSPC, "%d tasks wait already; try again later", TASK_WAITING_MAX);
    }
    task_make_id(id);
    struct store_task row = {.id = task->id ? task->id : id,
                             .name = task->name,
                             .args = args,
                             .kwargs = kwargs,
                             .key = task->key,
                             .user_id = task->user_id,
                             .created_ms = now_ms,
                             .due_ms = task->eta_unix_ms > now_ms ? task->eta_unix_ms : now_ms,
                             .expires_ms = task->expires_unix_ms,
                             .retries = task->retries};
    failed = store_task_add(local->options.store, &row, ret_id, ret_is_new, err);
    if (!failed && *ret_is_new) {
        local->waiting++;
        local->figures.added++;
        if (local->room > 0) {
            task_local_wake(local);
        }
    }
    return failed;
}

int task_local_cancel(struct task_local *local, const char *id, struct err *err)
{
    struct store_task_end end = {.id = id,
                                 .state = STORE_TASK_CANCELLED,
                                 .error = "it was cancelled",
                                 .now_ms = clock_unix_ms()};
    int failed = store_task_finish(local->options.store, &end, err);
    if (!failed) {
        local->figures.cancelled++;
        local->waiting--;
        task_local_let_go(local, id, 0);
    }
    return failed;
}

int task_local_revive(struct task_local *local, const char *id, struct err *err)
{
    int failed = store_task_revive(local->options.store, id, clock_unix_ms(), err);
    if (!failed) {
        local->waiting++;
        task_local_wake(local);
    }
    return failed;
}

int task_local_wait(struct task_local *local, const char *id, uint64_t timeout_ms, task_over_fn fn,
                    void *arg, struct err *err)
{
    if (task_local_is_over(local, id)) {
        fn(arg, true);
        return 0;
    }
    if (local->wait_count == TASK_WAITS_MAX) {
        return err_set(err, EBUSY, "%d tasks are waited for already; ask for the state instead",
                       TASK_WAITS_MAX);
    }
    if (strlen(id) > STORE_TASK_ID_MAX) {
        return err_set(err, EINVAL, "an id has at most %d bytes", STORE_TASK_ID_MAX);
    }
    struct task_wait *wait = xcalloc(1, sizeof(*wait));
    *wait = (struct task_wait){
        .next = local->waits, .deadline_ms = clock_now_ms() + timeout_ms, .fn = fn, .arg = arg};
    memcpy(wait->id, id, strlen(id) + 1);
    local->waits = wait;
    local->wait_count++;
    task_local_wake(local);
    return 0;
}

void task_local_figures(struct task_local *local, struct task_figures *ret)
{
    count(local, COUNT_MS);
    *ret = local->figures;
}
