/* Tasks that wait, run or are over, and the schedules that make them, in the state. What a change
 * returns and who may call is as in store.h. Each function is one transaction: kill -9 at any
 * moment leaves a task where it was before or after, never between.
 *
 * A task that somebody has taken is simply due again at the end of its visibility time-out, which
 * its holder renews: so one whose holder is gone needs nobody who notices. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"

#define STORE_TASK_STATES 5

enum store_task_state {
    STORE_TASK_WAITS = 0, /* for its time, or for somebody who has room */
    STORE_TASK_RUNS = 1,  /* taken, until due_ms */
    STORE_TASK_DONE = 2,
    STORE_TASK_DEAD = 3,      /* failed for good; kept until somebody looks at it, or its time */
    STORE_TASK_CANCELLED = 4, /* by somebody, or expired before it could run */
};

struct store_task {      /* texts are borrowed: from the caller, or until fn returns */
    const char *id;      /* a UUID */
    const char *name;    /* what is to be run; task.h */
    const char *args;    /* JSON text: array; NULL in add = [] */
    const char *kwargs;  /* JSON text: object; NULL in add = {} */
    const char *key;     /* of its user's tasks one only has it; NULL = none */
    int64_t user_id;     /* on whose behalf; 0 = the daemon's own */
    int64_t schedule_id; /* that made it; 0 = none */
    int64_t state;       /* enum store_task_state */
    int64_t created_ms;  /* times: unix time */
    int64_t due_ms;      /* not before; of one that runs: taken by others from then on */
    int64_t expires_ms;  /* not after; 0 = never */
    int64_t retries;     /* after so many failures beyond the first it is dead */
    int64_t runs;        /* how often it was taken */
    int64_t failures;    /* how often it failed */
    const char *owner;   /* who took it last; "" = nobody yet */
    int64_t done_ms;     /* 0 = not yet */
    const char *result;  /* JSON text; NULL = none */
    const char *error;   /* of the last failure; NULL = none */
};

typedef int (*store_task_fn)(void *arg, const struct store_task *task);

/* Adds it; what it was before matters not: state, runs, failures, owner, done_ms, result and error
 * are as of a new one. When its user has a task of that key already, nothing is added and
 * *ret_is_new is false. ret_id: [STORE_TASK_ID_MAX + 1], of the one that there is now. -EEXIST: the
 * id is taken, by one without that key. */
#define STORE_TASK_ID_MAX 64
int store_task_add(struct store *store, const struct store_task *task, char *ret_id,
                   bool *ret_is_new, struct err *err);

struct store_task_take {
    const char *owner;
    int64_t now_ms;
    int64_t until_ms; /* they are owner's until then */
    int64_t limit;
};

/* Takes up to limit tasks that are due and calls fn for each, those due first first; as
 * store_config_each, but none is taken when fn fails. */
int store_task_take(struct store *store, const struct store_task_take *take, store_task_fn fn,
                    void *arg, struct err *err);

/* The task is owner's until then. -ENOENT: it is not any more. */
int store_task_renew(struct store *store, const char *id, const char *owner, int64_t until_ms,
                     struct err *err);

/* All that owner had is due: it runs none of it any more. */
int store_task_release(struct store *store, const char *owner, int64_t now_ms,
                       int64_t *ret_released, struct err *err);

struct store_task_end {
    const char *id;
    enum store_task_state state; /* DONE, DEAD or CANCELLED */
    const char *result;          /* JSON text; NULL = none */
    const char *error;           /* NULL = none */
    int64_t failures;            /* of it in all */
    int64_t now_ms;
};

/* The first one to tell counts: -ENOENT when the task is over already, or there is none. */
int store_task_finish(struct store *store, const struct store_task_end *end, struct err *err);

/* A further try at due_ms. -ENOENT: it is not owner's any more. */
struct store_task_again {
    const char *id;
    const char *owner;
    const char *error; /* NULL = none */
    int64_t failures;
    int64_t due_ms;
};
int store_task_again(struct store *store, const struct store_task_again *again, struct err *err);

