/* What a walker's run does under a placement, step by step: the program that the twin executes. */
#pragma once

#include "policy/twin.h"

#define STEP_OWN UINT8_MAX /* a step's module: the walker's own code */

struct step {
    enum { STEP_SERVE, STEP_DELAY, STEP_CHANCE } kind;
    uint8_t server; /* STEP_SERVE: 0 = the runtime worker, 1 + m = the pod of m */
    uint8_t module; /* STEP_OWN = the walker's own code */
    bool hop;       /* STEP_SERVE: work of a hop, not of the call itself */
    uint16_t skip;  /* STEP_CHANCE: steps that are left out unless it happens */
    uint32_t draw;  /* which random number of the run; the same under any placement */
    double mean_s;  /* STEP_CHANCE: its probability */
};

struct steps {
    struct step *items; /* owned */
    uint32_t count;
    uint32_t walker[POLICY_WALKERS_MAX + 1]; /* where each one's begin; the next one's is its end */
};

void steps_make(const struct twin_model *model, placement_t placement, struct steps *ret_steps);
void steps_done(struct steps *steps);
