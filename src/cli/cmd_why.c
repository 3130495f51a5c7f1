#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/trace_history.h"
#include "cli/why_text.h"

#define LINES_LOOKED_AT 100  /* the last ones: each answer places all modules */
#define LINES_TOLD      2000 /* for people: five hours of phases of 10 s */

/* The last line whose answer places the module; NULL = none does. *ret_answer is owned. */
static struct json_object *find_decision(const struct trace *trace, const char *module,
                                         struct json_object **ret_answer)
{
    for (size_t i = json_object_array_length(trace->lines); i-- > 0;) {
        struct json_object *line = json_object_array_get_idx(trace->lines, i), *answer = NULL;
        const char *text = json_str(line, "answer");
        if (text && json_parse_object(slice_str(text), &answer, NULL) == 0 &&
            json_str(json_member(answer, "placement", json_type_object), module)) {
            *ret_answer = answer;
            return line;
        }
        (void)json_put(answer);
    }
    return NULL;
}

static struct json_object *view_of(const struct trace *trace, const char *module,
                                   struct json_object *line, struct json_object *answer)
{
    struct json_object *view = json_object_new_object();
    CLEANUP(json_put) struct json_object *told = NULL;
    (void)json_parse_object(slice_str(json_str(line, "told")), &told, NULL);
    json_set_str(view, "module", module);
    json_set_str(view, "place",
                 json_str(json_member(answer, "placement", json_type_object), module));
    json_set_str(view, "policy", json_str(trace->head, "policy"));
    json_set_int(view, "at_ms", json_int(line, "at_ms", 0));
    json_set_bool(view, "settled", json_flag(answer, "done", false));
    json_set_str(view, "why", json_str(answer, "why"));
    json_set(view, "placement", json_ref(json_member(answer, "placement", json_type_object)));
    json_set(view, "reason", json_ref(json_member(answer, "reason", json_type_object)));
    json_set(view, "told", json_ref(told));
    return view;
}

/* ---- for people ---- */

static bool is_for_people(const struct cli *cli)
{
    return cli->output.format != OUTPUT_JSON && !cli->output.file;
}

static void local_time(int64_t at_ms, char text[40])
{
    time_t seconds = (time_t)(at_ms / 1000);
    struct tm local;
    text[0] = '\0';
    if (at_ms > 0 && localtime_r(&seconds, &local)) {
        (void)strftime(text, 40, "%Y-%m-%d %H:%M:%S", &local);
    }
}

/* The same decision: it is repeated with each phase that changes nothing. */
static bool is_same_decision(struct json_object *a, struct json_object *b)
{
    static const char *const members[] = {"placement", "done", "why"};
    bool same = true;
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        struct json_object *x = NULL, *y = NULL;
        (void)json_object_object_get_ex(a, members[i], &x);
        (void)json_object_object_get_ex(b, members[i], &y);
        same &= json_object_equal(x, y) != 0;
    }
    return same;
}

static bool begins_anew(struct json_object *told, struct json_object *answer)
{
    static const char *const shifts[] = {"load", "mix", "latency", "errors"};
    const char *why = json_str(answer, "why");
    bool anew = json_object_object_get_ex(told, "modules", NULL);
    for (size_t i = 0; why && i < sizeof(shifts) / sizeof(shifts[0]); i++) {
        anew |= strcmp(why, shifts[i]) == 0;
    }
    return anew;
}

/* Since when the decision holds (0 = for longer than the trace goes back), and the line since which
 * measurements are of what is now. */
static int64_t decided_at(const struct trace *trace, struct json_object *decision,
                          size_t *ret_since_line)
{
    int64_t at_ms = 0;
    bool held = true;
    *ret_since_line = 0;
    for (size_t i = json_object_array_length(trace->lines); i-- > 0;) {
        struct json_object *line = json_object_array_get_idx(trace->lines, i);
        CLEANUP(json_put) struct json_object *told = NULL, *answer = NULL;
        (void)json_parse_object(slice_str(json_str(line, "told")), &told, NULL);
        (void)json_parse_object(slice_str(json_str(line, "answer")), &answer, NULL);
        if (held && is_same_decision(answer, decision)) {
            at_ms = json_int(line, "at_ms", 0);
        } else {
            held = false;
        }
        if (begins_anew(told, answer)) {
            *ret_since_line = i;
            return at_ms;
        }
    }
    return held ? 0 : at_ms;
}

static void show_members(const char *title, struct json_object *object)
{
    if (!object) {
        return;
    }
    printf("\n%s\n", title);
    json_object_object_foreach(object, name, value)
    {
        printf("  %-20s %s\n", name, json_text(value));
    }
}

