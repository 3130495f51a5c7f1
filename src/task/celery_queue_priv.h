/* The parts of a queue of Celery's: celery_queue.c takes, celery_settle.c ends what was taken,
 * celery_restore.c puts back what was lost, celery_send.c sends and waits for results. */
#pragma once

#include "loop/loop.h"
#include "task/celery_queue.h"

#define QUEUE_TICK_MS  1000   /* so late is what was put off, at most */
#define QUEUE_LISTS    4      /* kombu's steps of priority: 0, 3, 6, 9 */
#define QUEUE_DEAD_MAX "1000" /* messages that nobody can read, kept for a person */

struct entry {
    struct task_delivery delivery; /* first: who holds it gives it back as this */
    struct celery_message message; /* owned */
    char *tag;                     /* of the message; owned */
    struct celery_queue *queue;
    struct entry *next, *previous;
    bool settling; /* below is what shall become of it */
    bool sent;     /* and the Redis was told; the answer is out */
    char *result;  /* record; "" = none; owned */
    char *unacked; /* put off: what unacked shall hold; NULL = finished; owned */
    int64_t due_unix_ms;
};

struct wait {
    struct celery_queue *queue;
    char *key;             /* of the result; owned */
    celery_answer_fn done; /* NULL = forgotten */
    void *arg;
    uint64_t deadline_ms, next_ms, pause_ms;
    bool once; /* whatever it is */
    bool out;  /* the question is; freed when its answer is there */
};

struct celery_queue {
    struct task_queue tasks;             /* first */
    struct celery_queue_options options; /* name: owned */
    char *lists[QUEUE_LISTS];            /* owned */
    char owner[TASK_ID_SIZE];            /* this daemon's name among all that take */
    char *owner_key;                     /* owned */
    struct redis_link *work;
    struct redis_link *bell; /* waits in the Redis for a message; NULL = none is wanted yet */
    struct loop_timer tick;
    struct entry *entries;
    unsigned count;  /* of entries */
    unsigned wanted; /* places of the receiver that are free */
    bool taking, ringing, restoring;
    bool deaf; /* a Redis before 6.2: no bell, the tick looks */
    bool closing;
    bool complained;   /* of an error of the server's, since it last did what it should */
    uint64_t renew_ms; /* when next */
    uint64_t random;

    struct wait *waits[CELERY_WAITS_MAX]; /* [0, wait_count) */
    size_t wait_count;
    struct loop_timer asking;
};

/* Numbers in the texts of commands. */
struct number {
    char text[32];
};
struct number queue_int(int64_t number);
struct number queue_seconds(int64_t unix_ms);

uint64_t queue_visibility_s(const struct celery_queue *queue);
uint64_t queue_owner_ms(const struct celery_queue *queue);
/* Whether a reply is good; logs the first of a row of errors. */
bool queue_reply_ok(struct celery_queue *queue, const struct redisReply *reply);
/* Takes more if there is room. */
void queue_pump(struct celery_queue *queue);

/* ---- celery_settle.c ---- */

void queue_settle(struct entry *entry);
/* Those whose end the Redis was not told, or may not have heard. */
void queue_settle_all(struct celery_queue *queue);
void queue_renew(struct celery_queue *queue);
void queue_entry_free(struct entry *entry);
/* Not before its time. */
void queue_put_off(struct entry *entry, char *message, int64_t due_unix_ms, char *result);
/* Tells its sender, and those who wait for what would have followed, why it is not run. */
void queue_refuse(struct entry *entry);
/* Of task_queue_ops. */
void queue_finish(struct task_queue *tasks, struct task_delivery *delivery, enum task_end end,
                  struct json_object *result, const char *error);
void queue_again(struct task_queue *tasks, struct task_delivery *delivery, uint64_t delay_ms,
                 bool failed, const char *error);

/* ---- celery_restore.c ---- */

void queue_restore(struct celery_queue *queue);

/* ---- celery_send.c ---- */

void queue_ask(void *arg);
void queue_waits_free(struct celery_queue *queue);
