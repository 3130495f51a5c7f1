#include "load/schedule.h"

#include <assert.h>
#include <math.h>

#include "base/random.h"

double load_random_unit(uint64_t *state)
{
    return (double)(random_bits(state) >> 11) * 0x1p-53;
}

void load_schedule_init(struct load_schedule *schedule, uint64_t start_ns, double rate_per_s,
                        bool poisson, uint64_t seed)
{
    assert(rate_per_s > 0);
    *schedule = (struct load_schedule){
        .start_ns = start_ns, .interval_ns = 1e9 / rate_per_s, .poisson = poisson, .random = seed};
}

uint64_t load_schedule_next(struct load_schedule *schedule)
{
    uint64_t due_ns = schedule->start_ns + (uint64_t)schedule->offset_ns;
    schedule->count++;
    if (schedule->poisson) { /* the inverse of the exponential distribution */
        schedule->offset_ns -= schedule->interval_ns * log1p(-load_random_unit(&schedule->random));
    } else { /* by multiplication: sums of a rounded gap would drift */
        schedule->offset_ns = schedule->interval_ns * (double)schedule->count;
    }
    return due_ns;
}
