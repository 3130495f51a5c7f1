#include "service/promql.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"

#define INTERVAL_DEFAULT_S 60
#define NAMESPACE_MAX      63 /* RFC 1123 label, as Kubernetes has it */

struct figure {
    const char *name;
    const char *query; /* %W = the window, %N = the matcher of a namespace */
};

/* Pods of a cluster as cAdvisor tells them (the containers, without the sum that it tells, too),
 * or our own workers as the daemon tells them; then the processes that Prometheus scrapes. */
static const struct figure pod_figures[] = {
    {"cpu_utilization_cores",
     "sum by (namespace, pod) (rate(container_cpu_usage_seconds_total{pod!=\"\",container!=\"\"%N}"
     "[%W])) or sum by (namespace, pod) (label_replace(rate(jsorc_worker_cpu_seconds_total[%W]), "
     "\"pod\", \"$1\", \"worker\", \"(.+)\")) or sum by (namespace, pod) "
     "(rate(process_cpu_seconds_total{pod!=\"\"}[%W]))"},
    {"mem_utilization_bytes",
     "sum by (namespace, pod) (container_memory_working_set_bytes{pod!=\"\",container!=\"\"%N}) or "
     "sum by (namespace, pod) (label_replace(jsorc_worker_memory_bytes, \"pod\", \"$1\", "
     "\"worker\", \"(.+)\")) or sum by (namespace, pod) "
     "(process_resident_memory_bytes{pod!=\"\"})"},
    {"network_recv_bytes", "sum by (namespace, pod) "
                           "(rate(container_network_receive_bytes_total{pod!=\"\"%N}[%W]))"},
    {"network_tran_bytes", "sum by (namespace, pod) "
                           "(rate(container_network_transmit_bytes_total{pod!=\"\"%N}[%W]))"},
    {NULL, NULL},
};

static const struct figure node_figures[] = {
    {"disk_read_bytes", "sum by (node) (rate(node_disk_read_bytes_total[%W]))"},
    {"disk_write_bytes", "sum by (node) (rate(node_disk_written_bytes_total[%W]))"},
    {"cpu_cores", "sum by (node) (rate(node_cpu_seconds_total{mode!~\"idle|iowait\"}[%W]))"},
    {"mem_total_bytes", "sum by (node) (node_memory_MemTotal_bytes)"},
    {"mem_active_bytes", "sum by (node) (node_memory_Active_bytes)"},
    {"net_recv_bytes",
     "sum by (node) (rate(node_network_receive_bytes_total{device!=\"lo\"}[%W]))"},
    {"net_tran_bytes",
     "sum by (node) (rate(node_network_transmit_bytes_total{device!=\"lo\"}[%W]))"},
    {NULL, NULL},
};

static const struct figure *figures_of(enum promql_subject subject)
{
    return subject == PROMQL_PODS ? pod_figures : node_figures;
}

/* ---- queries ---- */

static int check_namespace(const char *namespace, struct err *err)
{
    static const char *const characters = "abcdefghijklmnopqrstuvwxyz"
                                          "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";
    size_t size = strspn(namespace, characters); /* any other would end the text in the query */
    return !namespace[size] && size <= NAMESPACE_MAX
               ? 0
               : err_set(err, EINVAL, "'%s' is no namespace", namespace);
}

static void put_query(struct buf *out, const char *query, double window_s, const char *namespace)
{
    for (; *query; query++) {
        if (query[0] == '%' && query[1] == 'W') {
            buf_printf(out, "%.0fms", ceil(window_s * 1000));
            query++;
        } else if (query[0] == '%' && query[1] == 'N') {
            if (*namespace) {
                buf_printf(out, ",namespace=\"%s\"", namespace);
            }
            query++;
        } else {
            buf_printf(out, "%c", *query);
        }
    }
}

static char *take_text(struct buf *text)
{
    char *copy = xstrndup(text->data + text->start, buf_size(text));
    buf_done(text);
    return copy;
}

