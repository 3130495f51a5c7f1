#include "task/cron.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "task/zone.h"

#define DAY_S          86400
#define LINE_BYTES_MAX 255
/* From a 29 February to the next one on the same day of the week, over a year like 1900. */
#define DAYS_MAX (40 * 366 + 1)

static const char *const MONTHS[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                     "jul", "aug", "sep", "oct", "nov", "dec"};
static const char *const WEEKDAYS[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

static const struct field {
    const char *title;
    unsigned min, max;
    const char *const *names; /* of min, min + 1 ...; NULL = none */
    unsigned names_count;
} FIELDS[CRON_FIELDS] = {
    [CRON_MINUTE] = {"minute", 0, 59, NULL, 0},
    [CRON_HOUR] = {"hour", 0, 23, NULL, 0},
    [CRON_DAY] = {"day of month", 1, 31, NULL, 0},
    [CRON_MONTH] = {"month", 1, 12, MONTHS, 12},
    [CRON_WEEKDAY] = {"day of week", 0, 7, WEEKDAYS, 7},
};

/* ---- parsing ---- */

static bool read_value(const struct field *field, const char **at, unsigned *ret)
{
    unsigned value = 0, digits = 0;
    for (unsigned i = 0; i < field->names_count; i++) {
        if (strncasecmp(*at, field->names[i], 3) == 0) {
            *at += 3;
            while ((**at >= 'a' && **at <= 'z') || (**at >= 'A' && **at <= 'Z')) {
                (*at)++; /* "monday", as Celery allows */
            }
            *ret = field->min + i;
            return true;
        }
    }
    for (; **at >= '0' && **at <= '9' && digits < 4; (*at)++, digits++) {
        value = value * 10 + (unsigned)(**at - '0');
    }
    *ret = value;
    return digits > 0 && value >= field->min && value <= field->max;
}

/* One element of the list. */
static bool read_range(const struct field *field, const char **at, uint64_t *bits)
{
    unsigned first = field->min, last = field->max, step = 1;
    bool open = **at == '*';
    if (open) {
        (*at)++;
        last = field->names == WEEKDAYS ? 6 : field->max;
    } else {
        if (!read_value(field, at, &first)) {
            return false;
        }
        last = first;
        if (**at == '-') {
            (*at)++;
            if (!read_value(field, at, &last)) {
                return false;
            }
        } else if (**at == '/') {
            last = field->names == WEEKDAYS ? 6 : field->max;
        }
    }
    if (**at == '/') {
        const struct field steps = {"", 1, field->max, NULL, 0};
        (*at)++;
        if (!read_value(&steps, at, &step)) {
            return false;
        }
    }
    bool around = last < first; /* fri-mon: Celery's ranges go over the end */
    unsigned count = field->names == WEEKDAYS ? 7 : field->max - field->min + 1;
    unsigned end = around ? last + count : last;
    for (unsigned value = first; value <= end; value += step) {
        bool over = value > field->max;
        *bits |= UINT64_C(1) << (over ? field->min + (value - field->min) % count : value);
    }
    return true;
}

static int parse_field(const struct field *field, const char *text, uint64_t *ret_bits,
                       struct err *err)
{
    const char *at = text;
    uint64_t bits = 0;
    bool well = true;
    do {
        while (*at == ' ') {
            at++;
        }
        well = read_range(field, &at, &bits);
        while (*at == ' ') {
            at++;
        }
    } while (well && *at == ',' && at++);
    if (!well || *at) {
        return err_set(err, EINVAL, "'%s' is no %s: it has numbers from %u to %u%s, *, N-M, */N",
                       text, field->title, field->min, field->max,
                       field->names ? ", names of three letters" : "");
    }
    *ret_bits = bits;
    return 0;
}

int cron_parse(const char *const fields[CRON_FIELDS], bool either_day, struct cron *ret,
               struct err *err)
{
    uint64_t bits[CRON_FIELDS] = {0};
    for (int i = 0; i < CRON_FIELDS; i++) {
        if (parse_field(&FIELDS[i], fields[i] ? fields[i] : "*", &bits[i], err) < 0) {
            return -EINVAL;
        }
    }
    bits[CRON_WEEKDAY] |= bits[CRON_WEEKDAY] >> 7;
    bool any_day = !fields[CRON_DAY] || fields[CRON_DAY][0] == '*';
    bool any_weekday = !fields[CRON_WEEKDAY] || fields[CRON_WEEKDAY][0] == '*';
    *ret = (struct cron){
        .minutes = bits[CRON_MINUTE],
        .hours = (uint32_t)bits[CRON_HOUR],
        .days = (uint32_t)bits[CRON_DAY],
        .months = (uint32_t)bits[CRON_MONTH],
        .weekdays = (uint32_t)bits[CRON_WEEKDAY] & 0x7f,
        .any_hour = bits[CRON_HOUR] == 0xffffff,
        .either_day = either_day && !any_day && !any_weekday,
    };
    return 0;
}

/* Cuts the next word off *rest; NULL = there is none. */
static const char *next_word(char **rest)
{
    char *word = *rest + strspn(*rest, " \t");
    char *end = word + strcspn(word, " \t");
    *rest = end + (*end != '\0');
    *end = '\0';
    return *word ? word : NULL;
}

int cron_parse_line(const char *line, struct cron *ret, struct err *err)
{
    static const char *const names[][2] = {{"@hourly", "0 * * * *"},   {"@daily", "0 0 * * *"},
                                           {"@midnight", "0 0 * * *"}, {"@weekly", "0 0 * * 0"},
                                           {"@monthly", "0 0 1 * *"},  {"@yearly", "0 0 1 1 *"},
                                           {"@annually", "0 0 1 1 *"}};
    char copy[LINE_BYTES_MAX + 1], *rest = copy;
    const char *fields[CRON_FIELDS];
    bool whole = true;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        line = strcmp(line, names[i][0]) == 0 ? names[i][1] : line;
    }
    size_t size = strlen(line);
    if (size > LINE_BYTES_MAX) {
        return err_set(err, EINVAL, "the line of times is over the limit of %d bytes",
                       LINE_BYTES_MAX);
    }
    memcpy(copy, line, size + 1);
    for (int i = 0; i < CRON_FIELDS && whole; i++) {
        fields[i] = next_word(&rest);
        whole = fields[i] != NULL;
    }
    return whole && !next_word(&rest)
               ? cron_parse(fields, true, ret, err)
               : err_set(err, EINVAL,
                         "'%s' has not the five fields minute, hour, day, month, day of week",
                         line);
}

