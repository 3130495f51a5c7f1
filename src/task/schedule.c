#include "task/schedule.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "store/store_task.h"
#include "task/cron.h"
#include "task/task.h"
#include "task/zone.h"

#define FIRE_MAX        64      /* in one turn of the control thread */
#define PERIOD_DAYS_MAX 36525.0 /* a century */

static const struct unit {
    const char *name;
    double ms;
} UNITS[] = {{"days", 86400e3},
             {"hours", 3600e3},
             {"minutes", 60e3},
             {"seconds", 1e3},
             {"microseconds", 1e-3}};

static int next_interval(struct json_object *conf, int64_t due_ms, int64_t after_ms,
                         int64_t *ret_next_ms, struct err *err)
{
    const char *period = json_str(conf, "period");
    double every = json_double(conf, "every", 1), ms = 0;
    period = period ? period : "minutes";
    for (size_t i = 0; i < sizeof(UNITS) / sizeof(UNITS[0]); i++) {
        ms = strcmp(UNITS[i].name, period) == 0 ? UNITS[i].ms : ms;
    }
    if (ms == 0) {
        return err_set(err, EINVAL,
                       "'period' must be days, hours, minutes, seconds or microseconds, not '%s'",
                       period);
    }
    if (!(every * ms >= SCHEDULE_PERIOD_MS_MIN && every * ms <= PERIOD_DAYS_MAX * UNITS[0].ms)) {
        return err_set(err, EINVAL, "an interval is %d ms at least and %.0f days at most",
                       SCHEDULE_PERIOD_MS_MIN, PERIOD_DAYS_MAX);
    }
    int64_t step_ms = llround(every * ms);
    int64_t passed_ms = due_ms > 0 && after_ms > due_ms ? (after_ms - due_ms) / step_ms : 0;
    *ret_next_ms = due_ms > 0 ? due_ms + (passed_ms + 1) * step_ms : after_ms + step_ms;
    return 0;
}

static int read_times(struct json_object *conf, struct cron *cron, struct err *err)
{
    static const char *const keys[CRON_FIELDS] = {"minute", "hour", "day_of_month", "month_of_year",
                                                  "day_of_week"};
    const char *fields[CRON_FIELDS] = {NULL};
    const char *line = json_str(conf, "expression");
    if (line) {
        return cron_parse_line(line, cron, err);
    }
    for (int i = 0; i < CRON_FIELDS; i++) {
        struct json_object *value = NULL;
        (void)json_object_object_get_ex(conf, keys[i], &value);
        fields[i] = value ? json_object_get_string(value) : NULL; /* numbers are taken, too */
    }
    return cron_parse(fields, false, cron, err);
}

static int next_cron(struct json_object *conf, int64_t after_ms, int64_t *ret_next_ms,
                     struct err *err)
{
    CLEANUP(zone_free) struct zone *zone = NULL;
    struct cron cron;
    const char *name = json_str(conf, "timezone");
    int failed = read_times(conf, &cron, err);
    failed = failed ? failed : zone_open(name ? name : "UTC", &zone, err);
    if (!failed) {
        int64_t next_s = cron_next(&cron, zone, after_ms / 1000);
        *ret_next_ms = next_s == CRON_NEVER ? SCHEDULE_NEVER : next_s * 1000;
    }
    return failed;
}

int schedule_next(const char *kind, struct json_object *conf, int64_t due_ms, int64_t after_ms,
                  int64_t *ret_next_ms, struct err *err)
{
    return strcmp(kind, "interval") == 0 ? next_interval(conf, due_ms, after_ms, ret_next_ms, err)
                                         : next_cron(conf, after_ms, ret_next_ms, err);
}

/* ---- firing ---- */

struct due { /* a copy: the store is changed after the walk over it */
    struct due *next;
    struct store_schedule_fire fire;
    struct store_task task;
    char *name, *kwargs; /* owned */
    char id[TASK_ID_SIZE];
};

struct walk {
    struct due *first, **last;
    int64_t now_ms;
};

static void due_free(struct due *due)
{
    free(due->name);
    free(due->kwargs);
    free(due);
}

static int64_t next_of(const struct store_schedule *schedule, int64_t now_ms)
{
    CLEANUP(json_put) struct json_object *conf = NULL;
    struct err err = {0};
    int64_t next_ms = SCHEDULE_NEVER;
    int failed = json_parse_object(slice_str(schedule->conf), &conf, &err);
    if (!schedule->one_off && !failed) {
        failed = schedule_next(schedule->kind, conf, schedule->next_ms, now_ms, &next_ms, &err);
    }
    if (failed) { /* it was right when it was made: a zone is gone */
        log_warn("schedule ends", "name=\"%s\" error=\"%s\"", schedule->name, err.text);
    }
    return next_ms;
}

static int keep(void *arg, const struct store_schedule *schedule)
{
    struct walk *walk = arg;
    struct due *due = xcalloc(1, sizeof(*due));
    task_make_id(due->id);
    due->name = xstrdup(schedule->task);
    due->kwargs = xstrdup(schedule->kwargs);
    due->task = (struct store_task){.id = due->id,
                                    .name = due->name,
                                    .kwargs = due->kwargs,
                                    .user_id = schedule->user_id,
                                    .created_ms = walk->now_ms,
                                    .due_ms = walk->now_ms};
    due->fire = (struct store_schedule_fire){.id = schedule->id,
                                             .due_ms = schedule->next_ms,
                                             .next_ms = next_of(schedule, walk->now_ms)};
    *walk->last = due;
    walk->last = &due->next;
    return 0;
}

int schedule_fire_due(struct store *store, int64_t now_ms, unsigned *ret_added, struct err *err)
{
    struct walk walk = {.last = &walk.first, .now_ms = now_ms};
    int failed = store_schedule_due(store, now_ms, FIRE_MAX, keep, &walk, err);
    *ret_added = 0;
    while (walk.first) {
        struct due *due = walk.first;
        bool added = false;
        walk.first = due->next;
        due->fire.task = &due->task;
        if (!failed) {
            failed = store_schedule_fire(store, &due->fire, &added, err);
            failed = failed == -ENOENT ? 0 : failed; /* another one was faster */
            *ret_added += added;
        }
        due_free(due);
    }
    return failed;
}
