/* Whose runs a policy is told of. A request for one action is a walker that makes one call: its
 * name is the path that it came by. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "control/busiest.h"
#include "control/control_priv.h"
#include "control/phases.h"
#include "measure/action_stats.h"
#include "measure/figures.h"

#define ACTION_PATH     "/actions/"
#define OWNER_BYTES_MAX (STATS_NAME_MAX + sizeof(ACTION_PATH))

struct owner {
    char *name; /* owned */
    size_t row; /* the first one */
    double runs;
};

/* Whose run the row belongs to; NULL = nobody's that can be told. */
static const char *owner_of(const struct figure *row, char owner[OWNER_BYTES_MAX])
{
    if (row->walker || !row->action) {
        return row->walker && strcmp(row->walker, STATS_OTHER) != 0 ? row->walker : NULL;
    }
    (void)snprintf(owner, OWNER_BYTES_MAX, ACTION_PATH "%s", row->action);
    return owner;
}

static size_t find(const struct policy_problem *problem, const char *name)
{
    size_t i = 0;
    while (i < problem->walker_count && strcmp(problem->walkers[i].name, name) != 0) {
        i++;
    }
    return i;
}

size_t phase_walker(const struct policy_problem *problem, const struct figure *row)
{
    char text[OWNER_BYTES_MAX];
    const char *owner = owner_of(row, text);
    size_t found = owner ? find(problem, owner) : problem->walker_count;
    return owner && found == problem->walker_count ? find(problem, STATS_OTHER) : found;
}

static int by_name(const void *a, const void *b)
{
    const struct owner *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order != 0 ? order : (x->row > y->row) - (x->row < y->row);
}

static int by_row(const void *a, const void *b)
{
    const struct owner *x = a, *y = b;
    return (x->row > y->row) - (x->row < y->row);
}

/* All that have runs, each once, in the order of their first rows; owned by the caller. */
static struct owner *collect(const struct figures *figures, size_t *ret_count)
{
    struct owner *owners = xcalloc(figures->count + 1, sizeof(*owners));
    size_t found = 0, count = 0;
    for (size_t i = 0; i < figures->count; i++) {
        char text[OWNER_BYTES_MAX];
        const struct figure *row = &figures->rows[i];
        const char *name = owner_of(row, text);
        if (name && phase_begins_run(row) && row->calls > 0) {
            owners[found++] = (struct owner){xstrdup(name), i, (double)row->calls};
        }
    }
    qsort(owners, found, sizeof(*owners), by_name);
    for (size_t i = 0; i < found; i++) {
        if (count > 0 && strcmp(owners[count - 1].name, owners[i].name) == 0) {
            owners[count - 1].runs += owners[i].runs;
            free(owners[i].name);
        } else {
            owners[count++] = owners[i];
        }
    }
    qsort(owners, count, sizeof(*owners), by_row);
    *ret_count = count;
    return owners;
}

static void add(struct policy_problem *problem, const char *name)
{
    problem->walkers[problem->walker_count++] = (struct policy_walker){
        .name = xstrdup(name),
        .calls = xcalloc(POLICY_CALLS_MAX, sizeof(uint16_t)),
        .weight = NAN,
    };
}

void phase_add_walkers(struct policy_problem *problem, const struct figures *figures,
                       const struct policy_problem *former)
{
    size_t count = 0;
    struct owner *owners = collect(figures, &count);
    bool all = count <= POLICY_WALKERS_MAX;
    double *runs = xcalloc(count + 1, sizeof(*runs));
    bool *chosen = xcalloc(count + 1, sizeof(*chosen));
    for (size_t i = 0; i < count; i++) {
        bool had = former && find(former, owners[i].name) < former->walker_count;
        runs[i] = owners[i].runs * (had ? BUSIEST_STAYS : 1);
    }
    busiest(runs, count, all ? POLICY_WALKERS_MAX : POLICY_WALKERS_MAX - 1, chosen);
    problem->walkers = xcalloc(POLICY_WALKERS_MAX, sizeof(*problem->walkers));
    for (size_t i = 0; i < count; i++) {
        if (chosen[i]) {
            add(problem, owners[i].name);
        }
        free(owners[i].name);
    }
    if (!all) {
        add(problem, STATS_OTHER); /* no walker can have that name */
    }
    free(owners);
    free(runs);
    free(chosen);
}
