/* Times that come again, as crontab(5) and Celery's crontab write them, in a time zone. Pure but
 * for the zone, which is read before.
 *
 *   minute         0-59
 *   hour           0-23
 *   day of month   1-31
 *   month          1-12 or jan-dec
 *   day of week    0-7 or sun-sat; 0 and 7 are Sunday
 *
 * A field is a list, by commas, of *, N, N-M, each with /STEP; N/STEP goes up to the field's end.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct err;
struct zone;

struct cron {
    uint64_t minutes; /* bits */
    uint32_t hours, days, months, weekdays;
    bool any_hour; /* each of the day */
    /* Both days are restricted and one of them is enough: crontab(5)'s rule. Celery's is that both
     * must hold. */
    bool either_day;
};

enum cron_field { CRON_MINUTE, CRON_HOUR, CRON_DAY, CRON_MONTH, CRON_WEEKDAY, CRON_FIELDS };

/* Of five texts, NULL = "*". -EINVAL: err names the field. */
int cron_parse(const char *const fields[CRON_FIELDS], bool either_day, struct cron *ret,
               struct err *err);
/* "MINUTE HOUR DAY MONTH WEEKDAY", or @hourly, @daily, @midnight, @weekly, @monthly, @yearly,
 * @annually; days by crontab(5)'s rule. -EINVAL */
int cron_parse_line(const char *line, struct cron *ret, struct err *err);

#define CRON_NEVER INT64_MAX

/* The first time after then (unix times, s); CRON_NEVER: within forty years there is none (30
 * February). Where the clock is put forward over a time it is due at that moment; where it is put
 * back over one it is due once, at the first. One that is due each hour follows the hours that
 * pass.
 */
int64_t cron_next(const struct cron *cron, const struct zone *zone, int64_t after_s);
