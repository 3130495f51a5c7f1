#include "task/zone.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"

#define DAY_S        86400
#define CHANGES_MAX  4096 /* the database has 300 at most */
#define TYPES_MAX    256  /* an index is a byte */
#define HEADER_BYTES 44

/* When summer time begins or ends, by POSIX: "M3.5.0/2". */
struct rule {
    char form; /* 'M', 'J' (1..365, without 29 February), 'D' (0..365) */
    int month, week, day;
    int64_t time_s;
};

struct zone {
    size_t count;
    int64_t *at_s;      /* [count], rising; owned */
    int64_t *offsets_s; /* [count], from then on; owned */
    int64_t before_s;   /* offset before the first */
    bool has_tail;      /* the rest holds after the last change */
    bool has_summer;
    int64_t standard_s, summer_s;
    struct rule begin, end;
};

int64_t zone_days(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year =
        (153 * (int64_t)(month > 2 ? month - 3 : month + 9) + 2) / 5 + (int64_t)day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void zone_date(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t of_era = days - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153;
    *ret_day = (unsigned)(of_year - (153 * month + 2) / 5 + 1);
    *ret_month = (unsigned)(month < 10 ? month + 3 : month - 9);
    *ret_year = year + era * 400 + (*ret_month <= 2);
}

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* ---- POSIX's rule for the future ---- */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Of that year, in s since 1970 by the clock that shows then. */
static int64_t rule_s(const struct rule *rule, int64_t year)
{
    int64_t days = zone_days(year, 1, 1);
    if (rule->form == 'J') {
        days += rule->day - 1 + (is_leap(year) && rule->day >= 60);
    } else if (rule->form == 'D') {
        days += rule->day;
    } else {
        days = zone_days(year, (unsigned)rule->month, 1);
        int64_t weekday = floor_div(days + 4, 7) * -7 + days + 4; /* 1970-01-01 was a Thursday */
        days += (rule->day - weekday + 7) % 7 + (int64_t)(rule->week - 1) * 7;
        int64_t next = rule->month == 12 ? zone_days(year + 1, 1, 1)
                                         : zone_days(year, (unsigned)rule->month + 1, 1);
        days -= days >= next ? 7 : 0; /* week 5 is the last one */
    }
    return days * DAY_S + rule->time_s;
}

static int64_t tail_offset_s(const struct zone *zone, int64_t unix_s)
{
    int64_t year;
    unsigned month, day;
    if (!zone->has_summer) {
        return zone->standard_s;
    }
    zone_date(floor_div(unix_s + zone->standard_s, DAY_S), &year, &month, &day);
    int64_t begin_s = rule_s(&zone->begin, year) - zone->standard_s;
    int64_t end_s = rule_s(&zone->end, year) - zone->summer_s;
    bool summer =
        begin_s < end_s ? unix_s >= begin_s && unix_s < end_s : unix_s >= begin_s || unix_s < end_s;
    return summer ? zone->summer_s : zone->standard_s;
}

int64_t zone_offset_s(const struct zone *zone, int64_t unix_s)
{
    if (zone->count == 0 || unix_s < zone->at_s[0]) {
        return zone->count == 0 && zone->has_tail ? tail_offset_s(zone, unix_s) : zone->before_s;
    }
    if (unix_s >= zone->at_s[zone->count - 1] && zone->has_tail) {
        return tail_offset_s(zone, unix_s);
    }
    size_t low = 0, high = zone->count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (unix_s < zone->at_s[middle]) {
            high = middle;
        } else {
            low = middle;
        }
    }
    return zone->offsets_s[low];
}

/* Each reads on in text and returns false when it is not there. */
static bool read_number(struct slice *text, int max, int *ret)
{
    int number = 0;
    size_t at = 0;
    for (; at < text->size && at < 4 && text->data[at] >= '0' && text->data[at] <= '9'; at++) {
        number = number * 10 + text->data[at] - '0';
    }
    *text = slice_from(*text, at);
    *ret = number;
    return at > 0 && number <= max;
}

