/* What was measured interval by interval: JSON values, oldest first, as text in bounded memory. The
 * oldest make room. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct json_object;

struct history_entry; /* private */

struct history { /* {0} is empty */
    struct history_entry *first, *last;
    size_t count;
    size_t bytes;     /* of all texts */
    uint64_t dropped; /* entries that made room */
};

/* Adds a copy of value, then drops the oldest until at most count_max entries with bytes_max bytes
 * are left, but never the newest. */
void history_add(struct history *history, struct json_object *value, size_t count_max,
                 size_t bytes_max);

/* Appends all entries to array. */
void history_copy(const struct history *history, struct json_object *array);

void history_done(struct history *history);
