/* GET /metrics: what is counted, for Prometheus. */
#include "api/api.h"
#include "api/route.h"
#include "api/task_tell.h"
#include "base/buf.h"
#include "base/process.h"
#include "control/control.h"
#include "measure/exposition.h"
#include "provider/kubernetes/kubernetes.h"
#include "service/service.h"
#include "share/share.h"
#include "task/runner.h"
#include "task/task_local.h"

static void expose_process(struct exposition *exposition)
{
    struct process_figures figures;
    process_figures_read(&figures);
    exposition_single(exposition, METRIC_PROCESS_CPU, figures.cpu_s);
    exposition_single(exposition, METRIC_PROCESS_RESIDENT, figures.resident_bytes);
    exposition_single(exposition, METRIC_PROCESS_VIRTUAL, figures.virtual_bytes);
    exposition_single(exposition, METRIC_PROCESS_FDS, figures.fds);
    exposition_single(exposition, METRIC_PROCESS_FDS_MAX, figures.fds_max);
    exposition_single(exposition, METRIC_PROCESS_START, figures.start_s);
}

static void expose_state(const struct api *api, struct exposition *exposition)
{
    struct share_figures figures = {.leads = true};
    if (api->share) {
        share_figures(api->share, &figures);
    }
    exposition_single(exposition, METRIC_STATE_REACHED, !figures.error);
    exposition_single(exposition, METRIC_STATE_RECONNECTS, (double)figures.reconnects);
    exposition_single(exposition, METRIC_STATE_WAITING, (double)figures.waiting);
    exposition_single(exposition, METRIC_LEADS, figures.leads);
}

static void expose_tasks(const struct api *api, struct exposition *exposition)
{
    struct task_figures figures;
    task_local_figures(api->tasks, &figures);
    const struct store_task_counts *counts = &figures.counts;
    const int64_t in_state[STORE_TASK_STATES] = {counts->waiting, counts->running, counts->done,
                                                 counts->dead, counts->cancelled};
    const uint64_t ended[] = {figures.done, figures.dead, figures.cancelled};
    exposition_begin(exposition, METRIC_TASKS);
    for (size_t i = 0; i < STORE_TASK_STATES; i++) {
        exposition_value(exposition, &TASK_STATES[i], (double)in_state[i]);
    }
    exposition_begin(exposition, METRIC_TASKS_ADDED);
    exposition_value(exposition, (const char *const[]){"api"}, (double)figures.added);
    exposition_value(exposition, (const char *const[]){"schedule"}, (double)figures.scheduled);
    exposition_begin(exposition, METRIC_TASKS_ENDED);
    for (size_t i = 0; i < 3; i++) {
        exposition_value(exposition, &TASK_STATES[STORE_TASK_DONE + i], (double)ended[i]);
    }
    exposition_single(exposition, METRIC_TASK_FAILURES, (double)figures.failed);
    exposition_single(exposition, METRIC_TASK_REDELIVERIES, (double)figures.again);
    exposition_single(exposition, METRIC_TASKS_RUNNING, task_runner_running(api->runner));
}

/* The workers have been asked. */
static void answer_metrics(void *arg)
{
    struct api_call *call = arg;
    const struct api *api = api_of(call);
    struct buf text = {0};
    struct exposition exposition = {.out = &text};
    exposition_begin(&exposition, METRIC_BUILD_INFO);
    exposition_value(&exposition, (const char *const[]){api->version}, 1);
    api->expose_io(api->expose_io_arg, &exposition);
    control_expose(api->control, &exposition);
    services_expose(api->services, &exposition);
    kubernetes_expose(api->cluster, &exposition);
    expose_state(api, &exposition);
    expose_tasks(api, &exposition);
    expose_process(&exposition);
    api_answer_text(call, EXPOSITION_TYPE, buf_slice(&text));
    buf_done(&text);
}

static void run_metrics(struct api_call *call)
{
    control_figures_refresh(api_of(call)->control, answer_metrics, call);
}

extern const struct route route_metrics;
const struct route route_metrics = {
    .method = METHOD_GET,
    .path = "/metrics",
    .access = ROUTE_NEAR,
    .help = "Figures of requests, actions, walkers, moves, workers and the daemon, in the text "
            "format of Prometheus.",
    .body = "",
    .type = EXPOSITION_TYPE,
    .run = run_metrics,
};
