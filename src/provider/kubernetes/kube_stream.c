#include "provider/kubernetes/kube_stream.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"

static const struct {
    const char *type;
    enum kube_line line;
    enum kube_change change;
} types[] = {
    {"ADDED", KUBE_LINE_CHANGE, KUBE_ADDED},     {"MODIFIED", KUBE_LINE_CHANGE, KUBE_MODIFIED},
    {"DELETED", KUBE_LINE_CHANGE, KUBE_DELETED}, {"BOOKMARK", KUBE_LINE_BOOKMARK, KUBE_ADDED},
    {"ERROR", KUBE_LINE_ERROR, KUBE_ADDED},
};

/* 1, 0 = a type that is not known, -EINVAL. */
static int read_line(struct slice line, struct kube_event *ret, struct err *err)
{
    CLEANUP(json_put) struct json_object *value = NULL;
    int failed = json_parse_object(line, &value, err);
    if (failed) {
        return failed;
    }
    const char *type = json_str(value, "type");
    struct json_object *object = json_member(value, "object", json_type_object);
    if (!type || !object) {
        return err_set(err, EINVAL, "an event without type or object");
    }
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcmp(types[i].type, type) != 0) {
            continue;
        }
        struct json_object *metadata = json_member(object, "metadata", json_type_object);
        struct kube_event event = {
            .line = types[i].line,
            .change = types[i].change,
            .version = json_str(metadata, "resourceVersion"),
            .uid = json_str(metadata, "uid"),
        };
        if (event.line != KUBE_LINE_ERROR && !event.version) {
            return err_set(err, EINVAL, "an object without resourceVersion");
        }
        if (event.line == KUBE_LINE_CHANGE && (!event.uid || !json_str(metadata, "name"))) {
            return err_set(err, EINVAL, "an object without uid or name");
        }
        event.object = json_ref(object);
        *ret = event;
        return 1;
    }
    return 0;
}

int kube_stream_next(struct buf *bytes, struct kube_event *ret_event, struct err *err)
{
    while (buf_size(bytes) > 0) {
        struct slice all = buf_slice(bytes);
        const char *end = memchr(all.data, '\n', all.size);
        size_t length = end ? (size_t)(end - all.data) : all.size;
        if (length > KUBE_EVENT_BYTES_MAX) {
            return err_set(err, EFBIG, "an event of more than %d bytes", KUBE_EVENT_BYTES_MAX);
        }
        if (!end) {
            return 0;
        }
        struct slice line = {all.data, length};
        int got = length > 0 ? read_line(line, ret_event, err) : 0;
        buf_consume(bytes, length + 1);
        if (got) {
            return got;
        }
    }
    return 0;
}
