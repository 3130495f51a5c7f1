#include "daemon/cluster.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/random.h"
#include "daemon/settings.h"
#include "provider/kubernetes/kube.h"
#include "provider/kubernetes/kubernetes.h"
#include "store/store.h"

#define INSTALLATION "installation" /* in the store: who we are in a cluster */

/* The stored object of that config; NULL when there is none. Owned. */
static struct json_object *config_of(struct store *store, const char *name)
{
    CLEANUP(str_free) char *text = NULL;
    struct json_object *object = NULL;
    if (store_config_get(store, name, &text, NULL) == 0 && *text) {
        (void)json_parse_object(slice_str(text), &object, NULL);
    }
    return object;
}

static const char *environment(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

bool cluster_is_wanted(const struct settings *settings, struct store *store)
{
    CLEANUP(json_put) struct json_object *config = config_of(store, "KUBE_CONFIG");
    CLEANUP(json_put) struct json_object *jsorc = config_of(store, "JSORC_CONFIG");
    /* The original's `automation` alone means the cluster around us, not one that a kubeconfig of
     * this host happens to name: that must be asked for by `in_cluster` false. */
    bool meant = environment("KUBERNETES_SERVICE_HOST") || !json_flag(config, "in_cluster", true);
    bool by_default =
        environment("KUBE_NAMESPACE") || (meant && json_flag(jsorc, "automation", false));
    return strcmp(settings->provider, "kubernetes") == 0 ||
           json_flag(config, "enabled", by_default);
}

/* A label's value that no other installation has; kept from the first time on. */
static int installation_of(struct store *store, char **ret_id, struct err *err)
{
    int failed = store_meta_get(store, INSTALLATION, ret_id, err);
    if (failed != -ENOENT) {
        return failed;
    }
    CLEANUP(str_free) char *id = xasprintf("%016llx", (unsigned long long)random_seed());
    failed = store_meta_set(store, INSTALLATION, id, err);
    if (!failed) {
        *ret_id = TAKE(id);
    }
    return failed;
}

static const char *first_of(const char *setting, const struct json_object *config, const char *name,
                            const char *variable)
{
    const char *stored = json_str(config, name);
    const char *value = setting ? setting : stored && *stored ? stored : NULL;
    return value || !variable ? value : environment(variable);
}

/* Texts are borrowed from both. Settings go before KUBE_CONFIG, this before the environment. */
static struct kube_config_options options_of(const struct settings *settings,
                                             const struct json_object *config)
{
    bool in_pod = environment("KUBERNETES_SERVICE_HOST") != NULL;
    bool named = settings->kubeconfig || settings->kube_context || json_str(config, "kubeconfig") ||
                 json_str(config, "context") || json_str(config, "api_server");
    return (struct kube_config_options){
        .in_cluster = !named && json_flag(config, "in_cluster", in_pod),
        .kubeconfig = first_of(settings->kubeconfig, config, "kubeconfig", NULL),
        .context = first_of(settings->kube_context, config, "context", NULL),
        .namespace = first_of(settings->kube_namespace, config, "namespace", "KUBE_NAMESPACE"),
        .api_server = json_str(config, "api_server"),
        .token_file = json_str(config, "token_file"),
        .ca_file = json_str(config, "ca_file"),
        .insecure = json_flag(config, "insecure", false),
    };
}

int cluster_config(const struct settings *settings, struct store *store,
                   struct kube_config **ret_config, struct err *err)
{
    CLEANUP(json_put) struct json_object *config = config_of(store, "KUBE_CONFIG");
    const struct kube_config_options options = options_of(settings, config);
    int failed = kube_config_load(&options, ret_config, err);
    return failed ? err_wrap(err, "cannot use the cluster") : 0;
}

/* In a pod of the cluster the addresses of the others are reached: every pod's network sees to it.
 * There is no second client then, which the way through the API server needs for its thread. */
static int open_access(const struct cluster_parts *parts, const struct kube_config_options *options,
                       const char *folder, struct access_settings *ret_access, struct err *err)
{
    struct access_settings access = {.folder = folder};
    (void)access_way_of(parts->settings->pod_access, &access.way); /* was checked */
    if (access.way == ACCESS_AUTO && options->in_cluster) {
        access.way = ACCESS_DIRECT;
    }
    int failed = access.way == ACCESS_DIRECT ? 0 : kube_config_load(options, &access.config, err);
    if (!failed) {
        *ret_access = access;
    }
    return failed;
}

int cluster_open(const struct cluster_parts *parts, struct cluster *ret_cluster, struct err *err)
{
    const struct settings *settings = parts->settings;
    CLEANUP(json_put) struct json_object *config = config_of(parts->store, "KUBE_CONFIG");
    CLEANUP(str_free) char *id = NULL;
    CLEANUP(str_free) char *folder = xasprintf("%s/forward", parts->run_folder);
    const struct kube_config_options options = options_of(settings, config);
    CLEANUP(kube_config_free) struct kube_config *loaded = NULL;
    struct access_settings access;
    int failed = installation_of(parts->store, &id, err);
    failed = failed ? failed : kube_config_load(&options, &loaded, err);
    failed = failed ? failed : open_access(parts, &options, folder, &access, err);
    if (failed) {
        return err_wrap(err, "cannot use the cluster");
    }
    log_info("cluster", "server=%s namespace=%s installation=%s", kube_config_server(loaded),
             kube_config_namespace(loaded), id);
    ret_cluster->kube = kube_new(parts->loop, parts->jobs, TAKE(loaded), NULL);
    ret_cluster->provider = kubernetes_provider_new(
        parts->loop, ret_cluster->kube,
        &(struct kubernetes_settings){
            .owner = id,
            .start_timeout_ms = (uint64_t)(settings->start_timeout_s * 1000),
            .access = access,
        });
    return 0;
}

void cluster_close(struct cluster *cluster)
{
    if (cluster->provider) {
        cluster->provider = cluster->provider->ops->free(cluster->provider);
    }
    cluster->kube = kube_free(cluster->kube);
}
