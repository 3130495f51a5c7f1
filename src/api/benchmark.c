/* The operations of the benchmark: how long requests take between its start and its stop. */
#include "measure/benchmark.h"

#include "api/api.h"
#include "api/op.h"
#include "api/tracking.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "control/control.h"
#include "loop/job.h"

/* Ends what was active. reference: taken over; NULL = nothing is active from here on. */
static void activate(struct api *api, struct benchmark *reference)
{
    control_set_benchmark(api->control, reference);
    benchmark_unref(api->benchmark);
    api->benchmark = reference;
}

void tracking_end(struct api *api)
{
    trackact_end(api);
    tracksys_end(api);
    benchmark_unref(TAKE(api->benchmark));
}

static void run_start(struct op_call *call)
{
    activate(op_api(call), benchmark_new(clock_now_ns(), op_arg_bool(call, "include_control")));
    op_return(call, op_success(true, NULL));
}

const struct op op_jsorc_benchmark_start = {
    .name = "jsorc_benchmark_start",
    .access = OP_ADMIN,
    .params = {{"include_control", OP_BOOL, "false", "book operations named jsorc_*, too"}},
    .positionals = "",
    .help =
        "Begin to book how long each API operation and walker run takes; what was booked before "
        "is dropped.",
    .result = "{\"success\": true}",
    .run = run_start,
};

/* ---- the report: sorting many samples is nothing for the control thread ---- */

struct reporting {
    struct op_call *call;
    struct benchmark *benchmark; /* a reference */
    uint64_t now_ns;
    struct json_object *report;
};

static void make_report(void *arg)
{
    struct reporting *reporting = arg;
    reporting->report = benchmark_report(reporting->benchmark, reporting->now_ns);
}

static void return_report(void *arg)
{
    struct reporting *reporting = arg;
    op_return(reporting->call, reporting->report);
    benchmark_unref(reporting->benchmark);
    free(reporting);
}

/* Answers with the report of what is active, {} when nothing is. */
static void report(struct op_call *call)
{
    const struct api *api = op_api(call);
    if (!api->benchmark) {
        op_return(call, json_object_new_object());
        return;
    }
    struct reporting *reporting = xcalloc(1, sizeof(*reporting));
    *reporting = (struct reporting){
        .call = call, .benchmark = benchmark_ref(api->benchmark), .now_ns = clock_now_ns()};
    job_submit(api->jobs, api->loop, make_report, return_report, reporting);
}

#define RESULT                                                                                     \
    "{\"walker_run\": {\"NAME\": {\"throughput\": CALLS A SECOND, \"average_latency\": MS, "       \
    "\"50th_latency\", \"90th_latency\", \"95th_latency\", \"99th_latency\", \"999th_latency\", "  \
    "\"min_latency\", \"max_latency\", \"count\", \"errors\"}, \"all\": {...}}, \"OPERATION\": "   \
    "{\"_default_\": {...}, \"all\": {...}}}; {} when no benchmark is active"

const struct op op_jsorc_benchmark_report = {
    .name = "jsorc_benchmark_report",
    .access = OP_ADMIN,
    .positionals = "",
    .help = "Tell what the benchmark has booked so far.",
    .result = RESULT,
    .run = report,
};

static void run_stop(struct op_call *call)
{
    struct api *api = op_api(call);
    if (op_arg_bool(call, "report")) {
        report(call); /* holds a reference: it may end after the benchmark */
        activate(api, NULL);
    } else {
        activate(api, NULL);
        op_return(call, json_object_new_object());
    }
}

const struct op op_jsorc_benchmark_stop = {
    .name = "jsorc_benchmark_stop",
    .access = OP_ADMIN,
    .params = {{"report", OP_BOOL, "true", "false: answer {} instead of the report"}},
    .positionals = "",
    .help = "End the benchmark, drop what it booked, and tell it a last time.",
    .result = RESULT ", or report was false",
    .run = run_stop,
};
