/* What the cluster tells of our objects, and of the pods and endpoints that come of them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/log.h"
#include "provider/kubernetes/reconciler_priv.h"

/* ---- one object ---- */

/* What changes with each change of what people write: metadata.generation; of kinds that have none
 * the version, which changes with each change at all. */
static int64_t mark_of(const struct json_object *metadata)
{
    int64_t generation = json_int(metadata, "generation", 0);
    const char *version = json_str(metadata, "resourceVersion");
    return generation > 0 ? generation : version ? strtoll(version, NULL, 10) : 0;
}

void item_see(struct item *item, struct json_object *object)
{
    struct json_object *metadata = json_member(object, "metadata", json_type_object);
    struct json_object *annotations = json_member(metadata, "annotations", json_type_object);
    const char *hash = json_str(annotations, MANIFEST_HASH);
    CLEANUP(json_put) struct json_object *wanted = item_wanted(item);
    item->seen = true;
    item->lost = false;
    item->going = json_str(metadata, "deletionTimestamp") != NULL;
    item->mark = mark_of(metadata);
    (void)snprintf(item->seen_hash, sizeof(item->seen_hash), "%s", hash ? hash : "");
    str_replace(&item->seen_version, manifest_label(object, MANIFEST_VERSION));
    str_replace(&item->uid, json_str(metadata, "uid"));
    item->drifted = wanted && !manifest_is_within(wanted, object);
    item->rolled_out = condition_is_rolled_out(object);
    item->has_condition = condition_of(object, &item->condition);
}

void item_unsee(struct item *item)
{
    item->lost = item->wanted && item->told && !item->ended;
    item->seen = item->told = item->going = item->ended = false;
    item->drifted = item->rolled_out = item->has_condition = false;
    item->seen_hash[0] = '\0';
    item->mark = item->mark_at_end = 0;
    str_replace(&item->uid, NULL);
}

/* ---- pods ---- */

static void forget_pod(struct reconciler_set *set, const char *name)
{
    for (size_t i = 0; i < set->pod_count; i++) {
        if (strcmp(set->pods[i].name, name) == 0) {
            free(set->pods[i].name);
            set->pods[i] = set->pods[--set->pod_count];
            set_tell(set);
            return;
        }
    }
}

static void see_pod(struct reconciler_set *set, struct json_object *object)
{
    const char *name = manifest_name(object);
    struct pod_seen *pod = NULL;
    for (size_t i = 0; i < set->pod_count && !pod; i++) {
        pod = strcmp(set->pods[i].name, name) == 0 ? &set->pods[i] : NULL;
    }
    if (!pod && set->pod_count == RECONCILER_PODS_MAX) {
        return;
    }
    if (!pod) {
        set->pods = xrealloc(set->pods, (set->pod_count + 1) * sizeof(set->pods[0]));
        pod = &set->pods[set->pod_count++];
        *pod = (struct pod_seen){.name = xstrdup(name)};
    }
    pod->has_condition = condition_of(object, &pod->condition);
    set_tell(set);
}

/* ---- endpoints ---- */

void set_merge_endpoints(struct reconciler_set *set)
{
    size_t count = 0;
    for (size_t i = 0; i < set->slice_count; i++) {
        count += set->slices[i].count;
    }
    struct endpoint *all = xcalloc(count, sizeof(all[0]));
    count = 0;
    for (size_t i = 0; i < set->slice_count; i++) {
        const struct slice_seen *slice = &set->slices[i];
        if (slice->count > 0) {
            memcpy(all + count, slice->endpoints, slice->count * sizeof(all[0]));
        }
        count += slice->count;
    }
    count = endpoints_merge(all, count);
    bool same = endpoints_equal(all, count, set->endpoints, set->endpoint_count);
    free(set->endpoints);
    set->endpoints = all;
    set->endpoint_count = count;
    if (!same) {
        set_tell(set);
    }
}

/* False: it was not of this set. */
static bool forget_slice(struct reconciler_set *set, const char *name)
{
    for (size_t i = 0; i < set->slice_count; i++) {
        if (strcmp(set->slices[i].name, name) == 0) {
            free(set->slices[i].name);
            free(set->slices[i].endpoints);
            set->slice_count--;
            memmove(&set->slices[i], &set->slices[i + 1],
                    (set->slice_count - i) * sizeof(set->slices[0]));
            return true;
        }
    }
    return false;
}

#define SLICE_ENDPOINTS_MAX 1000 /* Kubernetes' own limit */

