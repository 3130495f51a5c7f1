/* Threads for work that may block: input moves in, the result moves out to a loop.
 * The threads start on first use and end after a pause without work. */
#pragma once

#include "loop/loop.h"

struct job_pool;

struct job_pool *job_pool_new(unsigned threads_max);

/* Waits for running jobs; jobs not begun, and those whose loop has not called done yet, are
 * dropped: the loops must not run any more. */
struct job_pool *job_pool_free(struct job_pool *pool);

/* Runs work(arg) in a thread of the pool, then done(arg) in loop's thread (done may be NULL).
 * Jobs of one pool may run in any order. */
void job_submit(struct job_pool *pool, struct loop *loop, loop_fn work, loop_fn done, void *arg);
