/* What became of a task, as Celery's result store on a Redis has it: JSON under the key
 * celery-task-meta-ID, which is also published on the channel of that name. Pure.
 * Source: what the released package writes (celery_result_test.c). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct err;
struct json_object;

#define CELERY_RESULT_KEY   "celery-task-meta-"
#define CELERY_STATUS_MAX   31    /* bytes; tasks make up their own ones */
#define CELERY_RESULT_TTL_S 86400 /* as Celery's result_expires */

/* Of one that is read; one that is written has TASK_RESULT_BYTES_MAX. */
#define CELERY_ANSWER_BYTES_MAX (16UL * 1024 * 1024)

struct celery_result { /* borrowed */
    const char *id;
    const char *status;        /* "SUCCESS", "FAILURE", "STARTED", "RETRY", "REVOKED" */
    struct json_object *value; /* what it returned, where it did */
    const char *error_module;  /* of the class of the reader's exception; NULL = "jsorc" */
    const char *error_type;    /* its name; NULL = "ActionError" */
    const char *error_text;    /* of FAILURE, RETRY, REVOKED */
    const char *traceback;     /* NULL = none */
    const char *parent_id;     /* NULL = none */
    int64_t done_unix_ms;      /* of SUCCESS and FAILURE */
};

/* The record; owned by the caller. One that is too large becomes a FAILURE that says so: what was
 * done is done, and whoever asks must not wait. */
char *celery_result_write(const struct celery_result *result);

struct celery_answer {
    char status[CELERY_STATUS_MAX + 1];
    bool is_ready;             /* SUCCESS, FAILURE, REVOKED: no other one follows */
    struct json_object *value; /* owned; of SUCCESS, and of statuses that tasks make up */
    char *error;               /* "ValueError: text"; owned; NULL = none */
    char *traceback;           /* owned; NULL = none */
};

/* 0, or -EINVAL (no such record), -E2BIG; *ret is empty then. */
int celery_answer_read(struct slice text, struct celery_answer *ret, struct err *err);
void celery_answer_done(struct celery_answer *answer);