static void see_slice(struct reconciler_set *set, struct json_object *object)
{
    const char *service = endpoints_service(object);
    (void)forget_slice(set, manifest_name(object));
    if (!service || !set->service || strcmp(service, set->service) != 0 ||
        set->slice_count == RECONCILER_SLICES_MAX) {
        return; /* of another Service of the set */
    }
    struct slice_seen slice = {.name = xstrdup(manifest_name(object)),
                               .endpoints = xcalloc(SLICE_ENDPOINTS_MAX, sizeof(struct endpoint))};
    slice.count = endpoints_read(object, set->port_name, slice.endpoints, SLICE_ENDPOINTS_MAX);
    slice.endpoints =
        xrealloc(slice.endpoints, (slice.count ? slice.count : 1) * sizeof(struct endpoint));
    set->slices = xrealloc(set->slices, (set->slice_count + 1) * sizeof(set->slices[0]));
    set->slices[set->slice_count++] = slice;
}

void set_forget_seen(struct reconciler_set *set)
{
    while (set->pod_count > 0) {
        free(set->pods[--set->pod_count].name);
    }
    while (set->slice_count > 0) {
        set->slice_count--;
        free(set->slices[set->slice_count].name);
        free(set->slices[set->slice_count].endpoints);
    }
    free(set->pods);
    free(set->slices);
}

/* ---- whose it is ---- */

/* The label that says for what an object was made; *ret_kind: which one. NULL = no such label. */
static const char *owner_label(const struct json_object *object, const char **ret_kind)
{
    const char *action = manifest_label(object, MANIFEST_ACTION);
    *ret_kind = action ? MANIFEST_ACTION : MANIFEST_SERVICE;
    return action ? action : manifest_label(object, MANIFEST_SERVICE);
}

static void see_orphan(struct reconciler *reconciler, struct json_object *object,
                       const char *owner_kind, const char *owner_name)
{
    struct reconciler_set *orphans = &reconciler->orphans;
    struct item *item = item_find(orphans, manifest_kind(object), manifest_namespace(object),
                                  manifest_name(object));
    item = item ? item : item_new(orphans, object);
    if (item) {
        str_replace(&item->owner_kind, owner_kind);
        str_replace(&item->owner_name, owner_name);
        item_see(item, object);
        item->told = true;
        set_touch(orphans);
    }
}

void see_object(struct reconciler *reconciler, struct json_object *object)
{
    const char *kind = manifest_kind(object), *owner_kind = NULL;
    const char *label = owner_label(object, &owner_kind);
    const char *owner = manifest_label(object, MANIFEST_OWNER);
    struct reconciler_set *set = label ? set_find(reconciler, owner_kind, label) : NULL;
    if (!label || !owner || strcmp(owner, reconciler->owner) != 0) {
        return; /* not ours */
    }
    bool is_pod = strcmp(kind, "Pod") == 0, is_slice = strcmp(kind, "EndpointSlice") == 0;
    if (set) {
        set_read_stale(set, kind);
    }
    if (!set && !is_pod && !is_slice) {
        see_orphan(reconciler, object, owner_kind, label);
    } else if (set && is_slice) {
        see_slice(set, object);
        set_merge_endpoints(set);
    } else if (set && is_pod) {
        see_pod(set, object);
    }
    if (!set || is_slice) {
        return;
    }
    struct item *item = item_find(set, kind, manifest_namespace(object), manifest_name(object));
    if (!item && !is_pod) { /* what an earlier manifest of the set had */
        item = item_new(set, object);
    }
    if (item) {
        if (!item->seen && !item->request) {
            set_read_behind(item);
        }
        item_see(item, object);
        item->told = true;
        set_touch(set);
    }
}

/* Of what is gone only kind and name are told. */
static void unsee_in(struct reconciler_set *set, const struct json_object *object)
{
    const char *kind = manifest_kind(object), *name = manifest_name(object);
    set_read_stale(set, kind);
    if (strcmp(kind, "Pod") == 0) {
        forget_pod(set, name);
    } else if (strcmp(kind, "EndpointSlice") == 0 && forget_slice(set, name)) {
        set_merge_endpoints(set);
    }
    struct item *item = item_find(set, kind, manifest_namespace(object), name);
    if (item) {
        item_unsee(item);
        set_touch(set);
    }
}

static void on_change(void *arg, enum kube_change change, struct json_object *object)
{
    struct watched *watched = arg;
    struct reconciler *reconciler = watched->reconciler;
    watched->has_told = true;
    if (!manifest_kind(object) || !manifest_name(object)) {
        return;
    }
    if (change != KUBE_DELETED) {
        see_object(reconciler, object);
        return;
    }
    unsee_in(&reconciler->orphans, object);
    for (struct reconciler_set *set = reconciler->sets; set; set = set->next) {
        unsee_in(set, object);
    }
}

