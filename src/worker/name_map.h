/* From names to what they stand for. Filled while modules load, then only read, by any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

struct name_map_item {
    struct slice name; /* borrowed; data NULL = free */
    void *value;
};

/* Begin with {0}. */
struct name_map {
    struct name_map_item *items; /* owned; capacity is a power of two, at most half full */
    size_t capacity;
    size_t count;
};

void name_map_done(struct name_map *map);

/* name stays the caller's and must outlive the map. A name that is there already gets the new
 * value if replace is set and keeps the old one otherwise. */
void name_map_put(struct name_map *map, struct slice name, void *value, bool replace);

/* NULL = not there. */
void *name_map_find(const struct name_map *map, struct slice name);
