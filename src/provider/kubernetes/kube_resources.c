#include "provider/kubernetes/kube_resources.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"

bool kube_is_segment(const char *text)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789-._:~";
    size_t length = strlen(text);
    return length > 0 && length <= 253 && strspn(text, allowed) == length &&
           strcmp(text, ".") != 0 && strcmp(text, "..") != 0;
}

void kube_api_group(const char *api_version, char *ret, unsigned size)
{
    const char *slash = strchr(api_version, '/');
    (void)snprintf(ret, size, "%.*s", slash ? (int)(slash - api_version) : 0, api_version);
}

struct kube_resources *kube_resources_free(struct kube_resources *resources)
{
    for (unsigned i = 0; resources && i < resources->count; i++) {
        free(resources->items[i].kind);
        free(resources->items[i].plural);
        free(resources->items[i].api_version);
    }
    free(resources);
    return NULL;
}

const struct kube_resource *kube_resources_find(const struct kube_resources *resources,
                                                const char *kind)
{
    for (unsigned i = 0; resources && i < resources->count; i++) {
        if (strcmp(resources->items[i].kind, kind) == 0) {
            return &resources->items[i];
        }
    }
    return NULL;
}

int kube_resources_read(const struct json_object *document, const char *api_version,
                        struct kube_resources **ret_resources, struct err *err)
{
    struct json_object *list = json_member(document, "resources", json_type_array);
    const char *kind = json_str(document, "kind");
    if (!list || !kind || strcmp(kind, "APIResourceList") != 0) {
        return err_set(err, EINVAL, "what the server says of '%s' is no APIResourceList",
                       api_version);
    }
    size_t count = json_object_array_length(list);
    if (count > KUBE_RESOURCES_MAX) {
        return err_set(err, E2BIG, "'%s' has more than %d resources", api_version,
                       KUBE_RESOURCES_MAX);
    }
    struct kube_resources *resources =
        xcalloc(1, sizeof(*resources) + count * sizeof(resources->items[0]));
    for (size_t i = 0; i < count; i++) {
        struct json_object *item = json_object_array_get_idx(list, i);
        const char *plural = json_str(item, "name"), *its_kind = json_str(item, "kind");
        /* "deployments/scale" is a subresource, and has another kind */
        if (plural && its_kind && kube_is_segment(plural)) {
            resources->items[resources->count++] = (struct kube_resource){
                .kind = xstrdup(its_kind),
                .plural = xstrdup(plural),
                .api_version = xstrdup(api_version),
                .namespaced = json_flag(item, "namespaced", false),
            };
        }
    }
    *ret_resources = resources;
    return 0;
}
