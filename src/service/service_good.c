/* The config that a service runs with: what is set, or the last one with which it ran. */
#include <errno.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "service/database.h"
#include "store/store.h"

static void take_config(struct service *service, struct json_object *stored)
{
    const struct service_ops *ops = service->ops;
    struct json_object *former = service->stored;
    service->stored = json_ref(stored);
    (void)json_put(former);
    (void)json_put(service->config);
    service->config = service_config_merge(ops, service->stored);
    service->provider =
        service_config_provider(ops, service->stored, service_cluster_is_there(service->all));
    service->enabled =
        json_flag(service->config, "enabled", true) && service->provider != PROVIDER_NONE;
    service->automated = json_flag(service->config, "automated", false);
    service->quiet = json_flag(service->config, "quiet", false);
    service->port = 0;
}

/* The original gave them to its client library; here nothing reads them. */
static void warn_of_unknown(const struct service *service)
{
    json_object_object_foreach(service->stored, name, value)
    {
        (void)value;
        if (service->ops->passes_on && !service_config_knows(service->ops, name, NULL)) {
            log_warn("key of a service's config has no effect", "service=%s key=\"%s\"",
                     service->ops->name, name);
        }
    }
}

bool service_holds_state(const struct service *service)
{
    return service->all->parts.state_in_database && service->ops == &service_database;
}

bool service_load(struct service *service)
{
    const struct service_ops *ops = service->ops;
    CLEANUP(str_free) char *text = NULL;
    CLEANUP(json_put) struct json_object *set = NULL;
    struct err err = {0};
    int failed = service_holds_state(service) /* it was started without it */
                     ? 0
                     : store_config_get(service->all->parts.store, ops->config, &text, &err);
    failed = failed == -ENOENT ? 0 : failed;
    if (!failed && text) {
        failed = json_parse_object(slice_str(text), &set, &err);
    }
    struct store *store = service->all->parts.store;
    CLEANUP(json_put)
    struct json_object *own = ops->older ? ops->older(store, set) : json_ref(set);
    CLEANUP(json_put)
    struct json_object *stored =
        service_config_over(service_config_given(ops, service->all->parts.given), own);
    if (!failed) {
        CLEANUP(json_put) struct json_object *config = service_config_merge(ops, stored);
        failed = service_config_check(ops, config, &err);
    }
    if (failed) {
        str_replace(&service->refused, err.text);
        log_warn("config of a service is refused", "service=%s error=\"%s\"", ops->name, err.text);
        if (service->config) {
            return false;
        }
        (void)json_put(stored); /* a first start: as it ran last, else as if nothing were set */
        stored = service->good ? json_ref(service->good) : json_object_new_object();
    } else {
        str_replace(&service->refused, NULL);
    }
    bool changed = !service->config || !json_object_equal(service->stored, stored) ||
                   service->provider != /* there is a cluster meanwhile */
                       service_config_provider(ops, stored, service_cluster_is_there(service->all));
    if (changed) { /* else what runs keeps its port */
        take_config(service, stored);
        warn_of_unknown(service);
    }
    return changed;
}

bool service_is_on_trial(const struct service *service)
{
    return service->good && !service->ops->part_of && !service_holds_state(service) &&
           !json_object_equal(service->good, service->stored);
}

void service_keep_config(struct service *service)
{
    free(service->before);
    service->before = NULL;
    service->can_put_back = false;
    if (service->good && json_object_equal(service->good, service->stored)) {
        return;
    }
    (void)json_put(service->good);
    service->good = json_ref(service->stored);
    CLEANUP(str_free) char *key = xasprintf("service %s", service->ops->name);
    struct err err = {0};
    if (store_meta_set(service->all->parts.store, key, json_text(service->good), &err) < 0) {
        log_warn("good config of a service was not saved", "service=%s error=\"%s\"",
                 service->ops->name, err.text);
    }
}

static void put_back(struct service *service)
{
    struct store *store = service->all->parts.store;
    const char *name = service->ops->config;
    int failed = 0;
    struct err err = {0};
    if (service->can_put_back) {
        failed = service->before ? store_config_set(store, name, service->before, &err)
                                 : store_config_delete(store, name, &err);
    }
    if (failed) {
        log_warn("config of a service was not put back", "service=%s error=\"%s\"",
                 service->ops->name, err.text);
    }
    free(service->before);
    service->before = NULL;
    service->was_put_back = service->can_put_back && !failed;
    service->can_put_back = false;
}

void service_revert(struct service *service)
{
    log_warn("config of a service does not run; the last good one is taken",
             "service=%s error=\"%s\"", service->ops->name, service->error ? service->error : "");
    put_back(service);
    str_replace(&service->refused, service->error ? service->error : "it does not run");
    take_config(service, service->good);
    keep_restart(&service->keep, clock_now_ms());
}
