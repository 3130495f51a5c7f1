/* The text of a parameter's annotation, as a worker's ready line tells it. */
#include <stdint.h>
#include <stdlib.h>

#include "api/schema.h"
#include "base/alloc.h"
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(str_free) char *text = xstrndup((const char *)data, size);
    CLEANUP(json_put) struct json_object *schema = schema_of_annotation(text);
    if (!json_object_is_type(schema, json_type_object)) {
        abort();
    }
    return 0;
}
