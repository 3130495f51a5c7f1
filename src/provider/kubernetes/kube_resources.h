/* What a discovery document (APIResourceList) says: kind -> the plural in paths, namespaced or not.
 * Pure. */
#pragma once

#include <stdbool.h>

#include "base/cleanup.h"

struct err;
struct json_object;

#define KUBE_RESOURCES_MAX 1024 /* of one apiVersion; the largest in use have 60 */

struct kube_resource {
    char *kind;
    char *plural;      /* "deployments" */
    char *api_version; /* "apps/v1" */
    bool namespaced;
};

struct kube_resources {
    unsigned count;
    struct kube_resource items[]; /* [count] */
};

/* 0 and the resources (owned), without subresources; -EINVAL when it is no such document, -E2BIG
 * above KUBE_RESOURCES_MAX. */
int kube_resources_read(const struct json_object *document, const char *api_version,
                        struct kube_resources **ret_resources, struct err *err);
struct kube_resources *kube_resources_free(struct kube_resources *resources);
DEFINE_CLEANUP(struct kube_resources *, kube_resources_free)

/* Borrowed; NULL = no such kind. */
const struct kube_resource *kube_resources_find(const struct kube_resources *resources,
                                                const char *kind);

/* "apps" of "apps/v1", "" of "v1"; in ret[size]. */
void kube_api_group(const char *api_version, char *ret, unsigned size);

/* Whether a text can be one segment of a path: not empty, no '/', no "..", nothing to encode. */
bool kube_is_segment(const char *text);
