/* Bodies whose member "name" is looked up without parsing them. What is found is what parsing
 * finds, unless the object has the name twice. */
#include <stdint.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/json_peek.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* How often the bytes "name" with their quotes stand in text. */
static int count_names(struct slice text)
{
    int count = 0;
    for (size_t at = 0; at < text.size; at++) {
        count += slice_starts(slice_from(text, at), SLICE("\"name\""));
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = {(const char *)data, size};
    char found[32];
    CLEANUP(json_put) struct json_object *object = NULL;
    bool is_there = json_peek_str(text, "name", found, sizeof(found));
    if (strlen(found) >= sizeof(found) || !utf8_valid(slice_str(found)) ||
        (!is_there && found[0])) {
        abort();
    }
    if (size == 0 || memchr(data, '\\', size) || json_parse_object(text, &object, NULL) < 0 ||
        count_names(text) != 1) {
        return 0;
    }
    const char *parsed = json_str(object, "name");
    bool wanted = parsed && strlen(parsed) < sizeof(found);
    if (wanted != is_there || (wanted && strcmp(parsed, found) != 0)) {
        abort();
    }
    return 0;
}
