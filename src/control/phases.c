/* Holds what a policy asks for, measures it, and tells the policy. All it does to the rest of the
 * control is to set module->wanted; decide.c brings the modules there as it does for a person. */
#include "control/phases.h"

#include <errno.h>
#include <string.h>

#include "action/publisher.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "control/control_priv.h"
#include "measure/figures.h"
#include "store/store.h"

#define MEET_MS         1000   /* between two looks for traffic */
#define PLACING_MS_MAX  300000 /* as long as a worker may take to start */
#define SETTLING_MS_MAX 15000  /* a call that lasts longer does not hold the policy up */
#define WARM_SHARE      0.1    /* of the phase that is not measured: first calls are cold */
#define WARM_MS_MAX     2000
#define BLIND_S         1.0
#define DECISIONS_RUN_MAX                                                                          \
    4096 /* lines of a run; then the next one begins, so that a replay ends                        \
          */

static struct module *module_at(const struct control *control, size_t index)
{
    return control->modules[control->phases.modules[index]];
}

static void enter(struct phases *phases, enum phase_step step, uint64_t now_ms)
{
    phases->step = step;
    phases->since_ms = now_ms;
}

/* ---- the placement that is asked for ---- */

static void want(struct control *control, uint32_t index, enum place place)
{
    struct module *module = control->modules[index];
    if (module->wanted == place || module->wanted == PLACE_NONE) {
        return;
    }
    module->wanted = place;
    module->changes++;
    module->broken = false;
    module->retry_ms = 0;
    control->wanted_since_ms[index] = clock_now_ms();
    control->must_publish = true;
}

/* What is on trial is forgotten at a restart; what is settled is saved. */
static void keep(struct control *control, struct module *module)
{
    struct err err = {0};
    bool changed = module->kept != PLACE_NONE && module->kept != module->wanted;
    module->kept = PLACE_NONE;
    if (changed && module->listed &&
        store_module_set_place(control->parts.store, module->name, place_name(module->wanted),
                               &err) < 0) {
        log_warn("place was not saved", "module=%s error=\"%s\"", module->name, err.text);
    }
}

static void apply(struct control *control, const struct policy_answer *answer, uint64_t now_ms)
{
    struct phases *phases = &control->phases;
    for (size_t i = 0; i < phases->module_count; i++) {
        struct module *module = module_at(control, i);
        if (policy_problem(phases->talk.policy)->modules[i].fixed || module->wanted == PLACE_NONE) {
            continue;
        }
        enum place place = placement_local(answer->placement, i) ? PLACE_MODULE : PLACE_REMOTE;
        if (module->kept == PLACE_NONE) {
            module->kept = module->wanted;
        }
        if (module->wanted != place) {
            phases->given_up &= ~((placement_t)1 << i);
        }
        want(control, phases->modules[i], place);
        if (answer->done) {
            keep(control, module);
        }
    }
    phases->done = answer->done;
    phases->phase_s = answer->phase_s;
    enter(phases, PHASE_PLACING, now_ms);
}

void phases_abandon(struct control *control)
{
    for (uint32_t i = 0; i < control->module_count; i++) {
        struct module *module = control->modules[i];
        if (module->kept != PLACE_NONE) {
            want(control, i, module->kept);
            module->kept = PLACE_NONE;
        }
    }
}

/* Modules that are not where they are wanted. *ret_failed: those of them that cannot get there. */
static placement_t missing(const struct control *control, placement_t *ret_failed)
{
    placement_t absent = 0;
    *ret_failed = 0;
    for (size_t i = 0; i < control->phases.module_count; i++) {
        const struct module *module = module_at(control, i);
        uint32_t index = control->phases.modules[i];
        bool serves = control->published[index].choice == CHOICE_TARGET &&
                      control->served[index] == module->wanted;
        bool given_up = (control->phases.given_up >> i) & 1;
        if (module->wanted != PLACE_NONE && !serves && !given_up) {
            absent |= (placement_t)1 << i;
            *ret_failed |= (placement_t)module->broken << i;
        }
    }
    return absent;
}

static bool is_calm(const struct control *control)
{
    bool calm = publisher_settled(control->parts.publisher) && !control->must_publish;
    for (uint32_t i = 0; i < control->instance_count; i++) {
        calm &= control->instances[i]->state != INSTANCE_DRAINING &&
                control->instances[i]->state != INSTANCE_STARTING;
    }
    return calm;
}

