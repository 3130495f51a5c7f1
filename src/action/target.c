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
