#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/loadtest/bed.h"
#include "cli/loadtest/machine.h"
#include "cli/loadtest/report.h"
#include "cli/loadtest/result.h"
#include "cli/loadtest/run.h"
#include "cli/loadtest/show.h"
#include "cli/loadtest/stop.h"

#define TEST_NAME "synthetic_apps" /* the only one there is, as in the original */

struct loadtest {
    struct apps apps;
    struct options options;
    struct bed bed;
    struct run run;
    struct json_object *machine;
    struct err write_err; /* the first file that could not be written */
};

/* ---- files ---- */

/* By a file beside it, so that a reader never meets half of one. */
static int write_file(const char *folder, const char *name, const char *text, struct err *err)
{
    CLEANUP(str_free) char *path = xasprintf("%s/%s", folder, name);
    CLEANUP(str_free) char *part = xasprintf("%s.part", path);
    FILE *file = fopen(part, "we");
    bool written = file && fputs(text, file) >= 0;
    if (!file || fclose(file) != 0 || !written || rename(part, path) < 0) {
        return err_errno(err, errno, "cannot write '%s'", path);
    }
    return 0;
}

/* Before anything is measured: hours would be lost for a misspelt folder. */
static int make_folder(const char *folder, struct err *err)
{
    if (mkdir(folder, 0777) < 0 && errno != EEXIST) {
        return err_errno(err, errno, "cannot make the folder '%s' of --out", folder);
    }
    CLEANUP(str_free) char *inside = xasprintf("%s/.", folder); /* fails on what is no folder */
    return access(inside, W_OK | X_OK) < 0
               ? err_errno(err, errno, "cannot write to the folder '%s' of --out", folder)
               : 0;
}

static int write_files(const char *folder, struct json_object *result, struct err *err)
{
    CLEANUP(str_free) char *csv = result_csv(result);
    CLEANUP(str_free) char *html = report_html(result);
    int failed = write_file(folder, "result.json",
                            json_object_to_json_string_ext(result, JSON_C_TO_STRING_PRETTY), err);
    failed = failed ? failed : write_file(folder, "result.csv", csv, err);
    return failed ? failed : write_file(folder, "report.html", html, err);
}

static struct json_object *result_of(struct loadtest *loadtest)
{
    return result_json(&loadtest->options, loadtest->run.cells, loadtest->run.cell_count,
                       loadtest->machine, stop_asked != 0);
}

/* After each measurement, so that a day's work is not lost with its last minute. */
static void save(void *arg)
{
    struct loadtest *loadtest = arg;
    if (loadtest->options.out && !loadtest->write_err.code) {
        CLEANUP(json_put) struct json_object *result = result_of(loadtest);
        (void)write_files(loadtest->options.out, result, &loadtest->write_err);
    }
}

/* ---- --fail-on ---- */

struct checking {
    const struct options *options;
    struct json_object *conditions; /* as they were written */
    int met;
};

static void check_cell(void *arg, const char *app, const char *key, struct json_object *cell)
{
    struct checking *checking = arg;
    struct json_object *summary = json_member(cell, "summary", json_type_object);
    for (size_t i = 0; i < checking->options->fail_on_count; i++) {
        if (fail_on_met(&checking->options->fail_on[i], summary)) {
            const char *text =
                json_object_get_string(json_object_array_get_idx(checking->conditions, i));
            (void)fprintf(stderr, "jsorc: %s, %s: %s\n", app, key, text);
            checking->met++;
        }
    }
}

/* ---- the command ---- */

static int finish(struct cli *cli, struct json_object *values, struct loadtest *loadtest,
                  int failed, const struct err *err)
{
    CLEANUP(json_put) struct json_object *result = result_of(loadtest);
    bool wanted = loadtest->options.out != NULL;
    if (wanted && !loadtest->write_err.code) {
        (void)write_files(loadtest->options.out, result, &loadtest->write_err);
    }
    int status = show_result(cli, result);
    struct checking checking = {.options = &loadtest->options,
                                .conditions = json_member(values, "fail_on", json_type_array)};
    result_each(result, check_cell, &checking);
    status = checking.met > 0 ? CLI_FAILED : status;
    if (loadtest->write_err.code) {
        status = cli_fail(cli, CLI_FAILED, &loadtest->write_err);
    } else if (wanted) {
        (void)fprintf(stderr, "jsorc: the report is %s/report.html\n", loadtest->options.out);
    }
    if (failed) {
        return cli_fail(cli, CLI_FAILED, err);
    }
    return stop_asked ? cli_fail_text(cli, CLI_FAILED, "interrupted") : status;
}

