/* Runs one job in a call thread: the loader's hooks around it, the time, the figures, the answer.
 * The functions are the crew's operations. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "worker/job.h"

struct call_rules {
    const struct worker_loader *loaders[4]; /* whose threads must be prepared; ended by NULL */
    size_t result_bytes_max;
    bool verbose;
};

void call_thread_end(const struct call_rules *rules, struct call_state *state);
void call_run(const struct call_rules *rules, struct call_state *state, const struct job *job,
              bool more);
void call_rest(struct call_state *state);

/* Runs call and fills answer with what it left, made fit to be sent; counts it for action (may be
 * NULL). The loader is entered. */
void call_execute(const struct call_rules *rules, const struct job *job,
                  struct worker_answer *answer);
