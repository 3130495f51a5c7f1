#include <errno.h>
#include <hiredis/hiredis.h>

#include "base/alloc.h"
#include "base/err.h"
#include "task/celery_queue_priv.h"

#define ASK_MS_MIN 20  /* after a task was sent, its first question */
#define ASK_MS_MAX 500 /* doubled up to this */

/* ---- sending ---- */

struct sent {
    celery_sent_fn done;
    void *arg;
};

static void on_sent(void *arg, const struct redisReply *reply)
{
    struct sent *sent = arg;
    if (!reply) {
        sent->done(sent->arg, -EIO, "the connection to the Redis was lost");
    } else if (reply->type == REDIS_REPLY_ERROR) {
        sent->done(sent->arg, -EPROTO, reply->str);
    } else {
        sent->done(sent->arg, 0, NULL);
    }
    free(sent);
}

/* kombu's list for that queue and priority; owned by the caller. */
static char *list_of(const char *queue, int priority)
{
    int step = priority / 3 * 3;
    return step == 0 ? xstrdup(queue) : xasprintf("%s\x06\x16%d", queue, step);
}

int celery_queue_send(struct celery_queue *queue, const struct celery_send *send,
                      celery_sent_fn done, void *arg, struct err *err)
{
    char tag[TASK_ID_SIZE];
    struct celery_send message = *send;
    CLEANUP(str_free) char *text = NULL;
    task_make_id(tag);
    message.delivery_tag = tag;
    message.reply_to = message.reply_to ? message.reply_to : queue->owner;
    int failed = celery_message_write(&message, &text, err);
    if (failed) {
        return failed;
    }
    CLEANUP(str_free) char *list = list_of(message.queue, message.priority);
    struct sent *sent = xcalloc(1, sizeof(*sent));
    *sent = (struct sent){done, arg};
    const struct slice words[] = {SLICE("LPUSH"), slice_str(list), slice_str(text)};
    failed = redis_link_send(queue->work, words, 3, on_sent, sent);
    if (failed) {
        free(sent);
        return err_set(err, -failed, "%s",
                       failed == -ENOTCONN ? "there is no connection to the Redis"
                                           : "too many commands to the Redis are out");
    }
    return 0;
}

/* ---- results ---- */

static void unlink_wait(struct wait *wait)
{
    struct celery_queue *queue = wait->queue;
    for (size_t i = 0; i < queue->wait_count; i++) {
        if (queue->waits[i] == wait) {
            queue->waits[i] = queue->waits[--queue->wait_count];
            return;
        }
    }
}

static void free_wait(struct wait *wait)
{
    free(wait->key);
    free(wait);
}

static void tell(struct wait *wait, const struct celery_answer *answer)
{
    celery_answer_fn done = wait->done;
    void *arg = wait->arg;
    unlink_wait(wait);
    if (wait->out) {
        wait->done = NULL; /* freed with the answer that is out */
    } else {
        free_wait(wait);
    }
    done(arg, answer);
}

static void on_answer(void *arg, const struct redisReply *reply)
{
    struct wait *wait = arg;
    struct celery_answer answer = {.status = "PENDING"};
    struct err err = {0};
    wait->out = false;
    if (!wait->done) {
        free_wait(wait);
        return;
    }
    if (!reply || reply->type == REDIS_REPLY_ERROR) {
        return; /* asked again */
    }
    if (reply->type == REDIS_REPLY_STRING &&
        celery_answer_read((struct slice){reply->str, reply->len}, &answer, &err) < 0) {
        (void)snprintf(answer.status, sizeof(answer.status), "FAILURE");
        answer.is_ready = true;
        answer.error = xstrdup(err.text);
    }
    if (answer.is_ready || wait->once) {
        tell(wait, &answer);
    }
    celery_answer_done(&answer);
}

static void ask(struct wait *wait, uint64_t now_ms)
{
    const struct slice words[] = {SLICE("GET"), slice_str(wait->key)};
    wait->out = redis_link_send(wait->queue->work, words, 2, on_answer, wait) == 0;
    wait->pause_ms = wait->pause_ms ? wait->pause_ms * 2 : ASK_MS_MIN;
    wait->pause_ms = wait->pause_ms < ASK_MS_MAX ? wait->pause_ms : ASK_MS_MAX;
    wait->next_ms = now_ms + wait->pause_ms;
}

/* Those whose time is over; each was asked for once at least. */
static void tell_late(struct celery_queue *queue, uint64_t now_ms)
{
    for (size_t i = queue->wait_count; i > 0; i--) {
        struct wait *wait = i <= queue->wait_count ? queue->waits[i - 1] : NULL;
        if (wait && !wait->out && wait->pause_ms && now_ms >= wait->deadline_ms) {
            tell(wait, NULL);
        }
    }
}

void queue_ask(void *arg)
{
    struct celery_queue *queue = arg;
    uint64_t now_ms = loop_now_ms(queue->options.loop), soonest_ms = UINT64_MAX;
    tell_late(queue, now_ms);
    for (size_t i = 0; i < queue->wait_count; i++) {
        struct wait *wait = queue->waits[i];
        if (!wait->out && now_ms >= wait->next_ms) {
            ask(wait, now_ms);
        }
        bool ends_first = wait->deadline_ms > now_ms && wait->deadline_ms < wait->next_ms;
        uint64_t due_ms = ends_first ? wait->deadline_ms : wait->next_ms;
        soonest_ms = due_ms < soonest_ms ? due_ms : soonest_ms;
    }
    if (queue->wait_count > 0) {
        loop_timer_set(queue->options.loop, &queue->asking,
                       soonest_ms > now_ms ? soonest_ms : now_ms + ASK_MS_MIN);
    }
}

int celery_queue_await(struct celery_queue *queue, const char *id, uint64_t timeout_ms,
                       celery_answer_fn done, void *arg)
{
    size_t size = strlen(id);
    if (size == 0 || size > CELERY_NAME_MAX) {
        return -EINVAL;
    }
    if (queue->wait_count == CELERY_WAITS_MAX) {
        return -ENOBUFS;
    }
    struct wait *wait = xcalloc(1, sizeof(*wait));
    uint64_t now_ms = loop_now_ms(queue->options.loop);
    *wait = (struct wait){
        .queue = queue,
        .key = xasprintf("%s%s", CELERY_RESULT_KEY, id),
        .done = done,
        .arg = arg,
        .deadline_ms = now_ms + timeout_ms,
        .once = timeout_ms == 0,
    };
    queue->waits[queue->wait_count++] = wait;
    loop_timer_set(queue->options.loop, &queue->asking, now_ms);
    return 0;
}

void queue_waits_free(struct celery_queue *queue)
{
    while (queue->wait_count > 0) { /* the links are closed: no answer is out */
        free_wait(queue->waits[--queue->wait_count]);
    }
}