/* What adaptive has from its daemon, --mem and --eval-phase give to an own one only. */
static void warn_of_running(const struct options *options)
{
    for (size_t i = 0; options->use_running && i < options->policy_count; i++) {
        if (options->policies[i] == CELL_ADAPTIVE) {
            (void)fprintf(stderr,
                          "jsorc: with --use-running adaptive has the memory and the phases of the "
                          "running daemon (its settings policy_memory_mb and policy_phase_s), not "
                          "--mem and --eval-phase\n");
        }
    }
}

static int run_loadtest(struct cli *cli, struct json_object *values, struct loadtest *loadtest)
{
    struct err err = {0};
    loadtest->machine = machine_json();
    run_init(&loadtest->run, &loadtest->apps, &loadtest->options, &loadtest->bed);
    stop_prepare();
    int failed = bed_start(&loadtest->bed, cli, &loadtest->options, &err);
    failed = failed ? failed : apps_write(&loadtest->apps, loadtest->bed.folder, &err);
    if (!failed) {
        warn_of_running(&loadtest->options);
        failed = run_all(&loadtest->run, save, loadtest, &err);
        bed_restore(&loadtest->bed);
    }
    bed_stop(&loadtest->bed);
    return finish(cli, values, loadtest, failed, &err);
}

static int run(struct cli *cli, struct json_object *values)
{
    const char *test = json_str(values, "test");
    struct loadtest loadtest = {0};
    struct err err = {0};
    if (!test || strcmp(test, TEST_NAME) != 0) {
        return cli_usage(cli, "there is no test '%s'; there is " TEST_NAME, test ? test : "");
    }
    apps_init(&loadtest.apps);
    int failed = options_read(&loadtest.apps, values, &loadtest.options, &err);
    if (!failed && loadtest.options.out) {
        failed = make_folder(loadtest.options.out, &err);
    }
    int status = failed ? cli_usage(cli, "%s", err.text) : run_loadtest(cli, values, &loadtest);
    run_done(&loadtest.run);
    apps_done(&loadtest.apps);
    (void)json_put(loadtest.machine);
    return status;
}

static const struct param PARAMS[] = {
    {.name = "test",
     .kind = PARAM_ARGUMENT,
     .required = true,
     .choices = TEST_NAME,
     .help = "the test: " TEST_NAME},
    {.name = "experiment",
     .placeholder = "APP|all",
     .fallback = "\"all\"",
     .choices = "all discussion_analysis flight_chatbot flow_analysis restaurant_chatbot "
                "sentence_pairing virtual_assistant weather_and_time_assitance zeroshot_faq_bot",
     .help = "applications, with commas between them"},
    {.name = "policy",
     .placeholder = "POLICY",
     .fallback = "\"all_remote,all_local\"",
     .choices = "all_local all_remote evaluation adaptive oracle",
     .help = "policies, with commas between them; speed-ups are over all_remote"},
    {.name = "mem",
     .type = OP_FLOAT,
     .placeholder = "GIB",
     .fallback = "4",
     .help = "memory of the node that evaluation and adaptive may fill, counted in the modules' "
             "declared figures"},
    {.name = "experiment_duration",
     .type = OP_FLOAT,
     .placeholder = "SECONDS",
     .fallback = "180",
     .help = "length of a measurement, after its warm-up"},
    {.name = "eval_phase",
     .type = OP_FLOAT,
     .placeholder = "SECONDS",
     .fallback = "10",
     .help = "of evaluation and adaptive: how long a placement is tried"},
    {.name = "perf_phase",
     .type = OP_FLOAT,
     .placeholder = "SECONDS",
     .fallback = "100",
     .help = "of evaluation: how long the best one is kept before it is tried again"},
    {.name = "clients",
     .type = OP_INT,
     .placeholder = "NUMBER",
     .fallback = "1",
     .help =
         "closed loop: clients, each of which waits for its answer; with --rate: requests under "
         "way at the most (then 64)"},
    {.name = "rate",
     .type = OP_FLOAT,
     .placeholder = "PER-SECOND",
     .help = "open loop: requests are due at this rate, whatever the answers do, and latencies are "
             "counted from when they were due"},
    {.name = "poisson",
     .kind = PARAM_FLAG,
     .type = OP_BOOL,
     .help = "with --rate: due at random times, as from many users, instead of at equal ones"},
    {.name = "think",
     .type = OP_FLOAT,
     .placeholder = "SECONDS",
     .fallback = "0",
     .help = "closed loop: pause of a client between an answer and its next request"},
    {.name = "warmup",
     .type = OP_FLOAT,
     .placeholder = "SECONDS",
     .fallback = "2",
     .help = "load before a measurement that is not counted"},
    {.name = "request_timeout",
     .type = OP_FLOAT,
     .placeholder = "SECONDS",
     .fallback = "60",
     .help = "a request without an answer after so long has failed"},
    {.name = "repeat",
     .letter = 'n',
     .type = OP_INT,
     .placeholder = "NUMBER",
     .fallback = "3",
     .help = "repetitions of each measurement, policies in turn; intervals need at least 2"},
    {.name = "trial",
     .type = OP_FLOAT,
     .placeholder = "SECONDS",
     .fallback = "10",
     .help = "of oracle: how long each of the 2^modules placements is tried"},
    {.name = "variant",
     .placeholder = "VARIANT",
     .fallback = "\"real\"",
     .choices = "real meant",
     .help = "the calls that the original's programs make, or those that their authors meant"},
    {.name = "real",
     .placeholder = "DIR",
     .values = VALUES_FOLDER,
     .help = "instead of the applications the real models of examples/intake in DIR, with stats.so "
             "built there; --python is the interpreter that has them"},
    {.name = "time_scale",
     .type = OP_FLOAT,
     .placeholder = "FACTOR",
     .fallback = "1",
     .help = "all processor times of the modules times this"},
    {.name = "memory_scale",
     .type = OP_FLOAT,
     .placeholder = "FACTOR",
     .fallback = "0.05",
     .help = "all memory of the modules, and --mem, times this; 1 = as declared, up to 7 GiB"},
    {.name = "seed",
     .type = OP_INT,
     .placeholder = "NUMBER",
     .fallback = "1",
     .help = "of the random times of --poisson"},
    {.name = "out",
     .placeholder = "DIR",
     .values = VALUES_FOLDER,
     .help = "write result.json, result.csv and report.html there, after each measurement"},
    {.name = "fail_on",
     .placeholder = "CONDITION",
     .repeated = true,
     .help = "end with status 1 if a cell meets it, e.g. 'p99>20ms', 'errors>0', 'speedup<1' (for "
             "sure: with all of its confidence interval); may be given several times"},
    {.name = "use_running",
     .kind = PARAM_FLAG,
     .type = OP_BOOL,
     .help = "use the daemon that runs already, rather than one of its own"},
    {.name = "python",
     .placeholder = "PATH",
     .values = VALUES_FILE,
     .help = "interpreter of the workers; default: that of $VIRTUAL_ENV, else python3"},
    {.name = NULL},
};