static int tell(struct cli *cli, const struct trace *trace, struct json_object *view,
                struct json_object *answer)
{
    struct buf text = {0};
    struct trace_history history = {.told = NULL};
    char since[40];
    size_t since_line = 0;
    struct err err = {0};
    bool known = trace_history_read(trace, &history, NULL) == 0;
    local_time(decided_at(trace, answer, &since_line), since);
    why_text(&(struct why){.module = json_str(view, "module"),
                           .policy = json_str(view, "policy"),
                           .answer = answer,
                           .since = since,
                           .since_line = since_line,
                           .history = known ? &history : NULL,
                           .ended = json_flag(view, "ended", false)},
             &text);
    int failed = output_text(&cli->output, text.data + text.start, buf_size(&text), &err);
    buf_done(&text);
    trace_history_done(&history);
    if (failed) {
        return cli_fail(cli, CLI_FAILED, &err);
    }
    show_members("figures behind it", json_member(view, "reason", json_type_object));
    show_members("told last", json_member(view, "told", json_type_object));
    return CLI_OK;
}

static int show(struct cli *cli, const struct trace *trace, struct json_object *view,
                struct json_object *answer)
{
    struct err err = {0};
    if (is_for_people(cli)) {
        return tell(cli, trace, view, answer);
    }
    return output_value(&cli->output, view, &err) < 0 ? cli_fail(cli, CLI_FAILED, &err) : CLI_OK;
}

/* Another policy runs now, or none. */
static bool has_ended(struct cli *cli, const struct trace *trace)
{
    CLEANUP(json_put) struct json_object *none = json_object_new_object(), *get = NULL;
    const char *ran = json_str(trace->head, "policy");
    return cli_op(cli, "jsorc_actionpolicy_get", none, &get) == CLI_OK && ran &&
           strcasecmp(json_str(get, "policy"), ran) != 0;
}

static int replay(struct cli *cli, const struct trace *trace)
{
    unsigned same = 0, other = 0;
    struct policy_talk talk = trace_talk(trace, NULL);
    int status = trace_play(cli, trace, &talk, &same, &other);
    policy_talk_done(&talk);
    if (status == CLI_OK) {
        (void)fprintf(stderr, "replayed: %u answers the same to the byte, %u others\n", same,
                      other);
    }
    return status == CLI_OK && other > 0 ? CLI_FAILED : status;
}

static int run(struct cli *cli, struct json_object *values)
{
    struct trace trace = {0};
    const char *module = json_str(values, "name");
    CLEANUP(json_put) struct json_object *answer = NULL, *view = NULL;
    bool replays = json_flag(values, "replay", false);
    int64_t lines = is_for_people(cli) ? LINES_TOLD : LINES_LOOKED_AT;
    int status = trace_fetch(cli, replays ? 0 : lines, &trace);
    if (status != CLI_OK) {
        return status;
    }
    struct json_object *line = find_decision(&trace, module, &answer);
    if (line) {
        view = view_of(&trace, module, line, answer);
        json_set_bool(view, "ended", has_ended(cli, &trace));
        status = show(cli, &trace, view, answer);
    } else {
        status = cli_fail_text(cli, CLI_FAILED,
                               "no decision of the policy is about a module '%s'; 'jsorc status' "
                               "lists the modules",
                               module);
    }
    if (status == CLI_OK && replays) {
        status = replay(cli, &trace);
    }
    trace_done(&trace);
    return status;
}

static const struct param PARAMS[] = {
    {.name = "name",
     .kind = PARAM_ARGUMENT,
     .required = true,
     .placeholder = "MODULE",
     .values = VALUES_MODULE,
     .help = "the module whose place is to be explained"},
    {.name = "replay",
     .kind = PARAM_FLAG,
     .type = OP_BOOL,
     .help = "tell a fresh policy all that this one was told, and compare the answers"},
    {.name = NULL},
};

static const struct example EXAMPLES[] = {
    {"jsorc why ocr", "Why ocr is where it is."},
    {"jsorc why ocr --replay -o json", "The same for a program, with the proof."},
    {NULL, NULL},
};

const struct command COMMAND_WHY = {
    .words = "why",
    .summary = "Explain the policy's last decision on a module",
    .detail = "Says where the module is and what decided that: the latencies that the policy "
              "measured or expects, how often the module is called and how long that takes in each "
              "place, its memory, and the placements that were tried; behind that the figures as "
              "they are kept. All that a policy knows is what it was told: --replay proves that "
              "the decision follows from it.",
    .params = PARAMS,
    .examples = EXAMPLES,
    .run = run,
};
