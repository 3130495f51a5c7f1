/* Taking: a script moves messages from the lists to what is unacknowledged, a batch at a time. When
 * it found none, a second connection waits in the Redis: BLMOVE of the list's last message to its
 * own place moves nothing and is answered when there is one. So nothing is ever in no list, which
 * kombu's own way to take has for a moment. */
#include "task/celery_queue.h"

#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/random.h"
#include "task/celery_queue_priv.h"
#include "task/celery_script.h"

#define BATCH_MAX        64    /* messages of one script: others must get their turn */
#define REPLY_TIMEOUT_MS 10000 /* of a command that does not wait */
#define BELL_SECONDS     "1"   /* also how late a message of another priority may be seen */
#define VISIBILITY_S     3600
#define OWNER_MS         15000

static const char *const STEPS[QUEUE_LISTS] = {"",
                                               "\x06\x16"
                                               "3",
                                               "\x06\x16"
                                               "6",
                                               "\x06\x16"
                                               "9"};

struct number queue_int(int64_t number)
{
    struct number ret;
    (void)snprintf(ret.text, sizeof(ret.text), "%" PRId64, number);
    return ret;
}

struct number queue_seconds(int64_t unix_ms)
{
    struct number ret;
    (void)snprintf(ret.text, sizeof(ret.text), "%.3f", (double)unix_ms / 1000);
    return ret;
}

uint64_t queue_visibility_s(const struct celery_queue *queue)
{
    return queue->options.visibility_s ? queue->options.visibility_s : VISIBILITY_S;
}

uint64_t queue_owner_ms(const struct celery_queue *queue)
{
    return queue->options.owner_ms ? queue->options.owner_ms : OWNER_MS;
}

bool queue_reply_ok(struct celery_queue *queue, const struct redisReply *reply)
{
    if (!reply) {
        return false; /* the connection's loss is told where it was lost */
    }
    if (reply->type != REDIS_REPLY_ERROR) {
        queue->complained = false;
        return true;
    }
    if (!queue->complained) {
        log_warn("redis refuses a command of the task queue", "error=\"%.300s\"", reply->str);
    }
    queue->complained = true;
    return false;
}

/* ---- one that was taken ---- */

/* Runs here now, or is refused, or put off until its time. */
static void deliver(struct entry *entry)
{
    struct celery_queue *queue = entry->queue;
    const struct celery_message *message = &entry->message;
    if (message->refusal) {
        queue_refuse(entry);
    } else if (message->eta_unix_ms > clock_unix_ms()) {
        queue_put_off(entry, celery_message_retry(message, message->retries, message->eta_unix_ms),
                      message->eta_unix_ms, NULL);
    } else {
        entry->delivery.task = (struct task){
            .id = message->id,
            .name = message->task,
            .args = message->args,
            .kwargs = message->kwargs,
            .expires_unix_ms = message->expires_unix_ms,
            .failures = message->retries,
            .runs = message->redelivered ? 2 : 1, /* at least */
        };
        queue->wanted--;
        queue->tasks.on_task(queue->tasks.arg, &entry->delivery);
    }
}

static void take_in(struct celery_queue *queue, const struct redisReply *tag,
                    const struct redisReply *text)
{
    struct entry *entry = xcalloc(1, sizeof(*entry));
    struct err err = {0};
    entry->delivery.queue = &queue->tasks;
    entry->queue = queue;
    entry->tag = xstrdup(tag->str);
    entry->next = queue->entries;
    if (entry->next) {
        entry->next->previous = entry;
    }
    queue->entries = entry;
    queue->count++;
    if (celery_message_read((struct slice){text->str, text->len}, &entry->message, &err) < 0) {
        queue_put_off(entry, xstrdup(text->str), 0, NULL); /* restoring lays it aside, at once */
        return;
    }
    deliver(entry);
}

/* ---- taking ---- */

static unsigned room(const struct celery_queue *queue)
{
    unsigned rest = queue->count < CELERY_TAKEN_MAX ? CELERY_TAKEN_MAX - queue->count : 0;
    return rest < queue->wanted ? rest : queue->wanted;
}

static void on_bell(void *arg, const struct redisReply *reply)
{
    struct celery_queue *queue = arg;
    queue->ringing = false;
    if (reply && reply->type == REDIS_REPLY_ERROR) {
        queue->deaf = true;
    } else if (reply) {
        queue_pump(queue);
    }
}

static void wait_for_bell(struct celery_queue *queue)
{
    const struct slice words[] = {
        SLICE("BLMOVE"), slice_str(queue->lists[0]), slice_str(queue->lists[0]), SLICE("RIGHT"),
        SLICE("RIGHT"),  SLICE(BELL_SECONDS)};
    queue->ringing = redis_link_send(queue->bell, words, 6, on_bell, queue) == 0;
}

static void on_taken(void *arg, const struct redisReply *reply)
{
    struct celery_queue *queue = arg;
    queue->taking = false;
    if (!queue_reply_ok(queue, reply) || reply->type != REDIS_REPLY_ARRAY) {
        return;
    }
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        if (reply->element[i]->str && reply->element[i + 1]->str) {
            take_in(queue, reply->element[i], reply->element[i + 1]);
        }
    }
    if (reply->elements > 0) {
        queue_pump(queue);
    } else if (!queue->ringing && !queue->deaf && !queue->closing) {
        wait_for_bell(queue);
    }
}

