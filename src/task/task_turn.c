/* One timer does all that is not asked for: renews what is held, fires schedules, takes what is
 * due, lets go those who waited long enough, trims. A store that cannot be reached delays all of
 * it. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "store/store.h"
#include "task/schedule.h"
#include "task/task_local_priv.h"

#define LOOK_MS_SHARED 1000  /* others add tasks without telling us */
#define LOOK_MS        10000 /* the clock may have been set */
#define TRIM_MS        60000
#define TRIM_ROWS      1000 /* in a statement: it holds up the control thread */

/* ---- the turn ---- */

static void renew_all(struct task_local *local, uint64_t now_ms)
{
    for (struct task_held *held = local->held; held; held = held->next) {
        struct err err = {0};
        if (now_ms < held->renew_ms) {
            continue;
        }
        int64_t until_ms = clock_unix_ms() + (int64_t)local->settings.visibility_ms;
        int failed =
            store_task_renew(local->options.store, held->id, local->options.owner, until_ms, &err);
        if (task_local_failed(local, failed, &err)) {
            return;
        }
        held->renew_ms = now_ms + local->settings.visibility_ms / TASK_RENEWALS;
    }
}

struct taking {
    struct task_local *local;
    struct task_held *first, **last;
};

static int keep(void *arg, const struct store_task *row)
{
    struct taking *taking = arg;
    struct task_held *held = xcalloc(1, sizeof(*held));
    held->id = xstrdup(row->id);
    held->name = xstrdup(row->name);
    held->key = row->key ? xstrdup(row->key) : NULL;
    (void)json_parse(slice_str(row->args), &held->args, NULL);
    (void)json_parse(slice_str(row->kwargs), &held->kwargs, NULL);
    held->renew_ms = clock_now_ms() + taking->local->settings.visibility_ms / TASK_RENEWALS;
    held->delivery = (struct task_delivery){
        .queue = &taking->local->queue,
        .task = {.id = held->id,
                 .name = held->name,
                 .args = held->args,
                 .kwargs = held->kwargs,
                 .key = held->key,
                 .user_id = row->user_id,
                 .expires_unix_ms = row->expires_ms,
                 .retries = (unsigned)row->retries,
                 .failures = (unsigned)row->failures,
                 .runs = (unsigned)row->runs},
    };
    *taking->last = held;
    taking->last = &held->next;
    return 0;
}

/* More than one may have been asked for at once: all are in our hands before the first is begun. */
static void take(struct task_local *local)
{
    struct taking taking = {.local = local, .last = &taking.first};
    int64_t now_ms = clock_unix_ms();
    struct store_task_take what = {.owner = local->options.owner,
                                   .now_ms = now_ms,
                                   .until_ms = now_ms + (int64_t)local->settings.visibility_ms,
                                   .limit = local->room};
    struct err err = {0};
    int failed = store_task_take(local->options.store, &what, keep, &taking, &err);
    bool lost = task_local_failed(local, failed, &err);
    struct task_held *next;
    for (struct task_held *held = taking.first; held; held = next) {
        next = held->next;
        if (lost) {
            task_held_free(held);
            continue;
        }
        local->room--;
        local->figures.again += held->delivery.task.runs > held->delivery.task.failures + 1;
        held->next = local->held;
        local->held = held;
        local->queue.on_task(local->queue.arg, &held->delivery);
    }
}

static void fire_due(struct task_local *local)
{
    struct err err = {0};
    unsigned added = 0;
    int failed = schedule_fire_due(local->options.store, clock_unix_ms(), &added, &err);
    local->figures.scheduled += added;
    local->waiting += added;
    (void)task_local_failed(local, failed, &err);
}

