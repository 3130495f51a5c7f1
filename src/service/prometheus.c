/* Prometheus: a server of our own that scrapes the daemon, itself and the node exporter, or one at
 * somebody else's address; and what it is asked for tracksys and the operations prometheus_*. */
#include "service/prometheus.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "service/fetch.h"
#include "service/promql.h"
#include "service/service_priv.h"

/* ---- config ---- */

static const struct service_key keys[] = {
    {.name = "url", .address = true},
    {.name = "host",
     .variables = {"PROME_HOST", "PROMON_HOST"},
     .fallback = "\"localhost\"",
     .address = true},
    {.name = "port",
     .type = KEY_NUMBER,
     .variables = {"PROME_PORT", "PROMON_PORT"},
     .fallback = "9090",
     .min = 1,
     .max = 65535},
    {.name = "user"},
    {.name = "password"},
    {.name = "provider"},
    {.name = "listen_port", .type = KEY_NUMBER, .fallback = "0", .max = 65535},
    {.name = "scrape_interval", .fallback = "\"15s\""},
    {.name = "retention_time", .fallback = "\"15d\""},
    {.name = "retention_size", .fallback = "\"512MB\""},
    {.name = "node_exporter", .type = KEY_FLAG, .fallback = "true"},
    {.name = "image", .fallback = "\"docker.io/prom/prometheus:v2.42.0\""},
    {.name = "node_exporter_image", .fallback = "\"docker.io/prom/node-exporter:v1.5.0\""},
    {.name = "storage", .fallback = "\"1Gi\""},
    {.name = "storage_class"},
    {.name = "target"},
    {.name = NULL},
};

static int check_config(struct json_object *config, struct err *err)
{
    static const char *const durations[] = {"scrape_interval", "retention_time"};
    const char *url = json_str(config, "url");
    for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++) {
        const char *text = json_str(config, durations[i]);
        if (text && promql_duration_s(text) <= 0) {
            return err_set(err, EINVAL, "'%s' must be a duration such as 15s or 1h30m, not '%s'",
                           durations[i], text);
        }
    }
    const char *size = json_str(config, "retention_size");
    size_t digits = size ? strspn(size, "0123456789") : 0;
    static const char *const units[] = {"B", "KB", "MB", "GB", "TB"};
    bool known = !size;
    for (size_t i = 0; size && digits > 0 && i < sizeof(units) / sizeof(units[0]); i++) {
        known |= strcmp(size + digits, units[i]) == 0;
    }
    if (!known) {
        return err_set(err, EINVAL, "'retention_size' must be a size such as 512MB, not '%s'",
                       size);
    }
    return url ? service_url_check(url, err) : 0;
}

char *prometheus_root_url(const struct service_job *job)
{
    const char *host = json_str(job->config, "host");
    if (job->provider == PROVIDER_PROCESS) {
        return xasprintf("http://127.0.0.1:%d%s", job->port, PROMETHEUS_PATH);
    }
    if (job->provider == PROVIDER_CLUSTER) {
        CLEANUP(str_free) char *pod = service_cluster_url(job);
        return xasprintf("%s%s", pod, PROMETHEUS_PATH);
    }
    char *url = service_config_url(job->config);
    return url ? url
               : xasprintf("http://%s:%d", host ? host : "localhost",
                           (int)service_config_number(job->config, "port", 9090));
}

char *prometheus_user(const struct service_job *job)
{
    if (job->provider == PROVIDER_PROCESS || job->provider == PROVIDER_CLUSTER) {
        return prometheus_own_user(job);
    }
    return service_config_user(job->config);
}

/* ---- the process ---- */

/* file_sd: Prometheus looks at the file whenever it changes. */
static int put_targets(const struct service_job *job, const char *name, const char *address,
                       const char *pod, struct err *err)
{
    char node[256] = "localhost";
    (void)gethostname(node, sizeof(node) - 1);
    CLEANUP(json_put) struct json_object *groups = json_object_new_array();
    if (address) {
        struct json_object *group = json_object_new_object();
        struct json_object *targets = json_object_new_array();
        struct json_object *labels = json_object_new_object();
        (void)json_object_array_add(targets, json_object_new_string(address));
        json_set_str(labels, "node", node);
        json_set_str(labels, "pod", pod);
        json_set(group, "targets", targets);
        json_set(group, "labels", labels);
        (void)json_object_array_add(groups, group);
    }
    CLEANUP(str_free) char *path = xasprintf("%s/targets/%s.json", job->paths->folder, name);
    return service_file_put(path, json_text(groups), NULL, err);
}