/* ---- lines ---- */

static void record(struct control *control, const char *told, const char *answer)
{
    struct phases *phases = &control->phases;
    struct err err = {0};
    int64_t last = 0;
    int failed = 0;
    phases->line_count++;
    if (phases->run == 0) {
        failed = store_decision_last_run(control->parts.store, &last, &err);
        phases->run = last + 1;
        CLEANUP(json_put) struct json_object *head = json_object_new_object();
        json_set_str(head, "policy", phases->talk.name);
        json_set(head, "params", json_ref(phases->talk.params));
        json_set_int(head, "seed", 0);
        if (!failed) {
            failed = store_decision_add(
                control->parts.store,
                &(struct store_decision){phases->run, clock_unix_ms(), json_text(head), ""}, &err);
        }
    }
    if (!failed) {
        failed = store_decision_add(
            control->parts.store,
            &(struct store_decision){phases->run, clock_unix_ms(), told, answer}, &err);
    }
    if (failed) {
        log_warn("a decision was not saved", "error=\"%s\"", err.text);
    }
}

/* Tells the policy a line, and does what it answers. */
static int tell(struct control *control, struct json_object *line, uint64_t now_ms, struct err *err)
{
    struct phases *phases = &control->phases;
    CLEANUP(json_put) struct json_object *answer = NULL;
    int failed = policy_talk_line(&phases->talk, slice_str(json_text(line)), &answer, err);
    if (failed) {
        return failed;
    }
    record(control, json_text(line), json_text(answer));
    (void)json_put(phases->answer);
    phases->answer = json_ref(answer);
    struct policy_answer asked;
    policy_ask(phases->talk.policy, &asked);
    apply(control, &asked, now_ms);
    return 0;
}

/* A line that the policy does not take is a defect of ours; placements stay as they are then. */
static void tell_or_end(struct control *control, struct json_object *line, uint64_t now_ms)
{
    struct err err = {0};
    if (tell(control, line, now_ms, &err) < 0) {
        log_error("the policy does not understand what was measured and is switched off",
                  "policy=%s error=\"%s\"", control->phases.talk.name, err.text);
        phases_end(control);
    }
}

/* Tells the policy what there is, when that is not what it knows. True = it was told. */
static bool review_problem(struct control *control, uint64_t now_ms)
{
    struct phases *phases = &control->phases;
    struct policy_problem problem;
    phase_problem(control, &problem, phases->modules);
    phases->module_count = problem.module_count;
    CLEANUP(str_free) char *shape = phase_shape(&problem);
    bool blind = problem.walker_count == 0 && !phases->talk.policy;
    bool is_new = !blind && (!phases->shape || strcmp(shape, phases->shape) != 0);
    if (is_new) {
        CLEANUP(json_put) struct json_object *line = policy_problem_write(&problem);
        str_replace(&phases->shape, shape);
        phases->told_bytes = problem.budget_bytes;
        tell_or_end(control, line, now_ms);
    }
    policy_problem_done(&problem);
    return is_new;
}

static void end_phase(struct control *control, placement_t not_placed, uint64_t now_ms)
{
    struct phases *phases = &control->phases;
    struct policy_measurement measurement;
    CLEANUP(figures_free) struct figures *after = control_figures(control);
    struct figures *before = phases->before ? TAKE(phases->before) : control_figures(control);
    phase_measurement(policy_problem(phases->talk.policy), before, after, phases->in_flight_max,
                      &measurement);
    measurement.not_placed = not_placed;
    phases->given_up |= not_placed; /* the policy knows; it need not be told each turn */
    CLEANUP(json_put)
    struct json_object *line =
        policy_measurement_write(&measurement, policy_problem(phases->talk.policy));
    policy_measurement_done(&measurement);
    (void)figures_free(before);
    phases->round++;
    tell_or_end(control, line, now_ms);
}

/* ---- a turn ---- */

static void begin_measuring(struct control *control, uint64_t now_ms)
{
    struct phases *phases = &control->phases;
    (void)figures_free(phases->before);
    phases->before = control_figures(control);
    phases->in_flight_max = phase_in_flight(phases->before);
    enter(phases, PHASE_MEASURING, now_ms);
}

