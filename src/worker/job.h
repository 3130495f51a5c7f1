/* A request on its way to a call thread, and what a call thread remembers between two of them. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "worker/worker.h"

struct worker_action;

struct job {
    const struct worker_loader *loader; /* borrowed; never NULL */
    worker_call_fn call;
    void *arg;
    struct worker_action *action; /* counted here; NULL = none */
    uint64_t expected_ns;         /* mean of its calls so far; 0 = unknown */
    atomic_int *hog;              /* the crew's note on the action; NULL = none kept */
    struct worker_call input;     /* input.request is answered by the job */
};

/* Owned by one call thread. */
struct call_state {
    atomic_uint *entering_count;             /* the crew's; NULL = nobody wants to know */
    atomic_bool entering;                    /* inside a loader's enter, which may block */
    bool begun;                              /* thread_begin of the loaders ran */
    const struct worker_loader *entered;     /* its enter ran, its leave did not yet */
    const struct worker_loader *held_loader; /* of held; NULL = nothing held */
    struct worker_answer held;               /* written; released at the next enter */
};
