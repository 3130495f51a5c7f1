/* For tables by name. */
#pragma once

#include <stdint.h>

#include "base/slice.h"

/* FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/, folded. Not for names that a stranger may
 * choose to collide, unless the table is bounded. */
static inline uint32_t hash_name(struct slice name)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < name.size; i++) {
        hash = (hash ^ (unsigned char)name.data[i]) * 16777619u;
    }
    return hash ^ hash >> 16;
}