static int put_all_targets(const struct service_job *job, struct err *err)
{
    const char *url = job->metrics_url;
    const char *daemon = url ? strstr(url, "://") + 3 : NULL;
    CLEANUP(str_free) char *own = xasprintf("127.0.0.1:%d", job->port);
    CLEANUP(str_free)
    char *node =
        job->node_exporter_port ? xasprintf("127.0.0.1:%d", job->node_exporter_port) : NULL;
    int failed = put_targets(job, "jsorc", daemon, "daemon", err);
    failed = failed ? failed : put_targets(job, "prometheus", own, "prometheus", err);
    return failed ? failed : put_targets(job, "node", node, "node_exporter", err);
}

static int put_files(struct service_job *job, const char *web, struct err *err)
{
    CLEANUP(json_put) struct json_object *config = prometheus_config(job);
    CLEANUP(str_free) char *targets = xasprintf("%s/targets", job->paths->folder);
    CLEANUP(str_free) char *token = xasprintf("%s/token", job->paths->folder);
    int failed = service_folder_make(job->paths->folder, err);
    failed = failed ? failed : service_folder_make(targets, err);
    failed = failed ? failed
                    : prometheus_choose_port(
                          job, (int)service_config_number(job->config, "listen_port", 0), err);
    failed = failed ? failed : prometheus_put_web_config(job, web, err);
    if (!failed && job->metrics_token) {
        failed = service_file_put(token, job->metrics_token, NULL, err); /* read at each scrape */
    }
    failed = failed
                 ? failed
                 : service_file_put(job->paths->config_file, json_text(config), &job->changed, err);
    return failed ? failed : put_all_targets(job, err);
}

static int prepare(struct service_job *job, struct err *err)
{
    CLEANUP(str_free) char *web = xasprintf("%s/web.yml", job->paths->folder);
    int failed = put_files(job, web, err);
    if (failed) {
        return failed;
    }
    const char *time = json_str(job->config, "retention_time");
    const char *size = json_str(job->config, "retention_size");
    CLEANUP(str_free) char *data = xasprintf("%s/data", job->paths->folder);
    CLEANUP(str_free) char *address = xasprintf("127.0.0.1:%d", job->port);
    service_job_args(job, "prometheus", "--config.file", job->paths->config_file,
                     "--storage.tsdb.path", data, "--storage.tsdb.retention.time",
                     time ? time : "15d", "--storage.tsdb.retention.size", size ? size : "512MB",
                     "--web.listen-address", address, "--web.external-url", PROMETHEUS_PATH "/",
                     "--web.config.file", web, NULL);
    return 0;
}

/* ---- asking it ---- */

static enum check_outcome check(struct service_job *job, struct err *err)
{
    bool process = job->provider == PROVIDER_PROCESS;
    bool own = process || job->provider == PROVIDER_CLUSTER;
    struct fetch_reply reply;
    int status;
    if (process && put_all_targets(job, err) < 0) {
        return CHECK_SICK; /* its disk */
    }
    /* Our own one is asked for more: whether it has read its data. */
    if (prometheus_get(job, own ? "/-/ready" : "/-/healthy", &reply, &status, err) < 0) {
        return own && status == 503 ? CHECK_BUSY : CHECK_MISSED;
    }
    fetch_reply_done(&reply);
    return CHECK_GOOD;
}

extern const struct service_ops service_prometheus;
const struct service_ops service_prometheus = {
    .name = "prome",
    .alias = "promon",
    .title = "PrometheusService",
    .config = "PROME_CONFIG",
    .keys = keys,
    .mark = "--config.file",
    .config_file = "prometheus.yml",
    .check_config = check_config,
    .prepare = prepare,
    .manifest = "prometheus.yaml",
    .fill = prometheus_fill,
    .check = check,
    .root_url = prometheus_root_url,
    .user = prometheus_user,
    .methods = PROMETHEUS_METHODS,
};
