/* What the cluster's copy of an object tells of how it fares: why a pod does not run, what keeps a
 * Deployment from making pods, whether it has become what was applied. Pure. */
#pragma once

#include <stdbool.h>

struct json_object;

#define CONDITION_REASON_MAX 64  /* "CreateContainerConfigError" */
#define CONDITION_TEXT_MAX   400 /* of a message: for one line of a status */

struct condition {
    char reason[CONDITION_REASON_MAX]; /* one word: "ImagePullBackOff", "QuotaExceeded" */
    char text[CONDITION_TEXT_MAX];     /* what the cluster says of it; may be empty */
    bool stuck; /* waiting alone does not mend it, as far as anybody can tell */
};

/* Of a Pod, a Deployment, ReplicaSet, StatefulSet, DaemonSet, Job or PersistentVolumeClaim. False =
 * nothing is wrong, or it is of another kind. */
bool condition_of(const struct json_object *object, struct condition *ret_condition);

/* A Deployment, StatefulSet or DaemonSet whose pods all are of its present spec and available;
 * other kinds always are. Source: kubectl rollout status. */
bool condition_is_rolled_out(const struct json_object *object);
