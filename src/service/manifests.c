#include "service/manifests.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "manifest/manifest.h"
#include "provider/kubernetes/kube.h"
#include "provider/kubernetes/kubernetes.h"
#include "provider/kubernetes/reconciler.h"
#include "store/store.h"

#define SUFFIX       "_MANIFEST"
#define HISTORY      "manifest_history" /* in the store: {CONFIG: [map, newest first]} */
#define SERVICES_MAX 32                 /* there are six names; all of ours */

struct kept {
    char *config;               /* "REDIS_MANIFEST" */
    char *service;              /* "redis" */
    struct json_object *usual;  /* of manifests_keep; owned; NULL = none */
    struct reconciler_set *set; /* NULL = not wanted yet */
};

struct manifests {
    struct store *store;      /* borrowed */
    struct provider *cluster; /* borrowed; NULL = none */
    struct kept kept[SERVICES_MAX];
    size_t count;
};

struct manifests *manifests_new(struct store *store, struct provider *cluster)
{
    struct manifests *manifests = xcalloc(1, sizeof(*manifests));
    manifests->store = store;
    manifests->cluster = cluster;
    return manifests;
}

struct manifests *manifests_free(struct manifests *manifests)
{
    for (size_t i = 0; manifests && i < manifests->count; i++) {
        (void)reconciler_forget(manifests->kept[i].set);
        free(manifests->kept[i].config);
        free(manifests->kept[i].service);
        (void)json_put(manifests->kept[i].usual);
    }
    free(manifests);
    return NULL;
}

/* "REDIS_MANIFEST" -> "redis"; owned by the caller. NULL = it is not one. */
static char *service_of(const char *config)
{
    size_t size = strlen(config), end = strlen(SUFFIX);
    if (size <= end || strcmp(config + size - end, SUFFIX) != 0) {
        return NULL;
    }
    char *service = xstrndup(config, size - end);
    for (char *at = service; *at; at++) {
        *at = (char)tolower((unsigned char)*at);
    }
    return service;
}

static const char *own_namespace(const struct manifests *manifests)
{
    return manifests->cluster
               ? kube_config_namespace(kube_configuration(kubernetes_client(manifests->cluster)))
               : "default";
}

/* "redis" -> "REDIS_MANIFEST"; owned by the caller. */
static char *config_for(const char *service)
{
    char *config = xasprintf("%s" SUFFIX, service);
    for (char *at = config; *at; at++) {
        *at = (char)toupper((unsigned char)*at);
    }
    return config;
}

int manifests_resolve(const struct manifests *manifests, const char *config,
                      struct json_object *source, struct manifest **ret_manifest, struct err *err)
{
    CLEANUP(manifest_free) struct manifest *manifest = NULL;
    CLEANUP(str_free)
    char *variable = xasprintf("%.*s_NAMESPACE", (int)(strlen(config) - strlen(SUFFIX)), config);
    const char *given = NULL;
    enum manifest_space space = manifest_space_from(getenv(variable), &given);
    int failed = manifest_read(source, &manifest, err);
    if (!failed) {
        manifest_rewrite(manifest, space, own_namespace(manifests), given);
        failed = manifest_resolve(manifest, err);
    }
    if (!failed) {
        *ret_manifest = TAKE(manifest);
    }
    return failed;
}

/* The steps that led here, so that a person can go back. */
static void note_history(struct manifests *manifests, const char *config,
                         const struct manifest *manifest)
{
    CLEANUP(str_free) char *text = NULL;
    CLEANUP(json_put) struct json_object *all = NULL;
    CLEANUP(json_put) struct json_object *map = manifest_map(manifest);
    struct err err = {0};
    if (store_meta_get(manifests->store, HISTORY, &text, NULL) < 0 ||
        json_parse_object(slice_str(text), &all, NULL) < 0) {
        all = json_object_new_object();
    }
    struct json_object *history = json_member(all, config, json_type_array);
    if (!history) {
        history = json_object_new_array();
        json_set(all, config, history);
    }
    manifest_history_push(history, map);
    if (store_meta_set(manifests->store, HISTORY, json_text(all), &err) < 0) {
        log_warn("history of a manifest was not kept", "config=%s error=\"%s\"", config, err.text);
    }
}

static struct kept *find(struct manifests *manifests, const char *config)
{
    for (size_t i = 0; i < manifests->count; i++) {
        if (strcmp(manifests->kept[i].config, config) == 0) {
            return &manifests->kept[i];
        }
    }
    return NULL;
}

static struct kept *find_or_add(struct manifests *manifests, const char *config)
{
    struct kept *kept = find(manifests, config);
    if (!kept) {
        assert(manifests->count < SERVICES_MAX);
        kept = &manifests->kept[manifests->count++];
        kept->config = xstrdup(config);
        kept->service = service_of(config);
    }
    return kept;
}

static void want(struct manifests *manifests, const char *config, struct manifest *manifest)
{
    struct kept *kept = find_or_add(manifests, config);
    const struct manifest_owner owner = {.kind = MANIFEST_SERVICE, .name = kept->service};
    if (kept->set) {
        reconciler_change(kept->set, manifest);
    } else {
        kept->set = reconciler_want(kubernetes_reconciler(manifests->cluster), &owner, manifest,
                                    NULL, NULL);
    }
}

