/* Those who wait until a service is as it was to be, or has failed. */
#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "service/service_priv.h"

/* 1 = settled well, 0 = not yet, negative = it is not as it was to be. */
static int settled(const struct service *service)
{
    if (service->keep.busy && service->keep.state != SERVICE_RUNNING) {
        return 0;
    }
    if (!service_is_wanted(service)) {
        return !service->program;
    }
    switch (service->keep.state) {
    case SERVICE_RUNNING:
        return service->refused ? -EINVAL : 1;
    case SERVICE_FAILED:
        return -EIO;
    default:
        return 0;
    }
}

static char *text_of(const struct service *service, int state)
{
    const struct service *needed =
        service->ops->needs ? services_find(service->all, service->ops->needs) : NULL;
    switch (state) {
    case -EINVAL:
        return xasprintf("the config was not taken: %s; it runs with the last good one",
                         service->refused);
    case -EIO:
        return xstrdup(service->error ? service->error : "it failed");
    case -ETIMEDOUT:
        return needed && needed->keep.state != SERVICE_RUNNING
                   ? xasprintf("it waits for %s", needed->ops->name)
                   : xstrdup("it is still starting");
    default:
        return NULL;
    }
}

void service_release(struct service *service)
{
    while (service->waiters) {
        struct service_waiter *waiter = service->waiters;
        service->waiters = waiter->next;
        waiter->done(waiter->arg, -ECANCELED, "jsorc ends");
        free(waiter);
    }
}

void service_tell(struct service *service, uint64_t now_ms)
{
    int state = settled(service);
    struct service_waiter **at = &service->waiters;
    struct service_waiter *told = NULL;
    while (*at) {
        struct service_waiter *waiter = *at;
        if (state == 0 && now_ms < waiter->deadline_ms) {
            at = &waiter->next;
            continue;
        }
        *at = waiter->next;
        waiter->next = told;
        told = waiter;
    }
    state = state == 0 ? -ETIMEDOUT : state > 0 ? 0 : state;
    CLEANUP(str_free) char *text = text_of(service, state);
    while (told) { /* apart from the walk above: done may add another one */
        struct service_waiter *waiter = told;
        told = waiter->next;
        waiter->done(waiter->arg, state, text);
        free(waiter);
    }
    if (service->was_put_back && state == -EINVAL) { /* what is set is what runs: all was told */
        service->was_put_back = false;
        str_replace(&service->refused, NULL);
    }
}
