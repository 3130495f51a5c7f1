#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/table.h"
#include "cli/trace.h"

#define POLICY_ASKED "adaptive"
#define MB           (1024.0 * 1024.0)
#define SECONDS      5.0 /* measured when nothing is said */

/* ---- what is shown ---- */

/* The last measurement in the trace; owned by the caller; NULL = there is none. */
static struct json_object *last_measured(const struct trace *trace)
{
    for (size_t i = json_object_array_length(trace->lines); i-- > 0;) {
        CLEANUP(json_put) struct json_object *told = NULL;
        const char *text = json_str(json_object_array_get_idx(trace->lines, i), "told");
        if (json_parse_object(slice_str(text), &told, NULL) == 0 &&
            !json_member(told, "modules", json_type_array)) {
            return json_ref(told);
        }
    }
    return NULL;
}

/* Where modules are: what a policy that runs holds, else what the problem says. */
static placement_t placed_now(const struct trace *trace, const struct policy *policy)
{
    bool known;
    struct policy_answer answer;
    policy_ask(policy, &answer);
    return trace_is_run(trace) ? answer.placement
                               : policy_placement_now(policy_problem(policy), &known);
}

static const char *place_in(placement_t placement, size_t module)
{
    return place_name(placement_local(placement, module) ? PLACE_MODULE : PLACE_REMOTE);
}

static struct json_object *modules_of(const struct policy_problem *problem, placement_t now,
                                      placement_t proposed)
{
    struct json_object *modules = json_object_new_object();
    for (size_t i = 0; i < problem->module_count; i++) {
        struct json_object *module = json_object_new_object();
        json_set_str(module, "now", place_in(now, i));
        json_set_str(module, "proposed", place_in(proposed, i));
        json_set_double(module, "mem_bytes", problem->modules[i].mem_bytes);
        json_set_bool(module, "fixed", problem->modules[i].fixed);
        json_set(modules, problem->modules[i].name, module);
    }
    return modules;
}

static bool is_unknown(const struct policy_problem *problem)
{
    bool unknown = false;
    for (size_t i = 0; i < problem->module_count; i++) {
        unknown |= isnan(problem->modules[i].mem_bytes) && !problem->modules[i].fixed;
    }
    return unknown;
}

/* load: times what was measured; budget_bytes: NAN = as it is. */
static struct json_object *view_of(const struct trace *trace, struct policy *policy,
                                   double budget_bytes, double load)
{
    const struct policy_problem *problem = policy_problem(policy);
    struct json_object *view = json_object_new_object();
    struct policy_answer answer;
    CLEANUP(json_put) struct json_object *measured = last_measured(trace);
    policy_ask(policy, &answer);
    placement_t now = placed_now(trace, policy);
    struct policy_outlook outlook = {answer.placement, NAN, NAN};
    (void)policy_outlook(policy, now, load, budget_bytes, &outlook);
    json_set_str(view, "policy", policy_ops(policy)->name);
    json_set(view, "modules", modules_of(problem, now, outlook.best));
    json_set_double(view, "measured_latency_s", json_double(measured, "mean_latency_s", NAN));
    json_set_double(view, "expected_now_s", outlook.now_s);
    json_set_double(view, "expected_proposed_s", outlook.best_s);
    json_set_double(view, "memory_now_bytes", policy_memory(problem, now));
    json_set_double(view, "memory_proposed_bytes", policy_memory(problem, outlook.best));
    json_set_bool(view, "memory_unknown", is_unknown(problem));
    json_set_double(view, "budget_bytes",
                    isfinite(problem->budget_bytes) ? problem->budget_bytes : NAN);
    if (load == 1 && isnan(budget_bytes)) {
        json_set(view, "next", policy_placement_write(answer.placement, problem));
        json_set_bool(view, "next_is_trial", !answer.done);
        json_set_str(view, "why", answer.why);
        json_set(view, "reason", json_ref(answer.reason));
    }
    return view;
}

static void add_mb(struct table *table, double bytes)
{
    if (bytes >= 0) {
        table_cell_format(table, COLOUR_NONE, "%.1f", bytes / MB);
    } else {
        table_cell(table, "-", COLOUR_DIM);
    }
}

