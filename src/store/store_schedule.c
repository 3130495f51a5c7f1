#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "store/store_priv.h"
#include "store/store_task.h"

#define COLUMNS                                                                                    \
    "id, name, task, user_id, kind, conf, kwargs, one_off, overlap, created_ms, next_ms, "         \
    "last_ms,"                                                                                     \
    " runs"

struct walk {
    store_schedule_fn fn;
    void *arg;
};

static int schedule_row(void *arg, const struct store_row *row)
{
    struct walk *walk = arg;
    return walk->fn(walk->arg, &(struct store_schedule){
                                   .id = store_column_int(row, 0),
                                   .name = store_column(row, 1),
                                   .task = store_column(row, 2),
                                   .user_id = store_column_int(row, 3),
                                   .kind = store_column(row, 4),
                                   .conf = store_column(row, 5),
                                   .kwargs = store_column(row, 6),
                                   .one_off = store_column_int(row, 7),
                                   .overlap = store_column_int(row, 8),
                                   .created_ms = store_column_int(row, 9),
                                   .next_ms = store_column_int(row, 10),
                                   .last_ms = store_column_int(row, 11),
                                   .runs = store_column_int(row, 12),
                               });
}

struct schedule_add {
    struct store *store;
    const struct store_schedule *schedule;
    int64_t id;
};

static int add(void *arg, struct err *err)
{
    struct schedule_add *what = arg;
    const struct store_schedule *schedule = what->schedule;
    int failed =
        store_run(what->store, err, "UPDATE ids SET last = last + 1 WHERE name = 'schedules'", "");
    if (!failed) {
        failed = store_query(what->store, err, (struct store_rows){store_take_int, &what->id},
                             "SELECT last + 1 FROM ids WHERE name = 'schedules'", "");
    }
    if (failed) {
        return failed;
    }
    failed = store_run(what->store, err,
                       "INSERT INTO schedules (" COLUMNS ") VALUES ($1, $2, $3, $4, $5, $6, $7,"
                       " $8, $9, $10, $11, 0, 0)",
                       "inninssiiii", what->id, schedule->name, schedule->task, schedule->user_id,
                       schedule->kind, schedule->conf, schedule->kwargs, schedule->one_off,
                       schedule->overlap, schedule->created_ms, schedule->next_ms);
    return failed == -EEXIST
               ? err_set(err, EEXIST, "there is a schedule '%s' already", schedule->name)
               : failed;
}

int store_schedule_add(struct store *store, const struct store_schedule *schedule, int64_t *ret_id,
                       struct err *err)
{
    struct schedule_add what = {.store = store, .schedule = schedule};
    int failed = store_within(store, add, &what, err);
    if (!failed) {
        *ret_id = what.id;
    }
    return failed;
}

int store_schedule_delete(struct store *store, int64_t id, int64_t user_id, struct err *err)
{
    int failed =
        store_run(store, err, "DELETE FROM schedules WHERE id = $1 AND ($2 < 0 OR user_id = $2)",
                  "ii", id, user_id);
    return failed || store_changes(store) > 0
               ? failed
               : err_set(err, ENOENT, "there is no schedule %lld", (long long)id);
}

/* For LIKE: its own signs stand for themselves. Owned by the caller. */
static char *part_pattern(const char *text)
{
    char *pattern = xcalloc(2 * strlen(text) + 3, 1), *at = pattern;
    *at++ = '%';
    for (; *text; text++) {
        if (strchr("%_!", *text)) {
            *at++ = '!';
        }
        *at++ = *text;
    }
    *at = '%';
    return pattern;
}

int store_schedule_each(struct store *store, const struct store_schedule_search *search,
                        store_schedule_fn fn, void *arg, struct err *err)
{
    struct walk walk = {fn, arg};
    CLEANUP(str_free) char *part = part_pattern(search->text ? search->text : "");
    return store_query(store, err, (struct store_rows){schedule_row, &walk},
                       search->oldest_first
                           ? "SELECT " COLUMNS " FROM schedules WHERE ($1 < 0 OR user_id = $1) AND"
                             " lower(name) LIKE lower($2) ESCAPE '!' ORDER BY id LIMIT $3 OFFSET $4"
                           : "SELECT " COLUMNS " FROM schedules WHERE ($1 < 0 OR user_id = $1) AND"
                             " lower(name) LIKE lower($2) ESCAPE '!' ORDER BY id DESC LIMIT $3"
                             " OFFSET $4",
                       "isii", search->user_id, part, search->limit > 0 ? search->limit : INT64_MAX,
                       search->offset);
}

int store_schedule_due(struct store *store, int64_t now_ms, int64_t limit, store_schedule_fn fn,
                       void *arg, struct err *err)
{
    struct walk walk = {fn, arg};
    return store_query(store, err, (struct store_rows){schedule_row, &walk},
                       "SELECT " COLUMNS " FROM schedules WHERE next_ms <= $1 ORDER BY next_ms"
                       " LIMIT $2",
                       "ii", now_ms, limit);
}

int store_schedule_next_due(struct store *store, int64_t *ret_due_ms, struct err *err)
{
    *ret_due_ms = INT64_MAX;
    return store_query(store, err, (struct store_rows){store_take_int, ret_due_ms},
                       "SELECT next_ms FROM schedules ORDER BY next_ms LIMIT 1", "");
}

struct schedule_fire {
    struct store *store;
    const struct store_schedule_fire *fire;
    bool added;
};

static int fire(void *arg, struct err *err)
{
    struct schedule_fire *what = arg;
    const struct store_schedule_fire *fire = what->fire;
    CLEANUP(str_free)
    char *key = xasprintf("schedule/%lld/%lld", (long long)fire->id, (long long)fire->due_ms);
    struct store_task task = *fire->task;
    char id[STORE_TASK_ID_MAX + 1];
    int64_t still = 0;
    int failed = store_query(what->store, err, (struct store_rows){store_take_int, &still},
                             "SELECT count(*) FROM schedules WHERE id = $1 AND overlap = 0 AND"
                             " EXISTS (SELECT 1 FROM tasks WHERE schedule_id = $1 AND state <= 1)",
                             "i", fire->id);
    if (!failed) {
        failed = store_run(what->store, err,
                           "UPDATE schedules SET next_ms = $1, last_ms = $2, runs = runs + $3"
                           " WHERE id = $4 AND next_ms = $2",
                           "iiii", fire->next_ms, fire->due_ms, (int64_t)(still == 0), fire->id);
    }
    if (!failed && store_changes(what->store) == 0) {
        return err_set(err, ENOENT, "schedule %lld is gone, or another one was faster",
                       (long long)fire->id);
    }
    task.key = key;
    task.schedule_id = fire->id;
    return failed || still > 0 ? failed : store_task_add(what->store, &task, id, &what->added, err);
}

int store_schedule_fire(struct store *store, const struct store_schedule_fire *what,
                        bool *ret_added, struct err *err)
{
    struct schedule_fire firing = {store, what, false};
    int failed = store_within(store, fire, &firing, err);
    if (!failed) {
        *ret_added = firing.added;
    }
    return failed;
}
