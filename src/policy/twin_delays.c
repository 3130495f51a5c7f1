#include "policy/twin_delays.h"

#include <stdlib.h>

#include "base/alloc.h"

void delays_init(struct delays *delays, uint32_t count_max)
{
    *delays = (struct delays){.items = xcalloc(count_max, sizeof(*delays->items))};
}

void delays_done(struct delays *delays)
{
    free(delays->items);
    *delays = (struct delays){0};
}

void delays_add(struct delays *delays, uint32_t job, double due_s)
{
    uint32_t i = delays->count++;
    while (i > 0 && delays->items[(i - 1) / 2].due_s > due_s) {
        delays->items[i] = delays->items[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    delays->items[i] = (struct delayed){due_s, job};
}

uint32_t delays_pop(struct delays *delays)
{
    struct delayed *items = delays->items;
    uint32_t job = items[0].job, i = 0;
    struct delayed last = items[--delays->count];
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child + 1 < delays->count && items[child + 1].due_s < items[child].due_s) {
            child++;
        }
        if (child >= delays->count || items[child].due_s >= last.due_s) {
            break;
        }
        items[i] = items[child];
        i = child;
    }
    items[i] = last;
    return job;
}
