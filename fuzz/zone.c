/* Files of the time zone database: whatever they hold, a zone can be asked for any moment, and what
 * is due in it comes later than now. */
#include <stdint.h>
#include <stdlib.h>

#include "task/cron.h"
#include "task/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int64_t moments_s[] = {
        INT64_C(-5000000000), -1, 0, 1700000000, INT64_C(4000000000), INT64_C(300000000000)};
    CLEANUP(zone_free) struct zone *zone = NULL;
    struct cron nightly;
    if (zone_parse((struct slice){(const char *)data, size}, &zone, NULL) < 0) {
        return 0;
    }
    if (cron_parse_line("30 2 * * *", &nightly, NULL) < 0) {
        abort();
    }
    for (size_t i = 0; i < sizeof(moments_s) / sizeof(moments_s[0]); i++) {
        int64_t offset_s = zone_offset_s(zone, moments_s[i]);
        if (offset_s < INT32_MIN || offset_s > INT32_MAX ||
            cron_next(&nightly, zone, moments_s[i]) <= moments_s[i]) {
            abort();
        }
    }
    return 0;
}
