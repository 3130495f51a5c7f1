#include "action/target.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "base/alloc.h"
#include "http/tls.h"

static struct target *target_new(uint32_t id, const void *address, socklen_t size, const char *host)
{
    struct target *target = xcalloc(1, sizeof(*target));
    atomic_store(&target->refs, 1);
    target->id = id;
    assert(size <= sizeof(target->address));
    memcpy(&target->address, address, size);
    target->address_size = size;
    target->host = xstrdup(host);
    return target;
}

struct target *target_new_local(uint32_t id, const char *socket_path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    assert(strlen(socket_path) < sizeof(address.sun_path));
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", socket_path);
    struct target *target = target_new(id, &address, sizeof(address), "localhost");
    target->base_path = xstrdup("");
    return target;
}

struct target *target_new_server(uint32_t id, const struct sockaddr *address, socklen_t size,
                                 const char *host, const char *base_path, struct tls_client *tls)
{
    struct target *target = target_new(id, address, size, host);
    target->base_path = xstrdup(base_path);
    target->external = true;
    target->guarded = true;
    target->tls = tls;
    return target;
}

struct target *target_ref(struct target *target)
{
    (void)atomic_fetch_add_explicit(&target->refs, 1, memory_order_relaxed);
    return target;
}

void target_unref(struct target *target)
{
    if (target && atomic_fetch_sub_explicit(&target->refs, 1, memory_order_acq_rel) == 1) {
        target->tls = tls_client_free(target->tls);
        free(target->host);
        free(target->base_path);
        free(target);
    }
}

struct target_set *target_set_new(struct target *const *targets, uint32_t count)
{
    assert(count > 0 && count <= TARGET_SET_MAX);
    struct target_set *set = xcalloc(1, sizeof(*set) + count * sizeof(set->items[0]));
    atomic_store(&set->refs, 1);
    set->count = count;
    for (uint32_t i = 0; i < count; i++) {
        set->items[i] = target_ref(targets[i]);
    }
    return set;
}

struct target_set *target_set_of(struct target *target)
{
    struct target_set *set = target_set_new(&target, 1);
    target_unref(target);
    return set;
}

struct target_set *target_set_ref(struct target_set *set)
{
    (void)atomic_fetch_add_explicit(&set->refs, 1, memory_order_relaxed);
    return set;
}

void target_set_unref(struct target_set *set)
{
    if (set && atomic_fetch_sub_explicit(&set->refs, 1, memory_order_acq_rel) == 1) {
        for (uint32_t i = 0; i < set->count; i++) {
            target_unref(set->items[i]);
        }
        free(set);
    }
}

uint32_t target_set_in_flight(const struct target_set *set)
{
    uint32_t in_flight = 0;
    for (uint32_t i = 0; set && i < set->count; i++) {
        in_flight += atomic_load(&set->items[i]->in_flight);
    }
    return in_flight;
}

static bool has(const struct target_set *set, const struct target *target)
{
    for (uint32_t i = 0; set && i < set->count; i++) {
        if (set->items[i] == target) {
            return true;
        }
    }
    return false;
}

void target_set_retire(const struct target_set *set, const struct target_set *kept)
{
    for (uint32_t i = 0; set && i < set->count; i++) {
        if (!has(kept, set->items[i])) {
            atomic_store(&set->items[i]->retired, true);
        }
    }
}
