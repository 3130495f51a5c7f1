#include <ctype.h>
#include <stdio.h>
#include <time.h>

#include "task/celery_message.h"

/* ".123456": at most nine digits count, the rest are read. */
static const char *read_fraction(const char *text, int64_t *ret_ms)
{
    int64_t unit_ms = 100;
    for (text++; isdigit((unsigned char)*text); text++, unit_ms /= 10) {
        *ret_ms += (*text - '0') * unit_ms;
    }
    return text;
}

/* "Z", "+05:30", "+0530", or nothing. NULL = none of them. */
static const char *read_offset(const char *text, int64_t *ret_min)
{
    int hours = 0, minutes = 0, used = 0;
    if (*text == 'Z' || *text == 'z') {
        return text + 1;
    }
    if (*text != '+' && *text != '-') {
        return text;
    }
    bool negative = *text++ == '-';
    if (sscanf(text, "%2d:%2d%n", &hours, &minutes, &used) != 2 &&
        sscanf(text, "%2d%2d%n", &hours, &minutes, &used) != 2) {
        return NULL;
    }
    if (hours < 0 || hours > 24 || minutes < 0 || minutes > 59) {
        return NULL;
    }
    *ret_min = (negative ? -1 : 1) * (hours * 60 + minutes);
    return text + used;
}

int64_t celery_time_read(const char *text)
{
    struct tm parts = {0};
    const char *rest = strptime(text, "%Y-%m-%d", &parts);
    rest = rest && (*rest == 'T' || *rest == ' ') ? strptime(rest + 1, "%H:%M:%S", &parts) : NULL;
    int64_t fraction_ms = 0, offset_min = 0;
    if (rest && *rest == '.') {
        rest = read_fraction(rest, &fraction_ms);
    }
    rest = rest ? read_offset(rest, &offset_min) : NULL;
    if (!rest || *rest) {
        return 0;
    }
    return ((int64_t)timegm(&parts) - offset_min * 60) * 1000 + fraction_ms;
}

void celery_time_write(int64_t unix_ms, char text[CELERY_TIME_BYTES])
{
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm utc = {0};
    (void)gmtime_r(&seconds, &utc);
    size_t used = strftime(text, CELERY_TIME_BYTES, "%Y-%m-%dT%H:%M:%S", &utc);
    (void)snprintf(text + used, CELERY_TIME_BYTES - used, ".%03d000+00:00", (int)(unix_ms % 1000));
}
