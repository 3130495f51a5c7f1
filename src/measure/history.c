#include "measure/history.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/json.h"

struct history_entry {
    struct history_entry *next;
    size_t size;
    char text[]; /* JSON */
};

static void drop_first(struct history *history)
{
    struct history_entry *entry = history->first;
    history->first = entry->next;
    history->last = entry->next ? history->last : NULL;
    history->count--;
    history->bytes -= entry->size;
    free(entry);
}

void history_add(struct history *history, struct json_object *value, size_t count_max,
                 size_t bytes_max)
{
    const char *text = json_text(value);
    size_t size = strlen(text) + 1;
    struct history_entry *entry = xcalloc(1, sizeof(*entry) + size);
    memcpy(entry->text, text, size);
    entry->size = size;
    *(history->last ? &history->last->next : &history->first) = entry;
    history->last = entry;
    history->count++;
    history->bytes += size;
    while (history->count > 1 && (history->count > count_max || history->bytes > bytes_max)) {
        drop_first(history);
        history->dropped++;
    }
}

void history_copy(const struct history *history, struct json_object *array)
{
    for (const struct history_entry *entry = history->first; entry; entry = entry->next) {
        struct json_object *value = NULL;
        if (json_parse(slice_str(entry->text), &value, NULL) == 0) {
            (void)json_object_array_add(array, value);
        }
    }
}

void history_done(struct history *history)
{
    while (history->first) {
        drop_first(history);
    }
    history->dropped = 0;
}
