#include "manifest/manifest.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "manifest/manifest_priv.h"

/* ---- what Kubernetes' own kinds are ---- */

static const struct kind_row {
    const char *kind;
    const char *api_version;
    unsigned rank; /* what others refer to comes first */
    bool cluster_wide;
} kinds[] = {
    {"Namespace", "v1", 0, true},
    {"CustomResourceDefinition", "apiextensions.k8s.io/v1", 1, true},
    {"PriorityClass", "scheduling.k8s.io/v1", 1, true},
    {"StorageClass", "storage.k8s.io/v1", 1, true},
    {"RuntimeClass", "node.k8s.io/v1", 1, true},
    {"IngressClass", "networking.k8s.io/v1", 1, true},
    {"PersistentVolume", "v1", 1, true},
    {"ResourceQuota", "v1", 2, false},
    {"LimitRange", "v1", 2, false},
    {"ConfigMap", "v1", 3, false},
    {"Secret", "v1", 4, false},
    {"PersistentVolumeClaim", "v1", 5, false},
    {"ServiceAccount", "v1", 6, false},
    {"ClusterRole", "rbac.authorization.k8s.io/v1", 7, true},
    {"Role", "rbac.authorization.k8s.io/v1", 7, false},
    {"ClusterRoleBinding", "rbac.authorization.k8s.io/v1", 8, true},
    {"RoleBinding", "rbac.authorization.k8s.io/v1", 8, false},
    {"NetworkPolicy", "networking.k8s.io/v1", 8, false},
    {"Service", "v1", 9, false},
    {"Deployment", "apps/v1", 10, false},
    {"StatefulSet", "apps/v1", 10, false},
    {"DaemonSet", "apps/v1", 10, false},
    {"ReplicaSet", "apps/v1", 10, false},
    {"Pod", "v1", 10, false},
    {"Job", "batch/v1", 10, false},
    {"CronJob", "batch/v1", 10, false},
    {"PodDisruptionBudget", "policy/v1", 11, false},
    {"HorizontalPodAutoscaler", "autoscaling/v2", 11, false},
    {"Ingress", "networking.k8s.io/v1", 11, false},
    {"APIService", "apiregistration.k8s.io/v1", 12, true},
    {"MutatingWebhookConfiguration", "admissionregistration.k8s.io/v1", 12, true},
    {"ValidatingWebhookConfiguration", "admissionregistration.k8s.io/v1", 12, true},
    {"Elasticsearch", "elasticsearch.k8s.elastic.co/v1", 13, false},
    {"Kibana", "kibana.k8s.elastic.co/v1", 13, false},
    {"Beat", "beat.k8s.elastic.co/v1beta1", 13, false},
};

#define RANK_OTHER 13 /* custom resources: after what defines and serves them */

static const struct kind_row *kind_row(const char *kind)
{
    for (size_t i = 0; kind && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kinds[i].kind, kind) == 0) {
            return &kinds[i];
        }
    }
    return NULL;
}

bool manifest_is_cluster_wide(const char *kind)
{
    const struct kind_row *row = kind_row(kind);
    return row && row->cluster_wide;
}

bool manifest_is_guarded(const char *kind)
{
    return strcmp(kind, "PersistentVolumeClaim") == 0;
}

unsigned manifest_rank(const char *kind)
{
    const struct kind_row *row = kind_row(kind);
    return row ? row->rank : RANK_OTHER;
}

/* ---- members ---- */

struct json_object *manifest_metadata(const struct json_object *object)
{
    return json_member(object, "metadata", json_type_object);
}

const char *manifest_kind(const struct json_object *object)
{
    return json_str(object, "kind");
}

const char *manifest_name(const struct json_object *object)
{
    return json_str(manifest_metadata(object), "name");
}

const char *manifest_namespace(const struct json_object *object)
{
    return json_str(manifest_metadata(object), "namespace");
}

const char *manifest_label(const struct json_object *object, const char *label)
{
    return json_str(json_member(manifest_metadata(object), "labels", json_type_object), label);
}

/* ---- reading ---- */

struct manifest *manifest_free(struct manifest *manifest)
{
    for (size_t i = 0; manifest && i < manifest->count; i++) {
        free(manifest->objects[i].key);
        (void)json_put(manifest->objects[i].value);
    }
    if (manifest) {
        free(manifest->objects);
    }
    free(manifest);
    return NULL;
}

