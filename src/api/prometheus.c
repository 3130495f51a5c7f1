/* The operations prometheus_*. */
#include "api/op.h"
#include "api/services.h"
#include "service/service.h"

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
