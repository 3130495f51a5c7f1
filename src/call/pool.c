#include "call/pool.h"

#include <assert.h>

#include "action/target.h"
#include "base/alloc.h"
#include "http/client.h"
#include "loop/loop.h"

struct pool {
    struct loop *loop; /* borrowed */
    unsigned loop_index;
    struct target *target;   /* a reference */
    struct connection *idle; /* last used first */
    unsigned busy;
    uint64_t idle_timeout_ms;
};

struct connection {
    struct connection *next;
    struct pool *pool;
    struct http_client *client; /* owned while idle */
    uint64_t since_ms;
};

struct pool *pool_new(struct loop *loop, unsigned loop_index, struct target *target,
                      uint64_t idle_timeout_ms)
{
    struct pool *pool = xcalloc(1, sizeof(*pool));
    pool->loop = loop;
    pool->loop_index = loop_index;
    pool->target = target_ref(target);
    pool->idle_timeout_ms = idle_timeout_ms;
    target->pools[loop_index] = pool;
    return pool;
}

void pool_close_idle(struct pool *pool)
{
    while (pool->idle) {
        struct connection *connection = pool->idle;
        pool->idle = connection->next;
        http_client_free(connection->client);
        free(connection);
    }
}

struct pool *pool_free(struct pool *pool)
{
    if (pool) {
        assert(pool->busy == 0);
        pool_close_idle(pool);
        pool->target->pools[pool->loop_index] = NULL;
        target_unref(pool->target);
        free(pool);
    }
    return NULL;
}

/* The server closed a kept connection. */
static void on_closed(void *arg)
{
    struct connection *connection = arg;
    struct connection **at = &connection->pool->idle;
    while (*at != connection) {
        at = &(*at)->next;
    }
    *at = connection->next;
    http_client_free(connection->client);
    free(connection);
}

struct http_client *pool_take(struct pool *pool)
{
    uint64_t now_ms = loop_now_ms(pool->loop);
    pool->busy++;
    while (pool->idle) {
        struct connection *connection = pool->idle;
        struct http_client *client = connection->client;
        /* Somebody else's server may close a kept connection at any moment; a request sent into
         * that cannot be repeated. Ours close only when no call can come any more. */
        bool stale =
            pool->target->external && now_ms - connection->since_ms > pool->idle_timeout_ms;
        pool->idle = connection->next;
        free(connection);
        if (!stale) {
            http_client_set_closed(client, NULL, NULL);
            return client;
        }
        http_client_free(client);
    }
    return http_client_new(pool->loop, (const struct sockaddr *)&pool->target->address,
                           pool->target->address_size, pool->target->tls, pool->target->host);
}

void pool_give(struct pool *pool, struct http_client *client)
{
    pool->busy--;
    if (!http_client_usable(client) || atomic_load(&pool->target->retired)) {
        http_client_free(client);
        return;
    }
    struct connection *connection = xcalloc(1, sizeof(*connection));
    *connection = (struct connection){
        .next = pool->idle, .pool = pool, .client = client, .since_ms = loop_now_ms(pool->loop)};
    pool->idle = connection;
    http_client_set_closed(client, on_closed, connection);
}

void pool_drop(struct pool *pool, struct http_client *client)
{
    pool->busy--;
    http_client_free(client);
}

unsigned pool_busy(const struct pool *pool)
{
    return pool->busy;
}

struct target *pool_target(const struct pool *pool)
{
    return pool->target;
}
