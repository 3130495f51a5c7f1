#include "measure/tracksys.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "measure/history.h"

/* Of a process at the last look. */
struct former {
    char *name;
    int pid;
    double cpu_s;
};

struct tracksys {
    struct history states;
    uint64_t at_ns; /* the last look: */
    struct system_host host;
    struct system_group group;
    struct former *pods; /* pods[pod_count]; owned */
    size_t pod_count;
};

static void forget_pods(struct tracksys *tracksys)
{
    for (size_t i = 0; i < tracksys->pod_count; i++) {
        free(tracksys->pods[i].name);
    }
    free(tracksys->pods);
    tracksys->pods = NULL;
    tracksys->pod_count = 0;
}

static void remember(struct tracksys *tracksys, const struct tracksys_look *look)
{
    forget_pods(tracksys);
    tracksys->at_ns = look->now_ns;
    tracksys->host = look->host;
    tracksys->group = look->group;
    tracksys->pods = xcalloc(look->pod_count, sizeof(tracksys->pods[0]));
    tracksys->pod_count = look->pod_count;
    for (size_t i = 0; i < look->pod_count; i++) {
        tracksys->pods[i] =
            (struct former){xstrdup(look->pods[i].name), look->pods[i].pid, look->pods[i].cpu_s};
    }
}

struct tracksys *tracksys_new(const struct tracksys_look *first)
{
    struct tracksys *tracksys = xcalloc(1, sizeof(*tracksys));
    remember(tracksys, first);
    return tracksys;
}

struct tracksys *tracksys_free(struct tracksys *tracksys)
{
    if (tracksys) {
        forget_pods(tracksys);
        history_done(&tracksys->states);
    }
    free(tracksys);
    return NULL;
}

/* ---- one state ---- */

/* What was used a second; a counter that ran backwards (a device is gone) tells nothing. */
static double rate(double now, double before, double elapsed_s)
{
    return elapsed_s > 0 && now >= before ? (now - before) / elapsed_s : NAN;
}

static double former_cpu_s(const struct tracksys *tracksys, const struct tracksys_pod *pod)
{
    for (size_t i = 0; i < tracksys->pod_count; i++) {
        const struct former *former = &tracksys->pods[i];
        if (former->pid == pod->pid && strcmp(former->name, pod->name) == 0) {
            return former->cpu_s;
        }
    }
    return NAN; /* it was not there */
}

static struct json_object *pods_of(const struct tracksys *tracksys,
                                   const struct tracksys_look *look, double elapsed_s)
{
    struct json_object *pods = json_object_new_object();
    for (size_t i = 0; i < look->pod_count; i++) {
        const struct tracksys_pod *pod = &look->pods[i];
        struct json_object *row = json_object_new_object();
        json_set_double(row, "cpu_utilization_cores",
                        rate(pod->cpu_s, former_cpu_s(tracksys, pod), elapsed_s));
        json_set_double(row, "mem_utilization_bytes", pod->mem_bytes);
        json_set(row, "network_recv_bytes", NULL); /* processes of a host share its network */
        json_set(row, "network_tran_bytes", NULL);
        json_set(pods, pod->name, row);
    }
    return pods;
}

static struct json_object *node_of(const struct tracksys *tracksys,
                                   const struct tracksys_look *look, double elapsed_s)
{
    const struct system_host *now = &look->host, *before = &tracksys->host;
    struct json_object *row = json_object_new_object();
    json_set_double(row, "disk_read_bytes",
                    rate(now->disk_read_bytes, before->disk_read_bytes, elapsed_s));
    json_set_double(row, "disk_write_bytes",
                    rate(now->disk_write_bytes, before->disk_write_bytes, elapsed_s));
    json_set_double(row, "cpu_cores", rate(now->cpu_s, before->cpu_s, elapsed_s));
    json_set_double(row, "mem_total_bytes", now->mem_total_bytes);
    json_set_double(row, "mem_active_bytes", now->mem_active_bytes);
    json_set_double(row, "net_recv_bytes",
                    rate(now->net_recv_bytes, before->net_recv_bytes, elapsed_s));
    json_set_double(row, "net_tran_bytes",
                    rate(now->net_tran_bytes, before->net_tran_bytes, elapsed_s));
    return row;
}

static struct json_object *group_of(const struct tracksys *tracksys,
                                    const struct tracksys_look *look, double elapsed_s)
{
    struct json_object *row = json_object_new_object();
    json_set_double(row, "cpu_utilization_cores",
                    rate(look->group.cpu_s, tracksys->group.cpu_s, elapsed_s));
    json_set_double(row, "mem_utilization_bytes", look->group.mem_bytes);
    json_set_double(row, "mem_max_bytes", look->group.mem_max_bytes);
    return row;
}

void tracksys_add(struct tracksys *tracksys, const struct tracksys_look *look)
{
    double elapsed_s = (double)(look->now_ns - tracksys->at_ns) / 1e9;
    CLEANUP(json_put) struct json_object *state = json_object_new_object();
    json_set_int(state, "ts", look->unix_s);
    json_set(state, "actions", json_ref(look->actions));
    json_set(state, "prometheus",
             look->told_pods ? json_ref(look->told_pods) : pods_of(tracksys, look, elapsed_s));
    if (look->told_nodes) {
        json_set(state, "nodes", json_ref(look->told_nodes));
    } else {
        struct json_object *nodes = json_object_new_object();
        json_set(nodes, look->node, node_of(tracksys, look, elapsed_s));
        json_set(state, "nodes", nodes);
    }
    json_set(state, "cgroup", group_of(tracksys, look, elapsed_s));
    json_set_str(state, "source", look->told_pods ? "prometheus" : "local");
    history_add(&tracksys->states, state, TRACKSYS_STATES_MAX, TRACKSYS_BYTES_MAX);
    remember(tracksys, look);
}

struct json_object *tracksys_report(const struct tracksys *tracksys)
{
    struct json_object *report = json_object_new_object();
    struct json_object *states = json_object_new_array();
    json_set_bool(report, "active", tracksys != NULL);
    if (tracksys) {
        history_copy(&tracksys->states, states);
    }
    json_set(report, "states", states);
    json_set_int(report, "dropped", tracksys ? (int64_t)tracksys->states.dropped : 0);
    return report;
}