int manifests_refresh(struct manifests *manifests, const char *config, struct err *err)
{
    CLEANUP(str_free) char *text = NULL;
    CLEANUP(str_free) char *service = service_of(config);
    CLEANUP(json_put) struct json_object *source = NULL;
    CLEANUP(manifest_free) struct manifest *manifest = NULL;
    if (!service) {
        return err_set(err, EINVAL, "'%s' is no manifest's config", config);
    }
    int failed = store_config_get(manifests->store, config, &text, err);
    struct kept *kept = find(manifests, config);
    if (failed == -ENOENT && !(kept && kept->usual)) {
        if (kept && kept->set) {
            reconciler_unwant(kept->set);
        }
        return 0;
    }
    if (failed == -ENOENT) {
        source = json_ref(kept->usual);
        failed = 0;
    } else if (!failed) {
        failed = json_parse_object(slice_str(text), &source, err);
    }
    failed = failed ? failed : manifests_resolve(manifests, config, source, &manifest, err);
    if (failed) {
        (void)err_wrap(err, "config '%s'", config);
        return failed;
    }
    if (manifests->cluster && (kept || manifests->count < SERVICES_MAX)) {
        note_history(manifests, config, manifest);
        want(manifests, config, TAKE(manifest));
    }
    return 0;
}

static int add_name(void *arg, const char *name, const char *text)
{
    (void)text;
    CLEANUP(str_free) char *service = service_of(name);
    if (service) {
        (void)json_object_array_add(arg, json_object_new_string(name));
    }
    return 0;
}

int manifests_keep(struct manifests *manifests, const char *service, struct json_object *source,
                   struct err *err)
{
    CLEANUP(json_put) struct json_object *usual = source;
    CLEANUP(str_free) char *config = config_for(service);
    if (!manifests || !manifests->cluster) {
        return err_set(err, ENOTCONN,
                       "no cluster is in use: 'jsorc serve --provider kubernetes', or KUBE_CONFIG");
    }
    struct kept *kept = find_or_add(manifests, config);
    (void)json_put(kept->usual);
    kept->usual = TAKE(usual);
    return manifests_refresh(manifests, config, err);
}

void manifests_drop(struct manifests *manifests, const char *service)
{
    CLEANUP(str_free) char *config = config_for(service);
    struct kept *kept = find(manifests, config);
    struct err err = {0};
    if (kept) {
        kept->usual = json_put(kept->usual);
        if (manifests_refresh(manifests, config, &err) < 0) {
            log_warn("a manifest is not read", "config=%s error=\"%s\"", config, err.text);
        }
    }
}

bool manifests_have_cluster(const struct manifests *manifests)
{
    return manifests->cluster != NULL;
}

void manifests_start(struct manifests *manifests)
{
    CLEANUP(json_put) struct json_object *names = json_object_new_array();
    struct err err = {0};
    if (!manifests->cluster) {
        return;
    }
    (void)store_config_each(manifests->store, add_name, names, NULL);
    for (size_t i = 0; i < json_object_array_length(names); i++) {
        const char *name = json_object_get_string(json_object_array_get_idx(names, i));
        if (manifests_refresh(manifests, name, &err) < 0) {
            log_warn("a manifest is not applied", "config=%s error=\"%s\"", name, err.text);
        }
    }
}

void manifests_set_cluster(struct manifests *manifests, struct provider *cluster)
{
    manifests->cluster = cluster;
    manifests_start(manifests);
}

/* NULL = nothing of it was ever wanted. */
static const struct reconciler_set *set_of(const struct manifests *manifests, const char *service)
{
    for (size_t i = 0; manifests && i < manifests->count; i++) {
        if (strcmp(manifests->kept[i].service, service) == 0) {
            return manifests->kept[i].set;
        }
    }
    return NULL;
}

struct json_object *manifests_objects(const struct manifests *manifests, const char *service)
{
    const struct reconciler_set *set = set_of(manifests, service);
    return set ? reconciler_objects(set) : NULL;
}

int manifests_find(const struct manifests *manifests, const char *service, bool rolled_out,
                   char ret_host[MANIFESTS_HOST_SIZE], int *ret_port, struct err *err)
{
    const struct reconciler_set *set = set_of(manifests, service);
    struct condition condition = {0};
    size_t count = 0;
    const struct endpoint *endpoints = set ? reconciler_endpoints(set, &count) : NULL;
    if (count > 0 && (!rolled_out || reconciler_is_rolled_out(set))) {
        (void)snprintf(ret_host, MANIFESTS_HOST_SIZE, "%s", endpoints[0].address);
        *ret_port = endpoints[0].port;
        return 0;
    }
    if (set && reconciler_condition(set, &condition)) {
        return err_set(err, condition.stuck ? EHOSTDOWN : ENOTCONN, "%s%s%s", condition.reason,
                       *condition.text ? ": " : "", condition.text);
    }
    return err_set(err, ENOTCONN, count > 0 ? "not all pods are new yet" : "no pod of it is ready");
}