/* One that is dead or cancelled begins anew. -ENOENT: there is none such. */
int store_task_revive(struct store *store, const char *id, int64_t now_ms, struct err *err);

/* Calls fn once. -ENOENT */
int store_task_find(struct store *store, const char *id, store_task_fn fn, void *arg,
                    struct err *err);

#define STORE_TASK_ANY (-1)

struct store_task_search {
    int64_t state;   /* or STORE_TASK_ANY */
    int64_t user_id; /* or STORE_TASK_ANY */
    int64_t limit;
    int64_t offset;
};

/* The newest first; as store_config_each. */
int store_task_each(struct store *store, const struct store_task_search *search, store_task_fn fn,
                    void *arg, struct err *err);

/* When the next one is due; INT64_MAX = none is. */
int store_task_next_due(struct store *store, int64_t *ret_due_ms, struct err *err);

struct store_task_counts {
    int64_t waiting, running, done, dead, cancelled;
};
int store_task_count(struct store *store, struct store_task_counts *ret, struct err *err);

/* Deletes what was over before then, at most limit; *ret_deleted tells how many. Dead ones stay
 * until dead_before_ms. */
struct store_task_trim {
    int64_t done_before_ms;
    int64_t dead_before_ms;
    int64_t limit;
};
int store_task_trim(struct store *store, const struct store_task_trim *trim, int64_t *ret_deleted,
                    struct err *err);

/* ---- schedules ---- */

struct store_schedule { /* texts as of store_task */
    int64_t id;         /* never given twice; from 2: 1 is the original's own */
    const char *name;   /* unique */
    const char *task;   /* the name of the tasks that it makes */
    int64_t user_id;
    const char *kind;   /* "interval" or "cron" */
    const char *conf;   /* JSON text */
    const char *kwargs; /* JSON text: of its tasks */
    int64_t one_off;    /* flag: once only */
    int64_t overlap;    /* flag: a new task also while the last one is not over */
    int64_t created_ms;
    int64_t next_ms; /* INT64_MAX = never again */
    int64_t last_ms; /* of the last one that it was due for; 0 = none yet */
    int64_t runs;
};

typedef int (*store_schedule_fn)(void *arg, const struct store_schedule *schedule);

/* Ignores schedule->id. -EEXIST: the name is taken. */
int store_schedule_add(struct store *store, const struct store_schedule *schedule, int64_t *ret_id,
                       struct err *err);
/* Only the user's, unless user_id is STORE_TASK_ANY. -ENOENT */
int store_schedule_delete(struct store *store, int64_t id, int64_t user_id, struct err *err);

struct store_schedule_search {
    const char *text; /* part of its name, letter case ignored; NULL or "" = all */
    int64_t user_id;  /* or STORE_TASK_ANY */
    int64_t limit;    /* 0 = no limit */
    int64_t offset;
    bool oldest_first;
};
int store_schedule_each(struct store *store, const struct store_schedule_search *search,
                        store_schedule_fn fn, void *arg, struct err *err);
/* Those whose next_ms has come. */
int store_schedule_due(struct store *store, int64_t now_ms, int64_t limit, store_schedule_fn fn,
                       void *arg, struct err *err);
int store_schedule_next_due(struct store *store, int64_t *ret_due_ms, struct err *err);

struct store_schedule_fire {
    int64_t id;
    int64_t due_ms;  /* its next_ms as it was read: what another one fired already is refused */
    int64_t next_ms; /* INT64_MAX = never again */
    const struct store_task *task; /* key and schedule_id are set here */
};

/* The schedule goes on to next_ms, and the task is added, both or none; without overlap only when
 * no earlier one of it is still to be done: *ret_added tells. -ENOENT: it is gone, or was fired. */
int store_schedule_fire(struct store *store, const struct store_schedule_fire *fire,
                        bool *ret_added, struct err *err);