/* ---- the next time ---- */

static bool is_day(const struct cron *cron, int64_t days)
{
    int64_t year;
    unsigned month, day;
    zone_date(days, &year, &month, &day);
    unsigned weekday = (unsigned)((days % 7 + 11) % 7); /* 1970-01-01 was a Thursday */
    bool by_day = cron->days >> day & 1, by_weekday = cron->weekdays >> weekday & 1;
    return cron->months >> month & 1 &&
           (cron->either_day ? by_day || by_weekday : by_day && by_weekday);
}

/* The moment in which the clock is put forward over that local time. */
static int64_t end_of_gap(const struct zone *zone, int64_t low_s, int64_t high_s)
{
    int64_t before_s = zone_offset_s(zone, low_s);
    while (high_s - low_s > 1) {
        int64_t middle_s = low_s + (high_s - low_s) / 2;
        if (zone_offset_s(zone, middle_s) == before_s) {
            low_s = middle_s;
        } else {
            high_s = middle_s;
        }
    }
    return high_s;
}

/* The first moment after after_s that has this local time, by the rules of cron_next. */
static int64_t moment(const struct cron *cron, const struct zone *zone, int64_t local_s,
                      int64_t after_s)
{
    int64_t offsets_s[] = {zone_offset_s(zone, local_s - DAY_S),
                           zone_offset_s(zone, local_s + DAY_S)};
    int64_t first_s = CRON_NEVER, wanted_s = CRON_NEVER;
    for (size_t i = 0; i < 2; i++) {
        int64_t at_s = local_s - offsets_s[i];
        if (zone_offset_s(zone, at_s) == offsets_s[i]) {
            first_s = at_s < first_s ? at_s : first_s;
            wanted_s = at_s > after_s && at_s < wanted_s ? at_s : wanted_s;
        }
    }
    if (first_s == CRON_NEVER && !cron->any_hour) {
        int64_t one_s = local_s - offsets_s[0], other_s = local_s - offsets_s[1];
        first_s =
            end_of_gap(zone, one_s < other_s ? one_s : other_s, one_s < other_s ? other_s : one_s);
    }
    if (cron->any_hour) {
        return wanted_s;
    }
    return first_s > after_s ? first_s : CRON_NEVER;
}

static int64_t next_of_day(const struct cron *cron, const struct zone *zone, int64_t days,
                           int64_t after_s)
{
    int64_t next_s = CRON_NEVER;
    for (int64_t hour = 0; hour < 24; hour++) {
        for (int64_t minute = 0; cron->hours >> hour & 1 && minute < 60; minute++) {
            if (cron->minutes >> minute & 1) {
                int64_t at_s =
                    moment(cron, zone, days * DAY_S + hour * 3600 + minute * 60, after_s);
                next_s = at_s < next_s ? at_s : next_s;
            }
        }
    }
    return next_s;
}

int64_t cron_next(const struct cron *cron, const struct zone *zone, int64_t after_s)
{
    int64_t local_s = after_s + zone_offset_s(zone, after_s);
    int64_t today = local_s / DAY_S - (local_s % DAY_S < 0);
    for (int64_t days = today - 1; days < today + DAYS_MAX; days++) {
        int64_t next_s = is_day(cron, days) ? next_of_day(cron, zone, days, after_s) : CRON_NEVER;
        if (next_s != CRON_NEVER) {
            return next_s;
        }
    }
    return CRON_NEVER;
}