/* A copy without members and elements that are null. */
static struct json_object *without_nulls(struct json_object *value)
{
    if (json_object_is_type(value, json_type_object)) {
        struct json_object *copy = json_object_new_object();
        json_object_object_foreach(value, name, member)
        {
            if (member) {
                json_set(copy, name, without_nulls(member));
            }
        }
        return copy;
    }
    if (json_object_is_type(value, json_type_array)) {
        struct json_object *copy = json_object_new_array();
        for (size_t i = 0; i < json_object_array_length(value); i++) {
            struct json_object *element = json_object_array_get_idx(value, i);
            if (element) {
                (void)json_object_array_add(copy, without_nulls(element));
            }
        }
        return copy;
    }
    struct json_object *copy = NULL;
    if (json_object_deep_copy(value, &copy, NULL) < 0) {
        abort();
    }
    return copy;
}

/* An object as Kubernetes has it, rather than a map of them. */
static bool is_object(const struct json_object *value)
{
    return json_str(value, "apiVersion") || json_str(value, "kind") ||
           json_str(manifest_metadata(value), "name");
}

static void fill(struct json_object *object, const char *kind, const char *name)
{
    if (!json_str(object, "kind") && kind) {
        json_set_str(object, "kind", kind);
    }
    const struct kind_row *row = kind_row(json_str(object, "kind"));
    if (!json_str(object, "apiVersion") && row) {
        json_set_str(object, "apiVersion", row->api_version);
    }
    if (!manifest_metadata(object)) {
        json_set(object, "metadata", json_object_new_object());
    }
    if (!manifest_name(object) && name) {
        json_set_str(manifest_metadata(object), "name", name);
    }
    json_object_object_del(object, "status"); /* the cluster's to say */
}

/* kind and name: what the form says of it; NULL = nothing. */
static int add(struct manifest *manifest, struct json_object *source, const char *kind,
               const char *name, struct err *err)
{
    if (!json_object_is_type(source, json_type_object)) {
        return err_set(err, EINVAL, "'%s' is no object with apiVersion, kind and metadata",
                       name   ? name
                       : kind ? kind
                              : "it");
    }
    if (manifest->count == MANIFEST_OBJECTS_MAX) {
        return err_set(err, E2BIG, "more than %d objects", MANIFEST_OBJECTS_MAX);
    }
    CLEANUP(json_put) struct json_object *object = without_nulls(source);
    fill(object, kind, name);
    const char *own = manifest_name(object), *own_kind = manifest_kind(object);
    const char *lacks = !own_kind                        ? "kind"
                        : !own                           ? "metadata.name"
                        : json_str(object, "apiVersion") ? NULL
                                                         : "apiVersion";
    if (lacks) {
        return err_set(err, EINVAL, "the %s '%s' has no %s", own_kind ? own_kind : "object",
                       own    ? own
                       : name ? name
                              : "?",
                       lacks);
    }
    manifest->objects =
        xrealloc(manifest->objects, (manifest->count + 1) * sizeof(manifest->objects[0]));
    manifest->objects[manifest->count++] =
        (struct manifest_object){.key = xstrdup(name ? name : own), .value = TAKE(object)};
    return 0;
}

/* What stands under a kind: one object, a list, or a map of names. */
static int add_kind(struct manifest *manifest, const char *kind, struct json_object *value,
                    struct err *err)
{
    int failed = 0;
    if (json_object_is_type(value, json_type_array)) {
        for (size_t i = 0; !failed && i < json_object_array_length(value); i++) {
            failed = add(manifest, json_object_array_get_idx(value, i), kind, NULL, err);
        }
        return failed;
    }
    if (!json_object_is_type(value, json_type_object) || is_object(value)) {
        return add(manifest, value, kind, NULL, err);
    }
    json_object_object_foreach(value, name, object)
    {
        failed = add(manifest, object, kind, name, err);
        if (failed) {
            break;
        }
    }
    return failed;
}

static int add_all(struct manifest *manifest, struct json_object *source, unsigned depth,
                   struct err *err);

static int add_array(struct manifest *manifest, struct json_object *array, unsigned depth,
                     struct err *err)
{
    int failed = 0;
    for (size_t i = 0; !failed && i < json_object_array_length(array); i++) {
        struct json_object *element = json_object_array_get_idx(array, i);
        failed = element ? add_all(manifest, element, depth + 1, err) : 0; /* an empty document */
    }
    return failed;
}

static int add_map(struct manifest *manifest, struct json_object *map, struct err *err)
{
    json_object_object_foreach(map, kind, value)
    {
        const char *text =
            json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
        int failed = 0;
        if (strcmp(kind, MANIFEST_PHRASE_KEY) == 0) {
            manifest->may_delete_claims = text && strcmp(text, MANIFEST_PHRASE) == 0;
        } else if (strcmp(kind, MANIFEST_OLD_KEY) != 0 && value) {
            failed = add_kind(manifest, kind, value, err);
        }
        if (failed) {
            return failed;
        }
    }
    return 0;
}

