#include "cli/trace.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/value.h"

void trace_done(struct trace *trace)
{
    trace->head = json_put(trace->head);
    trace->lines = json_put(trace->lines);
}

static int take_head(struct cli *cli, struct trace *trace)
{
    struct json_object *first = json_object_array_get_idx(trace->lines, 0);
    const char *told = json_str(first, "told");
    struct err err = {0};
    if (!told || json_parse_object(slice_str(told), &trace->head, &err) < 0) {
        trace_done(trace);
        return cli_fail_text(cli, CLI_FAILED,
                             "no policy has run yet; 'jsorc actionpolicy set adaptive' starts one, "
                             "and 'jsorc plan' asks one without starting it");
    }
    (void)json_object_array_del_idx(trace->lines, 0, 1);
    return CLI_OK;
}

int trace_fetch(struct cli *cli, int64_t limit, struct trace *ret_trace)
{
    CLEANUP(json_put) struct json_object *params = json_object_new_object(), *result = NULL;
    json_set_int(params, "limit", limit);
    int status = cli_op(cli, "jsorc_actionpolicy_record", params, &result);
    if (status != CLI_OK) {
        return status;
    }
    *ret_trace = (struct trace){.lines = json_ref(json_member(result, "lines", json_type_array))};
    return take_head(cli, ret_trace);
}

bool trace_is_run(const struct trace *trace)
{
    size_t count = json_object_array_length(trace->lines);
    const char *answer =
        count > 0 ? json_str(json_object_array_get_idx(trace->lines, count - 1), "answer") : NULL;
    return answer && *answer;
}

bool trace_fetch_if(struct cli *cli, const char *policy, struct trace *ret_trace)
{
    CLEANUP(json_put) struct json_object *none = json_object_new_object(), *get = NULL;
    if (cli_op(cli, "jsorc_actionpolicy_get", none, &get) != CLI_OK) {
        return false;
    }
    const char *runs = json_str(get, "policy");
    int64_t phases = json_int(json_member(get, "state", json_type_object), "phases", 0);
    return runs && strcasecmp(runs, policy) == 0 && phases > 0 &&
           trace_fetch(cli, 0, ret_trace) == CLI_OK;
}

int trace_observe(struct cli *cli, double seconds, const char *policy, struct trace *ret_trace)
{
    CLEANUP(json_put) struct json_object *params = json_object_new_object(), *result = NULL;
    json_set_double(params, "seconds", seconds);
    int status = cli_op(cli, "jsorc_actionpolicy_observe", params, &result);
    if (status != CLI_OK) {
        return status;
    }
    *ret_trace = (struct trace){.head = json_object_new_object(), .lines = json_object_new_array()};
    json_set_str(ret_trace->head, "policy", policy);
    json_set(ret_trace->head, "params", json_object_new_object());
    json_set_int(ret_trace->head, "seed", 0);
    struct json_object *told = json_member(result, "lines", json_type_array);
    for (size_t i = 0; told && i < json_object_array_length(told); i++) {
        struct json_object *line = json_object_new_object();
        json_set(line, "told", json_ref(json_object_array_get_idx(told, i)));
        json_set_str(line, "answer", "");
        (void)json_object_array_add(ret_trace->lines, line);
    }
    return CLI_OK;
}

static int read_line(struct trace *trace, struct slice text, struct err *err)
{
    struct json_object *object = NULL;
    int failed = json_parse_object(text, &object, err);
    if (failed) {
        return failed;
    }
    if (!trace->head && json_str(object, "policy")) {
        trace->head = object;
    } else if (trace->head && json_str(object, "told") && json_str(object, "answer")) {
        (void)json_object_array_add(trace->lines, object);
    } else {
        (void)json_put(object);
        return err_set(err, EINVAL, "not a line of a trace: 'jsorc trace record FILE' makes one");
    }
    return 0;
}

int trace_read(struct cli *cli, const char *path, struct trace *ret_trace)
{
    struct buf text = {0};
    struct err err = {0};
    *ret_trace = (struct trace){.lines = json_object_new_array()};
    int failed = value_read_file(path, &text, &err);
    struct slice rest = buf_slice(&text);
    for (int number = 1; !failed && rest.size > 0; number++) {
        const char *end = memchr(rest.data, '\n', rest.size);
        struct slice line = {rest.data, end ? (size_t)(end - rest.data) : rest.size};
        rest = slice_from(rest, line.size + (end != NULL));
        failed = line.size > 0 ? read_line(ret_trace, line, &err) : 0;
        if (failed) {
            (void)err_wrap(&err, "'%s', line %d", path, number);
        }
    }
    buf_done(&text);
    if (!failed && !ret_trace->head) {
        failed = err_set(&err, EINVAL, "'%s' is empty: no trace", path);
    }
    if (failed) {
        trace_done(ret_trace);
        return cli_fail(cli, CLI_USAGE, &err);
    }
    return CLI_OK;
}

int trace_write(struct cli *cli, const char *path, const struct trace *trace)
{
    struct err err = {0};
    FILE *file = fopen(path, "we");
    int failed = file ? 0 : err_errno(&err, errno, "cannot write '%s'", path);
    if (file) {
        (void)fprintf(file, "%s\n", json_text(trace->head));
        for (size_t i = 0; i < json_object_array_length(trace->lines); i++) {
            (void)fprintf(file, "%s\n", json_text(json_object_array_get_idx(trace->lines, i)));
        }
        bool broken = ferror(file) != 0;
        if (fclose(file) != 0 || broken) {
            failed = err_errno(&err, errno, "cannot write '%s'", path);
        }
    }
    return failed ? cli_fail(cli, CLI_FAILED, &err) : CLI_OK;
}

struct policy_talk trace_talk(const struct trace *trace, const char *name)
{
    return (struct policy_talk){
        .name = name ? name : json_str(trace->head, "policy"),
        .params = name ? NULL : json_member(trace->head, "params", json_type_object),
        .seed = (uint64_t)json_int(trace->head, "seed", 0),
    };
}

int trace_play(struct cli *cli, const struct trace *trace, struct policy_talk *talk,
               unsigned *ret_same, unsigned *ret_other)
{
    unsigned same = 0, other = 0;
    if (json_flag(trace->head, "continues", false)) {
        return cli_fail_text(cli, CLI_FAILED,
                             "this run goes on from an earlier record that is not kept: what the "
                             "policy had learned there cannot be replayed");
    }
    for (size_t i = 0; i < json_object_array_length(trace->lines); i++) {
        struct json_object *line = json_object_array_get_idx(trace->lines, i);
        CLEANUP(json_put) struct json_object *answer = NULL;
        struct err err = {0};
        const char *told = json_str(line, "told"), *recorded = json_str(line, "answer");
        if (policy_talk_line(talk, slice_str(told), &answer, &err) < 0) {
            (void)err_wrap(&err, "line %zu of the trace", i + 2);
            return cli_fail(cli, CLI_FAILED, &err);
        }
        if (!*recorded || !ret_same) {
            continue;
        }
        bool is_same = strcmp(json_text(answer), recorded) == 0;
        same += is_same;
        other += !is_same;
        if (!is_same && other == 1) {
            (void)fprintf(stderr, "line %zu\n recorded %s\n now      %s\n", i + 2, recorded,
                          json_text(answer));
        }
    }
    if (ret_same) {
        *ret_same = same;
        *ret_other = other;
    }
    return CLI_OK;
}
