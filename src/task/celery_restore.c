#include <errno.h>
#include <hiredis/hiredis.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "task/celery_queue_priv.h"
#include "task/celery_script.h"

#define BATCH_MAX  32                 /* messages put back at once */
#define BYTES_MAX  (4L * 1024 * 1024) /* of them, unless one alone is larger */
#define MUTEX_MS   10000 /* it is freed with the putting back; kombu's own lasts 300 s */
#define WORDS_HEAD 12

static void on_restored(void *arg, const struct redisReply *reply)
{
    struct celery_queue *queue = arg;
    queue->restoring = false;
    if (queue_reply_ok(queue, reply) && reply->integer > 0) {
        queue_pump(queue);
    }
}

static size_t put_head(const struct celery_queue *queue, struct slice *words,
                       const struct number *now)
{
    size_t count = 0;
    words[count++] = SLICE("EVAL");
    words[count++] = slice_str(CELERY_SCRIPT_RESTORE);
    words[count++] = SLICE("5");
    words[count++] = SLICE("unacked");
    words[count++] = SLICE("unacked_index");
    words[count++] = SLICE("jsorc:task:taken");
    words[count++] = SLICE("unacked_mutex");
    words[count++] = SLICE("jsorc:task:dead");
    words[count++] = slice_str(queue->owner); /* our token of the mutex */
    words[count++] = slice_str(queue->options.name);
    words[count++] = slice_str(now->text);
    words[count++] = SLICE(QUEUE_DEAD_MAX);
    return count;
}

/* Where the messages of [tag, what unacked holds, ...] go back to. */
static void put_back(struct celery_queue *queue, const struct redisReply *found)
{
    size_t pairs = found->elements / 2;
    struct slice *words = xcalloc(WORDS_HEAD + 5 * pairs, sizeof(*words));
    struct celery_unacked *entries = xcalloc(pairs, sizeof(*entries));
    struct number now = queue_seconds(clock_unix_ms());
    size_t count = put_head(queue, words, &now);
    for (size_t i = 0; i < pairs; i++) {
        const struct redisReply *tag = found->element[2 * i], *held = found->element[2 * i + 1];
        struct slice text = {held->str, held->len};
        struct err err = {0};
        struct celery_message message = {0};
        int failed = celery_unacked_read(text, &entries[i], &err);
        failed =
            failed ? failed : celery_message_read(slice_str(entries[i].message), &message, &err);
        celery_message_done(&message);
        if (failed) {
            log_warn("a message of the task queue was laid aside",
                     "tag=\"%.100s\" key=jsorc:task:dead error=\"%.300s\"", tag->str, err.text);
            celery_unacked_done(&entries[i]);
        }
        words[count++] = (struct slice){tag->str, tag->len};
        words[count++] = text;
        words[count++] = slice_str(entries[i].message);
        words[count++] = slice_str(entries[i].exchange);
        words[count++] = slice_str(entries[i].routing_key);
    }
    queue->restoring = redis_link_send(queue->work, words, count, on_restored, queue) == 0;
    for (size_t i = 0; i < pairs; i++) {
        celery_unacked_done(&entries[i]);
    }
    free(entries);
    free(words);
}

static void on_lost(void *arg, const struct redisReply *reply)
{
    struct celery_queue *queue = arg;
    queue->restoring = false;
    if (queue_reply_ok(queue, reply) && reply->type == REDIS_REPLY_ARRAY && reply->elements >= 2) {
        put_back(queue, reply);
    }
}

void queue_restore(struct celery_queue *queue)
{
    int64_t ceiling_ms = clock_unix_ms() - (int64_t)queue_visibility_s(queue) * 1000;
    struct number ceiling = queue_seconds(ceiling_ms);
    struct number life = queue_int(MUTEX_MS), batch = queue_int(BATCH_MAX);
    struct number bytes = queue_int(BYTES_MAX);
    const struct slice words[] = {
        SLICE("EVAL"),
        slice_str(CELERY_SCRIPT_LOST),
        SLICE("4"),
        SLICE("unacked"),
        SLICE("unacked_index"),
        SLICE("jsorc:task:taken"),
        SLICE("unacked_mutex"),
        slice_str(ceiling.text),
        slice_str(queue->owner),
        slice_str(life.text),
        slice_str(batch.text),
        slice_str(bytes.text),
        SLICE("jsorc:task:owner:"),
    };
    if (!queue->restoring) {
        queue->restoring = redis_link_send(queue->work, words, sizeof(words) / sizeof(words[0]),
                                           on_lost, queue) == 0;
    }
}
