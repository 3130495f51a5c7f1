#include "store/store_task.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "store/store_priv.h"

#define COLUMNS                                                                                    \
    "id, name, args, kwargs, key, user_id, schedule_id, state, created_ms, due_ms, expires_ms,"    \
    " retries, runs, failures, owner, done_ms, result, error"

/* ---- rows ---- */

static const char *text_or_null(const struct store_row *row, int column)
{
    return row->driver->text(row, column);
}

struct walk {
    store_task_fn fn;
    void *arg;
    int64_t rows;
};

static int task_row(void *arg, const struct store_row *row)
{
    struct walk *walk = arg;
    walk->rows++;
    return walk->fn(walk->arg, &(struct store_task){
                                   .id = store_column(row, 0),
                                   .name = store_column(row, 1),
                                   .args = store_column(row, 2),
                                   .kwargs = store_column(row, 3),
                                   .key = text_or_null(row, 4),
                                   .user_id = store_column_int(row, 5),
                                   .schedule_id = store_column_int(row, 6),
                                   .state = store_column_int(row, 7),
                                   .created_ms = store_column_int(row, 8),
                                   .due_ms = store_column_int(row, 9),
                                   .expires_ms = store_column_int(row, 10),
                                   .retries = store_column_int(row, 11),
                                   .runs = store_column_int(row, 12),
                                   .failures = store_column_int(row, 13),
                                   .owner = store_column(row, 14),
                                   .done_ms = store_column_int(row, 15),
                                   .result = text_or_null(row, 16),
                                   .error = text_or_null(row, 17),
                               });
}

static int absent(int failed, const struct store *store, const char *id, struct err *err)
{
    return failed || store_changes(store) > 0
               ? failed
               : err_set(err, ENOENT, "task '%s' does not exist, or is over already", id);
}

/* ---- adding ---- */

struct task_add {
    struct store *store;
    const struct store_task *task;
    char *id; /* [STORE_TASK_ID_MAX + 1] */
    bool is_new;
};

static int take_id(void *arg, const struct store_row *row)
{
    (void)snprintf(arg, STORE_TASK_ID_MAX + 1, "%s", store_column(row, 0));
    return 0;
}

static int add(void *arg, struct err *err)
{
    struct task_add *what = arg;
    const struct store_task *task = what->task;
    int failed =
        store_run(what->store, err,
                  "INSERT INTO tasks (id, name, args, kwargs, key, user_id, schedule_id,"
                  " state, created_ms, due_ms, expires_ms, retries, runs, failures, owner,"
                  " done_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9, $10, $11,"
                  " 0, 0, '', 0) ON CONFLICT (user_id, key) DO NOTHING",
                  "nnssniiiiii", task->id, task->name, task->args ? task->args : "[]",
                  task->kwargs ? task->kwargs : "{}", task->key, task->user_id, task->schedule_id,
                  task->created_ms, task->due_ms, task->expires_ms, task->retries);
    if (failed) {
        return failed == -EEXIST ? err_set(err, EEXIST, "there is a task '%s' already", task->id)
                                 : failed;
    }
    what->is_new = store_changes(what->store) > 0;
    if (what->is_new) {
        (void)snprintf(what->id, STORE_TASK_ID_MAX + 1, "%s", task->id);
        return 0;
    }
    return store_query(what->store, err, (struct store_rows){take_id, what->id},
                       "SELECT id FROM tasks WHERE user_id = $1 AND key = $2", "in", task->user_id,
                       task->key);
}

int store_task_add(struct store *store, const struct store_task *task, char *ret_id,
                   bool *ret_is_new, struct err *err)
{
    char id[STORE_TASK_ID_MAX + 1] = "";
    struct task_add what = {store, task, id, false};
    if (strlen(task->id) > STORE_TASK_ID_MAX) {
        return err_set(err, E2BIG, "an id of %zu bytes is over the limit of %d", strlen(task->id),
                       STORE_TASK_ID_MAX);
    }
    int failed = store_within(store, add, &what, err);
    if (!failed) {
        memcpy(ret_id, id, sizeof(id));
        *ret_is_new = what.is_new;
    }
    return failed;
}

/* ---- taking ---- */

struct task_take {
    struct store *store;
    const struct store_task_take *take;
    store_task_fn fn;
    void *arg;
    int64_t rows;
};

/* As it will be once it is taken. */
static int taken_row(void *arg, const struct store_task *task)
{
    struct task_take *what = arg;
    struct store_task taken = *task;
    taken.state = STORE_TASK_RUNS;
    taken.owner = what->take->owner;
    taken.due_ms = what->take->until_ms;
    taken.runs++;
    what->rows++;
    return what->fn(what->arg, &taken);
}

#define DUE " FROM tasks WHERE state <= 1 AND due_ms <= $1 ORDER BY due_ms, number LIMIT $2"

/* Nobody else writes within a transaction (store_priv.h): both statements see the same tasks. */
static int take(void *arg, struct err *err)
{
    struct task_take *what = arg;
    const struct store_task_take *take = what->take;
    struct walk walk = {.fn = taken_row, .arg = what};
    int failed = store_query(what->store, err, (struct store_rows){task_row, &walk},
                             "SELECT " COLUMNS DUE, "ii", take->now_ms, take->limit);
    return failed || what->rows == 0
               ? failed
               : store_run(what->store, err,
                           "UPDATE tasks SET state = 1, owner = $3, due_ms = $4, runs = runs + 1"
                           " WHERE number IN (SELECT number" DUE ")",
                           "iini", take->now_ms, take->limit, take->owner, take->until_ms);
}