static struct table *table_of(struct json_object *view)
{
    struct table *table = table_new();
    table_column(table, "module", TABLE_LEFT);
    table_column(table, "now", TABLE_LEFT);
    table_column(table, "proposed", TABLE_LEFT);
    table_column(table, "MB", TABLE_RIGHT);
    json_object_object_foreach(json_member(view, "modules", json_type_object), name, module)
    {
        const char *now = json_str(module, "now"), *proposed = json_str(module, "proposed");
        bool moves = strcmp(now, proposed) != 0;
        table_cell(table, name, COLOUR_BOLD);
        table_cell(table, now, COLOUR_NONE);
        table_cell(table, proposed, moves ? COLOUR_WARN : COLOUR_NONE);
        add_mb(table, json_double(module, "mem_bytes", -1));
    }
    return table;
}

static void show_figure(const char *name, double value, double scale, const char *unit)
{
    if (value >= 0) {
        printf("%-32s %10.3f %s\n", name, value * scale, unit);
    }
}

static int show(struct cli *cli, struct json_object *view)
{
    struct err err = {0};
    CLEANUP(table_free) struct table *table = table_of(view);
    if (output_table(&cli->output, table, view, &err) < 0) {
        return cli_fail(cli, CLI_FAILED, &err);
    }
    if (output_wants_table(&cli->output)) {
        static const struct {
            const char *member, *title;
            double scale;
            const char *unit;
        } rows[] = {{"measured_latency_s", "latency measured last", 1e3, "ms"},
                    {"expected_now_s", "latency expected now", 1e3, "ms"},
                    {"expected_proposed_s", "latency expected of the proposed", 1e3, "ms"},
                    {"memory_now_bytes", "memory now", 1 / MB, "MB"},
                    {"memory_proposed_bytes", "memory of the proposed", 1 / MB, "MB"},
                    {"budget_bytes", "memory at most", 1 / MB, "MB"}};
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            show_figure(rows[i].title, json_double(view, rows[i].member, -1), rows[i].scale,
                        rows[i].unit);
        }
        if (json_flag(view, "memory_unknown", false)) {
            printf("of some modules the memory is not known yet: it counts as none\n");
        }
        struct json_object *next = json_member(view, "next", json_type_object);
        if (next) {
            printf("%s would hold next (%s): %s\n", json_str(view, "policy"), json_str(view, "why"),
                   json_text(next));
        }
    }
    return CLI_OK;
}

/* ---- what is asked ---- */

/* "2G", "512M", "100000K", or bytes. -1 = none of these. */
static double bytes_of(const char *text)
{
    char *end = NULL;
    double number = strtod(text, &end);
    static const char units[] = "KMGT";
    const char *unit = *end ? strchr(units, *end) : NULL;
    if (end == text || number < 0 || (*end && (!unit || end[1]))) {
        return -1;
    }
    for (const char *at = units; unit && at <= unit; at++) {
        number *= 1024;
    }
    return number;
}

/* "x2" or "2". -1 = none. */
static double factor_of(const char *text)
{
    char *end = NULL;
    text += *text == 'x';
    double factor = strtod(text, &end);
    return end == text || *end || !(factor > 0) || isinf(factor) ? -1 : factor;
}

/* Of the policy that runs, if that is the one: it knows more than a measurement of a moment. */
static int get_trace(struct cli *cli, struct json_object *values, const char *policy,
                     struct trace *ret_trace)
{
    const char *from = json_str(values, "from");
    bool measure = json_object_object_get_ex(values, "seconds", NULL);
    if (!from && !measure && trace_fetch_if(cli, policy, ret_trace)) {
        return CLI_OK;
    }
    return from ? trace_read(cli, from, ret_trace)
                : trace_observe(cli, json_double(values, "seconds", SECONDS), policy, ret_trace);
}

