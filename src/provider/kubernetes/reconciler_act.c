/* The requests of the reconciler and what becomes of them. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/random.h"
#include "provider/kubernetes/reconciler_priv.h"

/* Waiting does not mend these; the request is repeated all the same, as a person may. */
static const struct {
    enum kube_outcome outcome;
    const char *reason;
    bool stuck;
} reasons[] = {
    {KUBE_UNREACHABLE, "Unreachable", false}, {KUBE_UNAUTHORIZED, "Unauthorized", true},
    {KUBE_FORBIDDEN, "Forbidden", true},      {KUBE_REFUSED, "Refused", true},
    {KUBE_NO_KIND, "UnknownKind", true},      {KUBE_NOT_FOUND, "NamespaceNotFound", false},
    {KUBE_EXISTS, "Conflict", false},         {KUBE_CONFLICT, "Conflict", true},
    {KUBE_INVALID, "Invalid", true},          {KUBE_BUSY, "Busy", false},
};

static void note_failure(struct item *item, const struct kube_reply *reply)
{
    struct condition *failure = &item->failure;
    const char *text = reply->err ? reply->err->text : "";
    const char *reason = "Failed";
    failure->stuck = false;
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].outcome == reply->outcome) {
            reason = reasons[i].reason;
            failure->stuck = reasons[i].stuck;
        }
    }
    if (reply->outcome == KUBE_REFUSED) {
        reason = strstr(text, "exceeded quota")         ? "QuotaExceeded"
                 : strstr(text, "violates PodSecurity") ? "PodSecurity"
                                                        : reason;
    }
    if (item->failures == 0) { /* one failure, one line */
        log_warn("object was not brought about", "kind=%s name=%s reason=%s error=\"%s\"",
                 item->kind, item->name, reason, text);
    }
    (void)snprintf(failure->reason, sizeof(failure->reason), "%s", reason);
    (void)snprintf(failure->text, sizeof(failure->text), "%.*s", CONDITION_TEXT_MAX - 1, text);
    item->failures++;
    item->retry_ms =
        loop_now_ms(item->set->reconciler->loop) +
        reconcile_backoff_ms(item->failures, random_bits(&item->set->reconciler->random));
    item->set->reconciler->figures.failed++;
}

static void note_success(struct item *item)
{
    item->failures = 0;
    item->retry_ms = 0;
    item->failure.reason[0] = '\0';
}

/* ---- namespaces ---- */

static void on_namespace(void *arg, const struct kube_reply *reply)
{
    struct reconciler *reconciler = arg; /* the next try of the objects tells */
    (void)reply;
    reconciler->namespace_request = NULL;
}

/* As the original: made when it is missing. It is never deleted. One at a time: who needs another
 * tries again anyway. */
static void make_namespace(struct reconciler *reconciler, const char *name)
{
    if (!reconciler->namespace_request) {
        CLEANUP(json_put) struct json_object *object = manifest_make_namespace(name);
        reconciler->namespace_request =
            kube_create(reconciler->kube, object, NULL, on_namespace, reconciler);
    }
}

/* ---- apply ---- */

static void on_applied(void *arg, const struct kube_reply *reply)
{
    struct item *item = arg;
    struct reconciler *reconciler = item->set->reconciler;
    item->request = NULL;
    if (reply->outcome == KUBE_OK) {
        bool fresh = item->makes;
        note_success(item);
        item_see(item, reply->object);
        item->mark_at_end = item->mark;
        reconciler->figures.applied++;
        log_info(fresh ? "object made" : "object changed", "kind=%s namespace=%s name=%s",
                 item->kind, item->namespace, item->name);
    } else {
        if (reply->outcome == KUBE_NOT_FOUND && *item->namespace) {
            make_namespace(reconciler, item->namespace);
        }
        note_failure(item, reply);
    }
    set_touch(item->set);
}

void item_apply(struct item *item)
{
    struct reconciler *reconciler = item->set->reconciler;
    /* What is ours is made as it is wanted, whoever changed it. What is not is taken over only when
     * that changes nothing of what others have set. */
    struct kube_write write = {.force = item->seen};
    bool same = item->seen && strcmp(item->seen_hash, item->wanted_hash) == 0;
    if ((same && item->drifted) || item->lost) {
        reconciler->figures.repaired += item->failures == 0;
        log_info(item->lost ? "object was deleted by somebody else and is made again"
                            : "object was changed by somebody else and is mended",
                 "kind=%s namespace=%s name=%s", item->kind, item->namespace, item->name);
    }
    CLEANUP(json_put) struct json_object *wanted = item_wanted(item);
    item->makes = !item->seen;
    item->request = kube_apply(reconciler->kube, wanted, &write, on_applied, item);
}

/* ---- delete ---- */

static void on_deleted(void *arg, const struct kube_reply *reply)
{
    struct item *item = arg;
    struct reconciler_set *set = item->set;
    item->request = NULL;
    if (reply->outcome == KUBE_OK) {
        note_success(item);
        set->reconciler->figures.deleted++;
        item->going = true; /* the watch says when it is gone */
        item->ended = true;
        if (!is_watched(set->reconciler, item)) {
            item_unsee(item);
        }
        log_info("object deleted", "kind=%s namespace=%s name=%s", item->kind, item->namespace,
                 item->name);
    } else if (reply->outcome == KUBE_NOT_FOUND || reply->outcome == KUBE_NO_KIND) {
        note_success(item);
        item_unsee(item);
    } else {
        note_failure(item, reply);
    }
    set_touch(set);
}

void item_delete(struct item *item)
{
    struct kube_ref ref = {.api_version = item->api_version,
                           .kind = item->kind,
                           .namespace = *item->namespace ? item->namespace : NULL,
                           .name = item->name};
    struct kube_remove remove = {.propagation = KUBE_BACKGROUND, .uid = item->uid};
    item->request = kube_delete(item->set->reconciler->kube, &ref, &remove, on_deleted, item);
}
