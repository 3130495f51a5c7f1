/* The connections of one loop to one target: idle ones are kept and reused, last used first. */
#pragma once

#include <stdint.h>

struct http_client;
struct loop;
struct pool;
struct target;

/* Holds a reference to target and sits in target->pools[loop_index]. */
struct pool *pool_new(struct loop *loop, unsigned loop_index, struct target *target,
                      uint64_t idle_timeout_ms);
/* Idle connections are closed; busy ones must have been freed. Returns NULL. */
struct pool *pool_free(struct pool *pool);

/* An idle connection, or a new one. Never NULL; must come back by pool_give or pool_drop. */
struct http_client *pool_take(struct pool *pool);
/* Keeps it when it is usable and the target is not retired, else frees it. */
void pool_give(struct pool *pool, struct http_client *client);
void pool_drop(struct pool *pool, struct http_client *client);

unsigned pool_busy(const struct pool *pool);
struct target *pool_target(const struct pool *pool);
void pool_close_idle(struct pool *pool);
