/* What Prometheus is asked for tracksys and the operations prometheus_*. Job thread. */
#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/err.h"
#include "service/fetch.h"
#include "service/prometheus.h"
#include "service/promql.h"
#include "service/service_priv.h"

#define ANSWER_BYTES_MAX (16UL * 1024 * 1024)
#define WINDOW_INTERVALS 4  /* of rates: two samples are in it also when one scrape failed */
#define WINDOW_S_MIN     10 /* the original's */

int prometheus_get(const struct service_job *job, const char *path, struct fetch_reply *ret,
                   int *ret_status, struct err *err)
{
    CLEANUP(str_free) char *root = prometheus_root_url(job);
    CLEANUP(str_free) char *name = prometheus_user(job);
    CLEANUP(str_free) char *url = xasprintf("%s%s", root, path);
    *ret_status = 0;
    int failed = fetch_run(&(struct fetch){.url = url,
                                           .user = name,
                                           .timeout_ms = job->timeout_ms,
                                           .bytes_max = ANSWER_BYTES_MAX,
                                           .stopping = job->stopping},
                           ret, err);
    if (failed) {
        return -EIO;
    }
    *ret_status = ret->status;
    if (ret->status != 200) {
        CLEANUP(json_put) struct json_object *answer = NULL;
        (void)json_parse_object(buf_slice(&ret->body), &answer, NULL);
        const char *error = json_str(answer, "error");
        (void)err_set(err, EIO, "it answers %d%s%s", ret->status, error ? ": " : "",
                      error ? error : "");
        fetch_reply_done(ret);
        return -EIO;
    }
    return 0;
}

static int all_metrics(struct service_job *job, struct json_object **ret, struct err *err)
{
    struct fetch_reply reply;
    int status, failed = prometheus_get(job, "/api/v1/label/__name__/values", &reply, &status, err);
    if (!failed) {
        failed = promql_read_names(buf_slice(&reply.body), ret, err);
        fetch_reply_done(&reply);
    }
    return failed;
}

/* The instant query, at unix time at_s (0 = now). */
static int ask(struct service_job *job, const char *query, double at_s, struct fetch_reply *ret,
               struct err *err)
{
    char time[48] = "";
    int status;
    if (at_s > 0) {
        (void)snprintf(time, sizeof(time), "&time=%.3f", at_s);
    }
    CLEANUP(str_free) char *escaped = fetch_escape(query);
    CLEANUP(str_free) char *path = xasprintf("/api/v1/query?query=%s%s", escaped, time);
    return prometheus_get(job, path, ret, &status, err);
}

/* A rate over less than two scrapes is no number: the original, which asked for ten seconds of one
 * scrape a minute, told 0. */
static int window_of(struct service_job *job, double wanted_s, double *ret_s, struct err *err)
{
    struct fetch_reply reply;
    double interval_s = 0;
    int status, failed = prometheus_get(job, "/api/v1/status/config", &reply, &status, err);
    if (!failed) {
        failed = promql_read_interval(buf_slice(&reply.body), &interval_s, err);
        fetch_reply_done(&reply);
    }
    *ret_s = fmax(WINDOW_INTERVALS * interval_s, wanted_s);
    return failed;
}

static double number_arg(const struct service_job *job, size_t i)
{
    struct json_object *value =
        job->method_args ? json_object_array_get_idx(job->method_args, i) : NULL;
    return value ? json_object_get_double(value) : 0;
}

static bool leaves_out(const struct service_job *job)
{
    return job->method_args &&
           json_object_get_boolean(json_object_array_get_idx(job->method_args, 1));
}

/* Drops the pods whose names have "prometheus" in them. */
static void leave_out(struct json_object *pods)
{
    struct json_object_iterator at = json_object_iter_begin(pods), end = json_object_iter_end(pods);
    struct json_object *names = json_object_new_array();
    for (; !json_object_iter_equal(&at, &end); json_object_iter_next(&at)) {
        if (strstr(json_object_iter_peek_name(&at), "prometheus")) {
            (void)json_object_array_add(names,
                                        json_object_new_string(json_object_iter_peek_name(&at)));
        }
    }
    for (size_t i = 0; i < json_object_array_length(names); i++) {
        json_object_object_del(pods, json_object_get_string(json_object_array_get_idx(names, i)));
    }
    (void)json_put(names);
}

/* Arguments: namespace, exclude_prom, timestamp, duration. */
static int figures(struct service_job *job, enum promql_subject subject, double window_s,
                   struct json_object **ret, struct err *err)
{
    const char *namespace = service_job_text(job, 0);
    CLEANUP(str_free) char *query = NULL;
    struct fetch_reply reply;
    int failed = promql_figures(subject, window_s, namespace ? namespace : "", &query, err);
    failed = failed ? failed : ask(job, query, number_arg(job, 2), &reply, err);
    if (failed) {
        return failed;
    }
    failed = promql_read_figures(subject, buf_slice(&reply.body), ret, err);
    fetch_reply_done(&reply);
    if (!failed && subject == PROMQL_PODS && leaves_out(job)) {
        leave_out(*ret);
    }
    return failed;
}

static int info(struct service_job *job, struct json_object **ret, struct err *err)
{
    double window_s;
    int failed = window_of(job, fmax(number_arg(job, 3), WINDOW_S_MIN), &window_s, err);
    return failed ? failed : figures(job, PROMQL_PODS, window_s, ret, err);
}

static int node_info(struct service_job *job, struct json_object **ret, struct err *err)
{
    double window_s;
    int failed = window_of(job, fmax(number_arg(job, 3), WINDOW_S_MIN), &window_s, err);
    return failed ? failed : figures(job, PROMQL_NODES, window_s, ret, err);
}

/* For tracksys: {"pods": ..., "nodes": ...}. */
static int both(struct service_job *job, struct json_object **ret, struct err *err)
{
    double window_s;
    CLEANUP(json_put) struct json_object *pods = NULL;
    CLEANUP(json_put) struct json_object *nodes = NULL;
    int failed = window_of(job, number_arg(job, 3), &window_s, err);
    failed = failed ? failed : figures(job, PROMQL_PODS, window_s, &pods, err);
    failed = failed ? failed : figures(job, PROMQL_NODES, window_s, &nodes, err);
    if (!failed) {
        *ret = json_object_new_object();
        json_set(*ret, "pods", TAKE(pods));
        json_set(*ret, "nodes", TAKE(nodes));
    }
    return failed;
}

static int pods(struct service_job *job, struct json_object **ret, struct err *err)
{
    const char *namespace = service_job_text(job, 0);
    CLEANUP(str_free) char *query = NULL;
    struct fetch_reply reply;
    int failed = promql_placement(namespace ? namespace : "", &query, err);
    failed = failed ? failed : ask(job, query, 0, &reply, err);
    if (failed) {
        return failed;
    }
    failed = promql_read_placement(buf_slice(&reply.body), leaves_out(job), ret, err);
    fetch_reply_done(&reply);
    return failed;
}

#define RANGE "namespace exclude_prom timestamp duration"

const struct service_method PROMETHEUS_METHODS[] = {
    {"all_metrics", "", 0, all_metrics},
    {"pods", "namespace exclude_prom", 0, pods},
    {"info", RANGE, 0, info},
    {"node_info", RANGE, 0, node_info},
    {"both", RANGE, 0, both},
    {.name = NULL},
};
