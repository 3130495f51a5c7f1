/* Manifests of people: what is read is labelled, resolved and read again equal; nothing grows
 * without end. */
#include <stdint.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/json.h"
#include "manifest/manifest.h"
#include "manifest/pod.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct manifest *manifest)
{
    CLEANUP(json_put) struct json_object *map = manifest_map(manifest);
    CLEANUP(manifest_free) struct manifest *again = NULL;
    manifest_own(manifest, &(struct manifest_owner){"o", MANIFEST_ACTION, "m"});
    for (size_t i = 0; i < manifest->count; i++) {
        struct json_object *value = manifest->objects[i].value;
        if (!manifest_is_within(value, value) || !manifest_label(value, MANIFEST_OWNER)) {
            abort();
        }
    }
    /* two of one kind and name are one in the map */
    if (manifest_read(map, &again, NULL) < 0 || again->count > manifest->count) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(json_put) struct json_object *source = NULL;
    CLEANUP(manifest_free) struct manifest *manifest = NULL, *pod = NULL;
    struct err err = {0};
    if (json_parse((struct slice){(const char *)data, size}, &source, NULL) < 0) {
        return 0;
    }
    if (pod_is_short(source)) {
        (void)pod_manifest(source, &(struct pod_module){.name = "m", .source = "m"}, &pod, &err);
    }
    if (manifest_read(source, &manifest, &err) < 0) {
        if (manifest || !err.text[0]) {
            abort();
        }
        return 0;
    }
    manifest_rewrite(manifest, MANIFEST_DEDICATED, "own", NULL);
    if (manifest_resolve(manifest, &err) == 0) {
        check(manifest);
    } else if (!err.text[0]) {
        abort();
    }
    return 0;
}
