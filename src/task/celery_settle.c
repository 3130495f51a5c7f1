#include <hiredis/hiredis.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "task/celery_queue_priv.h"
#include "task/celery_script.h"

void queue_entry_free(struct entry *entry)
{
    struct celery_queue *queue = entry->queue;
    if (entry->next) {
        entry->next->previous = entry->previous;
    }
    *(entry->previous ? &entry->previous->next : &queue->entries) = entry->next;
    queue->count--;
    celery_message_done(&entry->message);
    free(entry->tag);
    free(entry->result);
    free(entry->unacked);
    free(entry);
}

static void on_settled(void *arg, const struct redisReply *reply)
{
    struct entry *entry = arg;
    struct celery_queue *queue = entry->queue;
    entry->sent = false;
    if (!queue_reply_ok(queue, reply)) {
        return; /* told again, with the next tick or connection: doing it twice changes nothing */
    }
    if (reply->type == REDIS_REPLY_INTEGER && reply->integer == 0) {
        log_warn("a task's message was not ours any more when the task ended", "tag=\"%.100s\"",
                 entry->tag);
    }
    queue_entry_free(entry);
    queue_pump(queue);
}

static int send_end(struct entry *entry)
{
    const char *id = entry->message.id; /* NULL = it could not be read */
    CLEANUP(str_free) char *key = xasprintf("%s%s", CELERY_RESULT_KEY, id ? id : "");
    struct number ttl = queue_int(CELERY_RESULT_TTL_S);
    struct number score =
        queue_seconds(entry->due_unix_ms - (int64_t)queue_visibility_s(entry->queue) * 1000);
    const struct slice words[] = {
        SLICE("EVAL"),
        slice_str(entry->unacked ? CELERY_SCRIPT_LATER : CELERY_SCRIPT_FINISH),
        SLICE("4"),
        SLICE("unacked"),
        SLICE("unacked_index"),
        SLICE("jsorc:task:taken"),
        slice_str(key),
        slice_str(entry->tag),
        slice_str(ttl.text),
        slice_str(entry->result),
        slice_str(entry->unacked),
        slice_str(score.text),
    };
    size_t count = sizeof(words) / sizeof(words[0]) - (entry->unacked ? 0 : 2);
    return redis_link_send(entry->queue->work, words, count, on_settled, entry);
}

void queue_settle(struct entry *entry)
{
    entry->settling = true;
    if (!entry->sent && send_end(entry) == 0) {
        entry->sent = true;
    }
}

void queue_settle_all(struct celery_queue *queue)
{
    for (struct entry *entry = queue->entries; entry; entry = entry->next) {
        if (entry->settling) {
            queue_settle(entry);
        }
    }
}

/* What is being worked at is not restored, however long that takes. */
void queue_renew(struct celery_queue *queue)
{
    struct slice *words = xcalloc(8 + (size_t)queue->count, sizeof(*words));
    struct number now = queue_seconds(clock_unix_ms());
    struct number life = queue_int((int64_t)queue_owner_ms(queue));
    size_t count = 0;
    words[count++] = SLICE("EVAL");
    words[count++] = slice_str(CELERY_SCRIPT_RENEW);
    words[count++] = SLICE("2");
    words[count++] = SLICE("unacked_index");
    words[count++] = slice_str(queue->owner_key);
    words[count++] = slice_str(now.text);
    words[count++] = slice_str(life.text);
    words[count++] = slice_str(queue->owner);
    for (const struct entry *entry = queue->entries; entry; entry = entry->next) {
        if (!entry->settling) {
            words[count++] = slice_str(entry->tag);
        }
    }
    (void)redis_link_send(queue->work, words, count, NULL, NULL);
    free(words);
}

void queue_put_off(struct entry *entry, char *message, int64_t due_unix_ms, char *result)
{
    const struct celery_message *sent = &entry->message;
    entry->unacked = celery_unacked_write(message, sent->exchange ? sent->exchange : "",
                                          sent->routing_key ? sent->routing_key : "");
    entry->due_unix_ms = due_unix_ms;
    entry->result = result ? result : xstrdup("");
    free(message);
    queue_settle(entry);
}

static void store(struct celery_queue *queue, const char *id, const char *record)
{
    CLEANUP(str_free) char *key = xasprintf("%s%s", CELERY_RESULT_KEY, id);
    struct number ttl = queue_int(CELERY_RESULT_TTL_S);
    const struct slice words[] = {SLICE("EVAL"),       slice_str(CELERY_SCRIPT_STORE),
                                  SLICE("1"),          slice_str(key),
                                  slice_str(ttl.text), slice_str(record)};
    (void)redis_link_send(queue->work, words, 6, NULL, NULL);
}

static void finish(struct entry *entry, const struct celery_result *result)
{
    entry->result = entry->message.ignore_result ? xstrdup("") : celery_result_write(result);
    queue_settle(entry);
}

void queue_refuse(struct entry *entry)
{
    const char *ids[CELERY_DEPENDENTS_MAX];
    size_t count = celery_message_dependents(&entry->message, ids, CELERY_DEPENDENTS_MAX);
    struct celery_result result = {.status = "FAILURE",
                                   .error_module = "builtins",
                                   .error_type = "NotImplementedError",
                                   .error_text = entry->message.refusal,
                                   .done_unix_ms = clock_unix_ms()};
    for (size_t i = 0; i < count; i++) {
        result.id = ids[i];
        CLEANUP(str_free) char *record = celery_result_write(&result);
        store(entry->queue, ids[i], record);
    }
    result.id = entry->message.id;
    result.parent_id = entry->message.parent_id;
    finish(entry, &result);
}

/* ---- what its receiver says ---- */

void queue_finish(struct task_queue *tasks, struct task_delivery *delivery, enum task_end end,
                  struct json_object *result, const char *error)
{
    struct entry *entry = (struct entry *)delivery;
    struct celery_result stored = {.id = entry->message.id,
                                   .parent_id = entry->message.parent_id,
                                   .value = result,
                                   .error_text = error,
                                   .done_unix_ms = clock_unix_ms()};
    (void)tasks;
    switch (end) {
    case TASK_DONE:
        stored.status = "SUCCESS";
        break;
    case TASK_DEAD:
        stored.status = "FAILURE";
        break;
    case TASK_CANCELLED:
        stored.status = "REVOKED";
        stored.error_module = "celery.exceptions";
        stored.error_type = "TaskRevokedError";
        break;
    }
    finish(entry, &stored);
}

void queue_again(struct task_queue *tasks, struct task_delivery *delivery, uint64_t delay_ms,
                 bool failed, const char *error)
{
    struct entry *entry = (struct entry *)delivery;
    const struct celery_message *message = &entry->message;
    int64_t due_unix_ms = clock_unix_ms() + (int64_t)delay_ms;
    struct celery_result result = {
        .id = message->id, .status = "RETRY", .error_text = error, .parent_id = message->parent_id};
    bool tell = failed && !message->ignore_result; /* what was not begun is as it was */
    (void)tasks;
    queue_put_off(entry,
                  celery_message_retry(message, message->retries + (failed ? 1 : 0), due_unix_ms),
                  due_unix_ms, tell ? celery_result_write(&result) : NULL);
}