static bool read_char(struct slice *text, char wanted)
{
    bool there = text->size > 0 && text->data[0] == wanted;
    *text = slice_from(*text, there);
    return there;
}

static bool read_name(struct slice *text)
{
    const char *letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    size_t at = 0;
    bool quoted = read_char(text, '<');
    while (at < text->size && text->data[at] &&
           (quoted ? text->data[at] != '>' : strchr(letters, text->data[at]) != NULL)) {
        at++;
    }
    *text = slice_from(*text, at);
    return at >= 3 && (!quoted || read_char(text, '>'));
}

/* "[+-]hh[:mm[:ss]]" */
static bool read_time(struct slice *text, int hours_max, int64_t *ret_s)
{
    int hours, minutes = 0, seconds = 0;
    bool minus = read_char(text, '-');
    if (!minus) {
        (void)read_char(text, '+');
    }
    if (!read_number(text, hours_max, &hours) ||
        (read_char(text, ':') && (!read_number(text, 59, &minutes) ||
                                  (read_char(text, ':') && !read_number(text, 59, &seconds))))) {
        return false;
    }
    *ret_s = (hours * INT64_C(3600) + minutes * 60 + seconds) * (minus ? -1 : 1);
    return true;
}

static bool read_rule(struct slice *text, struct rule *rule)
{
    *rule = (struct rule){.form = 'D', .time_s = 7200};
    bool well = read_char(text, ',');
    if (well && read_char(text, 'M')) {
        rule->form = 'M';
        well = read_number(text, 12, &rule->month) && rule->month > 0 && read_char(text, '.') &&
               read_number(text, 5, &rule->week) && rule->week > 0 && read_char(text, '.') &&
               read_number(text, 6, &rule->day);
    } else if (well && read_char(text, 'J')) {
        rule->form = 'J';
        well = read_number(text, 365, &rule->day) && rule->day > 0;
    } else {
        well = well && read_number(text, 365, &rule->day);
    }
    return well && (!read_char(text, '/') || read_time(text, 167, &rule->time_s));
}

/* "CET-1CEST,M3.5.0,M10.5.0/3". West is positive there. */
static bool read_tail(struct zone *zone, struct slice text)
{
    int64_t west_s;
    if (text.size == 0) {
        return true; /* nobody knows */
    }
    if (!read_name(&text) || !read_time(&text, 24, &west_s)) {
        return false;
    }
    zone->has_tail = true;
    zone->standard_s = -west_s;
    if (text.size == 0) {
        return true;
    }
    zone->has_summer = true;
    zone->summer_s = zone->standard_s + 3600;
    if (!read_name(&text)) {
        return false;
    }
    if (text.size > 0 && text.data[0] != ',') {
        if (!read_time(&text, 24, &west_s)) {
            return false;
        }
        zone->summer_s = -west_s;
    }
    return read_rule(&text, &zone->begin) && read_rule(&text, &zone->end) && text.size == 0;
}

/* ---- TZif ---- */

static int64_t read_big(const char *data, size_t size)
{
    uint64_t number = (unsigned char)data[0] & 0x80 ? UINT64_MAX : 0;
    for (size_t i = 0; i < size; i++) {
        number = number << 8 | (unsigned char)data[i];
    }
    return (int64_t)number;
}

struct header {
    char version;
    size_t utc_flags, standard_flags, leaps, changes, types, chars;
};

static bool read_header(struct slice file, struct header *header)
{
    if (file.size < HEADER_BYTES || memcmp(file.data, "TZif", 4) != 0) {
        return false;
    }
    size_t *const counts[] = {&header->utc_flags, &header->standard_flags, &header->leaps,
                              &header->changes,   &header->types,          &header->chars};
    header->version = file.data[4];
    for (size_t i = 0; i < 6; i++) {
        int64_t count = read_big(file.data + 20 + 4 * i, 4);
        if (count < 0 || count > CHANGES_MAX) {
            return false;
        }
        *counts[i] = (size_t)count;
    }
    return header->types > 0 && header->types <= TYPES_MAX;
}

