#include "cli/loadtest/timeline.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "cli/loadtest/samples.h"

void timeline_add(struct timeline *timeline, double due_s, uint64_t latency_ns)
{
    if (timeline->count == TIMELINE_MAX) {
        return;
    }
    if (timeline->count == timeline->capacity) {
        timeline->capacity = timeline->capacity ? 2 * timeline->capacity : 1024;
        timeline->items = xrealloc(timeline->items, timeline->capacity * sizeof(*timeline->items));
    }
    timeline->items[timeline->count++] =
        (struct timed){(float)due_s, (float)((double)latency_ns / 1e6)};
}

void timeline_done(struct timeline *timeline)
{
    free(timeline->items);
    *timeline = (struct timeline){0};
}

void timeline_part(const struct timeline *timeline, double from_s, double to_s,
                   struct samples *samples)
{
    for (size_t i = 0; i < timeline->count; i++) {
        const struct timed *one = &timeline->items[i];
        if (one->due_s >= from_s && one->due_s < to_s) {
            samples_add(samples, (uint64_t)((double)one->latency_ms * 1e6 + 0.5));
        }
    }
}
