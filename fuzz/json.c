/* JSON of peers: what is accepted prints as JSON that reads back equal. */
#include <stdint.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(json_put) struct json_object *value = NULL, *again = NULL;
    struct err err = {0};
    if (json_parse((struct slice){(const char *)data, size}, &value, &err) < 0) {
        if (value || !err.text[0]) {
            abort();
        }
        return 0;
    }
    if (json_parse(slice_str(json_text(value)), &again, NULL) < 0 ||
        !json_object_equal(value, again)) {
        abort();
    }
    return 0;
}