int promql_figures(enum promql_subject subject, double window_s, const char *namespace,
                   char **ret_query, struct err *err)
{
    if (check_namespace(namespace, err) < 0) {
        return -EINVAL;
    }
    struct buf text = {0};
    for (const struct figure *figure = figures_of(subject); figure->name; figure++) {
        buf_printf(&text, "%slabel_replace(", buf_size(&text) ? " or " : "");
        put_query(&text, figure->query, window_s, namespace);
        buf_printf(&text, ", \"figure\", \"%s\", \"\", \"\")", figure->name);
    }
    *ret_query = take_text(&text);
    return 0;
}

int promql_placement(const char *namespace, char **ret_query, struct err *err)
{
    if (check_namespace(namespace, err) < 0) {
        return -EINVAL;
    }
    struct buf text = {0};
    put_query(&text,
              "group by (node, pod) (kube_pod_info{pod!=\"\"%N}) or group by (node, pod) "
              "(label_replace(jsorc_worker_memory_bytes, \"pod\", \"$1\", \"worker\", \"(.+)\"))",
              0, namespace);
    *ret_query = take_text(&text);
    return 0;
}

/* ---- answers ---- */

/* The member data of a good answer, borrowed from *ret_answer, which is the caller's. */
static int read_data(struct slice text, enum json_type type, struct json_object **ret_answer,
                     struct json_object **ret_data, struct err *err)
{
    struct json_object *answer = NULL;
    if (json_parse_object(text, &answer, err) < 0) {
        (void)err_wrap(err, "Prometheus' answer");
        return -EINVAL;
    }
    const char *status = json_str(answer, "status");
    const char *error = json_str(answer, "error");
    struct json_object *data = json_member(answer, "data", type);
    if (!status || strcmp(status, "success") != 0 || !data) {
        (void)err_set(err, EINVAL, "Prometheus: %s", error ? error : "not the answer asked for");
        (void)json_put(answer);
        return -EINVAL;
    }
    *ret_answer = answer;
    *ret_data = data;
    return 0;
}

static int read_rows(struct slice text, struct json_object **ret_rows, struct err *err)
{
    CLEANUP(json_put) struct json_object *answer = NULL;
    struct json_object *data = NULL;
    int failed = read_data(text, json_type_object, &answer, &data, err);
    if (failed) {
        return failed;
    }
    struct json_object *rows = json_member(data, "result", json_type_array);
    if (!rows) {
        return err_set(err, EINVAL, "Prometheus: the answer has no rows");
    }
    *ret_rows = json_ref(rows);
    return 0;
}

/* [UNIX TIME, "NUMBER"]; NAN = none. */
static double value_of(const struct json_object *row)
{
    struct json_object *pair = json_member(row, "value", json_type_array);
    const char *text = pair ? json_object_get_string(json_object_array_get_idx(pair, 1)) : NULL;
    double value = text ? strtod(text, NULL) : NAN;
    return isfinite(value) ? value : NAN;
}

static const char *label_of(const struct json_object *row, const char *name)
{
    return json_str(json_member(row, "metric", json_type_object), name);
}

/* The object of that name, made with all its figures null. */
static struct json_object *subject_of(struct json_object *all, const struct figure *figures,
                                      const char *name)
{
    struct json_object *one = json_member(all, name, json_type_object);
    if (!one) {
        one = json_object_new_object();
        for (const struct figure *figure = figures; figure->name; figure++) {
            json_set(one, figure->name, NULL);
        }
        json_set(all, name, one);
    }
    return one;
}

/* Whether a row of another namespace has a pod of that name. */
static bool is_ambiguous(struct json_object *rows, const char *namespace, const char *pod)
{
    for (size_t i = 0; i < json_object_array_length(rows); i++) {
        const struct json_object *row = json_object_array_get_idx(rows, i);
        const char *other = label_of(row, "namespace"), *name = label_of(row, "pod");
        if (name && strcmp(name, pod) == 0 && strcmp(other ? other : "", namespace) != 0) {
            return true;
        }
    }
    return false;
}

