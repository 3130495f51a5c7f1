/* A service that is pods of a cluster: its built-in manifest, filled in with its config, goes to
 * manifests.c, whose reconciler keeps the objects; what the service's client needs of them is where
 * a pod of it is ready. A manifest that was set (apply_yaml) comes before the built-in one. */
#include <errno.h>
#include <sodium.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/yaml.h"
#include "manifest/manifest.h"
#include "service/builtin.h"
#include "service/manifests.h"
#include "service/service_priv.h"
#include "store/store.h"

/* ---- job thread ---- */

char *service_cluster_coded(const char *text)
{
    size_t size = sodium_base64_encoded_len(strlen(text), sodium_base64_VARIANT_ORIGINAL);
    char *coded = xcalloc(1, size);
    (void)sodium_bin2base64(coded, size, (const unsigned char *)text, strlen(text),
                            sodium_base64_VARIANT_ORIGINAL);
    return coded;
}

void service_cluster_file(struct json_object *config, const char *name, const char *text)
{
    struct json_object *files = json_member(config, "files", json_type_object);
    CLEANUP(str_free) char *coded = service_cluster_coded(text);
    if (!files) {
        files = json_object_new_object();
        json_set(config, "files", files);
    }
    json_set_str(files, name, coded);
}

int service_cluster_prepare(struct service_job *job, struct err *err)
{
    if (!job->secret) {
        return err_set(err, EIO, "the state has no secret for it");
    }
    const char *name = job->ops->manifest;
    CLEANUP(json_put) struct json_object *documents = NULL;
    CLEANUP(manifest_free) struct manifest *manifest = NULL;
    CLEANUP(json_put) struct json_object *config = json_object_new_object();
    char digest[MANIFEST_HASH_SIZE];
    static const char *const keys[] = {"image", "storage", "storage_class"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        json_set_str(config, keys[i], json_str(job->config, keys[i]));
    }
    int failed = job->ops->fill(job, config, err);
    if (!failed) {
        manifest_hash(config, digest);
        json_set_str(config, "digest", digest);
        failed = yaml_read_documents(slice_str(embedded_text(SERVICE_MANIFESTS, name)), name,
                                     &documents, err);
    }
    failed = failed ? failed : manifest_read(documents, &manifest, err);
    failed = failed ? failed : manifest_fill(manifest, config, err);
    if (!failed) {
        job->manifest = manifest_map(manifest);
    }
    return failed;
}

char *service_cluster_url(const struct service_job *job)
{
    bool v6 = strchr(job->host, ':') != NULL;
    return xasprintf("http://%s%s%s:%d", v6 ? "[" : "", job->host, v6 ? "]" : "", job->port);
}

/* ---- control thread ---- */

void service_cluster_look(struct service_job *job)
{
    const struct services *all = job->service->all;
    const struct service_ops *ops = job->ops;
    CLEANUP(str_free)
    char *key = xasprintf("service %s secret", ops->secret_of ? ops->secret_of : ops->name);
    struct err err = {0};
    job->secret = services_secret(all->parts.store, key, &err);
    /* Else what answers may be the pods of the config before. */
    bool rolled_out = job->service->keep.state == SERVICE_STARTED;
    int away =
        manifests_find(all->parts.manifests, ops->name, rolled_out, job->host, &job->port, &err);
    if (away) {
        job->away = xstrdup(err.text);
        /* What is stuck just after a change may be a pod of the config before. */
        job->stuck = away == -EHOSTDOWN &&
                     clock_now_ms() - job->service->keep.since_ms >= all->rules.interval_ms;
    }
}

int service_cluster_keep(struct service_job *job, struct err *err)
{
    struct manifests *manifests = job->service->all->parts.manifests;
    return manifests_keep(manifests, job->ops->name, TAKE(job->manifest), err);
}

void service_cluster_drop(struct service *service)
{
    manifests_drop(service->all->parts.manifests, service->ops->name);
    service->placed = false;
}

bool service_cluster_is_there(const struct services *services)
{
    return services->parts.manifests && manifests_have_cluster(services->parts.manifests);
}

char *services_secret(struct store *store, const char *key, struct err *err)
{
    unsigned char bytes[SERVICE_SECRET_DIGITS / 2];
    char hex[SERVICE_SECRET_DIGITS + 1];
    char *text = NULL;
    int failed = store_meta_get(store, key, &text, err);
    if (failed != -ENOENT) {
        return text;
    }
    randombytes_buf(bytes, sizeof(bytes));
    (void)sodium_bin2hex(hex, sizeof(hex), bytes, sizeof(bytes));
    return store_meta_set(store, key, hex, err) < 0 ? NULL : xstrdup(hex);
}
