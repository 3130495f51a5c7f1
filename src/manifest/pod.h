/* The short form of an action config's `remote`: image, port, memory, replicas; and the three
 * objects that are made from it. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct err;
struct json_object;
struct manifest;

#define POD_REPLICAS_MAX 1000
#define POD_PORT         80    /* as in the original: others find the module at http://NAME/ */
#define POD_USER         65532 /* "nonroot" of distroless images; any but 0 satisfies `restricted` */
#define POD_LEAVE_S      3  /* between leaving the Service and SIGTERM: for those who still call */
#define POD_GRACE_S      30 /* for the calls under way, then SIGKILL */

/* Whether remote is a short form rather than manifests. */
bool pod_is_short(const struct json_object *remote);

/* -EINVAL: which member of a short form cannot be used, and why. */
int pod_check(struct json_object *remote, struct err *err);

struct pod_module {     /* borrowed */
    const char *name;   /* of the module: the objects are called after it */
    const char *source; /* what a start-up script serves: "acme_text.word_tools" */
    int64_t memory_kb;  /* of a pod after loading it, as measured; 0 = not known */
};

/* ConfigMap (start-up script; without one when `command` is given), Service and Deployment.
 * -EINVAL as pod_check. */
int pod_manifest(struct json_object *remote, const struct pod_module *module,
                 struct manifest **ret_manifest, struct err *err);