#define NESTED_MAX 4 /* lists of Lists: what tools print has two levels */

static int add_all(struct manifest *manifest, struct json_object *source, unsigned depth,
                   struct err *err)
{
    if (depth > NESTED_MAX) {
        return err_set(err, EINVAL, "lists within lists, more than %d deep", NESTED_MAX);
    }
    if (json_object_is_type(source, json_type_array)) {
        return add_array(manifest, source, depth, err);
    }
    if (!json_object_is_type(source, json_type_object)) {
        return err_set(err, EINVAL, "a manifest is an object or a list of objects");
    }
    struct json_object *items = json_member(source, "items", json_type_array);
    const char *kind = manifest_kind(source);
    if (items && kind && strlen(kind) >= 4 && strcmp(kind + strlen(kind) - 4, "List") == 0) {
        return add_array(manifest, items, depth, err);
    }
    return is_object(source) ? add(manifest, source, NULL, NULL, err)
                             : add_map(manifest, source, err);
}

int manifest_read(struct json_object *source, struct manifest **ret_manifest, struct err *err)
{
    CLEANUP(manifest_free) struct manifest *manifest = xcalloc(1, sizeof(*manifest));
    int failed = add_all(manifest, source, 0, err);
    if (!failed) {
        *ret_manifest = TAKE(manifest);
    }
    return failed;
}

struct json_object *manifest_map(const struct manifest *manifest)
{
    struct json_object *map = json_object_new_object();
    for (size_t i = 0; i < manifest->count; i++) {
        struct json_object *value = manifest->objects[i].value;
        struct json_object *names = json_member(map, manifest_kind(value), json_type_object);
        if (!names) {
            names = json_object_new_object();
            json_set(map, manifest_kind(value), names);
        }
        json_set(names, manifest_name(value), json_ref(value));
    }
    return map;
}

/* ---- namespaces ---- */

int manifest_space_of(const char *text, enum manifest_space *ret_space, struct err *err)
{
    static const char *const names[] = {[MANIFEST_DEDICATED] = "DEDICATED",
                                        [MANIFEST_SOURCE] = "SOURCE",
                                        [MANIFEST_MANUAL] = "MANUAL"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcasecmp(text, names[i]) == 0) {
            *ret_space = (enum manifest_space)i;
            return 0;
        }
    }
    return err_set(err, EINVAL, "'%s' is none of DEDICATED, SOURCE, MANUAL", text);
}

enum manifest_space manifest_space_from(const char *text, const char **ret_given)
{
    if (!text || !*text) {
        return MANIFEST_DEDICATED;
    }
    if (strcmp(text, "SOURCE") == 0) {
        return MANIFEST_SOURCE;
    }
    *ret_given = text;
    return MANIFEST_MANUAL;
}

void manifest_rewrite(struct manifest *manifest, enum manifest_space space, const char *own,
                      const char *given)
{
    for (size_t i = 0; i < manifest->count; i++) {
        struct json_object *object = manifest->objects[i].value;
        const char *written = manifest_namespace(object);
        if (manifest_is_cluster_wide(manifest_kind(object))) {
            json_object_object_del(manifest_metadata(object), "namespace");
            continue;
        }
        bool shared =
            written && strncmp(written, MANIFEST_SHARED_SPACE, strlen(MANIFEST_SHARED_SPACE)) == 0;
        if (!shared && space != MANIFEST_SOURCE) {
            json_set_str(manifest_metadata(object), "namespace",
                         space == MANIFEST_MANUAL ? given : own);
        } else if (!written) {
            json_set_str(manifest_metadata(object), "namespace", "default");
        }
    }
}

/* ---- history ---- */

void manifest_history_push(struct json_object *history, struct json_object *map)
{
    if (json_object_array_length(history) > 0 &&
        json_object_equal(json_object_array_get_idx(history, 0), map)) {
        return;
    }
    (void)json_object_array_add(history, NULL);
    for (size_t i = json_object_array_length(history) - 1; i > 0; i--) {
        struct json_object *newer = json_object_array_get_idx(history, i - 1);
        (void)json_object_array_put_idx(history, i, json_ref(newer));
    }
    (void)json_object_array_put_idx(history, 0, json_ref(map));
    size_t count = json_object_array_length(history);
    if (count > MANIFEST_HISTORY_MAX) {
        (void)json_object_array_del_idx(history, MANIFEST_HISTORY_MAX,
                                        count - MANIFEST_HISTORY_MAX);
    }
}
