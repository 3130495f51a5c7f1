/* A time zone of the system's database: how far its clocks are from UTC, then and in times to come.
 * The C library knows one zone a process only, and by an environment that all threads read.
 * Source: RFC 8536 (TZif), and POSIX's TZ for what comes after the last change that it lists. */
#pragma once

#include <stdint.h>

#include "base/cleanup.h"
#include "base/slice.h"

struct err;
struct zone;

#define ZONE_NAME_MAX       64
#define ZONE_FILE_BYTES_MAX (256UL * 1024) /* the largest of the database has 4 KiB */

/* By its name, "Europe/Berlin"; "UTC" needs no file. -EINVAL: no such name, -errno of reading, and
 * what zone_parse returns. */
int zone_open(const char *name, struct zone **ret_zone, struct err *err);
/* From a file's bytes. -EINVAL: it is none. */
int zone_parse(struct slice file, struct zone **ret_zone, struct err *err);
struct zone *zone_free(struct zone *zone); /* NULL allowed; returns NULL */
DEFINE_CLEANUP(struct zone *, zone_free)

/* What is to be added to UTC for local time, in s, at that moment (unix time, s). */
int64_t zone_offset_s(const struct zone *zone, int64_t unix_s);

/* Days since 1970-01-01 of a date of the Gregorian calendar; month from 1. Source:
 * http://howardhinnant.github.io/date_algorithms.html */
int64_t zone_days(int64_t year, unsigned month, unsigned day);
void zone_date(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day);