int promql_read_figures(enum promql_subject subject, struct slice answer, struct json_object **ret,
                        struct err *err)
{
    CLEANUP(json_put) struct json_object *rows = NULL;
    int failed = read_rows(answer, &rows, err);
    if (failed) {
        return failed;
    }
    struct json_object *all = json_object_new_object();
    for (size_t i = 0; i < json_object_array_length(rows); i++) {
        const struct json_object *row = json_object_array_get_idx(rows, i);
        const char *figure = label_of(row, "figure"), *namespace = label_of(row, "namespace");
        const char *name = label_of(row, subject == PROMQL_PODS ? "pod" : "node");
        if (!figure || !name) {
            continue;
        }
        namespace = namespace ? namespace : "";
        bool both = subject == PROMQL_PODS && is_ambiguous(rows, namespace, name);
        CLEANUP(str_free) char *key = both ? xasprintf("%s/%s", namespace, name) : xstrdup(name);
        struct json_object *one = subject_of(all, figures_of(subject), key);
        if (json_object_object_get_ex(one, figure, NULL)) {
            json_set_double(one, figure, value_of(row));
        }
    }
    *ret = all;
    return 0;
}

int promql_read_placement(struct slice answer, bool exclude_prom, struct json_object **ret,
                          struct err *err)
{
    CLEANUP(json_put) struct json_object *rows = NULL;
    int failed = read_rows(answer, &rows, err);
    if (failed) {
        return failed;
    }
    struct json_object *nodes = json_object_new_object();
    for (size_t i = 0; i < json_object_array_length(rows); i++) {
        const struct json_object *row = json_object_array_get_idx(rows, i);
        const char *node = label_of(row, "node"), *pod = label_of(row, "pod");
        if (!pod || (exclude_prom && strstr(pod, "prometheus"))) {
            continue;
        }
        node = node ? node : "";
        struct json_object *pods = json_member(nodes, node, json_type_array);
        if (!pods) {
            pods = json_object_new_array();
            json_set(nodes, node, pods);
        }
        (void)json_object_array_add(pods, json_object_new_string(pod));
    }
    *ret = nodes;
    return 0;
}

int promql_read_names(struct slice answer, struct json_object **ret, struct err *err)
{
    CLEANUP(json_put) struct json_object *whole = NULL;
    struct json_object *data = NULL;
    int failed = read_data(answer, json_type_array, &whole, &data, err);
    *ret = failed ? *ret : json_ref(data);
    return failed;
}

double promql_duration_s(const char *text)
{
    static const struct {
        const char *unit;
        double seconds;
    } units[] = {{"ms", 0.001}, {"y", 31536000}, {"w", 604800}, {"d", 86400},
                 {"h", 3600},   {"m", 60},       {"s", 1}};
    double seconds = 0;
    if (!isdigit((unsigned char)*text)) {
        return -1;
    }
    while (isdigit((unsigned char)*text)) {
        char *end = NULL;
        double count = (double)strtoull(text, &end, 10);
        size_t i = 0;
        for (; i < sizeof(units) / sizeof(units[0]); i++) {
            size_t size = strlen(units[i].unit);
            if (strncmp(end, units[i].unit, size) == 0) {
                seconds += count * units[i].seconds;
                text = end + size;
                break;
            }
        }
        if (i == sizeof(units) / sizeof(units[0])) {
            return -1;
        }
    }
    return *text ? -1 : seconds;
}

int promql_read_interval(struct slice answer, double *ret_seconds, struct err *err)
{
    CLEANUP(json_put) struct json_object *whole = NULL;
    struct json_object *data = NULL;
    int failed = read_data(answer, json_type_object, &whole, &data, err);
    if (failed) {
        return failed;
    }
    /* The config as YAML, as Prometheus writes it: `global` stands first. */
    const char *yaml = json_str(data, "yaml");
    const char *at = yaml ? strstr(yaml, "scrape_interval:") : NULL;
    char text[32] = "";
    *ret_seconds = INTERVAL_DEFAULT_S;
    if (at && sscanf(at, "scrape_interval: %31s", text) == 1 && promql_duration_s(text) > 0) {
        *ret_seconds = promql_duration_s(text);
    }
    return 0;
}
