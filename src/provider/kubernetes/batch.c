#include "provider/kubernetes/batch.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "manifest/manifest.h"
#include "provider/kubernetes/kube.h"

struct batch {
    struct kube *kube; /* borrowed */
    struct manifest *manifest;
    struct batch_options options;
    size_t at;                  /* the object that is under way */
    struct json_object *before; /* it, as the cluster has it; NULL = not there */
    bool made_namespace;        /* for this object; once is enough */
    struct json_object *results;
    batch_fn done;
    void *arg;
};

static struct json_object *object_at(const struct batch *batch)
{
    return batch->manifest->objects[batch->at].value;
}

static void begin(struct batch *batch);

static void end(struct batch *batch)
{
    batch->done(batch->arg, TAKE(batch->results));
    (void)manifest_free(batch->manifest);
    free(batch);
}

/* Of the object under way; then the next one. changes may be NULL. */
static void note(struct batch *batch, const char *result, const char *message,
                 struct json_object *changes)
{
    struct json_object *object = object_at(batch);
    struct json_object *row = json_object_new_object();
    json_set_str(row, "kind", manifest_kind(object));
    json_set_str(row, "name", manifest_name(object));
    json_set_str(row, "namespace", manifest_namespace(object));
    json_set_str(row, "result", result);
    json_set_str(row, "message", message);
    json_set(row, "changes", changes ? changes : json_object_new_array());
    (void)json_object_array_add(batch->results, row);
    batch->before = json_put(batch->before);
    batch->made_namespace = false;
    batch->at++;
    begin(batch);
}

static void apply(struct batch *batch);

static void on_namespace(void *arg, const struct kube_reply *reply)
{
    struct batch *batch = arg;
    if (reply->outcome == KUBE_OK || reply->outcome == KUBE_EXISTS) {
        apply(batch);
    } else {
        note(batch, "error", reply->err ? reply->err->text : NULL, NULL);
    }
}

static void make_namespace(struct batch *batch, const char *name)
{
    CLEANUP(json_put) struct json_object *object = manifest_make_namespace(name);
    batch->made_namespace = true;
    (void)kube_create(batch->kube, object, NULL, on_namespace, batch);
}

static void on_applied(void *arg, const struct kube_reply *reply)
{
    struct batch *batch = arg;
    const char *namespace = manifest_namespace(object_at(batch));
    if (reply->outcome == KUBE_NOT_FOUND && namespace && !batch->made_namespace &&
        !batch->options.dry_run) {
        make_namespace(batch, namespace);
    } else if (reply->outcome != KUBE_OK) {
        note(batch, "error", reply->err ? reply->err->text : NULL, NULL);
    } else {
        struct json_object *changes = manifest_changes(batch->before, reply->object);
        const char *result = !batch->before                          ? "created"
                             : json_object_array_length(changes) > 0 ? "patched"
                                                                     : "unchanged";
        note(batch, result, NULL, changes);
    }
}

static void apply(struct batch *batch)
{
    struct kube_write write = {.dry_run = batch->options.dry_run, .force = batch->options.force};
    (void)kube_apply(batch->kube, object_at(batch), &write, on_applied, batch);
}

static void on_got(void *arg, const struct kube_reply *reply)
{
    struct batch *batch = arg;
    if (reply->outcome == KUBE_OK || reply->outcome == KUBE_NOT_FOUND) {
        batch->before = reply->outcome == KUBE_OK ? json_ref(reply->object) : NULL;
        apply(batch);
    } else {
        note(batch, "error", reply->err ? reply->err->text : NULL, NULL);
    }
}

static void begin(struct batch *batch)
{
    struct kube_ref ref;
    if (batch->at == batch->manifest->count) {
        end(batch);
    } else if (kube_ref_of(object_at(batch), &ref, NULL) < 0) {
        note(batch, "error", "it lacks apiVersion, kind or name", NULL);
    } else {
        (void)kube_get(batch->kube, &ref, on_got, batch);
    }
}

static int by_rank(const void *a, const void *b)
{
    const struct manifest_object *left = a, *right = b;
    unsigned left_rank = manifest_rank(manifest_kind(left->value));
    unsigned right_rank = manifest_rank(manifest_kind(right->value));
    return (left_rank > right_rank) - (left_rank < right_rank);
}

void batch_apply(struct kube *kube, struct manifest *manifest, const struct batch_options *options,
                 batch_fn done, void *arg)
{
    struct batch *batch = xcalloc(1, sizeof(*batch));
    *batch = (struct batch){.kube = kube,
                            .manifest = manifest,
                            .options = *options,
                            .results = json_object_new_array(),
                            .done = done,
                            .arg = arg};
    if (manifest->count > 0) {
        qsort(manifest->objects, manifest->count, sizeof(manifest->objects[0]), by_rank);
    }
    begin(batch);
}
