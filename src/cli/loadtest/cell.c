#include "cli/loadtest/cell.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "cli/loadtest/bed.h"
#include "cli/loadtest/oracle.h"
#include "cli/loadtest/placing.h"
#include "cli/loadtest/shoot.h"
#include "cli/loadtest/stop.h"
#include "cli/loadtest/trials.h"
#include "cli/loadtest/watcher.h"

void cell_init(struct cell *cell, const struct app *app, enum cell_policy policy, char *key)
{
    *cell = (struct cell){.app = app,
                          .policy = policy,
                          .key = key,
                          .rows = json_object_new_array(),
                          .action_level = json_object_new_array(),
                          .decisions = json_object_new_array()};
    tally_init(&cell->all);
    tally_init(&cell->settled);
}

void cell_done(struct cell *cell)
{
    free(cell->key);
    tally_done(&cell->all);
    tally_done(&cell->settled);
    (void)json_put(cell->rows);
    (void)json_put(cell->action_level);
    (void)json_put(cell->decisions);
    (void)json_put(cell->tried);
    *cell = (struct cell){0};
}

bool cell_is_live(const struct cell *cell)
{
    return cell->policy == CELL_EVALUATION || cell->policy == CELL_ADAPTIVE;
}

/* ---- the policy ---- */

/* The memory and the phases of adaptive are settings of the daemon: bed.c gives them to its own. */
static struct json_object *policy_params(const struct cell *cell,
                                         const struct cell_context *context)
{
    const struct options *options = context->options;
    struct json_object *params = json_object_new_object();
    if (cell->policy == CELL_EVALUATION) {
        json_set_double(params, "eval_phase", options->eval_phase_s);
        json_set_double(params, "perf_phase", options->perf_phase_s);
        json_set_double(params, "node_mem",
                        options_node_mb(options) + context->bed->foreign_mb / BED_NODE_SHARE);
        json_set_double(params, "jaseci_runtime_mem", options_runtime_mb(options));
    }
    return params;
}

static int set_policy(const struct cell_context *context, const char *name,
                      struct json_object *policy_params, struct err *err)
{
    struct json_object *params = json_object_new_object();
    json_set_str(params, "policy_name", name);
    json_set(params, "policy_params", policy_params);
    return bed_op(context->bed, "jsorc_actionpolicy_set", params, NULL, err);
}

static int begin_policy(struct cell *cell, const struct cell_context *context, struct err *err)
{
    const char *name = cell->policy == CELL_EVALUATION ? "Evaluation"
                       : cell->policy == CELL_ADAPTIVE ? "Adaptive"
                                                       : "Default";
    return set_policy(context, name, policy_params(cell, context), err);
}

/* ---- the oracle ---- */

struct trial {
    const struct cell_context *context;
    size_t number;
    size_t count;
};

static void on_trial(void *arg, double elapsed_s, double whole_s)
{
    const struct trial *trial = arg;
    char what[64];
    (void)snprintf(what, sizeof(what), "oracle, placement %zu of %zu", trial->number, trial->count);
    trial->context->on_progress(trial->context->arg, what, elapsed_s, whole_s);
}

static void book_trial(struct cell *cell, unsigned remote, const struct shot *shot,
                       const struct oracle_trial *seen)
{
    struct json_object *row = json_object_new_object();
    json_set(row, "placement", placing_json(cell->app, remote));
    json_set_double(row, "average_latency", samples_mean_ms(&shot->samples));
    json_set_int(row, "count", (int64_t)shot->samples.count);
    json_set_double(row, "error_ratio", seen->errors);
    (void)json_object_array_add(cell->tried, row);
}

/* Tries every placement in the order of a Gray code, so that one module moves between two. The
 * lowest mean latency of those that do not fail wins; it is measured anew afterwards, so its luck
 * here does not count. */
static int search(struct cell *cell, const struct cell_context *context, struct err *err)
{
    const struct options *options = context->options;
    struct trial trial = {.context = context, .count = (size_t)1 << cell->app->module_count};
    struct oracle_trial best = {.errors = 1};
    int failed = 0;
    cell->tried = json_object_new_array();
    for (size_t i = 0; i < trial.count && !failed && !stop_asked; i++) {
        unsigned remote = (unsigned)(i ^ (i >> 1));
        failed = placing_move(context, cell->app, remote, err);
        if (failed) {
            return failed;
        }
        trial.number = i + 1;
        struct shot shot = {0};
        failed = shoot(context, cell->app,
                       &(struct aim){.warmup_s = fmin(options->warmup_s, options->trial_s / 4),
                                     .duration_s = options->trial_s,
                                     .seed = options->seed,
                                     .on_progress = on_trial,
                                     .arg = &trial},
                       &shot, err);
        if (failed) {
            return failed;
        }
        struct oracle_trial seen = oracle_trial_of(samples_mean_ms(&shot.samples), shot.outcomes);
        book_trial(cell, remote, &shot, &seen);
        if (i == 0 || oracle_is_better(&seen, &best)) {
            best = seen;
            cell->best = remote;
        }
        shot_done(&shot);
    }
    return 0;
}

/* ---- one repetition ---- */

static void on_measure(void *arg, double elapsed_s, double whole_s)
{
    const struct cell_context *context = arg;
    context->on_progress(context->arg, "measuring", elapsed_s, whole_s);
}

/* Consumed by book. */
struct observed {
    struct json_object *placements; /* of watcher_stop */
    struct json_object *history;    /* of jsorc_trackact_stop */
    struct json_object *decision; /* of jsorc_actionpolicy_get; of a live policy with its record */
};

