/* Keeps what the policy was told and answered: the lines are all that it knows, so they explain and
 * replay its decisions. */
#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "control/control_priv.h"
#include "control/phases.h"
#include "store/store.h"
#include "store/store_shared.h"

/* A run beyond this many lines goes on in a record of its own, whose beginning says so: about two
 * days of phases of 10 s, 10 MB. The policy goes on as it is; only replaying from the first line
 * is not possible then. */
#define LINES_MAX 16384

/* Beyond this, the oldest of the lines that cannot be saved are given up: 11 hours of phases of
 * 10 s. */
#define LINES_WAITING_MAX 4096

struct line {
    struct line *next;
    bool begins; /* a run */
    int64_t run; /* 0 = that of the line before */
    int64_t number;
    int64_t at_ms;
    char *told;
    char *answer;
};

static struct line *line_free(struct line *line)
{
    free(line->told);
    free(line->answer);
    free(line);
    return NULL;
}

static void drop_first(struct phase_lines *lines)
{
    struct line *line = lines->first;
    lines->first = line->next;
    lines->last = lines->first ? lines->last : NULL;
    lines->count--;
    (void)line_free(line);
}

static void add(struct control *control, bool begins, const char *told, const char *answer)
{
    struct phase_lines *lines = &control->lines;
    struct line *line = xcalloc(1, sizeof(*line));
    *line = (struct line){.begins = begins,
                          .number = control->phases.line_count++,
                          .at_ms = clock_unix_ms(),
                          .told = xstrdup(told),
                          .answer = xstrdup(answer)};
    if (lines->last) {
        lines->last->next = line;
    } else {
        lines->first = line;
    }
    lines->last = line;
    if (++lines->count > LINES_WAITING_MAX) {
        log_warn("a decision is given up: too many wait to be saved", "max=%d", LINES_WAITING_MAX);
        drop_first(lines);
    }
}

static void begin_run(struct control *control, bool continues)
{
    struct phases *phases = &control->phases;
    CLEANUP(json_put) struct json_object *head = json_object_new_object();
    json_set_str(head, "policy", phases->talk.name);
    json_set(head, "params", json_ref(phases->talk.params));
    json_set_int(head, "seed", (int64_t)phases->talk.seed);
    if (continues) {
        json_set_bool(head, "continues", true);
    }
    phases->recorded = true;
    phases->run = 0;
    phases->line_count = 0;
    add(control, true, json_text(head), "");
}

/* A run gets its number when its first line is saved, and keeps it when that has to be repeated. */
static int save_line(void *arg, struct err *err)
{
    struct control *control = arg;
    struct line *line = control->lines.first;
    int failed = 0;
    if (line->run == 0 && line->begins) {
        int64_t last = 0;
        failed = store_decision_last_run(control->parts.store, &last, err);
        line->run = failed ? 0 : last + 1;
    } else if (line->run == 0) {
        line->run = control->lines.run;
    }
    return failed ? failed
                  : store_decision_add(control->parts.store,
                                       &(struct store_decision){.run = line->run,
                                                                .line = line->number,
                                                                .at_ms = line->at_ms,
                                                                .told = line->told,
                                                                .answer = line->answer},
                                       err);
}

int phase_lines_save(struct control *control, struct err *err)
{
    struct phase_lines *lines = &control->lines;
    while (lines->first) {
        int failed = store_transact_leading(control->parts.store, save_line, control, err);
        if (failed == -ESTALE) { /* another daemon decides now, with a run of its own */
            phase_lines_drop(control);
            return 0;
        }
        if (store_is_hopeless(failed)) {
            log_warn("a decision was not saved", "error=\"%s\"", err->text);
        } else if (failed) {
            return failed;
        }
        lines->run = lines->first->run;
        drop_first(lines);
    }
    control->phases.run = control->phases.recorded ? lines->run : 0;
    return 0;
}

void phase_lines_drop(struct control *control)
{
    while (control->lines.first) {
        drop_first(&control->lines);
    }
}

void phase_record(struct control *control, const char *told, const char *answer)
{
    struct phases *phases = &control->phases;
    if (!phases->recorded || phases->line_count >= LINES_MAX) {
        begin_run(control, phases->recorded);
    }
    add(control, false, told, answer);
    saves_turn(control, clock_now_ms());
}
