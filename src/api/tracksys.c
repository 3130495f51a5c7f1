/* The operations that track what the daemon, its workers and this host use. A look an interval, on
 * the control thread: a few small files of the kernel. */
#include "measure/tracksys.h"

#include <math.h>
#include <unistd.h>

#include "api/api.h"
#include "api/config_names.h"
#include "api/op.h"
#include "api/tracking.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "control/control.h"
#include "loop/loop.h"
#include "service/service.h"

struct tracksys_watch {
    struct api *api; /* borrowed */
    struct tracksys *tracksys;
    struct loop_timer timer;
    uint64_t due_ms;
    struct question *question; /* put to Prometheus; NULL = none */
};

/* It may come back after the tracking ended. */
struct question {
    struct tracksys_watch *watch; /* NULL: nobody waits for the answer */
};

/* The daemon and its workers; owned by the caller, names borrowed until the next turn. */
static struct tracksys_pod *find_pods(const struct api *api, size_t *ret_count)
{
    size_t count = control_workers(api->control, NULL, 0);
    struct control_worker *workers = xcalloc(count, sizeof(*workers));
    struct tracksys_pod *pods = xcalloc(count + 1, sizeof(*pods));
    count = control_workers(api->control, workers, count);
    pods[0] = (struct tracksys_pod){
        .name = "daemon", .pid = getpid(), .mem_bytes = system_process_mem_bytes("", getpid())};
    for (size_t i = 0; i < count; i++) {
        pods[i + 1] = (struct tracksys_pod){
            .name = workers[i].name,
            .pid = workers[i].pid,
            .mem_bytes = workers[i].pss_kb > 0 ? (double)workers[i].pss_kb * 1024 : NAN,
        };
    }
    for (size_t i = 0; i <= count; i++) {
        pods[i].cpu_s = system_process_cpu_s("", pods[i].pid);
    }
    free(workers);
    *ret_count = count + 1;
    return pods;
}

/* Gives what can be seen now to the tracker, or makes it with that. told: Prometheus' answer, NULL
 * = none. */
static void take_look(struct tracksys_watch *watch, struct json_object *told)
{
    char node[256] = "localhost";
    size_t count = 0;
    (void)gethostname(node, sizeof(node) - 1);
    struct tracksys_pod *pods = find_pods(watch->api, &count);
    CLEANUP(json_put) struct json_object *actions = control_action_modes(watch->api->control);
    struct tracksys_look look = {
        .now_ns = clock_now_ns(),
        .unix_s = clock_unix_s(),
        .node = node,
        .host = system_read_host(""),
        .group = system_read_group(""),
        .pods = pods,
        .pod_count = count,
        .actions = actions,
        .told_pods = json_member(told, "pods", json_type_object),
        .told_nodes = json_member(told, "nodes", json_type_object),
    };
    if (watch->tracksys) {
        tracksys_add(watch->tracksys, &look);
    } else {
        watch->tracksys = tracksys_new(&look);
    }
    free(pods);
}

static void on_answer(void *arg, struct json_object *told, const char *error)
{
    struct question *question = arg;
    struct tracksys_watch *watch = question->watch;
    if (watch) {
        watch->question = NULL;
        log_debug("Prometheus was asked", "error=\"%s\"", error ? error : "");
        take_look(watch, told); /* what it does not tell is seen here */
    }
    (void)json_put(told);
    free(question);
}

/* False: it does not run, or has not answered the last question yet. */
static bool ask_prometheus(struct tracksys_watch *watch)
{
    struct services *services = watch->api->services;
    if (!services || watch->question || !services_is_running(services, "prome")) {
        return false;
    }
    CLEANUP(json_put) struct json_object *kube = config_object(watch->api->store, "KUBE_CONFIG");
    CLEANUP(json_put) struct json_object *kwargs = json_object_new_object();
    json_set_str(kwargs, "namespace", json_str(kube, "namespace"));
    json_set_bool(kwargs, "exclude_prom", true);
    json_set_double(kwargs, "duration", (double)watch->api->tracksys_interval_ms / 1000);
    struct service_call call = {.service = "prome", .method = "both", .kwargs = kwargs};
    struct question *question = xcalloc(1, sizeof(*question));
    question->watch = watch;
    watch->question = question;
    if (services_call(services, &call, on_answer, question, NULL) < 0) {
        watch->question = NULL;
        free(question);
        return false;
    }
    return true;
}

