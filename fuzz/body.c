/* Bodies and queries of peers: a line of content type, a line of query, then the body. What is
 * accepted must be an object that prints as UTF-8 JSON and reads back the same. */
#include <stdint.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/json.h"
#include "base/utf8.h"
#include "http/body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct slice take_line(struct slice *rest)
{
    const char *end = rest->size > 0 ? memchr(rest->data, '\n', rest->size) : NULL;
    struct slice line = {rest->data, end ? (size_t)(end - rest->data) : rest->size};
    *rest = slice_from(*rest, line.size + 1);
    return line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = {(const char *)data, size};
    struct slice content_type = take_line(&rest);
    struct slice query = take_line(&rest);
    CLEANUP(json_put) struct json_object *object = NULL;
    struct err err = {0};
    int failed = body_object(content_type, rest, query, &object, &err);
    if (failed) {
        if (object || err.code != -failed || !utf8_valid(slice_str(err.text)) ||
            body_status(failed) < 400) {
            abort();
        }
        return 0;
    }
    CLEANUP(json_put) struct json_object *again = NULL;
    struct slice text = slice_str(json_text(object));
    if (!json_object_is_type(object, json_type_object) || !utf8_valid(text)) {
        abort();
    }
    /* A context in a form is parsed one level down: it may be deeper than what is read at once. */
    if (json_parse(text, &again, NULL) == 0 && !json_object_equal(object, again)) {
        abort();
    }
    return 0;
}