static void book_settled(struct cell *cell, const struct shot *shot, double warmup_s,
                         const struct observed *observed, struct json_object *row)
{
    struct trials trials =
        trials_of(json_member(observed->decision, "record", json_type_array), observed->placements,
                  shot->started, warmup_s, warmup_s + shot->seconds);
    struct samples part;
    samples_init(&part);
    timeline_part(&shot->timeline, trials.settled_from_s, trials.settled_to_s, &part);
    json_set_int(row, "phases", trials.phases);
    json_set_int(row, "trials", trials.trials);
    cell->phases += trials.phases;
    cell->trials += trials.trials;
    struct json_object *settled = NULL;
    if (part.count > 0) {
        double seconds = trials.settled_to_s - trials.settled_from_s;
        settled = json_object_new_object();
        json_set_double(settled, "from_s", trials.settled_from_s);
        tally_write(&part, seconds, settled);
        tally_add(&cell->settled, cell->repetitions, &part, seconds);
        cell->settled_count++;
    }
    json_set(row, "settled", settled); /* null: it never settled */
    samples_done(&part);
}

static void book_actions(struct cell *cell, struct json_object *history)
{
    size_t count =
        json_object_is_type(history, json_type_array) ? json_object_array_length(history) : 0;
    for (size_t i = 0; i < count; i++) {
        struct json_object *entry = json_object_array_get_idx(history, i);
        json_set_int(entry, "repetition", (int64_t)cell->repetitions);
        (void)json_object_array_add(cell->action_level, json_ref(entry));
    }
    (void)json_put(history);
}

static void book(struct cell *cell, struct shot *shot, double warmup_s, struct observed *observed)
{
    tally_add(&cell->all, cell->repetitions, &shot->samples, shot->seconds);
    for (int i = 0; i < LOAD_OUTCOMES; i++) {
        cell->outcomes[i] += shot->outcomes[i];
    }
    struct json_object *row = shot_json(shot);
    if (cell_is_live(cell)) {
        book_settled(cell, shot, warmup_s, observed, row);
    }
    json_set(row, "placements", observed->placements);
    (void)json_object_array_add(cell->rows, row);
    cell->repetitions++;
    book_actions(cell, observed->history);
    json_set_int(observed->decision, "repetition", (int64_t)cell->repetitions);
    (void)json_object_array_add(cell->decisions, observed->decision);
}

static int collect(const struct cell *cell, const struct cell_context *context,
                   struct observed *observed, struct err *err)
{
    int failed = bed_op(context->bed, "jsorc_trackact_stop", NULL, &observed->history, err);
    failed = failed
                 ? failed
                 : bed_op(context->bed, "jsorc_actionpolicy_get", NULL, &observed->decision, err);
    if (!failed && cell_is_live(cell)) { /* all that it was told and answered */
        CLEANUP(json_put) struct json_object *record = NULL;
        failed = bed_op(context->bed, "jsorc_actionpolicy_record", NULL, &record, err);
        json_set(observed->decision, "record",
                 json_ref(json_member(record, "lines", json_type_array)));
    }
    return failed;
}

static int measure(struct cell *cell, const struct cell_context *context, struct err *err)
{
    const struct options *options = context->options;
    struct shot shot = {0};
    struct observed observed = {.history = NULL};
    int failed = begin_policy(cell, context, err);
    failed = failed ? failed : bed_op(context->bed, "jsorc_trackact_start", NULL, NULL, err);
    if (failed) {
        return failed;
    }
    struct watcher *watcher = watcher_start(context->bed, cell->app);
    failed = shoot(context, cell->app,
                   &(struct aim){.warmup_s = options->warmup_s,
                                 .duration_s = options->duration_s,
                                 .seed = options->seed + cell->repetitions,
                                 .on_progress = on_measure,
                                 .arg = (void *)(uintptr_t)context},
                   &shot, err);
    observed.placements = watcher_stop(watcher);
    if (failed) {
        (void)json_put(observed.placements);
        return failed;
    }
    failed = collect(cell, context, &observed, err);
    if (!failed) {
        book(cell, &shot, options->warmup_s, &observed);
    } else {
        (void)json_put(observed.placements);
        (void)json_put(observed.history);
        (void)json_put(observed.decision);
    }
    shot_done(&shot);
    return failed;
}

static unsigned first_placement(const struct cell *cell)
{
    unsigned all = (1U << cell->app->module_count) - 1;
    /* As the original: the policies begin with everything remote. */
    return cell->policy == CELL_ALL_LOCAL ? 0 : cell->policy == CELL_ORACLE ? cell->best : all;
}

int cell_run(struct cell *cell, const struct cell_context *context, struct err *err)
{
    int failed = placing_check(context, cell->app, err);
    if (failed) {
        return failed;
    }
    failed = placing_load(context, cell->app, first_placement(cell), err);
    if (!failed && cell->policy == CELL_ORACLE && !cell->tried) {
        failed = search(cell, context, err);
        failed = failed ? failed : placing_move(context, cell->app, cell->best, err);
    }
    if (!failed && !stop_asked) {
        failed = measure(cell, context, err);
    }
    struct err undo_err = {0};
    int undone = set_policy(context, "Default", json_object_new_object(), &undo_err);
    int unloaded = placing_unload(context, cell->app, undone ? NULL : &undo_err);
    if (!failed && (undone || unloaded)) {
        failed = err_set(err, EIO, "what was loaded was not taken back: %s", undo_err.text);
    }
    return failed ? err_wrap(err, "%s, %s", cell->app->name, cell->key) : 0;
}