static void on_timer(void *arg)
{
    struct tracksys_watch *watch = arg;
    uint64_t interval_ms = watch->api->tracksys_interval_ms, now_ms = clock_now_ms();
    if (!ask_prometheus(watch)) {
        take_look(watch, NULL);
    }
    watch->due_ms += interval_ms;
    if (watch->due_ms <= now_ms) { /* the host was suspended: nothing is made up for */
        watch->due_ms = now_ms + interval_ms;
    }
    loop_timer_set(watch->api->loop, &watch->timer, watch->due_ms);
}

void tracksys_end(struct api *api)
{
    struct tracksys_watch *watch = TAKE(api->tracksys);
    if (watch) {
        loop_timer_clear(api->loop, &watch->timer);
        if (watch->question) {
            watch->question->watch = NULL;
        }
        tracksys_free(watch->tracksys);
        free(watch);
    }
}

static void run_start(struct op_call *call)
{
    struct api *api = op_api(call);
    tracksys_end(api);
    struct tracksys_watch *watch = xcalloc(1, sizeof(*watch));
    *watch = (struct tracksys_watch){
        .api = api,
        .timer = {.fn = on_timer, .arg = watch},
        .due_ms = clock_now_ms() + api->tracksys_interval_ms,
    };
    take_look(watch, NULL);
    loop_timer_set(api->loop, &watch->timer, watch->due_ms);
    api->tracksys = watch;
    op_return(call, op_success(true, NULL));
}

const struct op op_jsorc_tracksys_start = {
    .name = "jsorc_tracksys_start",
    .access = OP_ADMIN,
    .positionals = "",
    .help = "Begin to note what the daemon, its workers and this host use, once an interval; what "
            "was noted before is dropped.",
    .result = "{\"success\": true}",
    .run = run_start,
};

#define RESULT                                                                                     \
    "{\"active\": true, \"states\": [{\"ts\": UNIX SECONDS, \"actions\": {\"NAME\": {\"mode\": "   \
    "PLACE}}, \"prometheus\": {\"daemon\": {\"cpu_utilization_cores\", "                           \
    "\"mem_utilization_bytes\", \"network_recv_bytes\", \"network_tran_bytes\"}, \"WORKER\": "     \
    "{...}}, \"nodes\": {\"HOST\": {\"disk_read_bytes\", \"disk_write_bytes\", \"cpu_cores\", "    \
    "\"mem_total_bytes\", \"mem_active_bytes\", \"net_recv_bytes\", \"net_tran_bytes\"}}, "        \
    "\"cgroup\": {...}, \"source\": \"local\" or \"prometheus\"}], \"dropped\": COUNT}; null is "  \
    "not known"

static struct json_object *report_of(const struct api *api)
{
    return tracksys_report(api->tracksys ? api->tracksys->tracksys : NULL);
}

static void run_report(struct op_call *call)
{
    op_return(call, report_of(op_api(call)));
}

const struct op op_jsorc_tracksys_report = {
    .name = "jsorc_tracksys_report",
    .access = OP_ADMIN,
    .positionals = "",
    .help = "Tell what has been noted so far, oldest first.",
    .result = RESULT,
    .run = run_report,
};

static void run_stop(struct op_call *call)
{
    struct api *api = op_api(call);
    struct json_object *report = report_of(api);
    tracksys_end(api);
    op_return(call, report);
}

const struct op op_jsorc_tracksys_stop = {
    .name = "jsorc_tracksys_stop",
    .access = OP_ADMIN,
    .positionals = "",
    .help = "End the notes of what is used, drop them, and tell them a last time.",
    .result = RESULT,
    .run = run_stop,
};