static const struct example EXAMPLES[] = {
    {"jsorc loadtest synthetic_apps --experiment restaurant_chatbot --out results",
     "One application, all remote and all local, three times each: 18 minutes."},
    {"jsorc loadtest synthetic_apps --policy all_remote,adaptive --rate 20 --poisson",
     "All eight, as if users came at random, 20 a second."},
    {"jsorc loadtest synthetic_apps --experiment sentence_pairing --experiment-duration 10 "
     "--time-scale 0.1 --fail-on 'p99>50ms' --fail-on 'errors>0'",
     "A quick check for a build server."},
    {NULL, NULL},
};

static const struct exit_row EXITS[] = {
    {CLI_OK, "measured"},
    {CLI_FAILED, "a condition of --fail-on was met, a step failed, or Ctrl-C ended it; what was "
                 "measured until then is shown and written all the same"},
    {CLI_USAGE, "the command line is wrong"},
    {0, NULL},
};

const struct command COMMAND_LOADTEST = {
    .words = "loadtest",
    .summary = "Measure applications under placement policies",
    .detail =
        "Runs the eight applications of the original's load test on modules that stand in for its "
        "models: they burn processor time, hold memory and answer with values of the right size. "
        "For each application, repetition and policy: loads the modules, sets the policy, sends "
        "the load, notes what clients saw and what the policy did, and unloads them.\n\n"
        "It starts a daemon of its own in a temporary folder and ends it. With --use-running the "
        "daemon of this host is used; its policy and placement are put back afterwards, also after "
        "Ctrl-C. adaptive then has the memory and the phases of that daemon's settings.\n\n"
        "oracle tries every placement, takes the one with the lowest mean latency, and measures "
        "that one anew: what a policy could reach at best.\n\n"
        "evaluation and adaptive try placements while they are measured. What came once they had "
        "settled is told by itself, beside the speed-up that it is; TRIALS is how many phases of "
        "how many were trials.\n\n"
        "The result is JSON of the original's shape; docs/loadtest.md explains it.",
    .params = PARAMS,
    .examples = EXAMPLES,
    .exits = EXITS,
    .run = run,
};
