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

static void enter(struct phases *phases, enum phase_step step, uint64_t now_ms)
{
    phases->step = step;
    phases->since_ms = now_ms;
}

/* ---- lines ---- */

static void on_thought(void *arg)
{
    control_wake(arg);
}

/* Begins to tell the policy a line: it thinks in a thread, take_answer goes on. What happens to
 * modules meanwhile is seen by their changes. */
static void tell(struct control *control, struct json_object *line, uint64_t now_ms)
{
    struct phases *phases = &control->phases;
    phase_note_changes(control);
    phases->thought =
        thought_begin(&control->thinking, &phases->talk, json_text(line), on_thought, control);
    enter(phases, PHASE_THINKING, now_ms);
}

/* A line that the policy does not take is a defect of ours; the placement that was kept stays. */
static void stop(struct control *control, const struct err *err, uint64_t now_ms)
{
    struct phases *phases = &control->phases;
    log_error("the policy does not understand what was measured and stops",
              "policy=%s error=\"%s\"", phases->talk.name, err->text);
    str_replace(&phases->error, err->text);
    phase_abandon(control);
    policy_talk_done(&phases->talk);
    enter(phases, PHASE_FAILED, now_ms);
}

/* The policy has thought: it is asked again, and its answer is kept. */
static void take_answer(struct control *control, uint64_t now_ms)
{
    struct phases *phases = &control->phases;
    struct thought_result result;
    thought_take(TAKE(phases->thought), &phases->talk, &result);
    if (result.answer) {
        phase_record(control, result.told, result.answer);
        (void)json_put(phases->answer);
        phases->answer = NULL;
        (void)json_parse(slice_str(result.answer), &phases->answer, NULL);
        phases->asked = result.asked.placement;
        phases->done = result.asked.done;
        phases->phase_s = result.asked.phase_s;
    } else {
        stop(control, &result.err, now_ms);
    }
    thought_result_done(&result);
}

/* Nothing to place, or nothing that calls it: as before the first traffic. */
static void wait_anew(struct control *control, uint64_t now_ms)
{
    struct phases *phases = &control->phases;
    policy_talk_done(&phases->talk);
    str_replace(&phases->shape, NULL);
    phases->module_count = 0;
    phases->given_up = 0;
    phases->run = 0;
    phases->recorded = false;
    phases->done = false;
    phases->answer = json_put(phases->answer);
    enter(phases, PHASE_WAITING, now_ms);
}

/* Tells the policy what there is, when that is not what it knows. True = it is told. */
static bool review_problem(struct control *control, uint64_t now_ms)
{
    struct phases *phases = &control->phases;
    struct policy_problem problem;
    phase_problem(control, &problem, phases->modules);
    phases->module_count = problem.module_count;
    phases->listed = phase_listed(control);
    CLEANUP(str_free) char *shape = phase_shape(&problem);
    bool blind = problem.walker_count == 0 && !phases->talk.policy;
    bool is_new = !blind && (!phases->shape || strcmp(shape, phases->shape) != 0);
    if (problem.module_count == 0) {
        is_new = phases->talk.policy != NULL;
        wait_anew(control, now_ms);
    } else if (is_new) {
        CLEANUP(json_put) struct json_object *line = policy_problem_write(&problem);
        str_replace(&phases->shape, shape);
        phases->told_bytes = problem.budget_bytes;
        phases->pressed = pressure_is_on(&phases->pressure);
        phases->given_up = 0;
        tell(control, line, now_ms);
    }
    policy_problem_done(&problem);
    return is_new;
}

static void tell_measurement(struct control *control, const struct policy_measurement *measurement,
                             uint64_t now_ms)
{
    struct phases *phases = &control->phases;
    CLEANUP(json_put)
    struct json_object *line =
        policy_measurement_write(measurement, policy_problem(phases->talk.policy));
    phases->round++;
    phases->resting = !(measurement->throughput_s > 0) && !(measurement->errors > 0);
    tell(control, line, now_ms);
}

static void end_phase(struct control *control, uint64_t now_ms)
{
    struct phases *phases = &control->phases;
    struct policy_measurement measurement;
    CLEANUP(figures_free) struct figures *before = TAKE(phases->before);
    CLEANUP(figures_free) struct figures *after = control_figures(control);
    phase_measurement(policy_problem(phases->talk.policy), before, after, phases->in_flight_max,
                      &measurement);
    tell_measurement(control, &measurement, now_ms);
    policy_measurement_done(&measurement);
}

/* Modules cannot be brought, or do not stay, where the policy wants them. */
static void fail_phase(struct control *control, placement_t not_placed, uint64_t now_ms)
{
    struct phases *phases = &control->phases;
    struct policy_measurement measurement;
    policy_measurement_init(&measurement, policy_problem(phases->talk.policy));
    measurement.not_placed = not_placed;
    phases->before = figures_free(phases->before);
    phases->given_up |= not_placed; /* the policy knows; it need not be told each turn */
    tell_measurement(control, &measurement, now_ms);
    phases->resting = false;
    policy_measurement_done(&measurement);
}

/* ---- a turn ---- */

static void begin_measuring(struct control *control, uint64_t now_ms)
{
    struct phases *phases = &control->phases;
    (void)figures_free(phases->before);
    phases->before = control_figures(control);
    phases->in_flight_max = control_traffic(control).in_flight;
    enter(phases, PHASE_MEASURING, now_ms);
}

