/* Schedules: when a task is due again, and making it. Source: the original's API, and the models of
 * django-celery-beat behind it.
 *
 *   interval  {"every": 5, "period": "minutes"}; days, hours, minutes, seconds, microseconds
 *   cron      {"minute": "0", "hour": "4", "day_of_week", "day_of_month", "month_of_year"}, where
 *             both days must hold; or {"expression": "0 4 1 * mon"} as in crontab(5), where one of
 *             them is enough: ours
 *
 * Those of cron take "timezone" beside, UTC without. A time that passed while nobody was there is
 * made up for once, however many there were. */
#pragma once

#include <stdint.h>

struct err;
struct json_object;
struct store;

#define SCHEDULE_PERIOD_MS_MIN 100 /* shorter is a mistake, and a busy loop */
#define SCHEDULE_NEVER         INT64_MAX

/* When it is due first after then (unix times, ms). 0, or -EINVAL: conf is none of that kind. Of
 * "interval", due_ms is when it was due last (0 = never): times stay a whole number of periods
 * apart.
 */
int schedule_next(const char *kind, struct json_object *conf, int64_t due_ms, int64_t after_ms,
                  int64_t *ret_next_ms, struct err *err);

/* Makes the tasks of all schedules that are due. *ret_added tells how many. Store errors. */
int schedule_fire_due(struct store *store, int64_t now_ms, unsigned *ret_added, struct err *err);
