/* The bytes of a watch: one JSON object a line, {"type": "ADDED", "object": {...}}. Pure. */
#pragma once

#include "provider/kubernetes/kube.h"

struct buf;

enum kube_line { KUBE_LINE_CHANGE, KUBE_LINE_BOOKMARK, KUBE_LINE_ERROR };

struct kube_event {
    enum kube_line line;
    enum kube_change change;    /* KUBE_LINE_CHANGE */
    struct json_object *object; /* owned by the caller; KUBE_LINE_ERROR: a Status */
    const char *version; /* metadata.resourceVersion, borrowed from object; NULL for errors */
    const char *uid;     /* KUBE_LINE_CHANGE; borrowed from object */
};

/* Takes the first line out of bytes. 1 and an event; 0 = no whole line yet; -EINVAL (no such JSON,
 * deeper than JSON_DEPTH_MAX, no type, no object, no resourceVersion or uid), -EFBIG (a line above
 * KUBE_EVENT_BYTES_MAX). Empty lines are passed over. A type that is not known counts as none: 0 or
 * the next one. */
int kube_stream_next(struct buf *bytes, struct kube_event *ret_event, struct err *err);
