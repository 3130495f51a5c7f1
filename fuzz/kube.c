/* What an API server and an exec plugin send: the first byte says what the rest is. A watch is read
 * in pieces of another size and must give the same events; all that is told must be a text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "provider/kubernetes/kube_known.h"
#include "provider/kubernetes/kube_resources.h"
#include "provider/kubernetes/kube_secret.h"
#include "provider/kubernetes/kube_status.h"
#include "provider/kubernetes/kube_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct verdict {
    unsigned changes, bookmarks, errors;
    unsigned news;
    int failed;
};

static void count(struct verdict *verdict, struct kube_known *known, struct kube_event *event)
{
    if (event->line == KUBE_LINE_ERROR) {
        verdict->errors++;
    } else if (event->line == KUBE_LINE_BOOKMARK) {
        verdict->bookmarks++;
    } else if (event->change == KUBE_DELETED) {
        verdict->changes++;
        verdict->news += kube_known_remove(known, event->object);
    } else {
        verdict->changes++;
        struct json_object *gone = NULL;
        verdict->news += kube_known_put(known, event->object, &gone) != KUBE_NEWS_NONE;
        (void)json_put(gone);
    }
    if (event->line != KUBE_LINE_ERROR && !event->version) {
        abort();
    }
    (void)json_put(event->object);
}

static struct verdict read_stream(struct slice text, size_t piece)
{
    CLEANUP(kube_known_free) struct kube_known *known = kube_known_new();
    struct verdict verdict = {0};
    struct buf bytes = {0};
    while (text.size > 0 && !verdict.failed) {
        size_t taken = text.size < piece ? text.size : piece;
        struct kube_event event;
        struct err err = {0};
        int got;
        if (buf_append(&bytes, text.data, taken) < 0) {
            abort();
        }
        text = slice_from(text, taken);
        while ((got = kube_stream_next(&bytes, &event, &err)) > 0) {
            count(&verdict, known, &event);
        }
        verdict.failed = got;
        if (got < 0 && !err.text[0]) {
            abort();
        }
    }
    kube_known_mark(known);
    struct json_object *gone;
    while ((gone = kube_known_sweep(known))) {
        (void)json_put(gone);
    }
    if (kube_known_count(known) != 0) {
        abort();
    }
    buf_done(&bytes);
    return verdict;
}

static void check_stream(struct slice text)
{
    struct verdict whole = read_stream(text, SIZE_MAX), pieces = read_stream(text, 7);
    if (memcmp(&whole, &pieces, sizeof(whole)) != 0) {
        abort();
    }
}

static void check_status(struct slice text)
{
    static const int statuses[] = {200, 400, 401, 403, 404, 409, 410, 422, 429, 500, 503, 504};
    static const struct kube_deed deed = {
        .verb = "get", .group = "apps", .resource = "deployments", .namespace = "n"};
    CLEANUP(json_put) struct json_object *body = NULL;
    (void)json_parse(text, &body, NULL);
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        struct err err = {0};
        enum kube_outcome outcome = kube_status_judge(statuses[i], body, &deed, &err);
        if ((outcome == KUBE_OK) != (i == 0) || (outcome != KUBE_OK && !err.text[0]) ||
            !kube_outcome_name(outcome)) {
            abort();
        }
    }
}

static void check_resources(struct slice text)
{
    CLEANUP(json_put) struct json_object *document = NULL;
    CLEANUP(kube_resources_free) struct kube_resources *resources = NULL;
    if (json_parse(text, &document, NULL) < 0 ||
        kube_resources_read(document, "apps/v1", &resources, NULL) < 0) {
        return;
    }
    for (unsigned i = 0; i < resources->count; i++) {
        const struct kube_resource *resource = &resources->items[i];
        if (!kube_is_segment(resource->plural) || strpbrk(resource->plural, "/?#% \r\n") ||
            !kube_resources_find(resources, resource->kind)) {
            abort();
        }
    }
}

static void check_secret(struct slice text)
{
    struct kube_secret secret = {0};
    if (kube_secret_read(text, "client.authentication.k8s.io/v1", &secret, NULL) == 0 &&
        ((!secret.token && !secret.certificate) ||
         (secret.token && strpbrk(secret.token, "\r\n")))) {
        abort();
    }
    kube_secret_done(&secret);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const checks[])(struct slice) = {check_stream, check_status, check_resources,
                                                   check_secret};
    if (size > 1) {
        checks[data[0] % 4]((struct slice){(const char *)data + 1, size - 1});
    }
    return 0;
}
