/* Which policy runs: set, kept in the store, restored, told. */
#include <errno.h>
#include <math.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "control/control_priv.h"
#include "control/phases.h"
#include "measure/figures.h"
#include "store/store.h"

#define META_KEY     "policy"
#define NONE_BY_NAME "default" /* does what it is told: nothing has to run for that */

void phases_done(struct phases *phases)
{
    thought_drop(phases->thought);
    policy_talk_done(&phases->talk);
    (void)json_put(phases->params);
    (void)json_put(phases->answer);
    (void)figures_free(phases->before);
    free(phases->shape);
    free(phases->error);
    *phases = (struct phases){0};
}

/* No policy runs any more; nothing that it tried stays. */
static void phases_end(struct control *control)
{
    phase_abandon(control);
    phases_done(&control->phases);
}

static void begin(struct control *control, const struct policy_ops *ops, struct json_object *params)
{
    struct phases *phases = &control->phases;
    phases_end(control);
    if (strcmp(ops->name, NONE_BY_NAME) != 0) {
        phases->params = json_ref(params);
        phases->talk.name = ops->name;
        phases->talk.params = phases->params;
        phases->since_ms = clock_now_ms();
    }
    control_wake(control);
}

void phases_restart(struct control *control)
{
    struct phases *phases = &control->phases;
    CLEANUP(json_put) struct json_object *params = json_ref(phases->params);
    if (phases->talk.name) {
        begin(control, policy_find(phases->talk.name), params);
    }
}

/* A policy without modules: tells whether it takes the parameters. */
int control_policy_check(const char *name, struct json_object *params, struct err *err)
{
    struct policy_problem nothing = {.budget_bytes = INFINITY, .phase_s = 1};
    CLEANUP(policy_free) struct policy *policy = NULL;
    return policy_new(name, &nothing, params, 0, &policy, err);
}

int control_policy_set(struct control *control, const char *name, struct json_object *params,
                       const char **ret_name, struct err *err)
{
    int failed = control_policy_check(name, params, err);
    if (failed) {
        return failed;
    }
    const struct policy_ops *ops = policy_find(name);
    CLEANUP(json_put) struct json_object *kept = json_object_new_object();
    json_set_str(kept, "name", ops->name);
    json_set(kept, "params", json_ref(params));
    failed = store_meta_set(control->parts.store, META_KEY, json_text(kept), err);
    if (!failed) {
        for (uint32_t i = 0; i < control->module_count; i++) {
            control->modules[i]->pinned = false;
        }
        begin(control, ops, params);
        *ret_name = ops->name;
    }
    return failed;
}

/* What is stored: *ret_kept is the caller's, NULL when nothing is. */
static int read_kept(const struct control *control, struct json_object **ret_kept, struct err *err)
{
    CLEANUP(str_free) char *text = NULL;
    int failed = store_meta_get(control->parts.store, META_KEY, &text, err);
    if (!failed) {
        (void)json_parse_object(slice_str(text), ret_kept, NULL);
    }
    return failed == -ENOENT ? 0 : failed;
}

static void begin_kept(struct control *control, struct json_object *kept)
{
    struct err err = {0};
    const char *name = kept ? json_str(kept, "name") : control->settings.policy;
    struct json_object *params = json_member(kept, "params", json_type_object);
    if (name && control_policy_check(name, params, &err) == 0) {
        begin(control, policy_find(name), params);
    } else if (name) {
        log_warn("the policy was not restored", "policy=%s error=\"%s\"", name, err.text);
    }
}

void phases_restore(struct control *control)
{
    CLEANUP(json_put) struct json_object *kept = NULL;
    (void)read_kept(control, &kept, NULL);
    begin_kept(control, kept);
}

int control_follow_policy(struct control *control, struct err *err)
{
    const struct phases *phases = &control->phases;
    CLEANUP(json_put) struct json_object *kept = NULL;
    int failed = read_kept(control, &kept, err);
    if (failed) {
        return failed;
    }
    const char *name = kept ? json_str(kept, "name") : control->settings.policy;
    const char *now = phases->talk.name ? phases->talk.name : NONE_BY_NAME;
    struct json_object *params = json_member(kept, "params", json_type_object);
    if (name && (strcmp(name, now) != 0 ||
                 (phases->talk.name && !json_object_equal(params, phases->params)))) {
        begin_kept(control, kept);
    }
    return 0;
}

const char *phase_step_name(enum phase_step step)
{
    static const char *const names[] = {
        [PHASE_WAITING] = "waiting",     [PHASE_MEETING] = "waiting",
        [PHASE_THINKING] = "thinking",   [PHASE_PLACING] = "placing",
        [PHASE_SETTLING] = "settling",   [PHASE_BEGINNING] = "measuring",
        [PHASE_MEASURING] = "measuring", [PHASE_ENDING] = "measuring",
        [PHASE_FAILED] = "failed"};
    return names[step];
}

static struct json_object *state_of(const struct phases *phases)
{
    struct json_object *state = json_object_new_object();
    json_set_str(state, "step", phase_step_name(phases->step));
    json_set_double(state, "elapsed_s", (double)(clock_now_ms() - phases->since_ms) / 1000);
    json_set_bool(state, "settled", phases->done);
    json_set_int(state, "phases", (int64_t)phases->round);
    json_set(state, "answer", json_ref(phases->answer));
    if (phases->error) {
        json_set_str(state, "error", phases->error);
    }
    return state;
}

struct json_object *control_policy_get(const struct control *control)
{
    const struct phases *phases = &control->phases;
    struct json_object *view = json_object_new_object();
    json_set_str(view, "policy", phases->talk.name ? phases->talk.name : NONE_BY_NAME);
    json_set(view, "params", phases->params ? json_ref(phases->params) : json_object_new_object());
    json_set(view, "state", phases->talk.name ? state_of(phases) : NULL);
    return view;
}

static int add_line(void *arg, const struct store_decision *decision)
{
    struct json_object *line = json_object_new_object();
    json_set_int(line, "at_ms", decision->at_ms);
    json_set_str(line, "told", decision->told);
    json_set_str(line, "answer", decision->answer);
    return json_object_array_add(arg, line);
}

int control_policy_record(const struct control *control, int64_t limit,
                          struct json_object **ret_record, struct err *err)
{
    CLEANUP(json_put) struct json_object *lines = json_object_new_array();
    int64_t run = control->phases.run;
    int failed = run > 0 ? 0 : store_decision_last_run(control->parts.store, &run, err);
    if (!failed) {
        failed = store_decision_each(control->parts.store, run, limit, add_line, lines, err);
    }
    if (!failed) {
        *ret_record = TAKE(lines);
    }
    return failed;
}
