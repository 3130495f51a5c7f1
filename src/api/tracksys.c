/* The operations that track what the daemon, its workers and this host use. A look an interval, on
 * the control thread: a few small files of the kernel. */
#include "measure/tracksys.h"

#include <math.h>
#include <unistd.h>

#include "api/api.h"
#include "api/op.h"
#include "api/tracking.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "control/control.h"
#include "loop/loop.h"

struct tracksys_watch {
    struct api *api; /* borrowed */
    struct tracksys *tracksys;
    struct loop_timer timer;
    uint64_t due_ms;
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

/* Gives what can be seen now to the tracker, or makes it with that. */
static void take_look(struct tracksys_watch *watch)
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
    };
    if (watch->tracksys) {
        tracksys_add(watch->tracksys, &look);
    } else {
        watch->tracksys = tracksys_new(&look);
    }
    free(pods);
}

static void on_timer(void *arg)
{
    struct tracksys_watch *watch = arg;
    uint64_t interval_ms = watch->api->tracksys_interval_ms, now_ms = clock_now_ms();
    take_look(watch);
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
    take_look(watch);
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
    "\"cgroup\": {...}, \"source\": \"local\"}], \"dropped\": COUNT}; null is not known"

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
