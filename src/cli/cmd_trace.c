#include <stdio.h>

#include "base/json.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/trace.h"

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

static int run_replay(struct cli *cli, struct json_object *values)
{
    struct trace trace = {0};
    int status = trace_read(cli, json_str(values, "file"), &trace);
    if (status != CLI_OK) {
        return status;
    }
    unsigned same = 0, other = 0;
    const char *policy = json_str(values, "policy");
    struct policy_talk talk = trace_talk(&trace, policy);
    status = trace_play(cli, &trace, &talk, policy ? NULL : &same, &other);
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
    trace_done(&trace);
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
     .help = "another policy than the one that was recorded; from its first answer on that places "
             "a module elsewhere than it was, what it is told does not belong to its answers"},
    {.name = NULL},
};

const struct command COMMAND_TRACE_REPLAY = {
    .words = "trace replay",
    .summary = "Play a trace again, and compare the answers with the recorded ones",
    .detail = "Policies are functions of what they are told: the same lines give the same answers, "
              "to the byte. The last answer is printed; with answers that differ from the "
              "recorded ones the command fails, unless another policy was asked for.",
    .params = REPLAY_PARAMS,
    .offline = true,
    .run = run_replay,
};