static size_t block_size(const struct header *header, size_t time_size)
{
    return header->changes * (time_size + 1) + header->types * 6 + header->chars +
           header->leaps * (time_size + 4) + header->standard_flags + header->utc_flags;
}

static bool read_block(struct zone *zone, const struct header *header, struct slice block)
{
    const char *indexes = block.data + header->changes * 8;
    const char *types = indexes + header->changes;
    zone->count = header->changes;
    zone->at_s = xcalloc(header->changes + 1, sizeof(int64_t));
    zone->offsets_s = xcalloc(header->changes + 1, sizeof(int64_t));
    zone->before_s = read_big(types, 4);
    for (size_t i = 0; i < header->changes; i++) {
        size_t type = (unsigned char)indexes[i];
        zone->at_s[i] = read_big(block.data + 8 * i, 8);
        if (type >= header->types || (i > 0 && zone->at_s[i] <= zone->at_s[i - 1])) {
            return false;
        }
        zone->offsets_s[i] = read_big(types + 6 * type, 4);
    }
    return true;
}

/* The second block has the 64-bit times, and the rule for the future behind it. */
static bool read_file(struct zone *zone, struct slice file)
{
    struct header header;
    if (!read_header(file, &header) || header.version < '2') {
        return false;
    }
    file = slice_from(file, HEADER_BYTES + block_size(&header, 4));
    if (!read_header(file, &header)) {
        return false;
    }
    file = slice_from(file, HEADER_BYTES);
    size_t size = block_size(&header, 8);
    if (file.size < size + 2 || !read_block(zone, &header, file)) {
        return false;
    }
    file = slice_from(file, size);
    return file.data[0] == '\n' && file.data[file.size - 1] == '\n' &&
           read_tail(zone, (struct slice){file.data + 1, file.size - 2});
}

int zone_parse(struct slice file, struct zone **ret_zone, struct err *err)
{
    CLEANUP(zone_free) struct zone *zone = xcalloc(1, sizeof(*zone));
    if (!read_file(zone, file)) {
        return err_set(err, EINVAL, "the file is no description of a time zone (RFC 8536)");
    }
    *ret_zone = TAKE(zone);
    return 0;
}

static bool is_name(const char *name)
{
    size_t size = strlen(name);
    bool well = size > 0 && size <= ZONE_NAME_MAX && name[0] != '/' && !strstr(name, "..");
    for (; *name && well; name++) {
        well = (*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') ||
               (*name >= '0' && *name <= '9') || strchr("_+-/", *name);
    }
    return well;
}

int zone_open(const char *name, struct zone **ret_zone, struct err *err)
{
    if (strcmp(name, "UTC") == 0) {
        *ret_zone = xcalloc(1, sizeof(struct zone));
        return 0;
    }
    const char *folder = getenv("TZDIR");
    CLEANUP(str_free)
    char *path = xasprintf("%s/%s", folder && *folder ? folder : "/usr/share/zoneinfo", name);
    CLEANUP_FD int fd = is_name(name) ? open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY) : -1;
    if (fd < 0) {
        return err_set(err, EINVAL,
                       "there is no time zone '%s' here; names are as in Europe/Berlin", name);
    }
    CLEANUP(str_free) char *data = xcalloc(ZONE_FILE_BYTES_MAX, 1);
    ssize_t size = read(fd, data, ZONE_FILE_BYTES_MAX);
    if (size < 0) {
        return err_errno(err, errno, "cannot read the time zone '%s'", name);
    }
    int failed = zone_parse((struct slice){data, (size_t)size}, ret_zone, err);
    return failed ? err_wrap(err, "time zone '%s'", name) : 0;
}

struct zone *zone_free(struct zone *zone)
{
    if (zone) {
        free(zone->at_s);
        free(zone->offsets_s);
        free(zone);
    }
    return NULL;
}
