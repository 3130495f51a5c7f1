/* Provider `kubernetes`: a module's pod is a Deployment with its Service and what else its action
 * config names. Pods are watched, not polled; their replicas are reached at their own addresses, or
 * through the API server (access.h). */
#pragma once

#include <stdint.h>

#include "provider/kubernetes/access.h"
#include "provider/provider.h"

struct kube;
struct loop;
struct reconciler;

struct kubernetes_settings {
    const char *owner;         /* of this installation: a label's value; copied */
    uint64_t start_timeout_ms; /* a pod without a ready replica after so long has a trouble */
    struct access_settings access;
};

/* Never NULL. loop and kube are borrowed for its life. */
struct provider *kubernetes_provider_new(struct loop *loop, struct kube *kube,
                                         const struct kubernetes_settings *settings);

/* The objects that a pod of that module is, labelled as ours; what its start would apply. Only what
 * struct pod_spec has for a pod that is not on this host is looked at. -EINVAL: what is wrong with
 * its action config. */
struct manifest;
int kubernetes_manifest(struct provider *provider, const struct pod_spec *spec,
                        struct manifest **ret_manifest, struct err *err);

/* What applies the objects: services use the same one. Borrowed. */
struct reconciler *kubernetes_reconciler(struct provider *provider);
struct kube *kubernetes_client(struct provider *provider);

/* The figures of the client and the reconciler. provider NULL = no cluster: their headings alone.
 */
struct exposition;
void kubernetes_expose(struct provider *provider, struct exposition *exposition);
