/* What blocks: preparing a process, asking a server. A job gets copies of what it needs, works in a
 * thread of the services' own pool, and comes back to the control thread with its result. */
#include <errno.h>

#include "base/alloc.h"
#include "base/err.h"
#include "loop/job.h"
#include "service/fetch.h"
#include "service/service_priv.h"

/* Of a request that we pass on; Prometheus itself gives up a query after two minutes. */
#define SERVICE_HTTP_TIMEOUT_MS 120000
#define METHOD_TIMEOUT_MS       10000 /* of each exchange: who calls waits for it */
#define CHECK_BYTES_MAX         65536 /* a page that tells of health has a KiB or two */

struct service_job *service_job_new(struct service *service, enum job_kind kind)
{
    struct services *all = service->all;
    struct service_job *job = xcalloc(1, sizeof(*job));
    const struct service *exporter = services_find(all, "node_exporter");
    *job = (struct service_job){
        .kind = kind,
        .service = service,
        .ops = service->ops,
        .paths = &service->paths,
        .provider = service->provider,
        .metrics_url = all->parts.metrics_url ? xstrdup(all->parts.metrics_url) : NULL,
        .metrics_token = all->parts.metrics_token ? xstrdup(all->parts.metrics_token) : NULL,
        .node_exporter_port =
            exporter && exporter->keep.state == SERVICE_RUNNING ? exporter->port : 0,
        .is_running = service->program != NULL,
        .is_well = service->keep.state == SERVICE_RUNNING && service->keep.misses == 0,
        .timeout_ms = kind == JOB_METHOD ? METHOD_TIMEOUT_MS : all->settings.check_timeout_ms,
        .stopping = &all->stopping,
        .port = service->port,
    };
    if (json_object_deep_copy(service->config, &job->config, NULL) < 0) {
        abort();
    }
    if (job->provider == PROVIDER_CLUSTER) {
        service_cluster_look(job);
    }
    return job;
}

void service_job_free(struct service_job *job)
{
    (void)json_put(job->config);
    (void)json_put(job->method_args);
    (void)json_put(job->result);
    (void)json_put(job->manifest);
    for (size_t i = 0; job->args && job->args[i]; i++) {
        free(job->args[i]);
    }
    free(job->args);
    free(job->metrics_url);
    free(job->metrics_token);
    free(job->secret);
    free(job->away);
    free(job->path);
    free(job->content_type);
    free(job->reply_type);
    free(job->location);
    free(job->error);
    buf_done(&job->body);
    free(job);
}

void service_job_args(struct service_job *job, ...)
{
    size_t count = 0;
    va_list list;
    va_start(list, job);
    for (const char *word; (word = va_arg(list, const char *)); count++) {
        job->args = xrealloc(job->args, (count + 2) * sizeof(char *));
        job->args[count] = xstrdup(word);
        job->args[count + 1] = NULL;
    }
    va_end(list);
}

const char *service_job_text(const struct service_job *job, size_t i)
{
    struct json_object *value =
        job->method_args ? json_object_array_get_idx(job->method_args, i) : NULL;
    return value ? json_object_get_string(value) : NULL;
}

struct slice service_job_slice(const struct service_job *job, size_t i)
{
    struct json_object *value =
        job->method_args ? json_object_array_get_idx(job->method_args, i) : NULL;
    const char *text = value ? json_object_get_string(value) : NULL;
    size_t size = json_object_is_type(value, json_type_string)
                      ? (size_t)json_object_get_string_len(value)
                  : text ? strlen(text)
                         : 0;
    return (struct slice){text, size};
}

enum check_outcome service_http_check(const struct service_job *job, const char *url,
                                      const char *user, struct err *err)
{
    struct fetch_reply reply;
    int failed = fetch_run(&(struct fetch){.url = url,
                                           .user = user,
                                           .timeout_ms = job->timeout_ms,
                                           .bytes_max = CHECK_BYTES_MAX,
                                           .stopping = job->stopping},
                           &reply, err);
    int status = reply.status;
    fetch_reply_done(&reply);
    if (!failed && status != 200) {
        failed = err_set(err, EIO, "it answers %d", status);
    }
    return failed ? CHECK_MISSED : CHECK_GOOD;
}

static void answer_unreached(struct service_job *job, const char *text)
{
    job->status = 502;
    job->reply_type = xstrdup("text/plain; charset=utf-8");
    buf_done(&job->body);
    buf_printf(&job->body, "%s\n", text);
}

/* A path of the service's own, told as it is below our path for it; owned by the caller. */
static char *location_below(const char *root_url, const char *location)
{
    const char *path = strstr(root_url, "://");
    path = path ? strchr(path + 3, '/') : NULL;
    size_t size = path ? strlen(path) : 0;
    if (strncmp(location, root_url, strlen(root_url)) == 0) {
        location += strlen(root_url);
    } else if (size > 0 && strncmp(location, path, size) == 0) {
        location += size;
    }
    return xstrdup(*location == '/' ? location + 1 : location);
}

static void run_http(struct service_job *job, struct err *err)
{
    CLEANUP(str_free) char *root = job->ops->root_url(job);
    CLEANUP(str_free) char *user = job->ops->user ? job->ops->user(job) : NULL;
    CLEANUP(str_free) char *url = xasprintf("%s/%s", root, job->path);
    struct fetch_reply reply;
    struct fetch fetch = {.url = url,
                          .user = user,
                          .post = job->post,
                          .body = buf_slice(&job->body),
                          .content_type = job->content_type,
                          .timeout_ms = SERVICE_HTTP_TIMEOUT_MS,
                          .bytes_max = SERVICE_HTTP_BYTES_MAX,
                          .stopping = job->stopping};
    if (fetch_run(&fetch, &reply, err) < 0) {
        answer_unreached(job, err->text);
        return;
    }
    job->status = reply.status;
    job->reply_type = TAKE(reply.content_type);
    job->location = reply.location ? location_below(root, reply.location) : NULL;
    buf_done(&job->body);
    job->body = reply.body;
    reply.body = (struct buf){0};
    fetch_reply_done(&reply);
}

static void run_check(struct service_job *job, struct err *err)
{
    if (job->away) { /* the cluster makes it anew by itself: until then there is nobody to ask */
        job->outcome = job->stuck ? CHECK_SICK : CHECK_MISSED;
        (void)err_set(err, ENOTCONN, "%s", job->away);
    } else {
        job->outcome = job->ops->check(job, err);
    }
}

static void work(void *arg)
{
    struct service_job *job = arg;
    struct err err = {0};
    switch (job->kind) {
    case JOB_PREPARE:
        job->failed = job->provider == PROVIDER_CLUSTER ? service_cluster_prepare(job, &err)
                                                        : job->ops->prepare(job, &err);
        break;
    case JOB_CHECK:
        run_check(job, &err);
        break;
    case JOB_METHOD:
        job->failed = job->method->run(job, &job->result, &err);
        break;
    case JOB_HTTP:
        run_http(job, &err);
        break;
    }
    if (err.code) {
        job->error = xstrdup(err.text);
    }
}

static void finished(void *arg)
{
    struct service_job *job = arg;
    job->service->all->jobs_out--;
    service_job_finished(job->service, job);
}

void service_job_submit(struct service_job *job)
{
    struct services *all = job->service->all;
    all->jobs_out++;
    bool keeps = job->kind == JOB_PREPARE || job->kind == JOB_CHECK;
    job_submit(keeps ? all->keeping : all->using, all->parts.loop, work, finished, job);
}
