/* Times that come again: whatever is written, what is taken for such comes in the future, at a
 * minute, an hour and in a month that it names. */
#include <stdint.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "task/cron.h"
#include "task/zone.h"

#define NOW_S INT64_C(1709164800) /* 2024-02-29 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(int is_true)
{
    if (!is_true) {
        abort();
    }
}

static void look_at_next(const struct cron *cron, const struct zone *utc)
{
    int64_t next_s = cron_next(cron, utc, NOW_S), year;
    unsigned month, day;
    if (next_s == CRON_NEVER) { /* 30 February; any other day comes within forty years */
        expect((cron->days & 0x3ffffffe) == 0);
        return;
    }
    zone_date(next_s / 86400, &year, &month, &day);
    expect(next_s > NOW_S && next_s % 60 == 0);
    expect(cron->minutes >> (next_s / 60 % 60) & 1 && cron->hours >> (next_s / 3600 % 24) & 1);
    expect((int)(cron->months >> month & 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(zone_free) struct zone *utc = NULL;
    CLEANUP(str_free) char *line = xstrndup((const char *)data, size);
    struct cron cron;
    expect(zone_open("UTC", &utc, NULL) == 0);
    if (cron_parse_line(line, &cron, NULL) == 0) {
        expect(cron.minutes && cron.hours && cron.days && cron.months && cron.weekdays);
        look_at_next(&cron, utc);
    }
    return 0;
}
