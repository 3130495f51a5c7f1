#include "manifest/condition.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"

static void set(struct condition *condition, const char *reason, const char *text, bool stuck)
{
    condition->stuck = stuck;
    (void)snprintf(condition->reason, sizeof(condition->reason), "%s", reason);
    (void)snprintf(condition->text, sizeof(condition->text), "%s", text ? text : "");
    utf8_repair(condition->text, strlen(condition->text)); /* it may be cut within a character */
    for (char *at = condition->text; *at; at++) {
        *at = (unsigned char)*at < ' ' ? ' ' : *at; /* one line */
    }
}

static bool is_one_of(const char *text, const char *const *names)
{
    for (; *names; names++) {
        if (strcmp(*names, text) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- pods ---- */

/* A container that waits for a reason that nobody waits for in vain is only starting. */
static const char *const starting[] = {"ContainerCreating", "PodInitializing", NULL};

/* ErrImagePull and the like come back as BackOff; the first failure may be the network's. */
static const char *const passing[] = {"ErrImagePull", "RunContainerError", NULL};

static bool container_condition(const struct json_object *status, struct condition *ret)
{
    struct json_object *state = json_member(status, "state", json_type_object);
    struct json_object *last = json_member(status, "lastState", json_type_object);
    struct json_object *waiting = json_member(state, "waiting", json_type_object);
    struct json_object *ended = json_member(state, "terminated", json_type_object);
    struct json_object *ended_last = json_member(last, "terminated", json_type_object);
    const char *reason = json_str(waiting, "reason");
    const char *name = json_str(status, "name");
    char text[CONDITION_TEXT_MAX];
    ended = ended ? ended : ended_last;
    if (reason && !is_one_of(reason, starting)) {
        const char *how = json_str(ended, "reason");
        const char *message = json_str(waiting, "message");
        if (how && strcmp(reason, "CrashLoopBackOff") == 0) { /* why it ends is what matters */
            (void)snprintf(text, sizeof(text),
                           "container '%s' ended %lld times, last with status "
                           "%lld (%s)",
                           name ? name : "", (long long)json_int(status, "restartCount", 0),
                           (long long)json_int(ended, "exitCode", 0), how);
            set(ret, strcmp(how, "OOMKilled") == 0 ? how : reason, text, true);
        } else {
            set(ret, reason, message, !is_one_of(reason, passing));
        }
        return true;
    }
    reason = json_str(ended, "reason");
    if (reason && strcmp(reason, "Completed") != 0 && !json_flag(status, "ready", false)) {
        (void)snprintf(text, sizeof(text), "container '%s' ended with status %lld",
                       name ? name : "", (long long)json_int(ended, "exitCode", 0));
        set(ret, reason, text, false);
        return true;
    }
    return false;
}

static bool containers_condition(const struct json_object *status, const char *list,
                                 struct condition *ret)
{
    struct json_object *all = json_member(status, list, json_type_array);
    for (size_t i = 0; all && i < json_object_array_length(all); i++) {
        if (container_condition(json_object_array_get_idx(all, i), ret)) {
            return true;
        }
    }
    return false;
}

/* The condition of that type when it has that status; NULL otherwise. */
static struct json_object *find(const struct json_object *status, const char *type,
                                const char *wanted)
{
    struct json_object *all = json_member(status, "conditions", json_type_array);
    for (size_t i = 0; all && i < json_object_array_length(all); i++) {
        struct json_object *one = json_object_array_get_idx(all, i);
        const char *its_type = json_str(one, "type"), *its_status = json_str(one, "status");
        if (its_type && its_status && strcmp(its_type, type) == 0) {
            return strcmp(its_status, wanted) == 0 ? one : NULL;
        }
    }
    return NULL;
}

static bool pod_condition(const struct json_object *object, const struct json_object *status,
                          struct condition *ret)
{
    const char *phase = json_str(status, "phase"), *reason = json_str(status, "reason");
    struct json_object *unscheduled = find(status, "PodScheduled", "False");
    if (json_str(json_member(object, "metadata", json_type_object), "deletionTimestamp")) {
        return false; /* it ends as it shall */
    }
    if (phase && strcmp(phase, "Failed") == 0) {
        set(ret, reason ? reason : "Failed", json_str(status, "message"), false);
        return true;
    }
    if (unscheduled) {
        reason = json_str(unscheduled, "reason");
        set(ret, reason ? reason : "Unschedulable", json_str(unscheduled, "message"), true);
        return true;
    }
    return containers_condition(status, "initContainerStatuses", ret) ||
           containers_condition(status, "containerStatuses", ret);
}

/* ---- what makes pods ---- */

static bool maker_condition(const struct json_object *status, struct condition *ret)
{
    struct json_object *failure = find(status, "ReplicaFailure", "True");
    struct json_object *stalled = find(status, "Progressing", "False");
    struct json_object *failed = find(status, "Failed", "True");
    const char *message = json_str(failure, "message");
    if (failure) {
        const char *reason = json_str(failure, "reason");
        reason = message && strstr(message, "exceeded quota")         ? "QuotaExceeded"
                 : message && strstr(message, "violates PodSecurity") ? "PodSecurity"
                 : reason                                             ? reason
                                                                      : "ReplicaFailure";
        set(ret, reason, message, true);
    } else if (stalled || failed) {
        struct json_object *one = stalled ? stalled : failed;
        const char *reason = json_str(one, "reason");
        set(ret, reason ? reason : "Failed", json_str(one, "message"), true);
    }
    return failure || stalled || failed;
}

bool condition_of(const struct json_object *object, struct condition *ret_condition)
{
    static const char *const makers[] = {"Deployment", "ReplicaSet", "StatefulSet",
                                         "DaemonSet",  "Job",        NULL};
    const char *kind = json_str(object, "kind");
    struct json_object *status = json_member(object, "status", json_type_object);
    if (!kind || !status) {
        return false;
    }
    if (strcmp(kind, "Pod") == 0) {
        return pod_condition(object, status, ret_condition);
    }
    if (strcmp(kind, "PersistentVolumeClaim") == 0) {
        const char *phase = json_str(status, "phase");
        bool lost = phase && strcmp(phase, "Lost") == 0;
        if (lost) {
            set(ret_condition, "ClaimLost", "the volume of the claim is gone", true);
        }
        return lost;
    }
    return is_one_of(kind, makers) && maker_condition(status, ret_condition);
}

bool condition_is_rolled_out(const struct json_object *object)
{
    const char *kind = json_str(object, "kind");
    struct json_object *metadata = json_member(object, "metadata", json_type_object);
    struct json_object *spec = json_member(object, "spec", json_type_object);
    struct json_object *status = json_member(object, "status", json_type_object);
    int64_t wanted = json_int(spec, "replicas", 1);
    int64_t updated = json_int(status, "updatedReplicas", 0);
    bool seen = json_int(status, "observedGeneration", 0) >= json_int(metadata, "generation", 1);
    if (kind && strcmp(kind, "Deployment") == 0) {
        return seen && updated >= wanted && json_int(status, "replicas", 0) <= updated &&
               json_int(status, "availableReplicas", 0) >= updated;
    }
    if (kind && strcmp(kind, "StatefulSet") == 0) {
        const char *current = json_str(status, "currentRevision");
        const char *update = json_str(status, "updateRevision");
        return seen && json_int(status, "readyReplicas", 0) >= wanted &&
               (!current || !update || strcmp(current, update) == 0);
    }
    if (kind && strcmp(kind, "DaemonSet") == 0) {
        wanted = json_int(status, "desiredNumberScheduled", 0);
        return seen && json_int(status, "updatedNumberScheduled", 0) >= wanted &&
               json_int(status, "numberAvailable", 0) >= wanted;
    }
    return true;
}
