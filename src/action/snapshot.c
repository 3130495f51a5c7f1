#include "action/snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "action/target.h"
#include "measure/benchmark.h"

static void module_route_done(struct module_route *route)
{
    target_set_unref(route->targets);
    free(route->name);
    free(route->why);
}

struct snapshot *snapshot_free(struct snapshot *snapshot, void (*auth_unref)(struct auth_table *))
{
    if (!snapshot) {
        return NULL;
    }
    for (size_t i = 0; i < snapshot->action_count; i++) {
        free(snapshot->actions[i].name);
    }
    for (size_t i = 0; i < snapshot->module_count; i++) {
        module_route_done(&snapshot->modules[i]);
    }
    module_route_done(&snapshot->runtime);
    if (snapshot->auth && auth_unref) {
        auth_unref(snapshot->auth);
    }
    benchmark_unref(snapshot->benchmark);
    free(snapshot->actions);
    free(snapshot->modules);
    free(snapshot);
    return NULL;
}

static int compare(struct slice name, const char *other)
{
    size_t size = strlen(other);
    int order = memcmp(name.data, other, name.size < size ? name.size : size);
    if (order != 0) {
        return order;
    }
    return name.size < size ? -1 : name.size > size;
}

const struct action_route *snapshot_find(const struct snapshot *snapshot, struct slice name)
{
    size_t low = 0, high = snapshot->action_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(name, snapshot->actions[middle].name);
        if (order == 0) {
            return &snapshot->actions[middle];
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

const struct module_route *snapshot_failed_module(const struct snapshot *snapshot,
                                                  struct slice action)
{
    const struct module_route *found = NULL;
    size_t longest = 0;
    for (size_t i = 0; i < snapshot->module_count; i++) {
        const struct module_route *module = &snapshot->modules[i];
        size_t size = strlen(module->name);
        bool begins = size > longest && action.size > size && action.data[size] == '.' &&
                      memcmp(action.data, module->name, size) == 0;
        if (begins && module->state == ROUTE_FAILED && module->why) {
            found = module;
            longest = size;
        }
    }
    return found;
}

static int by_name(const void *a, const void *b)
{
    const struct action_route *left = a, *right = b;
    return strcmp(left->name, right->name);
}

void snapshot_sort(struct snapshot *snapshot)
{
    if (snapshot->action_count > 0) {
        qsort(snapshot->actions, snapshot->action_count, sizeof(snapshot->actions[0]), by_name);
    }
}