static int ask(struct cli *cli, struct json_object *values, double budget_bytes, double load)
{
    const char *policy = json_str(values, "policy");
    policy = policy ? policy : POLICY_ASKED;
    struct trace trace = {0};
    int status = get_trace(cli, values, policy, &trace);
    if (status != CLI_OK) {
        return status;
    }
    struct policy_talk talk = trace_talk(&trace, policy);
    status = trace_play(cli, &trace, &talk, NULL, NULL);
    if (status == CLI_OK && !talk.policy) {
        status = cli_fail_text(cli, CLI_FAILED,
                               "the trace has no line with 'modules', so it tells no placement; "
                               "'jsorc trace record FILE' makes one that does");
    }
    if (status == CLI_OK) {
        CLEANUP(json_put)
        struct json_object *view = view_of(&trace, talk.policy, budget_bytes, load);
        status = show(cli, view);
    }
    policy_talk_done(&talk);
    trace_done(&trace);
    return status;
}

static int run_plan(struct cli *cli, struct json_object *values)
{
    return ask(cli, values, NAN, 1);
}

static int run_what_if(struct cli *cli, struct json_object *values)
{
    const char *mem = json_str(values, "mem"), *load = json_str(values, "load");
    double mem_bytes = mem ? bytes_of(mem) : NAN, factor = load ? factor_of(load) : 1;
    if (mem && mem_bytes < 0) {
        return cli_usage(cli, "--mem '%s' is no amount of memory, such as 2G or 512M", mem);
    }
    if (load && factor < 0) {
        return cli_usage(cli, "--load '%s' is no factor, such as x2 or 0.5", load);
    }
    if (!mem && !load) {
        return cli_usage(cli, "say what shall be different: --mem, --load, or both");
    }
    return ask(cli, values, mem_bytes, factor);
}

#define ASKED_PARAMS                                                                               \
    {.name = "policy",                                                                             \
     .placeholder = "NAME",                                                                        \
     .fallback = "\"adaptive\"",                                                                   \
     .choices = "adaptive evaluation default",                                                     \
     .help = "the policy that is asked; the one that runs need not be the same"},                  \
        {.name = "seconds",                                                                        \
         .type = OP_FLOAT,                                                                         \
         .placeholder = "SECONDS",                                                                 \
         .fallback = "5",                                                                          \
         .help =                                                                                   \
             "seconds to measure first; when not given, what the policy that runs knows, or 5"},   \
        {.name = "from",                                                                           \
         .placeholder = "FILE",                                                                    \
         .values = VALUES_FILE,                                                                    \
         .help = "take a trace ('jsorc trace record') instead of the daemon's traffic"},           \
    {                                                                                              \
        .name = NULL                                                                               \
    }

static const struct param PLAN_PARAMS[] = {ASKED_PARAMS};

static const struct param WHAT_IF_PARAMS[] = {
    {.name = "mem",
     .placeholder = "SIZE",
     .help = "memory for the modules in the runtime worker, such as 2G"},
    {.name = "load", .placeholder = "FACTOR", .help = "so many times the clients, such as x2"},
    ASKED_PARAMS,
};

static const struct example PLAN_EXAMPLES[] = {
    {"jsorc plan --seconds 30", "What adaptive would do with the next half minute's traffic."},
    {NULL, NULL},
};

static const struct example WHAT_IF_EXAMPLES[] = {
    {"jsorc what-if --mem 2G --load x2 --from today.trace", "Twice the clients, in 2 GB."},
    {NULL, NULL},
};

const struct command COMMAND_PLAN = {
    .words = "plan",
    .summary = "Tell what a policy would do now",
    .detail = "Shows today's placement beside the one that the policy would hold next, with the "
              "latency that was measured, the one that is expected, and the memory of both. "
              "Nothing is changed.",
    .params = PLAN_PARAMS,
    .examples = PLAN_EXAMPLES,
    .run = run_plan,
};

const struct command COMMAND_WHAT_IF = {
    .words = "what-if",
    .summary = "Tell what a policy would do with other memory or load",
    .detail = "As 'jsorc plan', for a machine or a traffic that is not there yet.",
    .params = WHAT_IF_PARAMS,
    .examples = WHAT_IF_EXAMPLES,
    .run = run_what_if,
};