void queue_pump(struct celery_queue *queue)
{
    unsigned count = room(queue);
    if (queue->taking || queue->closing || count == 0 || !redis_link_is_up(queue->work)) {
        return;
    }
    struct number now = queue_seconds(clock_unix_ms());
    struct number batch = queue_int(count < BATCH_MAX ? count : BATCH_MAX);
    struct number bytes = queue_int((int64_t)CELERY_MESSAGE_BYTES_MAX);
    struct number life = queue_int((int64_t)queue_owner_ms(queue));
    const struct slice words[] = {
        SLICE("EVAL"),
        slice_str(CELERY_SCRIPT_TAKE),
        SLICE("9"),
        SLICE("unacked"),
        SLICE("unacked_index"),
        SLICE("jsorc:task:taken"),
        SLICE("jsorc:task:dead"),
        slice_str(queue->owner_key),
        slice_str(queue->lists[0]),
        slice_str(queue->lists[1]),
        slice_str(queue->lists[2]),
        slice_str(queue->lists[3]),
        slice_str(now.text),
        slice_str(batch.text),
        slice_str(queue->owner),
        slice_str(bytes.text),
        SLICE(QUEUE_DEAD_MAX),
        slice_str(life.text),
    };
    queue->taking =
        redis_link_send(queue->work, words, sizeof(words) / sizeof(words[0]), on_taken, queue) == 0;
}

/* ---- life ---- */

static void on_tick(void *arg)
{
    struct celery_queue *queue = arg;
    uint64_t now_ms = loop_now_ms(queue->options.loop);
    loop_timer_set(queue->options.loop, &queue->tick, now_ms + QUEUE_TICK_MS);
    if (!redis_link_is_up(queue->work)) {
        return;
    }
    if (now_ms >= queue->renew_ms) {
        uint64_t visible_ms = queue_visibility_s(queue) * 1000; /* to Celery's workers */
        uint64_t life_ms = queue_owner_ms(queue);               /* to other daemons */
        queue->renew_ms = now_ms + (life_ms < visible_ms ? life_ms : visible_ms) / 3;
        queue_renew(queue);
    }
    queue_settle_all(queue);
    queue_restore(queue);
    if (!queue->ringing) {
        queue_pump(queue);
    }
}

static void on_work_change(void *arg, bool is_up, const char *error)
{
    struct celery_queue *queue = arg;
    if (queue->closing) {
        return;
    }
    if (is_up) {
        queue_settle_all(queue);
        queue_pump(queue);
    }
    queue->options.on_change(queue->options.arg, is_up, error);
}

static void on_bell_change(void *arg, bool is_up, const char *error)
{
    struct celery_queue *queue = arg;
    (void)error; /* the other connection has the same */
    if (is_up && !queue->closing) {
        queue->deaf = false;
        queue_pump(queue);
    }
}

static struct redis_link *make_link(struct celery_queue *queue,
                                    void (*on_change)(void *arg, bool is_up, const char *error))
{
    return redis_link_new(&(struct redis_link_options){
        .loop = queue->options.loop,
        .jobs = queue->options.jobs,
        .address = queue->options.address,
        .timeout_ms = REPLY_TIMEOUT_MS,
        .seed = random_bits(&queue->random),
        .on_change = on_change,
        .arg = queue,
    });
}

static void want(struct task_queue *tasks, unsigned more)
{
    struct celery_queue *queue = (struct celery_queue *)tasks;
    queue->wanted += more;
    if (!queue->bell && !queue->closing) {
        queue->bell = make_link(queue, on_bell_change);
        loop_timer_set(queue->options.loop, &queue->tick,
                       loop_now_ms(queue->options.loop) + QUEUE_TICK_MS);
    }
    queue_pump(queue);
}

static const struct task_queue_ops OPS = {
    .name = "celery",
    .want = want,
    .finish = queue_finish,
    .again = queue_again,
};

struct celery_queue *celery_queue_new(const struct celery_queue_options *options)
{
    struct celery_queue *queue = xcalloc(1, sizeof(*queue));
    queue->tasks.ops = &OPS;
    queue->options = *options;
    queue->options.name = xstrdup(options->name);
    queue->random = options->seed;
    task_make_id(queue->owner);
    queue->owner_key = xasprintf("jsorc:task:owner:%s", queue->owner);
    for (size_t i = 0; i < QUEUE_LISTS; i++) {
        queue->lists[i] = xasprintf("%s%s", options->name, STEPS[i]);
    }
    queue->tick = (struct loop_timer){.fn = on_tick, .arg = queue};
    queue->asking = (struct loop_timer){.fn = queue_ask, .arg = queue};
    queue->work = make_link(queue, on_work_change);
    return queue;
}

struct celery_queue *celery_queue_free(struct celery_queue *queue)
{
    if (!queue) {
        return NULL;
    }
    queue->closing = true;
    loop_timer_clear(queue->options.loop, &queue->tick);
    loop_timer_clear(queue->options.loop, &queue->asking);
    (void)redis_link_free(queue->work);
    (void)redis_link_free(queue->bell);
    while (queue->entries) {
        queue_entry_free(queue->entries);
    }
    queue_waits_free(queue);
    for (size_t i = 0; i < QUEUE_LISTS; i++) {
        free(queue->lists[i]);
    }
    str_replace((char **)&queue->options.name, NULL);
    free(queue->owner_key);
    free(queue);
    return NULL;
}

struct task_queue *celery_queue_tasks(struct celery_queue *queue)
{
    return &queue->tasks;
}