static void trim(struct task_local *local, uint64_t now_ms)
{
    int64_t unix_ms = clock_unix_ms(), deleted = 0;
    struct store_task_trim what = {unix_ms - (int64_t)local->settings.done_keep_ms,
                                   unix_ms - (int64_t)local->settings.dead_keep_ms, TRIM_ROWS};
    if (store_task_trim(local->options.store, &what, &deleted, NULL) == 0 && deleted < TRIM_ROWS) {
        local->trimmed_ms = now_ms;
    }
}

/* Others may have ended it, or somebody cancelled it elsewhere. */
static void look_at_waits(struct task_local *local, uint64_t now_ms)
{
    for (struct task_wait *wait = local->options.shared ? local->waits : NULL; wait;
         wait = wait->next) {
        wait->over = task_local_is_over(local, wait->id);
    }
    task_local_let_go(local, NULL, now_ms);
}

static uint64_t next_wake(struct task_local *local, uint64_t now_ms, bool leads)
{
    uint64_t wake_ms = now_ms + (local->failing          ? TASK_STORE_RETRY_MS
                                 : local->options.shared ? LOOK_MS_SHARED
                                                         : LOOK_MS);
    int64_t due_ms = INT64_MAX, other_ms = INT64_MAX, unix_ms = clock_unix_ms();
    if (!local->failing) {
        if (local->room > 0) {
            (void)store_task_next_due(local->options.store, &due_ms, NULL);
        }
        if (leads) {
            (void)store_schedule_next_due(local->options.store, &other_ms, NULL);
        }
        due_ms = other_ms < due_ms ? other_ms : due_ms;
    }
    if (due_ms < unix_ms + (int64_t)(wake_ms - now_ms)) {
        wake_ms = now_ms + (due_ms > unix_ms ? (uint64_t)(due_ms - unix_ms) : 1);
    }
    for (const struct task_held *held = local->held; held; held = held->next) {
        wake_ms = held->renew_ms < wake_ms ? held->renew_ms : wake_ms;
    }
    for (const struct task_wait *wait = local->waits; wait; wait = wait->next) {
        wake_ms = wait->deadline_ms < wake_ms ? wait->deadline_ms : wake_ms;
    }
    return wake_ms > now_ms ? wake_ms : now_ms + 1;
}

/* An earlier life of this daemon is over, and with it what it ran. */
static void release(struct task_local *local)
{
    struct err err = {0};
    int64_t released = 0;
    int failed = store_task_release(local->options.store, local->options.owner, clock_unix_ms(),
                                    &released, &err);
    local->released = !task_local_failed(local, failed, &err);
    if (released > 0) {
        log_info("tasks that were cut short begin anew", "tasks=%lld", (long long)released);
    }
}

/* Asked first: taking is a transaction, for which all writers of a shared state stand in a row. */
static bool is_due(struct task_local *local)
{
    struct err err = {0};
    int64_t due_ms = INT64_MAX;
    if (local->failing) {
        return false;
    }
    int failed = store_task_next_due(local->options.store, &due_ms, &err);
    return !task_local_failed(local, failed, &err) && due_ms <= clock_unix_ms();
}

void task_local_turn(void *arg)
{
    struct task_local *local = arg;
    uint64_t now_ms = clock_now_ms();
    bool leads = !local->ending && local->options.leads(local->options.arg);
    if (!local->released) {
        release(local);
    }
    task_held_settle(local);
    renew_all(local, now_ms);
    if (leads && !local->failing) {
        fire_due(local);
    }
    if (local->room > 0 && !local->ending && local->released && is_due(local)) {
        take(local);
    }
    if (leads && now_ms - local->trimmed_ms >= TRIM_MS) {
        trim(local, now_ms);
    }
    look_at_waits(local, now_ms);
    if (local->failing) { /* each turn tries, by looking */
        int64_t due_ms;
        struct err err = {0};
        (void)task_local_failed(local, store_task_next_due(local->options.store, &due_ms, &err),
                                &err);
    }
    loop_timer_set(local->options.loop, &local->timer, next_wake(local, now_ms, leads));
}
