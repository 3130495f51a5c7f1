#include "worker/name_map.h"

#include <stdint.h>

#include "base/alloc.h"

#define CAPACITY_FIRST 64

void name_map_done(struct name_map *map)
{
    free(map->items);
    *map = (struct name_map){0};
}

/* FNV-1a: names come from the user's own code, so nobody chooses them to collide. */
static size_t hash_of(struct slice name)
{
    uint64_t hash = 14695981039346656037ULL;
    for (size_t i = 0; i < name.size; i++) {
        hash = (hash ^ (unsigned char)name.data[i]) * 1099511628211ULL;
    }
    return (size_t)(hash ^ (hash >> 32));
}

/* Where name is, or where it would be put. */
static struct name_map_item *place_of(const struct name_map *map, struct slice name)
{
    size_t at = hash_of(name) & (map->capacity - 1);
    while (map->items[at].name.data && !slice_eq(map->items[at].name, name)) {
        at = (at + 1) & (map->capacity - 1);
    }
    return &map->items[at];
}

static void grow(struct name_map *map)
{
    struct name_map larger = {.capacity = map->capacity ? 2 * map->capacity : CAPACITY_FIRST};
    larger.items = xcalloc(larger.capacity, sizeof(struct name_map_item));
    larger.count = map->count;
    for (size_t i = 0; i < map->capacity; i++) {
        if (map->items[i].name.data) {
            *place_of(&larger, map->items[i].name) = map->items[i];
        }
    }
    name_map_done(map);
    *map = larger;
}

void name_map_put(struct name_map *map, struct slice name, void *value, bool replace)
{
    if (2 * (map->count + 1) > map->capacity) {
        grow(map);
    }
    struct name_map_item *item = place_of(map, name);
    if (!item->name.data) {
        *item = (struct name_map_item){name, value};
        map->count++;
    } else if (replace) {
        *item = (struct name_map_item){name, value};
    }
}

void *name_map_find(const struct name_map *map, struct slice name)
{
    return map->count > 0 ? place_of(map, name)->value : NULL;
}
