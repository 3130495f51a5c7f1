/* A task as Celery sends it through a Redis: message protocol 2 in the envelope of kombu's virtual
 * transport, both ways. Pure. Source: docs.celeryq.dev, "Message Protocol", and what the released
 * packages write (celery_message_test.c).
 *
 *     {"body": base64 of [args, kwargs, {"callbacks", "errbacks", "chain", "chord"}],
 *      "content-type": "application/json", "content-encoding": "utf-8",
 *      "headers": {"task", "id", "retries", "eta", "expires", ...},
 *      "properties": {"delivery_tag", "delivery_info": {"exchange", "routing_key"}, ...}} */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct err;
struct json_object;

/* Arguments; data has other ways to travel. */
#define CELERY_MESSAGE_BYTES_MAX (16UL * 1024 * 1024)

#define CELERY_NAME_MAX       255 /* bytes of an id or a name: a column of Celery's result store */
#define CELERY_RETRIES_MAX    10000 /* a number that somebody else counts */
#define CELERY_PRIORITY_MAX   9     /* kombu's; 0 = the usual one, and first served */
#define CELERY_DEPENDENTS_MAX 256   /* tasks behind one that is refused and hear of it */

struct celery_message {
    struct json_object *envelope; /* owned */
    struct json_object *body;     /* owned; NULL when it was not read */
    /* All below borrowed from these two. */
    const char *id;
    const char *task;
    const char *delivery_tag;
    const char *exchange; /* "" = the routing key is the queue */
    const char *routing_key;
    const char *root_id;        /* the id where the sender gave none */
    const char *parent_id;      /* NULL = none */
    struct json_object *args;   /* array; NULL when refused */
    struct json_object *kwargs; /* object; NULL when refused */
    int priority;
    unsigned retries;        /* of earlier tries */
    int64_t eta_unix_ms;     /* not before; 0 = at once */
    int64_t expires_unix_ms; /* not after; 0 = never */
    int64_t time_limit_ms;   /* 0 = none; the softer one of two */
    bool ignore_result;      /* nobody reads it */
    bool redelivered;        /* may have run before, in part or whole */
    char *refusal;           /* why it cannot be run here; owned; NULL = it can */
};

/* Reads what stands in the queue. A task that cannot be run here, being a part of a chord, a group
 * or a chain, with callbacks, compressed, or with a body that is no JSON, is a message with a
 * refusal: its sender can be told. 0, or -EINVAL (no envelope of protocol 2), -E2BIG; *ret is
 * untouched then. End it with celery_message_done. */
int celery_message_read(struct slice text, struct celery_message *ret, struct err *err);
void celery_message_done(struct celery_message *message);

/* Ids of the tasks that would have run after this one, of a chain or as the body of a chord: as
 * many as fit in ids[max], borrowed from message. Their results are awaited by somebody. */
size_t celery_message_dependents(const struct celery_message *message, const char *ids[],
                                 size_t max);

/* The message for a further try, not before eta_unix_ms; owned by the caller. */
char *celery_message_retry(const struct celery_message *message, unsigned retries,
                           int64_t eta_unix_ms);

struct celery_send { /* borrowed */
    const char *id;
    const char *task;
    const char *queue;
    const char *delivery_tag;   /* unique among all messages */
    const char *reply_to;       /* a UUID of the sender's */
    const char *origin;         /* "jsorc@host" */
    struct json_object *args;   /* array; NULL = none */
    struct json_object *kwargs; /* object; NULL = none */
    int priority;               /* 0 .. CELERY_PRIORITY_MAX */
    unsigned retries;
    int64_t eta_unix_ms;     /* 0 = at once */
    int64_t expires_unix_ms; /* 0 = never */
};

/* The text for the queue, owned by the caller in *ret_text. 0, or -EINVAL (a name that is empty,
 * too long or has control characters, a priority that there is not), -E2BIG. */
int celery_message_write(const struct celery_send *send, char **ret_text, struct err *err);

/* ---- what was taken and not acknowledged: [message, exchange, routing key] ---- */

struct celery_unacked {
    char *message;                /* marked as redelivered; owned */
    char *exchange, *routing_key; /* owned */
};

/* 0, -EINVAL, -E2BIG; *ret is empty then. */
int celery_unacked_read(struct slice text, struct celery_unacked *ret, struct err *err);
void celery_unacked_done(struct celery_unacked *unacked);
/* message is the text of one; owned by the caller. */
char *celery_unacked_write(const char *message, const char *exchange, const char *routing_key);

/* ---- times: ISO 8601 as Python writes it ---- */

#define CELERY_TIME_BYTES 40

/* In ms since 1970; without an offset it is UTC, as with Celery's enable_utc. 0 = it is none. */
int64_t celery_time_read(const char *text);
void celery_time_write(int64_t unix_ms, char text[CELERY_TIME_BYTES]);
