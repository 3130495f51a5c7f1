/* The lines that a policy would be told of the present traffic, for whoever wants to ask one: what
 * to do now, or what if. Nothing is changed by it. */
#include <errno.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "control/control_priv.h"
#include "control/phases.h"
#include "measure/figures.h"

struct outlook {
    struct outlook *next;
    struct control *control;
    struct figures *before; /* owned; NULL until the first look */
    struct loop_timer timer;
    double seconds;
    bool ending;
    control_lines_fn done;
    void *arg;
};

static void unlist(struct outlook *outlook)
{
    struct outlook **at = &outlook->control->outlooks;
    while (*at != outlook) {
        at = &(*at)->next;
    }
    *at = outlook->next;
}

/* It is on no list any more. */
static void forget(struct outlook *outlook)
{
    loop_timer_clear(outlook->control->parts.loop, &outlook->timer);
    (void)figures_free(outlook->before);
    free(outlook);
}

static void add_line(struct json_object *lines, struct json_object *line)
{
    (void)json_object_array_add(lines, json_object_new_string(json_text(line)));
    (void)json_put(line);
}

/* Tells what was measured; ends it. */
static void finish(struct outlook *outlook)
{
    struct policy_problem problem;
    struct policy_measurement measurement;
    uint32_t modules[POLICY_MODULES_MAX];
    struct json_object *lines = json_object_new_array();
    CLEANUP(figures_free) struct figures *after = control_figures(outlook->control);
    phase_problem(outlook->control, &problem, modules);
    phase_measurement(&problem, outlook->before, after, control_traffic(outlook->control).in_flight,
                      &measurement);
    add_line(lines, policy_problem_write(&problem));
    add_line(lines, policy_measurement_write(&measurement, &problem));
    policy_measurement_done(&measurement);
    policy_problem_done(&problem);
    outlook->done(outlook->arg, lines);
    forget(outlook);
}

static void on_refreshed(void *arg)
{
    struct outlook *outlook = arg;
    struct control *control = outlook->control;
    if (outlook->ending) {
        unlist(outlook);
        finish(outlook);
        return;
    }
    outlook->before = control_figures(control);
    outlook->ending = true;
    loop_timer_set(control->parts.loop, &outlook->timer,
                   clock_now_ms() + (uint64_t)(outlook->seconds * 1000));
}

static void on_timer(void *arg)
{
    struct outlook *outlook = arg;
    control_figures_refresh(outlook->control, on_refreshed, outlook);
}

int control_policy_observe(struct control *control, double seconds, control_lines_fn done,
                           void *arg, struct err *err)
{
    unsigned count = 0;
    for (const struct outlook *other = control->outlooks; other; other = other->next) {
        count++;
    }
    if (count >= CONTROL_OBSERVERS_MAX) {
        return err_set(err, EBUSY, "%u measurements are under way; ask again when one has ended",
                       count);
    }
    struct outlook *outlook = xcalloc(1, sizeof(*outlook));
    *outlook = (struct outlook){.next = control->outlooks,
                                .control = control,
                                .timer = {.fn = on_timer, .arg = outlook},
                                .seconds = seconds,
                                .done = done,
                                .arg = arg};
    control->outlooks = outlook;
    if (seconds <= 0) { /* since the beginning, when nothing had happened */
        outlook->before = figures_new(control->started_ns);
        outlook->ending = true;
    }
    control_figures_refresh(control, on_refreshed, outlook);
    return 0;
}

void outlooks_end(struct control *control, bool tell)
{
    while (control->outlooks) {
        struct outlook *outlook = control->outlooks;
        control->outlooks = outlook->next;
        if (tell) {
            outlook->before = outlook->before ? outlook->before : control_figures(control);
            finish(outlook);
        } else {
            forget(outlook);
        }
    }
}
