/* Grafana: a server of somebody else's, or pods of a cluster that show the dashboard of
 * manifests/grafana. On this host there is none to start: Debian has no package of it. */
#include <errno.h>
#include <sodium.h>

#include "base/alloc.h"
#include "base/err.h"
#include "service/fetch.h"
#include "service/grafana_files.h"
#include "service/prometheus.h"
#include "service/service_priv.h"

#define GRAFANA_PATH     "/grafana" /* the same there and at the daemon, so that its links fit */
#define HEALTH_BYTES_MAX 65536      /* of {"database": "ok", ...} */

static const struct service_key keys[] = {
    {.name = "url", .address = true},
    {.name = "user"},
    {.name = "password"},
    {.name = "provider"},
    {.name = "image", .fallback = "\"docker.io/grafana/grafana:10.4.2\""},
    {.name = NULL},
};

static int check_config(struct json_object *config, struct err *err)
{
    const char *url = json_str(config, "url");
    return url ? service_url_check(url, err) : 0;
}

/* ---- in a cluster ---- */

static const char *file_of(const char *name)
{
    for (const struct embedded_file *file = GRAFANA_FILES; file->name; file++) {
        if (strcmp(file->name, name) == 0) {
            return file->text;
        }
    }
    return "";
}

/* "Basic ..." of the Prometheus that has the same secret (RFC 7617); owned by the caller. */
static char *authorization_of(const struct service_job *job)
{
    CLEANUP(str_free) char *user = prometheus_own_user(job);
    size_t size = sodium_base64_encoded_len(strlen(user), sodium_base64_VARIANT_ORIGINAL);
    CLEANUP(str_free) char *coded = xcalloc(1, size);
    (void)sodium_bin2base64(coded, size, (const unsigned char *)user, strlen(user),
                            sodium_base64_VARIANT_ORIGINAL);
    return xasprintf("Basic %s", coded);
}

static int fill(const struct service_job *job, struct json_object *config, struct err *err)
{
    CLEANUP(str_free) char *authorization = authorization_of(job);
    (void)err;
    service_cluster_file(config, "password", job->secret);
    service_cluster_file(config, "authorization", authorization);
    service_cluster_file(config, "datasources.yaml", file_of("prometheus.yaml"));
    service_cluster_file(config, "dashboards.yaml", file_of("jsorc.yaml"));
    service_cluster_file(config, "jsorc.json", file_of("jsorc.json"));
    json_set_str(config, "prometheus_url", "http://jsorc-prometheus:9090" PROMETHEUS_PATH);
    return 0;
}

/* ---- asking it ---- */

static char *root_url(const struct service_job *job)
{
    const char *url = json_str(job->config, "url");
    if (job->provider == PROVIDER_CLUSTER) {
        CLEANUP(str_free) char *pod = service_cluster_url(job);
        return xasprintf("%s" GRAFANA_PATH, pod);
    }
    size_t size = url ? strlen(url) : 0;
    return xstrndup(url ? url : "", size - (size > 0 && url[size - 1] == '/'));
}

static char *user_of(const struct service_job *job)
{
    const char *name = json_str(job->config, "user"), *password = json_str(job->config, "password");
    if (job->provider == PROVIDER_CLUSTER) {
        return job->secret ? xasprintf("jsorc:%s", job->secret) : NULL;
    }
    return name ? xasprintf("%s:%s", name, password ? password : "") : NULL;
}

static enum check_outcome check(struct service_job *job, struct err *err)
{
    CLEANUP(str_free) char *root = root_url(job);
    CLEANUP(str_free) char *url = xasprintf("%s/api/health", root);
    struct fetch_reply reply;
    int failed = fetch_run(&(struct fetch){.url = url,
                                           .timeout_ms = job->timeout_ms,
                                           .bytes_max = HEALTH_BYTES_MAX,
                                           .stopping = job->stopping},
                           &reply, err);
    if (failed) {
        return CHECK_MISSED;
    }
    int status = reply.status;
    fetch_reply_done(&reply);
    if (status != 200) {
        (void)err_set(err, EIO, "it answers %d", status);
        return CHECK_MISSED;
    }
    return CHECK_GOOD;
}

extern const struct service_ops service_grafana;
const struct service_ops service_grafana = {
    .name = "grafana",
    .title = "GrafanaService",
    .config = "GRAFANA_CONFIG",
    .secret_of = "prome",
    .keys = keys,
    .config_file = "none",
    .check_config = check_config,
    .manifest = "grafana.yaml",
    .fill = fill,
    .check = check,
    .root_url = root_url,
    .open_post = "api/ds/query", /* the figures of a panel */
    .user = user_of,
};
