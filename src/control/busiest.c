#include "control/busiest.h"

#include <stdlib.h>

#include "base/alloc.h"

struct ranked {
    double calls;
    size_t index;
};

static int by_calls(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->calls != y->calls) {
        return x->calls > y->calls ? -1 : 1;
    }
    return (x->index > y->index) - (x->index < y->index);
}

void busiest(const double *calls, size_t count, size_t most, bool *ret_chosen)
{
    struct ranked *ranked = xcalloc(count + 1, sizeof(*ranked));
    for (size_t i = 0; i < count; i++) {
        ranked[i] = (struct ranked){calls[i], i};
    }
    qsort(ranked, count, sizeof(*ranked), by_calls);
    for (size_t i = 0; i < count; i++) {
        ret_chosen[ranked[i].index] = i < most;
    }
    free(ranked);
}