int store_task_take(struct store *store, const struct store_task_take *what, store_task_fn fn,
                    void *arg, struct err *err)
{
    struct task_take taking = {store, what, fn, arg, 0};
    return store_within(store, take, &taking, err);
}

int store_task_renew(struct store *store, const char *id, const char *owner, int64_t until_ms,
                     struct err *err)
{
    int failed = store_run(store, err,
                           "UPDATE tasks SET due_ms = $1 WHERE id = $2 AND owner = $3 AND"
                           " state = 1",
                           "inn", until_ms, id, owner);
    return absent(failed, store, id, err);
}

int store_task_release(struct store *store, const char *owner, int64_t now_ms,
                       int64_t *ret_released, struct err *err)
{
    int failed = store_run(store, err,
                           "UPDATE tasks SET state = 0, due_ms = $1 WHERE state = 1 AND owner = $2",
                           "in", now_ms, owner);
    *ret_released = failed ? 0 : store_changes(store);
    return failed;
}

/* ---- ends ---- */

int store_task_finish(struct store *store, const struct store_task_end *end, struct err *err)
{
    int failed = store_run(store, err,
                           "UPDATE tasks SET state = $1, result = $2, error = $3, failures = $4,"
                           " done_ms = $5 WHERE id = $6 AND state <= 1",
                           "issiin", (int64_t)end->state, end->result, end->error, end->failures,
                           end->now_ms, end->id);
    return absent(failed, store, end->id, err);
}

int store_task_again(struct store *store, const struct store_task_again *again, struct err *err)
{
    int failed =
        store_run(store, err,
                  "UPDATE tasks SET state = 0, due_ms = $1, failures = $2, error = $3"
                  " WHERE id = $4 AND owner = $5 AND state = 1",
                  "iisnn", again->due_ms, again->failures, again->error, again->id, again->owner);
    return absent(failed, store, again->id, err);
}

int store_task_revive(struct store *store, const char *id, int64_t now_ms, struct err *err)
{
    int failed = store_run(store, err,
                           "UPDATE tasks SET state = 0, due_ms = $1, failures = 0, done_ms = 0,"
                           " expires_ms = 0, result = NULL WHERE id = $2 AND state >= 3",
                           "in", now_ms, id);
    return failed || store_changes(store) > 0
               ? failed
               : err_set(err, ENOENT, "there is no dead or cancelled task '%s'", id);
}

/* ---- looking ---- */

int store_task_find(struct store *store, const char *id, store_task_fn fn, void *arg,
                    struct err *err)
{
    struct walk walk = {.fn = fn, .arg = arg};
    int failed = store_query(store, err, (struct store_rows){task_row, &walk},
                             "SELECT " COLUMNS " FROM tasks WHERE id = $1", "n", id);
    return failed || walk.rows > 0 ? failed : err_set(err, ENOENT, "task '%s' does not exist", id);
}

int store_task_each(struct store *store, const struct store_task_search *search, store_task_fn fn,
                    void *arg, struct err *err)
{
    struct walk walk = {.fn = fn, .arg = arg};
    return store_query(store, err, (struct store_rows){task_row, &walk},
                       "SELECT " COLUMNS " FROM tasks WHERE ($1 < 0 OR state = $1) AND"
                       " ($2 < 0 OR user_id = $2) ORDER BY number DESC LIMIT $3 OFFSET $4",
                       "iiii", search->state, search->user_id, search->limit, search->offset);
}

int store_task_next_due(struct store *store, int64_t *ret_due_ms, struct err *err)
{
    *ret_due_ms = INT64_MAX;
    return store_query(store, err, (struct store_rows){store_take_int, ret_due_ms},
                       "SELECT due_ms FROM tasks WHERE state <= 1 ORDER BY due_ms LIMIT 1", "");
}

static int count_row(void *arg, const struct store_row *row)
{
    struct store_task_counts *counts = arg;
    int64_t *const by_state[] = {&counts->waiting, &counts->running, &counts->done, &counts->dead,
                                 &counts->cancelled};
    int64_t state = store_column_int(row, 0);
    if (state >= 0 && state < (int64_t)(sizeof(by_state) / sizeof(by_state[0]))) {
        *by_state[state] = store_column_int(row, 1);
    }
    return 0;
}

int store_task_count(struct store *store, struct store_task_counts *ret, struct err *err)
{
    *ret = (struct store_task_counts){0};
    return store_query(store, err, (struct store_rows){count_row, ret},
                       "SELECT state, count(*) FROM tasks GROUP BY state", "");
}

int store_task_trim(struct store *store, const struct store_task_trim *trim, int64_t *ret_deleted,
                    struct err *err)
{
    int64_t later_ms =
        trim->done_before_ms > trim->dead_before_ms ? trim->done_before_ms : trim->dead_before_ms;
    int failed =
        store_run(store, err,
                  "DELETE FROM tasks WHERE number IN (SELECT number FROM tasks WHERE"
                  " state >= 2 AND done_ms < $1 AND ((state <> 3 AND done_ms < $2) OR"
                  " (state = 3 AND done_ms < $3)) LIMIT $4)",
                  "iiii", later_ms, trim->done_before_ms, trim->dead_before_ms, trim->limit);
    *ret_deleted = failed ? 0 : store_changes(store);
    return failed;
}
