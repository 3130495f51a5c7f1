/* The header traceparent of a request. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/trace_context.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct trace_context context = {0};
    char text[TRACE_PARENT_SIZE];
    if (!trace_context_read(&context, (struct slice){(const char *)data, size})) {
        return 0;
    }
    /* What was understood is what we send on. */
    trace_context_write(&context, context.parent_id, text);
    if (memcmp(text + 3, data + 3, 49) != 0) {
        abort();
    }
    return 0;
}
