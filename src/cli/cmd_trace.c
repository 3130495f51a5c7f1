#include <stdio.h>

#include "base/json.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/trace.h"
#include "cli/trace_other.h"

#define SECONDS 5.0

static int run_record(struct cli *cli, struct json_object *values)
{
    struct trace trace = {0};
    bool run = json_flag(values, "run", false);
    int status =
        run ? trace_fetch(cli, 0, &trace)
            : trace_observe(cli, json_double(values, "seconds", SECONDS), "adaptive", &trace);
    if (status == CLI_OK) {
        status = trace_write(cli, json_str(values, "file"), &trace);
    }
    trace_done(&trace);
    return status;
}

static const struct param RECORD_PARAMS[] = {
    {.name = "file",
     .kind = PARAM_ARGUMENT,
     .required = true,
     .values = VALUES_FILE,
     .help = "where the trace is written"},
    {.name = "seconds",
     .type = OP_FLOAT,
     .placeholder = "SECONDS",
     .fallback = "5",
     .help = "how long to measure the present traffic; 0 = all since the daemon's start, wherever "
             "modules were meanwhile"},
    {.name = "run",
     .kind = PARAM_FLAG,
     .type = OP_BOOL,
     .help = "instead, all that the daemon's policy was told and answered in its run"},
    {.name = NULL},
};

static const struct example RECORD_EXAMPLES[] = {
    {"jsorc trace record today.trace --seconds 60", "What a policy would be told of a minute."},
    {"jsorc trace record run.trace --run", "The policy's run, to look into it elsewhere."},
    {NULL, NULL},
};

const struct command COMMAND_TRACE_RECORD = {
    .words = "trace record",
    .summary = "Write down what policies are told of the traffic",
    .params = RECORD_PARAMS,
    .examples = RECORD_EXAMPLES,
    .run = run_record,
};

/* Through the policy that was recorded: the answers must be the same. */
static int replay_same(struct cli *cli, const struct trace *trace)
{
    unsigned same = 0, other = 0;
    struct policy_talk talk = trace_talk(trace, NULL);
    int status = trace_play(cli, trace, &talk, &same, &other);
    if (status == CLI_OK && talk.policy) {
        struct policy_answer answer;
        policy_ask(talk.policy, &answer);
        CLEANUP(json_put)
        struct json_object *last = policy_answer_write(&answer, policy_problem(talk.policy));
        printf("%s\n", json_text(last));
    }
    if (status == CLI_OK && same + other > 0) {
        (void)fprintf(stderr, "%u answers as recorded to the byte, %u others\n", same, other);
        status = other > 0 ? CLI_FAILED : CLI_OK;
    }
    policy_talk_done(&talk);
    return status;
}

static int run_replay(struct cli *cli, struct json_object *values)
{
    struct trace trace = {0};
    const char *policy = json_str(values, "policy");
    int status = trace_read(cli, json_str(values, "file"), &trace);
    if (status == CLI_OK) {
        status = policy ? trace_replay_other(cli, &trace, policy) : replay_same(cli, &trace);
        trace_done(&trace);
    }
    return status;
}

static const struct param REPLAY_PARAMS[] = {
    {.name = "file",
     .kind = PARAM_ARGUMENT,
     .required = true,
     .values = VALUES_FILE,
     .help = "what 'jsorc trace record' wrote; - = standard input"},
    {.name = "policy",
     .placeholder = "NAME",
     .choices = "adaptive evaluation default",
     .help = "ask this policy, and tell it what the trace has measured under each placement that "
             "it asks for, until it has settled or asks for one that was never measured"},
    {.name = NULL},
};

static const struct example REPLAY_EXAMPLES[] = {
    {"jsorc trace replay run.trace", "Are the recorded answers what the policy gives?"},
    {"jsorc trace replay run.trace --policy adaptive", "What would adaptive have done instead?"},
    {NULL, NULL},
};

static const struct exit_row REPLAY_EXITS[] = {
    {CLI_OK, "the answers are those that were recorded; with --policy: it has settled"},
    {CLI_FAILED,
     "they are not; with --policy: the trace has no measurement of a placement that the "
     "policy asks for"},
    {CLI_USAGE, "the command line is wrong, or the file is no trace"},
    {0, NULL},
};

const struct command COMMAND_TRACE_REPLAY = {
    .words = "trace replay",
    .summary = "Play a trace again, and compare the answers with the recorded ones",
    .detail = "Policies are functions of what they are told: the same lines give the same answers, "
              "to the byte. The last answer is printed; with answers that differ from the "
              "recorded ones the command fails.\n\n"
              "With --policy it shows what another policy would have tried and kept, and the "
              "latencies that were recorded of these placements. The longer the recorded run "
              "explored, the farther that goes: a run of evaluation answers all that adaptive may "
              "ask. A measurement that is asked for more often than it was made is told again.",
    .params = REPLAY_PARAMS,
    .examples = REPLAY_EXAMPLES,
    .exits = REPLAY_EXITS,
    .offline = true,
    .run = run_replay,
};