/* The workers told what happened inside them; a phase that was broken off meanwhile is past. */
static void on_refreshed(void *arg)
{
    struct control *control = arg;
    uint64_t now_ms = clock_now_ms();
    if (control->phases.step == PHASE_MEETING) {
        enter(&control->phases, PHASE_WAITING, now_ms);
        (void)review_problem(control, now_ms);
    } else if (control->phases.step == PHASE_BEGINNING) {
        begin_measuring(control, now_ms);
    } else if (control->phases.step == PHASE_ENDING && !review_problem(control, now_ms)) {
        end_phase(control, 0, now_ms);
    }
    control_wake(control);
}

static void refresh(struct control *control, enum phase_step step, uint64_t now_ms)
{
    enter(&control->phases, step, now_ms);
    control_figures_refresh(control, on_refreshed, control);
}

static void wait_turn(struct control *control, uint64_t now_ms)
{
    CLEANUP(figures_free) struct figures *now = control_figures(control);
    if (now->count > 0 && now_ms - control->phases.since_ms >= MEET_MS) {
        refresh(control, PHASE_MEETING, now_ms);
    }
}

static void place_turn(struct control *control, uint64_t now_ms)
{
    struct phases *phases = &control->phases;
    placement_t failed = 0;
    placement_t absent = missing(control, &failed);
    if (!absent) {
        enter(phases, PHASE_SETTLING, now_ms);
    } else if (failed) {
        end_phase(control, failed, now_ms);
    } else if (now_ms - phases->since_ms > PLACING_MS_MAX) {
        end_phase(control, absent, now_ms);
    }
}

static void settle_turn(struct control *control, uint64_t now_ms)
{
    struct phases *phases = &control->phases;
    uint64_t waited_ms = now_ms - phases->since_ms;
    double warm_ms = phases->phase_s * 1000 * WARM_SHARE;
    warm_ms = warm_ms < WARM_MS_MAX ? warm_ms : WARM_MS_MAX;
    if ((is_calm(control) || waited_ms > SETTLING_MS_MAX) && (double)waited_ms >= warm_ms) {
        refresh(control, PHASE_BEGINNING, now_ms);
    }
}

static void measure_turn(struct control *control, uint64_t now_ms)
{
    struct phases *phases = &control->phases;
    placement_t failed = 0;
    CLEANUP(figures_free) struct figures *now = control_figures(control);
    unsigned in_flight = phase_in_flight(now);
    phases->in_flight_max = in_flight > phases->in_flight_max ? in_flight : phases->in_flight_max;
    if (missing(control, &failed) && failed) { /* what served before failed in mid-phase */
        end_phase(control, failed, now_ms);
    } else if ((double)(now_ms - phases->since_ms) >= phases->phase_s * 1000) {
        refresh(control, PHASE_ENDING, now_ms);
    }
}

/* Modules came, went or were moved by a person: the policy's placement is not what is there. */
static bool is_disturbed(const struct control *control)
{
    const struct phases *phases = &control->phases;
    size_t listed = 0;
    for (uint32_t i = 0; i < control->module_count; i++) {
        const struct module *module = control->modules[i];
        listed += module->listed && module->wanted != PLACE_NONE;
    }
    return listed != phases->module_count && phases->module_count < POLICY_MODULES_MAX;
}

void phases_turn(struct control *control, uint64_t now_ms)
{
    struct phases *phases = &control->phases;
    if (!phases->talk.name) {
        return;
    }
    if (phases->done && phases->line_count > DECISIONS_RUN_MAX) {
        policy_talk_done(&phases->talk);
        str_replace(&phases->shape, NULL);
        phases->run = 0;
        phases->line_count = 0;
        enter(phases, PHASE_WAITING, now_ms);
    }
    bool resized = phase_budget_changed(control, now_ms);
    if (phases->talk.policy && (resized || is_disturbed(control))) {
        str_replace(&phases->shape, NULL);
        (void)review_problem(control, now_ms);
    }
    switch (phases->step) {
    case PHASE_WAITING:
        wait_turn(control, now_ms);
        break;
    case PHASE_PLACING:
        place_turn(control, now_ms);
        break;
    case PHASE_SETTLING:
        settle_turn(control, now_ms);
        break;
    case PHASE_MEASURING:
        measure_turn(control, now_ms);
        break;
    case PHASE_MEETING:
    case PHASE_BEGINNING:
    case PHASE_ENDING:
        break; /* on_refreshed goes on */
    }
}
