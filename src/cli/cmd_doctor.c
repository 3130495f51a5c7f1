#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "base/state.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/doctor.h"
#include "cli/table.h"

const struct doctor_check DOCTOR_CHECKS[] = {
    {"program", doctor_program},
    {"python", doctor_python},
    {"package", doctor_package},
    {"extension", doctor_extension},
    {"orjson", doctor_orjson},
    {"state", doctor_state},
    {"disk", doctor_disk},
    {"daemon", doctor_daemon},
    {"port", doctor_port},
    {"memory", doctor_memory},
    {"cgroup", doctor_cgroup},
    {"pressure", doctor_pressure},
    {"descriptors", doctor_descriptors},
    {"clock", doctor_clock},
    {NULL, NULL},
};

static const char *const LEVELS[] = {"ok", "warn", "fail"};

void finding_set(struct finding *finding, enum doctor_level level, const char *fix,
                 const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(finding->text, sizeof(finding->text), format, args);
    va_end(args);
    (void)snprintf(finding->fix, sizeof(finding->fix), "%s", fix ? fix : "");
    finding->level = level;
}

static void print_finding(const struct output *output, const char *name,
                          const struct finding *finding)
{
    static const enum text_colour colours[] = {COLOUR_GOOD, COLOUR_WARN, COLOUR_BAD};
    const char *begin = output->colour ? colour_escape(colours[finding->level]) : "";
    (void)printf("%s%-4s%s  %-12s%s\n", begin, LEVELS[finding->level],
                 output->colour ? COLOUR_END : "", name, finding->text);
    if (*finding->fix) {
        (void)printf("      %-12s%s\n", "", finding->fix);
    }
    (void)fflush(stdout); /* the next check may take a while */
}

static struct json_object *finding_object(const char *name, const struct finding *finding)
{
    struct json_object *object = json_object_new_object();
    json_set_str(object, "check", name);
    json_set_str(object, "level", LEVELS[finding->level]);
    json_set_str(object, "text", finding->text);
    json_set_str(object, "fix", *finding->fix ? finding->fix : NULL);
    return object;
}

static int run(struct cli *cli, struct json_object *values)
{
    struct doctor doctor = {.cli = cli,
                            .state = state_folder(json_str(cli->common, "state")),
                            .python_option = json_str(values, "python")};
    CLEANUP(json_put) struct json_object *list = json_object_new_array();
    bool people = cli->output.format != OUTPUT_JSON;
    unsigned counts[3] = {0};
    for (const struct doctor_check *check = DOCTOR_CHECKS; check->name; check++) {
        struct finding finding = {0};
        check->run(&doctor, &finding);
        counts[finding.level]++;
        if (people) {
            print_finding(&cli->output, check->name, &finding);
        }
        (void)json_object_array_add(list, finding_object(check->name, &finding));
    }
    free(doctor.state);
    doctor.interpreter = json_put(doctor.interpreter);
    struct err err = {0};
    if (people) {
        (void)printf("%u ok, %u to be looked at, %u wrong\n", counts[DOCTOR_OK],
                     counts[DOCTOR_WARN], counts[DOCTOR_FAIL]);
    } else if (output_value(&cli->output, list, &err) < 0) {
        return cli_fail(cli, CLI_FAILED, &err);
    }
    return counts[DOCTOR_FAIL] > 0 ? CLI_FAILED : CLI_OK;
}

static const struct param PARAMS[] = {
    {.name = "python",
     .placeholder = "PATH",
     .values = VALUES_FILE,
     .help = "look at that interpreter, as 'jsorc serve --python' would use it"},
    {.name = NULL},
};

static const struct exit_row EXITS[] = {
    {CLI_OK, "nothing is wrong; there may be things to be looked at"},
    {CLI_FAILED, "something is wrong"},
    {CLI_USAGE, "the command line is wrong"},
    {0, NULL},
};

const struct command COMMAND_DOCTOR = {
    .words = "doctor",
    .summary = "Look for what keeps jsorc from working here, and tell how to fix it",
    .detail = "Looks at the program, the interpreter and its packages, the state folder, the "
              "daemon and its port, memory, control group and clock. Changes nothing. With -o "
              "json: a list of {check, level, text, fix}.",
    .params = PARAMS,
    .exits = EXITS,
    .run = run,
};
