#include "cli/trace_other.h"

#include <math.h>
#include <stdio.h>

#include "base/err.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/table.h"
#include "cli/trace_history.h"

/* Tells of one policy; evaluation tries 2^12 placements if there are so many. */
#define PHASES_MAX 4096

struct play {
    struct policy_talk talk;
    struct trace_history history;
    struct policy_answer answer; /* the last one */
    size_t phases;
    struct json_object *held; /* owned; an object a placement, in order */
    bool unmeasured;          /* it asks for a placement of which nothing was measured */
};

/* The next measurement under the placement that was not told yet, else the last one. NULL = none.
 */
static struct measured *next_measured(struct play *play, placement_t placement)
{
    struct measured *found = NULL;
    for (size_t i = 0; i < play->history.count; i++) {
        struct measured *item = &play->history.items[i];
        if (item->placement != placement) {
            continue;
        }
        found = item;
        if (!item->used) {
            break;
        }
    }
    return found;
}

/* One row for the phases in which a placement is held. */
static void note(struct play *play, const struct measured *item)
{
    size_t count = json_object_array_length(play->held), told = 0;
    struct json_object *last = count ? json_object_array_get_idx(play->held, count - 1) : NULL;
    CLEANUP(json_put)
    struct json_object *placement = policy_placement_write(item->placement, &play->history.problem);
    if (last && json_object_equal(json_member(last, "placement", json_type_object), placement)) {
        json_set_int(last, "phases", json_int(last, "phases", 0) + 1);
        return;
    }
    struct json_object *row = json_object_new_object();
    json_set(row, "placement", TAKE(placement));
    json_set_int(row, "phases", 1);
    policy_set_number(row, "latency_s",
                      trace_history_latency_s(&play->history, item->placement, 0, &told));
    (void)json_object_array_add(play->held, row);
}

static int tell(struct play *play, struct json_object *line, struct err *err)
{
    CLEANUP(json_put) struct json_object *answer = NULL;
    int failed = policy_talk_line(&play->talk, slice_str(json_text(line)), &answer, err);
    if (!failed) {
        policy_ask(play->talk.policy, &play->answer);
    }
    return failed;
}

static int play_on(struct play *play, struct err *err)
{
    int failed = tell(play, play->history.told, err);
    while (!failed && !play->answer.done && play->phases < PHASES_MAX) {
        struct measured *item = next_measured(play, play->answer.placement);
        if (!item) {
            play->unmeasured = true;
            break;
        }
        note(play, item);
        item->used = true;
        play->phases++;
        failed = tell(play, item->told, err);
    }
    return failed;
}

static struct json_object *view_of(const struct play *play)
{
    struct json_object *view = json_object_new_object();
    size_t told = 0;
    json_set_str(view, "policy", policy_ops(play->talk.policy)->name);
    json_set_bool(view, "settled", play->answer.done);
    json_set_int(view, "phases", (int64_t)play->phases);
    json_set(view, "held", json_ref(play->held));
    json_set(view, "placement",
             policy_placement_write(play->answer.placement, &play->history.problem));
    json_set_bool(view, "measured", !play->unmeasured);
    json_set_double(view, "latency_s",
                    trace_history_latency_s(&play->history, play->answer.placement, 0, &told));
    return view;
}

/* Of more modules than there is room for, the first ones. */
static size_t shown_modules(const struct play *play)
{
    size_t count = play->history.problem.module_count, room = TABLE_COLUMNS_MAX - 3;
    return count < room ? count : room;
}

static void add_placement(const struct play *play, struct table *table, struct json_object *row)
{
    struct json_object *placement = json_member(row, "placement", json_type_object);
    for (size_t i = 0; i < shown_modules(play); i++) {
        table_cell(table, json_str(placement, play->history.problem.modules[i].name), COLOUR_NONE);
    }
}

static void add_ms(struct table *table, struct json_object *row)
{
    double latency_s = json_double(row, "latency_s", NAN);
    if (isnan(latency_s)) {
        table_cell(table, "not measured", COLOUR_WARN);
    } else {
        table_cell_format(table, COLOUR_NONE, "%.3f", latency_s * 1e3);
    }
}

static struct table *table_of(const struct play *play, struct json_object *view)
{
    struct table *table = table_new();
    table_column(table, "", TABLE_LEFT);
    table_column(table, "phases", TABLE_RIGHT);
    table_column(table, "recorded ms", TABLE_RIGHT);
    for (size_t i = 0; i < shown_modules(play); i++) {
        table_column(table, play->history.problem.modules[i].name, TABLE_LEFT);
    }
    for (size_t i = 0; i < json_object_array_length(play->held); i++) {
        struct json_object *row = json_object_array_get_idx(play->held, i);
        table_cell(table, "tries", COLOUR_NONE);
        table_cell_format(table, COLOUR_NONE, "%lld", (long long)json_int(row, "phases", 0));
        add_ms(table, row);
        add_placement(play, table, row);
    }
    table_cell(table, play->answer.done ? "settles on" : "would try", COLOUR_BOLD);
    table_cell(table, "", COLOUR_NONE);
    add_ms(table, view);
    add_placement(play, table, view);
    return table;
}

static int show(struct cli *cli, const struct play *play)
{
    struct err err = {0};
    CLEANUP(json_put) struct json_object *view = view_of(play);
    CLEANUP(table_free) struct table *table = table_of(play, view);
    if (output_table(&cli->output, table, view, &err) < 0) {
        return cli_fail(cli, CLI_FAILED, &err);
    }
    if (play->answer.done) {
        return CLI_OK;
    }
    return play->unmeasured
               ? cli_fail_text(cli, CLI_FAILED,
                               "%s asks for %s, and the trace has no measurement of that: how it "
                               "would go on cannot be told",
                               policy_ops(play->talk.policy)->name,
                               json_text(json_member(view, "placement", json_type_object)))
               : cli_fail_text(cli, CLI_FAILED, "%s has not settled in %d phases",
                               policy_ops(play->talk.policy)->name, PHASES_MAX);
}

int trace_replay_other(struct cli *cli, const struct trace *trace, const char *policy)
{
    struct err err = {0};
    struct play play = {.talk = trace_talk(trace, policy), .held = json_object_new_array()};
    int failed = trace_history_read(trace, &play.history, &err);
    failed = failed ? failed : play_on(&play, &err);
    int status = failed ? cli_fail(cli, CLI_FAILED, &err) : show(cli, &play);
    policy_talk_done(&play.talk);
    trace_history_done(&play.history);
    (void)json_put(play.held);
    return status;
}
