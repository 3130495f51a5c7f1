/* A policy's life in the daemon: the placement that it asks for is held for a phase, what was
 * measured in that time is told to it, and so on. A placement on trial is never saved: after a
 * restart, without traffic, and when the policy is replaced, the one kept before applies again. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "control/pressure.h"
#include "control/thinking.h"
#include "measure/figures.h"
#include "policy/policy_json.h"

struct control;
struct module;
struct err;
struct figures;

enum phase_step {
    PHASE_WAITING,   /* for the first traffic: before it there is nothing to choose by */
    PHASE_MEETING,   /* the workers are asked what walkers call */
    PHASE_THINKING,  /* the policy makes up its mind, in a thread */
    PHASE_PLACING,   /* until every module is served where the policy wants it */
    PHASE_SETTLING,  /* old instances drain; what is cold warms up */
    PHASE_BEGINNING, /* the workers are asked for their figures */
    PHASE_MEASURING, /* until the phase's time is over */
    PHASE_ENDING,    /* the workers are asked once more */
    PHASE_FAILED,    /* what was measured could not be told; the error says why */
};

struct phases {
    struct policy_talk talk;    /* name NULL: none runs, modules are where they were loaded; without
                                   a policy while that thinks */
    struct thought *thought;    /* owned; NULL = it does not */
    placement_t asked;          /* by the last answer */
    struct json_object *params; /* as given; owned; NULL = none */
    struct json_object *answer; /* the policy's last one; owned */
    enum phase_step step;
    uint64_t since_ms; /* in this step */
    uint64_t round;    /* phases told */
    bool done;
    double phase_s;
    placement_t given_up;                 /* cannot be brought where they are wanted */
    bool resting;                         /* the last phase had no traffic */
    uint64_t calls_before;                /* at the end of the placing */
    struct figures *before;               /* at the begin of the measuring; owned */
    unsigned in_flight_max;               /* seen in this phase */
    uint32_t modules[POLICY_MODULES_MAX]; /* the problem's, as indices of the control's */
    unsigned changes[POLICY_MODULES_MAX]; /* of each module, as the policy left it */
    size_t module_count;
    size_t listed; /* modules that there were to place, when the policy was told: maybe more */
    char *error;   /* owned; NULL = none */
    char *shape;   /* of the problem that the policy has: when it differs, the policy is told */
    struct pressure pressure;
    double beyond_bytes; /* of the runtime worker beyond its modules, as last measured */
    double budget_bytes; /* now */
    double memory_bytes; /* of the machine */
    double told_bytes;   /* the budget that the policy knows */
    bool pressed;        /* and it is tightened: what follows from it is not saved */
    uint64_t looked_ms;  /* at the memory */
    int64_t run;         /* in the store's decisions; 0 = none is stored yet */
    bool recorded;       /* a run has begun */
    unsigned line_count; /* of the run */
};

/* phases.c */
void phases_turn(struct control *control, uint64_t now_ms);
/* When the step ends by the clock; UINT64_MAX = it does not. */
uint64_t phases_due_ms(const struct control *control);

/* phase_place.c */
/* Under memory pressure one module at a time, the first that leaves the runtime worker: a move
 * takes memory before it gives any back. */
void phase_apply(struct control *control, placement_t placement);
/* phase_apply has left something to do. */
bool phase_is_behind(const struct control *control, placement_t placement);
/* From now on a load or a move of a module disturbs. */
void phase_note_changes(struct control *control);
/* What is in force is no trial any more, and is saved; but what memory pressure made of it is not
 * what anybody wants to find after a restart. */
void phase_keep(struct control *control);
/* Back to what applied before the policy tried things. */
void phase_abandon(struct control *control);
/* Modules that are not where they are wanted. *ret_failed: those of them that cannot get there. */
placement_t phase_missing(const struct control *control, placement_t *ret_failed);
/* No instance starts or drains. */
bool phase_is_calm(const struct control *control);
/* Modules came, went, or were loaded or moved by somebody since the policy was told, or since
 * phase_apply. */
bool phase_is_disturbed(const struct control *control);

/* A policy may be asked where it should be. */
bool phase_is_placed(const struct module *module);
size_t phase_listed(const struct control *control);

/* phase_record.c */
void phase_record(struct control *control, const char *told, const char *answer);
/* Saves the lines that wait for it, the oldest first; -errno of the store. */
int phase_lines_save(struct control *control, struct err *err);
void phase_lines_drop(struct control *control);

/* phase_budget.c */
/* A setting in MB; 0 = INFINITY. */
double phase_setting_bytes(int64_t mb);
/* At most once a second. */
void phase_look_at_memory(struct control *control, uint64_t now_ms);
/* So much that the policy should know: at once under pressure, else when nothing is under way. */
bool phase_budget_changed(const struct control *control);

/* phases_set.c */
const char *phase_step_name(enum phase_step step); /* for a person: several have one name */
void phases_restore(struct control *control);
/* From the beginning: whoever begins to lead, or leads no more, knows nothing of a run under way.
 */
void phases_restart(struct control *control);
void phases_done(struct phases *phases);

/* phase_walkers.c */
/* The index of who that is in the problem, of "(others)" if it is not there itself; walker_count =
 * nobody. */
size_t phase_walker(const struct policy_problem *problem, const struct figure *row);
/* The row counts runs, not calls that they make. */
static inline bool phase_begins_run(const struct figure *row)
{
    return !row->action || !row->walker;
}
/* The busiest; the rest is one walker "(others)". former (NULL = none): what the policy knows. */
void phase_add_walkers(struct policy_problem *problem, const struct figures *figures,
                       const struct policy_problem *former);

/* phase_figures.c: what the control knows, in the policy's terms. */

/* *ret_problem is to be given to policy_problem_done. ret_modules[i]: module i of it, as index of
 * the control's. */
void phase_problem(const struct control *control, struct policy_problem *ret_problem,
                   uint32_t ret_modules[POLICY_MODULES_MAX]);
/* Names, kinds and who calls what: figures may drift without changing it. Owned by the caller. */
char *phase_shape(const struct policy_problem *problem);
/* Of the time between two snapshots; to be given to policy_measurement_done. */
void phase_measurement(const struct policy_problem *problem, const struct figures *before,
                       const struct figures *after, unsigned in_flight_max,
                       struct policy_measurement *ret_measurement);
