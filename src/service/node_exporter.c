/* The node exporter: a part of Prometheus, with a process of its own. It tells of this host, so a
 * Prometheus of somebody else's has its own one. */
#include <errno.h>

#include "base/alloc.h"
#include "base/err.h"
#include "service/prometheus.h"
#include "service/service_priv.h"

static enum service_provider provider(struct json_object *stored, enum service_provider usual)
{
    bool ours = usual == PROVIDER_PROCESS || usual == PROVIDER_CLUSTER;
    return ours && json_flag(stored, "node_exporter", true) ? usual : PROVIDER_NONE;
}

static int prepare(struct service_job *job, struct err *err)
{
    int failed = service_folder_make(job->paths->folder, err);
    failed = failed ? failed : prometheus_choose_port(job, 0, err);
    failed = failed ? failed : prometheus_put_web_config(job, job->paths->config_file, err);
    if (failed) {
        return failed;
    }
    CLEANUP(str_free) char *address = xasprintf("127.0.0.1:%d", job->port);
    service_job_args(job, "prometheus-node-exporter", "--web.listen-address", address,
                     "--web.config.file", job->paths->config_file, "--log.level", "warn", NULL);
    return 0;
}

static int fill(const struct service_job *job, struct json_object *config, struct err *err)
{
    CLEANUP(str_free) char *web = prometheus_web_config(job->secret, err);
    if (!web) {
        return -EIO;
    }
    service_cluster_file(config, "web.yml", web);
    json_set_str(config, "image", json_str(job->config, "node_exporter_image"));
    return 0;
}

/* The front page: /metrics would read all of /proc. */
static enum check_outcome check(struct service_job *job, struct err *err)
{
    CLEANUP(str_free) char *user = prometheus_own_user(job);
    CLEANUP(str_free)
    char *url = job->provider == PROVIDER_CLUSTER ? service_cluster_url(job)
                                                  : xasprintf("http://127.0.0.1:%d", job->port);
    return service_http_check(job, url, user, err);
}

static const struct service_key keys[] = {
    {.name = "provider"},
    {.name = "node_exporter_image", .fallback = "\"docker.io/prom/node-exporter:v1.5.0\""},
    {.name = "url", .address = true},
    {.name = "host", .variables = {"PROME_HOST", "PROMON_HOST"}, .address = true},
    {.name = NULL},
};

extern const struct service_ops service_node_exporter;
const struct service_ops service_node_exporter = {
    .name = "node_exporter",
    .title = "NodeExporterService",
    .config = "PROME_CONFIG",
    .part_of = "prome",
    .secret_of = "prome",
    .needs = "prome",
    .keys = keys,
    .mark = "--web.config.file",
    .config_file = "web.yml",
    .provider = provider,
    .prepare = prepare,
    .manifest = "node_exporter.yaml",
    .fill = fill,
    .check = check,
};