/* The workers told what happened inside them; a phase that was broken off meanwhile is past. */
static void on_refreshed(void *arg)
{
    struct control *control = arg;
    uint64_t now_ms = clock_now_ms();
    if (control->released || !control->leads) {
        return;
    }
    if (control->phases.step == PHASE_ENDING && phase_is_disturbed(control)) {
        str_replace(&control->phases.shape, NULL); /* what was measured is of no one placement */
    }
    if (control->phases.step == PHASE_MEETING) {
        enter(&control->phases, PHASE_WAITING, now_ms);
        (void)review_problem(control, now_ms);
    } else if (control->phases.step == PHASE_BEGINNING) {
        begin_measuring(control, now_ms);
    } else if (control->phases.step == PHASE_ENDING && !review_problem(control, now_ms)) {
        end_phase(control, now_ms);
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
    if (control_traffic(control).calls > 0 && now_ms - control->phases.since_ms >= MEET_MS) {
        refresh(control, PHASE_MEETING, now_ms);
    }
}

static void think_turn(struct control *control, uint64_t now_ms)
{
    if (!control->phases.thought) {
        phase_apply(control, control->phases.asked);
        enter(&control->phases, PHASE_PLACING, now_ms);
    }
}

static void place_turn(struct control *control, uint64_t now_ms)
{
    struct phases *phases = &control->phases;
    placement_t failed = 0;
    placement_t absent = phase_missing(control, &failed);
    if (!absent && phase_is_behind(control, phases->asked)) {
        /* What has left must have given its memory back, or is not waited for any longer. */
        if (phase_is_calm(control) || now_ms - phases->since_ms > SETTLING_MS_MAX) {
            think_turn(control, now_ms);
        }
    } else if (!absent) {
        if (phases->done) {
            phase_keep(control);
        }
        phases->calls_before = control_traffic(control).calls;
        enter(phases, PHASE_SETTLING, now_ms);
    } else if (failed) {
        fail_phase(control, failed, now_ms);
    } else if (now_ms - phases->since_ms > PLACING_MS_MAX) {
        fail_phase(control, absent, now_ms);
    }
}

static uint64_t warm_ms(const struct phases *phases)
{
    double share_ms = phases->phase_s * 1000 * WARM_SHARE;
    return (uint64_t)(share_ms < WARM_MS_MAX ? share_ms : WARM_MS_MAX);
}

static void settle_turn(struct control *control, uint64_t now_ms)
{
    struct phases *phases = &control->phases;
    uint64_t waited_ms = now_ms - phases->since_ms;
    /* After a phase without traffic the policy rests where it is best, untold, until some comes. */
    bool idle = phases->resting && control_traffic(control).calls == phases->calls_before;
    if (!idle && (phase_is_calm(control) || waited_ms > SETTLING_MS_MAX) &&
        waited_ms >= warm_ms(phases)) {
        refresh(control, PHASE_BEGINNING, now_ms);
    }
}

static void measure_turn(struct control *control, uint64_t now_ms)
{
    struct phases *phases = &control->phases;
    placement_t failed = 0;
    unsigned in_flight = control_traffic(control).in_flight;
    phases->in_flight_max = in_flight > phases->in_flight_max ? in_flight : phases->in_flight_max;
    if (phase_missing(control, &failed) && failed) { /* what served before failed in mid-phase */
        fail_phase(control, failed, now_ms);
    } else if ((double)(now_ms - phases->since_ms) >= phases->phase_s * 1000) {
        refresh(control, PHASE_ENDING, now_ms);
    }
}

/* Somebody waits for a load of his: the policy does not take it away from under him. */
static bool is_loading(const struct control *control)
{
    return control->waiters != NULL;
}

void phases_turn(struct control *control, uint64_t now_ms)
{
    struct phases *phases = &control->phases;
    if (!control->leads || !phases->talk.name || phases->step == PHASE_FAILED ||
        control->released) {
        return;
    }
    phase_look_at_memory(control, now_ms);
    if (phases->thought && !thought_is_over(phases->thought)) {
        return;
    }
    bool resized = phase_budget_changed(control);
    bool urgent = phases->pressed || (resized && pressure_is_on(&phases->pressure));
    if ((phases->thought || phases->talk.policy) && is_loading(control) && !urgent) {
        return;
    }
    if (phases->thought) {
        take_answer(control, now_ms);
    }
    if (phases->talk.policy && (resized || phase_is_disturbed(control))) {
        str_replace(&phases->shape, NULL);
        (void)review_problem(control, now_ms); /* an answer to what was is not carried out */
    }
    switch (phases->step) {
    case PHASE_WAITING:
        wait_turn(control, now_ms);
        break;
    case PHASE_THINKING:
        think_turn(control, now_ms);
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
    case PHASE_ENDING: /* on_refreshed goes on */
    case PHASE_FAILED:
        break;
    }
}

uint64_t phases_due_ms(const struct control *control)
{
    const struct phases *phases = &control->phases;
    uint64_t phase_ms = (uint64_t)(phases->phase_s * 1000);
    return phases->step == PHASE_MEASURING  ? phases->since_ms + phase_ms
           : phases->step == PHASE_SETTLING ? phases->since_ms + warm_ms(phases)
                                            : UINT64_MAX;
}
