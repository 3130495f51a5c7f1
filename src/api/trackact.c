/* The operations that track the calls of actions from one placement to the next. */
#include "measure/trackact.h"

#include "api/api.h"
#include "api/op.h"
#include "api/tracking.h"
#include "base/clock.h"
#include "base/json.h"
#include "control/control.h"
#include "measure/figures.h"

/* ---- changes of the placement ---- */

static void on_settled(void *arg)
{
    struct api *api = arg;
    if (api->trackact) { /* not ended meanwhile */
        trackact_settle(api->trackact, control_figures(api->control));
    }
}

static void on_placement(void *arg)
{
    struct api *api = arg;
    CLEANUP(json_put) struct json_object *state = control_action_modes(api->control);
    trackact_change(api->trackact, clock_unix_ms(), state);
    control_figures_refresh(api->control, on_settled, api);
}

void trackact_end(struct api *api)
{
    if (api->trackact) {
        control_on_placement(api->control, NULL, NULL);
        api->trackact = trackact_free(api->trackact);
    }
}

/* ---- jsorc_trackact_start ---- */

static void on_start(void *arg)
{
    struct op_call *call = arg;
    struct api *api = op_api(call);
    trackact_end(api);
    api->trackact = trackact_new(clock_unix_ms(), control_figures(api->control));
    control_on_placement(api->control, on_placement, api);
    op_return(call, op_success(true, NULL));
}

static void run_start(struct op_call *call)
{
    if (!control_measures(op_api(call)->control)) {
        op_fail(call, "calls are not counted: the setting 'measure' is false");
        return;
    }
    control_figures_refresh(op_api(call)->control, on_start, call);
}

#define START_ROW                                                                                  \
    .access = OP_ADMIN, .positionals = "", .result = "{\"success\": true}", .run = run_start

const struct op op_jsorc_trackact_start = {
    .name = "jsorc_trackact_start",
    .help = "Begin to track the calls of each action from one placement to the next; what was "
            "tracked before is dropped.",
    START_ROW,
};

const struct op op_jsorc_actionstracking_start = {
    .name = "jsorc_actionstracking_start",
    .help = "Do what jsorc_trackact_start does: its first name.",
    START_ROW,
};

/* ---- jsorc_trackact_report, jsorc_trackact_stop ---- */

static struct json_object *report_of(struct api *api)
{
    CLEANUP(figures_free) struct figures *figures = NULL;
    if (!api->trackact) {
        return json_object_new_array();
    }
    on_settled(api); /* a change may still wait for the figures that are here now */
    figures = control_figures(api->control);
    return trackact_report(api->trackact, figures);
}

static void on_report(void *arg)
{
    struct op_call *call = arg;
    op_return(call, report_of(op_api(call)));
}

static void run_report(struct op_call *call)
{
    control_figures_refresh(op_api(call)->control, on_report, call);
}

static void on_stop(void *arg)
{
    struct op_call *call = arg;
    struct api *api = op_api(call);
    struct json_object *report = report_of(api);
    trackact_end(api);
    op_return(call, report);
}

static void run_stop(struct op_call *call)
{
    control_figures_refresh(op_api(call)->control, on_stop, call);
}

#define REPORT_ROW                                                                                 \
    .access = OP_ADMIN, .positionals = "",                                                         \
    .result = "[{\"ts\": UNIX SECONDS, \"actions_state\": {\"MODULE\": {\"mode\": PLACE}}, "       \
              "\"actions_calls\": {\"ACTION\": MEAN SECONDS}, \"actions_stats\": {\"ACTION\": "    \
              "{\"count\", \"errors\", \"mean\", \"p50\", \"p95\", \"p99\", \"exec\", "            \
              "\"bytes_out\", \"bytes_in\", \"places\"}}}], an entry a placement; [] when "        \
              "nothing is tracked"

const struct op op_jsorc_trackact_report = {
    .name = "jsorc_trackact_report",
    .help = "Tell what the actions did so far, placement by placement.",
    .run = run_report,
    REPORT_ROW,
};

const struct op op_jsorc_trackact_stop = {
    .name = "jsorc_trackact_stop",
    .help = "End the tracking of actions, drop what it has, and tell it a last time.",
    .run = run_stop,
    REPORT_ROW,
};

const struct op op_jsorc_actionstracking_stop = {
    .name = "jsorc_actionstracking_stop",
    .help = "Do what jsorc_trackact_stop does: its first name.",
    .run = run_stop,
    REPORT_ROW,
};