/* ---- watches ---- */

static void touch_all(struct reconciler *reconciler)
{
    set_decide(&reconciler->orphans);
    for (struct reconciler_set *set = reconciler->sets; set; set = set->next) {
        set_decide(set);
    }
}

/* What was made and was gone again before the watch could see it is no news to it. */
static void unsee_untold(const struct reconciler_set *set, const struct watched *watched)
{
    for (size_t i = 0; i < set->item_count; i++) {
        struct item *item = set->items[i];
        if (item->seen && !item->told && !item->request && strcmp(item->kind, watched->kind) == 0 &&
            strcmp(item->namespace, watched->namespace) == 0) {
            item_unsee(
                item); /* wanted, it is applied once more, which changes nothing if it is there */
        }
    }
}

static void on_synced(void *arg)
{
    struct watched *watched = arg;
    watched->blind = false;
    watched->synced = watched->has_told = true;
    unsee_untold(&watched->reconciler->orphans, watched);
    for (struct reconciler_set *set = watched->reconciler->sets; set; set = set->next) {
        unsee_untold(set, watched);
    }
    touch_all(watched->reconciler);
}

static void on_trouble(void *arg, const struct kube_reply *reply)
{
    struct watched *watched = arg;
    if (!reply) {
        return; /* synced or changes follow */
    }
    log_warn("cluster cannot be watched", "kind=%s namespace=%s error=\"%s\"", watched->kind,
             watched->namespace, reply->err ? reply->err->text : "");
    /* Only when the answer is no: else what is there is as it was, and another answer comes. */
    watched->blind = reply->outcome == KUBE_FORBIDDEN || reply->outcome == KUBE_NO_KIND ||
                     reply->outcome == KUBE_NOT_FOUND;
    touch_all(watched->reconciler);
}

static struct watched *watched_find(const struct reconciler *reconciler, const char *kind,
                                    const char *namespace)
{
    for (size_t i = 0; i < reconciler->watch_count; i++) {
        struct watched *watched = reconciler->watches[i];
        if (strcmp(watched->kind, kind) == 0 && strcmp(watched->namespace, namespace) == 0) {
            return watched;
        }
    }
    return NULL;
}

void watch_kind(struct reconciler *reconciler, const char *api_version, const char *kind,
                const char *namespace)
{
    if (watched_find(reconciler, kind, namespace)) {
        return;
    }
    if (reconciler->watch_count == RECONCILER_WATCHES_MAX) {
        log_warn("objects are applied and not looked after: too many kinds and namespaces",
                 "kind=%s namespace=%s watches=%d", kind, namespace, RECONCILER_WATCHES_MAX);
        return;
    }
    struct watched *watched = xcalloc(1, sizeof(*watched));
    struct kube_ref ref = {
        .api_version = api_version, .kind = kind, .namespace = *namespace ? namespace : NULL};
    struct kube_select select = {.labels = reconciler->selector};
    struct kube_watch_events events = {on_change, on_synced, on_trouble, watched};
    watched->reconciler = reconciler;
    watched->api_version = xstrdup(api_version);
    watched->kind = xstrdup(kind);
    watched->namespace = xstrdup(namespace);
    reconciler->watches[reconciler->watch_count++] = watched;
    watched->watch = kube_watch_new(reconciler->kube, &ref, &select, &events);
}

bool is_known(const struct reconciler *reconciler, const struct item *item)
{
    const struct watched *watched = watched_find(reconciler, item->kind, item->namespace);
    /* An orphan is known by having been listed. */
    return !watched || watched->blind || watched->synced || item->seen;
}

bool is_watched(const struct reconciler *reconciler, const struct item *item)
{
    const struct watched *watched = watched_find(reconciler, item->kind, item->namespace);
    return watched && !watched->blind;
}

bool has_told(const struct reconciler *reconciler, const char *kind, const char *namespace)
{
    const struct watched *watched = watched_find(reconciler, kind, namespace);
    return watched && watched->has_told;
}

void watches_end(struct reconciler *reconciler)
{
    while (reconciler->watch_count > 0) {
        struct watched *watched = reconciler->watches[--reconciler->watch_count];
        (void)kube_watch_free(watched->watch);
        free(watched->api_version);
        free(watched->kind);
        free(watched->namespace);
        free(watched);
    }
}
