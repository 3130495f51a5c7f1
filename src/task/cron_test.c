#include "task/cron.h"

#include <errno.h>
#include <time.h>

#include "base/err.h"
#include "base/test.h"
#include "task/zone.h"

/* "2024-03-31 02:30" as if it were UTC, in s. */
static int64_t utc(const char *text)
{
    struct tm tm = {0};
    EXPECT(strptime(text, "%Y-%m-%d %H:%M", &tm) != NULL);
    return zone_days(tm.tm_year + 1900, (unsigned)tm.tm_mon + 1, (unsigned)tm.tm_mday) * 86400 +
           tm.tm_hour * 3600 + tm.tm_min * 60;
}

static struct zone *zone(const char *name)
{
    struct zone *opened = NULL;
    struct err err = {0};
    EXPECT_INT(zone_open(name, &opened, &err), 0);
    return opened;
}

static void finds_the_next_time(void)
{
    static const struct {
        const char *line, *zone, *after, *next;
    } rows[] = {
        {"* * * * *", "UTC", "2024-02-28 23:59", "2024-02-29 00:00"},
        {"*/15 * * * *", "UTC", "2024-01-01 00:00", "2024-01-01 00:15"},
        {"5/20 * * * *", "UTC", "2024-01-01 00:25", "2024-01-01 00:45"},
        {"0 4 * * 1-5", "UTC", "2024-01-05 04:00", "2024-01-08 04:00"}, /* Friday, Monday */
        {"0 4 * * mon-fri", "UTC", "2024-01-05 04:00", "2024-01-08 04:00"},
        {"0 0 * * fri-mon", "UTC", "2024-01-08 00:00", "2024-01-12 00:00"},
        {"0 0 * * 7", "UTC", "2024-01-01 00:00", "2024-01-07 00:00"},
        {"0 0 29 2 *", "UTC", "2024-02-29 00:00", "2028-02-29 00:00"},
        {"0 0 31 * *", "UTC", "2024-01-31 00:00", "2024-03-31 00:00"},
        {"0 0 1 jan,Jul *", "UTC", "2024-01-01 00:00", "2024-07-01 00:00"},
        {"0 0 13 * fri", "UTC", "2024-01-01 00:00", "2024-01-05 00:00"}, /* either day */
        {"0 0 */2 * fri", "UTC", "2024-01-01 00:00",
         "2024-01-05 00:00"}, /* both: it begins with * */
        {"@weekly", "UTC", "2024-01-01 00:00", "2024-01-07 00:00"},
        {"0 4 * * *", "Europe/Berlin", "2024-01-01 00:00", "2024-01-01 03:00"},
        {"0 4 * * *", "Europe/Berlin", "2024-07-01 03:00", "2024-07-02 02:00"},
        {"0 4 * * *", "Asia/Kolkata", "2024-01-01 00:00", "2024-01-01 22:30"},
        /* 02:30 is not there on 2024-03-31: at 03:00 of summer time, which begins then. */
        {"30 2 * * *", "Europe/Berlin", "2024-03-30 12:00", "2024-03-31 01:00"},
        {"30 2 * * *", "Europe/Berlin", "2024-03-31 01:00", "2024-04-01 00:30"},
        /* 02:30 is there twice on 2024-10-27: once. */
        {"30 2 * * *", "Europe/Berlin", "2024-10-26 12:00", "2024-10-27 00:30"},
        {"30 2 * * *", "Europe/Berlin", "2024-10-27 00:30", "2024-10-28 01:30"},
        /* Each hour: those that pass. */
        {"30 * * * *", "Europe/Berlin", "2024-03-31 00:30", "2024-03-31 01:30"},
        {"30 * * * *", "Europe/Berlin", "2024-10-27 00:30", "2024-10-27 01:30"},
        {"30 * * * *", "Europe/Berlin", "2024-10-27 01:30", "2024-10-27 02:30"},
        /* Half an hour of summer time, and beyond what the file lists. */
        {"15 2 * * *", "Australia/Lord_Howe", "2024-10-05 00:00", "2024-10-05 15:30"},
        {"0 12 1 7 *", "Europe/Berlin", "2060-01-01 00:00", "2060-07-01 10:00"},
        {"0 12 1 1 *", "America/New_York", "2060-01-01 18:00", "2061-01-01 17:00"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cron cron;
        CLEANUP(zone_free) struct zone *where = zone(rows[i].zone);
        EXPECT_INT(cron_parse_line(rows[i].line, &cron, NULL), 0);
        int64_t next_s = cron_next(&cron, where, utc(rows[i].after));
        if (next_s != utc(rows[i].next)) {
            printf("# row %zu: '%s' in %s\n", i, rows[i].line, rows[i].zone);
        }
        EXPECT_INT(next_s, utc(rows[i].next));
    }
}

static void knows_what_never_comes(void)
{
    struct cron cron;
    CLEANUP(zone_free) struct zone *where = zone("UTC");
    EXPECT_INT(cron_parse_line("0 0 30 2 *", &cron, NULL), 0);
    EXPECT(cron_next(&cron, where, 0) == CRON_NEVER);
}

static void takes_celery_s_fields_where_both_days_hold(void)
{
    const char *const fields[CRON_FIELDS] = {
        [CRON_MINUTE] = "0", [CRON_HOUR] = "0", [CRON_DAY] = "13", [CRON_WEEKDAY] = "friday"};
    struct cron cron;
    CLEANUP(zone_free) struct zone *where = zone("UTC");
    EXPECT_INT(cron_parse(fields, false, &cron, NULL), 0);
    EXPECT_INT(cron_next(&cron, where, utc("2024-01-01 00:00")), utc("2024-09-13 00:00"));

    /* The longest that there is to wait: 2100 has no 29 February. */
    const char *const rare[CRON_FIELDS] = {"0", "0", "29", "feb", "mon"};
    EXPECT_INT(cron_parse(rare, false, &cron, NULL), 0);
    EXPECT_INT(cron_next(&cron, where, utc("2072-03-01 00:00")), utc("2112-02-29 00:00"));
}

static void refuses_what_is_no_time(void)
{
    static const char *const lines[] = {"",
                                        "* * * *",
                                        "* * * * * *",
                                        "60 * * * *",
                                        "* 24 * * *",
                                        "* * 0 * *",
                                        "* * 32 * *",
                                        "* * * 13 *",
                                        "* * * * 8",
                                        "a * * * *",
                                        "1- * * * *",
                                        "*/0 * * * *",
                                        "1,,2 * * * *",
                                        "1, * * * *",
                                        "-1 * * * *",
                                        "@reboot",
                                        "99999999999 * * * *"};
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct cron cron;
        struct err err = {0};
        if (cron_parse_line(lines[i], &cron, &err) != -EINVAL) {
            printf("# '%s' was taken\n", lines[i]);
        }
        EXPECT(err.text[0]);
    }
    struct cron cron;
    struct err err = {0};
    EXPECT_INT(cron_parse_line("61 * * * *", &cron, &err), -EINVAL);
    EXPECT_STR(err.text, "'61' is no minute: it has numbers from 0 to 59, *, N-M, */N");
}

static void refuses_zones_that_are_none(void)
{
    static const char *const names[] = {"", "Mars/Olympus", "../../../etc/passwd", "/etc/passwd",
                                        "Europe"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct zone *opened = NULL;
        struct err err = {0};
        EXPECT(zone_open(names[i], &opened, &err) < 0 && !opened && err.text[0]);
    }
    struct zone *opened = NULL;
    EXPECT_INT(zone_parse(SLICE("TZif2"), &opened, NULL), -EINVAL);
    EXPECT_INT(zone_parse((struct slice){0}, &opened, NULL), -EINVAL);
}

TEST_MAIN(finds_the_next_time, knows_what_never_comes, takes_celery_s_fields_where_both_days_hold,
          refuses_what_is_no_time, refuses_zones_that_are_none)
