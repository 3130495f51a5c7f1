/* Grafana: a server of somebody else's, or pods of a cluster that show the dashboard of
 * manifests/grafana. On this host there is none to start: Debian has no package of it. */
#include "base/alloc.h"
#include "base/err.h"
#include "service/grafana_files.h"
#include "service/prometheus.h"
#include "service/service_priv.h"

#define GRAFANA_PATH "/grafana" /* the same there and at the daemon, so that its links fit */

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

/* "Basic ..." of the Prometheus that has the same secret (RFC 7617); owned by the caller. */
static char *authorization_of(const struct service_job *job)
{
    CLEANUP(str_free) char *user = prometheus_own_user(job);
    CLEANUP(str_free) char *coded = service_cluster_coded(user);
    return xasprintf("Basic %s", coded);
}

static int fill(const struct service_job *job, struct json_object *config, struct err *err)
{
    CLEANUP(str_free) char *authorization = authorization_of(job);
    (void)err;
    service_cluster_file(config, "password", job->secret);
    service_cluster_file(config, "authorization", authorization);
    service_cluster_file(config, "datasources.yaml",
                         embedded_text(GRAFANA_FILES, "prometheus.yaml"));
    service_cluster_file(config, "dashboards.yaml", embedded_text(GRAFANA_FILES, "jsorc.yaml"));
    service_cluster_file(config, "jsorc.json", embedded_text(GRAFANA_FILES, "jsorc.json"));
    json_set_str(config, "prometheus_url", "http://jsorc-prometheus:9090" PROMETHEUS_PATH);
    return 0;
}

/* ---- asking it ---- */

static char *root_url(const struct service_job *job)
{
    if (job->provider == PROVIDER_CLUSTER) {
        CLEANUP(str_free) char *pod = service_cluster_url(job);
        return xasprintf("%s" GRAFANA_PATH, pod);
    }
    char *url = service_config_url(job->config);
    return url ? url : xstrdup("");
}

static char *user_of(const struct service_job *job)
{
    if (job->provider == PROVIDER_CLUSTER) {
        return job->secret ? xasprintf("jsorc:%s", job->secret) : NULL;
    }
    return service_config_user(job->config);
}

static enum check_outcome check(struct service_job *job, struct err *err)
{
    CLEANUP(str_free) char *root = root_url(job);
    CLEANUP(str_free) char *url = xasprintf("%s/api/health", root);
    return service_http_check(job, url, NULL, err);
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
