/* What our own Prometheus scrapes, as its configuration: targets of this host from files that
 * change while it runs, those of a cluster from its names. */
#include <errno.h>

#include "base/alloc.h"
#include "base/err.h"
#include "service/prometheus.h"
#include "service/promql.h"
#include "service/service_priv.h"

/* Where manifests/services/prometheus.yaml mounts the Secret. */
#define CLUSTER_FOLDER "/etc/jsorc"

/* Where its configuration and the passwords are; owned by the caller. */
static char *config_folder(const struct service_job *job)
{
    return xstrdup(job->provider == PROVIDER_CLUSTER ? CLUSTER_FOLDER : job->paths->folder);
}

static struct json_object *list_of(struct json_object *only)
{
    struct json_object *list = json_object_new_array();
    (void)json_object_array_add(list, only);
    return list;
}

/* ---- targets ---- */

/* {"files": [...]}: put_targets of prometheus.c writes them. */
static void add_files(const struct service_job *job, struct json_object *scrape, const char *name)
{
    struct json_object *one = json_object_new_object();
    CLEANUP(str_free) char *path = xasprintf("%s/targets/%s.json", job->paths->folder, name);
    json_set(one, "files", list_of(json_object_new_string(path)));
    json_set(scrape, "file_sd_configs", list_of(one));
}

static void add_address(struct json_object *scrape, const char *address)
{
    struct json_object *one = json_object_new_object();
    json_set(one, "targets", list_of(json_object_new_string(address)));
    json_set(scrape, "static_configs", list_of(one));
}

/* The pods behind a Service without an address of its own: a name and a port each. */
static void add_pods(struct json_object *scrape, const char *service)
{
    struct json_object *one = json_object_new_object();
    CLEANUP(str_free) char *name = xasprintf("_http._tcp.%s", service);
    json_set(one, "names", list_of(json_object_new_string(name)));
    json_set_str(one, "type", "SRV");
    json_set_str(one, "refresh_interval", "10s");
    json_set(scrape, "dns_sd_configs", list_of(one));
}

/* A pod's name there is its address with dashes: "10-200-0-7.jsorc-daemons.NAMESPACE.svc...". */
static struct json_object *label_of_pod(const char *label)
{
    struct json_object *rule = json_object_new_object();
    json_set(rule, "source_labels", list_of(json_object_new_string("__address__")));
    json_set_str(rule, "regex", "([^.:]+)[.:].*");
    json_set_str(rule, "target_label", label);
    return rule;
}

static void add_labels(struct json_object *scrape)
{
    struct json_object *rules = list_of(label_of_pod("node"));
    (void)json_object_array_add(rules, label_of_pod("pod"));
    json_set(scrape, "relabel_configs", rules);
}

static void add_targets(const struct service_job *job, struct json_object *scrape, const char *name)
{
    const char *target = json_str(job->config, "target");
    if (job->provider != PROVIDER_CLUSTER) {
        add_files(job, scrape, name);
        return;
    }
    add_labels(scrape);
    if (strcmp(name, "prometheus") == 0) {
        add_address(scrape, "localhost:9090");
    } else if (strcmp(name, "node") == 0) {
        add_pods(scrape, "jsorc-node-exporter");
    } else if (target && *target) {
        add_address(scrape, target);
    } else {
        add_pods(scrape, "jsorc-daemons");
    }
}

/* ---- the file ---- */

static struct json_object *scrape_of(const struct service_job *job, const char *name)
{
    struct json_object *scrape = json_object_new_object();
    json_set_str(scrape, "job_name", name);
    add_targets(job, scrape, name);
    return scrape;
}

static void add_password(const struct service_job *job, struct json_object *scrape)
{
    struct json_object *basic = json_object_new_object();
    CLEANUP(str_free) char *folder = config_folder(job);
    CLEANUP(str_free) char *path = xasprintf("%s/password", folder);
    json_set_str(basic, "username", PROMETHEUS_USER);
    json_set_str(basic, "password_file", path);
    json_set(scrape, "basic_auth", basic);
}

static struct json_object *scrape_of_daemon(const struct service_job *job)
{
    struct json_object *scrape = scrape_of(job, "jsorc");
    if (job->metrics_url && strncmp(job->metrics_url, "https://", 8) == 0) {
        /* Over loopback, or our own address: the certificate is made for the clients' names. */
        struct json_object *tls = json_object_new_object();
        json_set_bool(tls, "insecure_skip_verify", true);
        json_set_str(scrape, "scheme", "https");
        json_set(scrape, "tls_config", tls);
    }
    if (job->metrics_token) {
        struct json_object *authorization = json_object_new_object();
        CLEANUP(str_free) char *folder = config_folder(job);
        CLEANUP(str_free) char *path = xasprintf("%s/token", folder);
        json_set_str(authorization, "type", "Token");
        json_set_str(authorization, "credentials_file", path);
        json_set(scrape, "authorization", authorization);
    }
    return scrape;
}

struct json_object *prometheus_config(const struct service_job *job)
{
    struct json_object *config = json_object_new_object();
    struct json_object *global = json_object_new_object();
    struct json_object *scrapes = json_object_new_array();
    struct json_object *own = scrape_of(job, "prometheus"), *node = scrape_of(job, "node");
    const char *interval = json_str(job->config, "scrape_interval");
    interval = interval ? interval : "15s";
    json_set_str(global, "scrape_interval", interval);
    json_set_str(global, "scrape_timeout", promql_duration_s(interval) > 10 ? "10s" : interval);
    json_set_str(own, "metrics_path", PROMETHEUS_PATH "/metrics");
    add_password(job, own);
    add_password(job, node);
    (void)json_object_array_add(scrapes, scrape_of_daemon(job));
    (void)json_object_array_add(scrapes, own);
    (void)json_object_array_add(scrapes, node);
    json_set(config, "global", global);
    json_set(config, "scrape_configs", scrapes);
    return config;
}

int prometheus_fill(const struct service_job *job, struct json_object *config, struct err *err)
{
    static const char *const keys[] = {"retention_time", "retention_size"};
    CLEANUP(str_free) char *web = prometheus_web_config(job->secret, err);
    CLEANUP(json_put) struct json_object *file = prometheus_config(job);
    if (!web) {
        return -EIO;
    }
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        json_set_str(config, keys[i], json_str(job->config, keys[i]));
    }
    service_cluster_file(config, "prometheus.yml", json_text(file));
    service_cluster_file(config, "web.yml", web);
    service_cluster_file(config, "password", job->secret);
    service_cluster_file(config, "token", job->metrics_token ? job->metrics_token : "");
    return 0;
}
