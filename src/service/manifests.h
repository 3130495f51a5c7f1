/* What backing services are in a cluster: the configs REDIS_MANIFEST, PROME_MANIFEST and so on,
 * each a set of objects that the reconciler keeps. Owner: the daemon; all is for the control
 * thread. */
#pragma once

#include <stdbool.h>

#include "base/cleanup.h"

struct err;
struct json_object;
struct manifest;
struct manifests;
struct provider;
struct store;

/* cluster: provider `kubernetes`, borrowed; NULL = there is none: manifests are kept and not
 * applied. */
struct manifests *manifests_new(struct store *store, struct provider *cluster);
/* The objects stay. Before the provider is freed. NULL allowed. */
struct manifests *manifests_free(struct manifests *manifests);
DEFINE_CLEANUP(struct manifests *, manifests_free)

/* Wants the objects of all manifests that are stored. One that cannot be read is told in the log.
 */
void manifests_start(struct manifests *manifests);

/* A cluster that was configured since the start; then manifests_start. */
void manifests_set_cluster(struct manifests *manifests, struct provider *cluster);

/* Reads "REDIS_MANIFEST" anew; when it is not there any more its objects go, but for claims. Errors
 * of the store, and as manifest_read and manifest_resolve; what was wanted before is then kept. */
int manifests_refresh(struct manifests *manifests, const char *config, struct err *err);

/* What the service is in the cluster as long as no config says it: source (taken over) in any form
 * that manifest_read takes, until manifests_drop. -ENOTCONN: no cluster is in use; else as
 * manifests_refresh. */
int manifests_keep(struct manifests *manifests, const char *service, struct json_object *source,
                   struct err *err);
void manifests_drop(struct manifests *manifests, const char *service);

bool manifests_have_cluster(const struct manifests *manifests);

#define MANIFESTS_HOST_SIZE 46 /* a numeric address with its zero */

/* Where a ready pod behind the service's first Service answers; rolled_out: once all its pods are
 * of its present manifest. -ENOTCONN: nowhere, err says why: what the cluster tells of its
 * objects; -EHOSTDOWN: and waiting alone will not mend it. */
int manifests_find(const struct manifests *manifests, const char *service, bool rolled_out,
                   char ret_host[MANIFESTS_HOST_SIZE], int *ret_port, struct err *err);

/* The objects of that config's text as they would be applied: in the namespace that NAME_NAMESPACE
 * in the environment asks for (services.md), placeholders resolved. -EINVAL, -E2BIG. */
int manifests_resolve(const struct manifests *manifests, const char *config,
                      struct json_object *source, struct manifest **ret_manifest, struct err *err);

/* How they fare, as reconciler_objects; owned by the caller. NULL = service has no manifest there.
 */
struct json_object *manifests_objects(const struct manifests *manifests, const char *service);
