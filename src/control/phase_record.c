/* Keeps what the policy was told and answered: the lines are all that it knows, so they explain and
 * replay its decisions. */
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "control/control_priv.h"
#include "control/phases.h"
#include "store/store.h"

/* A run beyond this many lines goes on in a record of its own, whose beginning says so: about two
 * days of phases of 10 s, 10 MB. The policy goes on as it is; only replaying from the first line
 * is not possible then. */
#define LINES_MAX 16384

static int begin_run(struct control *control, bool continues, struct err *err)
{
    struct phases *phases = &control->phases;
    int64_t last = 0;
    int failed = store_decision_last_run(control->parts.store, &last, err);
    if (failed) {
        return failed;
    }
    CLEANUP(json_put) struct json_object *head = json_object_new_object();
    json_set_str(head, "policy", phases->talk.name);
    json_set(head, "params", json_ref(phases->talk.params));
    json_set_int(head, "seed", (int64_t)phases->talk.seed);
    if (continues) {
        json_set_bool(head, "continues", true);
    }
    phases->run = last + 1;
    phases->line_count = 0;
    return store_decision_add(
        control->parts.store,
        &(struct store_decision){phases->run, clock_unix_ms(), json_text(head), ""}, err);
}

void phase_record(struct control *control, const char *told, const char *answer)
{
    struct phases *phases = &control->phases;
    struct err err = {0};
    int failed = 0;
    if (phases->run == 0 || phases->line_count >= LINES_MAX) {
        failed = begin_run(control, phases->run > 0, &err);
    }
    phases->line_count++;
    if (!failed) {
        failed = store_decision_add(
            control->parts.store,
            &(struct store_decision){phases->run, clock_unix_ms(), told, answer}, &err);
    }
    if (failed) {
        log_warn("a decision was not saved", "error=\"%s\"", err.text);
    }
}
