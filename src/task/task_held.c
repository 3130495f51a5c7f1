/* The tasks that are in our hands, and how they leave them. A store that cannot be reached delays
 * their ends and loses none. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "store/store.h"
#include "task/task_local_priv.h"

static unsigned held_count(const struct task_local *local)
{
    unsigned count = 0;
    for (const struct task_held *held = local->held; held; held = held->next) {
        count++;
    }
    return count;
}

/* True: it failed, for a reason that may pass. */
bool task_local_failed(struct task_local *local, int failed, const struct err *err)
{
    bool passing = failed && failed != -ENOENT;
    if (passing && !local->failing) { /* of a lost connection who keeps it has told already */
        log_line(failed == -ENOTCONN ? LOG_INFO : LOG_WARN, "tasks wait for the state",
                 "error=\"%s\"", err->text);
    } else if (!failed && local->failing) {
        log_info("tasks go on", "held=%u", held_count(local));
    }
    local->failing = passing || (failed && local->failing);
    return passing;
}

/* ---- what is held ---- */

void task_held_free(struct task_held *held)
{
    (void)json_put(held->args);
    (void)json_put(held->kwargs);
    free(held->id);
    free(held->name);
    free(held->key);
    free(held->result);
    free(held->error);
    free(held);
}

static void forget(struct task_local *local, struct task_held *held)
{
    for (struct task_held **at = &local->held; *at; at = &(*at)->next) {
        if (*at == held) {
            *at = held->next;
            break;
        }
    }
    task_held_free(held);
}

void task_local_let_go(struct task_local *local, const char *id, uint64_t now_ms)
{
    struct task_wait **at = &local->waits, *told = NULL;
    while (*at) {
        struct task_wait *wait = *at;
        wait->over |= id && strcmp(wait->id, id) == 0;
        if (!wait->over && now_ms < wait->deadline_ms) {
            at = &wait->next;
            continue;
        }
        *at = wait->next;
        wait->next = told;
        told = wait;
        local->wait_count--;
    }
    while (told) { /* apart from the walk: fn may wait again */
        struct task_wait *wait = told;
        told = wait->next;
        wait->fn(wait->arg, wait->over);
        free(wait);
    }
}

static void book(struct task_local *local, const struct task_held *held)
{
    struct task_figures *figures = &local->figures;
    if (held->is_again) {
        return;
    }
    local->waiting--;
    switch (held->end) {
    case TASK_DONE:
        figures->done++;
        break;
    case TASK_DEAD:
        figures->dead++;
        break;
    case TASK_CANCELLED:
        figures->cancelled++;
        break;
    }
}

static int write_end(struct task_local *local, const struct task_held *held, struct err *err)
{
    static const enum store_task_state states[] = {
        [TASK_DONE] = STORE_TASK_DONE,
        [TASK_DEAD] = STORE_TASK_DEAD,
        [TASK_CANCELLED] = STORE_TASK_CANCELLED,
    };
    const struct task *task = &held->delivery.task;
    int64_t now_ms = clock_unix_ms();
    if (held->is_again) {
        struct store_task_again again = {.id = held->id,
                                         .owner = local->options.owner,
                                         .error = held->error,
                                         .failures = task->failures,
                                         .due_ms = now_ms + (int64_t)held->delay_ms};
        return store_task_again(local->options.store, &again, err);
    }
    struct store_task_end end = {.id = held->id,
                                 .state = states[held->end],
                                 .result = held->result,
                                 .error = held->error,
                                 .failures = task->failures,
                                 .now_ms = now_ms};
    int failed = store_task_finish(local->options.store, &end, err);
    if (store_is_hopeless(failed)) { /* what it yields cannot be stored: its end can */
        end.state = STORE_TASK_DEAD;
        end.result = NULL;
        end.error = "it was done, and what it yields cannot be stored";
        failed = store_task_finish(local->options.store, &end, err);
    }
    return failed;
}

/* True: it is in the store, or another one's end is. */
static bool settle(struct task_local *local, struct task_held *held)
{
    struct err err = {0};
    int failed = write_end(local, held, &err);
    if (task_local_failed(local, failed, &err)) {
        return false;
    }
    CLEANUP(str_free) char *id = TAKE(held->id);
    bool over = !held->is_again;
    if (!failed) {
        book(local, held);
    }
    forget(local, held);
    if (over) {
        task_local_let_go(local, id, 0);
    }
    return true;
}

void task_held_settle(struct task_local *local)
{
    struct task_held *next;
    for (struct task_held *held = local->held; held; held = next) {
        next = held->next;
        if (held->ended && !settle(local, held)) {
            break;
        }
    }
}

static void end(struct task_local *local, struct task_held *held)
{
    held->ended = true;
    if (!settle(local, held)) {
        loop_timer_set(local->options.loop, &local->timer, clock_now_ms() + TASK_STORE_RETRY_MS);
    }
}

void task_held_finish(struct task_queue *queue, struct task_delivery *delivery, enum task_end how,
                      struct json_object *result, const char *error)
{
    struct task_held *held = (struct task_held *)delivery;
    const char *text = json_text(result);
    held->end = how;
    held->error = error ? xstrdup(error) : NULL;
    if (strlen(text) > TASK_RESULT_BYTES_MAX) {
        held->end = TASK_DEAD;
        str_replace(&held->error, "it was done, and what it yields is over the limit of 1 MiB");
    } else {
        held->result = xstrdup(text);
    }
    end(task_local_of(queue), held);
}

void task_held_again(struct task_queue *queue, struct task_delivery *delivery, uint64_t delay_ms,
                     bool failed, const char *error)
{
    struct task_local *local = task_local_of(queue);
    struct task_held *held = (struct task_held *)delivery;
    held->is_again = true;
    held->error = error ? xstrdup(error) : NULL;
    held->delay_ms = local->ending ? 0 : delay_ms;
    delivery->task.failures += failed;
    local->figures.failed += failed;
    end(local, held);
    task_local_wake(local);
}
