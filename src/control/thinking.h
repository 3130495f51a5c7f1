/* What a policy makes of a line may take seconds of simulation, so it is told in a thread of the
 * job pool. Meanwhile the conversation belongs to that thread, and to nobody else; then it comes
 * back to the loop, or ends there when nobody waits for it any more. */
#pragma once

#include "base/err.h"
#include "loop/loop.h"
#include "policy/policy_json.h"

struct job_pool;
struct thought;

struct thinking {
    struct job_pool *jobs; /* borrowed */
    struct loop *loop;     /* borrowed */
    struct thought *first; /* owned; those that a thread or their owner still has */
};

struct thought_result {
    char *told;                 /* the line; owned */
    char *answer;               /* owned; NULL = the line was refused, err says why */
    struct policy_answer asked; /* as policy_ask; reason is NULL: it is the policy's own */
    struct err err;
};

/* Tells the policy a line, without its end. The conversation moves in, but for params, which are
 * copied; *talk is left without a policy. done (in the loop's thread) runs when the result is
 * there; it may be taken then or later. */
struct thought *thought_begin(struct thinking *thinking, struct policy_talk *talk, const char *line,
                              loop_fn done, void *arg);

/* The result is there. */
bool thought_is_over(const struct thought *thought);

/* Gives the policy back to talk and frees the thought, which is over. */
void thought_take(struct thought *thought, struct policy_talk *talk,
                  struct thought_result *ret_result);
void thought_result_done(struct thought_result *result);

/* Nobody waits for it any more: it soon ends, frees itself and its policy, and done does not run.
 * NULL is allowed. */
void thought_drop(struct thought *thought);

/* Frees all that is left. No thread runs any more: after job_pool_free. */
void thinking_done(struct thinking *thinking);
