/* The operations prometheus_*, and Prometheus' own pages below /prometheus/. */
#include <errno.h>

#include "api/answer.h"
#include "api/api.h"
#include "api/op.h"
#include "api/route.h"
#include "api/services.h"
#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "http/server.h"
#include "service/service.h"

/* ---- operations ---- */

/* The operation's own arguments are the method's. */
static void call_method(struct op_call *call, const char *method)
{
    op_call_service(
        call, &(struct service_call){.service = "prome", .method = method, .kwargs = op_args(call)},
        op_on_result);
}

static void run_metrics_list(struct op_call *call)
{
    call_method(call, "all_metrics");
}

static void run_pod_list(struct op_call *call)
{
    call_method(call, "pods");
}

static void run_pod_info(struct op_call *call)
{
    call_method(call, "info");
}

static void run_node_info(struct op_call *call)
{
    call_method(call, "node_info");
}

extern const struct op op_prometheus_metrics_list, op_prometheus_pod_list, op_prometheus_pod_info,
    op_prometheus_node_info;

#define NAMESPACE                                                                                  \
    {                                                                                              \
        "namespace", OP_STR, "\"\"", "of a cluster's pods; empty = all"                            \
    }
#define EXCLUDE                                                                                    \
    {                                                                                              \
        "exclude_prom", OP_BOOL, "false", "leave out pods whose name has 'prometheus' in it"       \
    }
#define RANGE                                                                                      \
    {"timestamp", OP_FLOAT, "0", "unix time of the figures, in seconds; 0 = now"},                 \
    {                                                                                              \
        "duration", OP_FLOAT, "0",                                                                 \
            "of rates, in seconds; never less than four scrapes, so that each rate has samples"    \
    }

const struct op op_prometheus_metrics_list = {
    .name = "prometheus_metrics_list",
    .access = OP_ADMIN,
    .positionals = "",
    .help = "List the metrics that Prometheus has.",
    .result = "[\"NAME\"]",
    .run = run_metrics_list,
};

const struct op op_prometheus_pod_list = {
    .name = "prometheus_pod_list",
    .access = OP_ADMIN,
    .params = {NAMESPACE, EXCLUDE},
    .positionals = "",
    .help = "List the pods that Prometheus knows, by node.",
    .result = "{\"NODE\": [\"POD\"]}",
    .run = run_pod_list,
};

const struct op op_prometheus_pod_info = {
    .name = "prometheus_pod_info",
    .access = OP_ADMIN,
    .params = {NAMESPACE, EXCLUDE, RANGE},
    .positionals = "",
    .help = "Tell what each pod uses, from Prometheus.",
    .result = "{\"POD\": {\"cpu_utilization_cores\", \"mem_utilization_bytes\", "
              "\"network_recv_bytes\", \"network_tran_bytes\"}}; null is not known",
    .run = run_pod_info,
};

const struct op op_prometheus_node_info = {
    .name = "prometheus_node_info",
    .access = OP_ADMIN,
    .params = {NAMESPACE, EXCLUDE, RANGE},
    .positionals = "",
    .help = "Tell what each node uses, from Prometheus.",
    .result =
        "{\"NODE\": {\"disk_read_bytes\", \"disk_write_bytes\", \"cpu_cores\", "
        "\"mem_total_bytes\", \"mem_active_bytes\", \"net_recv_bytes\", \"net_tran_bytes\"}}; "
        "null is not known",
    .run = run_node_info,
};

/* ---- pages ---- */

#define PAGES "/prometheus/"

static void on_page(void *arg, const struct service_http_reply *reply)
{
    CLEANUP(str_free)
    char *location =
        reply->location ? xasprintf("Location: " PAGES "%s\r\n", reply->location) : xstrdup("");
    api_answer_as(arg, &(struct http_response){.status = reply->status,
                                               .content_type = reply->content_type,
                                               .headers = slice_str(location),
                                               .body = reply->body});
}

static void run_page(struct api_call *call, bool post)
{
    struct http_request *request = api_request(call);
    struct err err = {0};
    struct service_http page = {
        .post = post,
        .staff = api_user_is_staff(call),
        .path = slice_from(http_request_path(request), sizeof(PAGES) - 1),
        .query = http_request_query(request),
        .content_type = http_request_header(request, "content-type"),
        .body = http_request_body(request),
    };
    int failed = services_http(api_of(call)->services, "prome", &page, on_page, call, &err);
    if (failed) {
        struct json_object *body = json_object_new_object();
        json_set_str(body, "detail", err.text);
        json_set_str(body, "hint",
                     failed == -EINVAL     ? "write the path without them"
                     : failed == -EACCES   ? "send the token of a superuser"
                     : failed == -ENOTCONN ? "'jsorc service info prome' tells more"
                                           : "try again");
        api_answer(call, failed == -EINVAL ? 400 : failed == -EACCES ? 403 : 503, body);
    }
}

static void run_get(struct api_call *call)
{
    run_page(call, false);
}

static void run_post(struct api_call *call)
{
    run_page(call, true);
}

#define PAGE_HELP                                                                                  \
    "Prometheus' own pages and API, e.g. /prometheus/graph or "                                    \
    "/prometheus/api/v1/query?query=up."

extern const struct route route_prometheus_get, route_prometheus_post;
const struct route route_prometheus_get = {
    .method = METHOD_GET,
    .path = PAGES "{path}",
    .deep = true,
    .access = ROUTE_NEAR,
    .help = PAGE_HELP,
    .body = "",
    .type = "text/html",
    .run = run_get,
};

const struct route route_prometheus_post = {
    .method = METHOD_POST,
    .path = PAGES "{path}",
    .deep = true,
    .access = ROUTE_NEAR,
    .help = PAGE_HELP,
    .body = "",
    .type = "application/json",
    .run = run_post,
};
