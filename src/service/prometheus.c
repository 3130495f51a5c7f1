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

#define ROOT_PATH "/prometheus" /* the same here and at the daemon, so that its links fit */

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
    if (url && strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0) {
        return err_set(err, EINVAL, "'url' must begin with http:// or https://, not '%s'", url);
    }
    const char *authority = url ? strstr(url, "://") + 3 : "";
    if (memchr(authority, '@', strcspn(authority, "/?#"))) {
        return err_set(err, EINVAL,
                       "'url' must not hold a user: 'user' and 'password' are for that");
    }
    return 0;
}

char *prometheus_root_url(const struct service_job *job)
{
    const char *url = json_str(job->config, "url"), *host = json_str(job->config, "host");
    if (job->provider == PROVIDER_PROCESS) {
        return xasprintf("http://127.0.0.1:%d%s", job->port, ROOT_PATH);
    }
    if (url) {
        size_t size = strlen(url);
        return xstrndup(url, size - (size > 0 && url[size - 1] == '/'));
    }
    return xasprintf("http://%s:%d", host ? host : "localhost",
                     (int)service_config_number(job->config, "port", 9090));
}

char *prometheus_user(const struct service_job *job)
{
    const char *name = json_str(job->config, "user"), *password = json_str(job->config, "password");
    if (job->provider == PROVIDER_PROCESS) {
        return prometheus_own_user(job);
    }
    return name ? xasprintf("%s:%s", name, password ? password : "") : NULL;
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

static struct json_object *scrape_of(const struct service_job *job, const char *name)
{
    struct json_object *scrape = json_object_new_object();
    struct json_object *discovery = json_object_new_array();
    struct json_object *one = json_object_new_object();
    struct json_object *files = json_object_new_array();
    CLEANUP(str_free) char *path = xasprintf("%s/targets/%s.json", job->paths->folder, name);
    (void)json_object_array_add(files, json_object_new_string(path));
    json_set(one, "files", files);
    (void)json_object_array_add(discovery, one);
    json_set_str(scrape, "job_name", name);
    json_set(scrape, "file_sd_configs", discovery);
    return scrape;
}

static void add_password(const struct service_job *job, struct json_object *scrape)
{
    struct json_object *basic = json_object_new_object();
    CLEANUP(str_free) char *path = xasprintf("%s/password", job->paths->folder);
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
        CLEANUP(str_free) char *path = xasprintf("%s/token", job->paths->folder);
        json_set_str(authorization, "type", "Token");
        json_set_str(authorization, "credentials_file", path);
        json_set(scrape, "authorization", authorization);
    }
    return scrape;
}

/* JSON is YAML. */
static struct json_object *make_config(const struct service_job *job)
{
    struct json_object *config = json_object_new_object();
    struct json_object *global = json_object_new_object();
    struct json_object *scrapes = json_object_new_array();
    struct json_object *own = scrape_of(job, "prometheus"), *node = scrape_of(job, "node");
    const char *interval = json_str(job->config, "scrape_interval");
    interval = interval ? interval : "15s";
    json_set_str(global, "scrape_interval", interval);
    json_set_str(global, "scrape_timeout", promql_duration_s(interval) > 10 ? "10s" : interval);
    json_set_str(own, "metrics_path", ROOT_PATH "/metrics");
    add_password(job, own);
    add_password(job, node);
    (void)json_object_array_add(scrapes, scrape_of_daemon(job));
    (void)json_object_array_add(scrapes, own);
    (void)json_object_array_add(scrapes, node);
    json_set(config, "global", global);
    json_set(config, "scrape_configs", scrapes);
    return config;
}

static int put_files(struct service_job *job, const char *web, struct err *err)
{
    CLEANUP(json_put) struct json_object *config = make_config(job);
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
                     "--web.listen-address", address, "--web.external-url", ROOT_PATH "/",
                     "--web.config.file", web, NULL);
    return 0;
}

/* ---- asking it ---- */

static enum check_outcome check(struct service_job *job, struct err *err)
{
    bool own = job->provider == PROVIDER_PROCESS;
    struct fetch_reply reply;
    int status;
    if (own && put_all_targets(job, err) < 0) {
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
    .check = check,
    .root_url = prometheus_root_url,
    .user = prometheus_user,
    .methods = PROMETHEUS_METHODS,
};
