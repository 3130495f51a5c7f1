/* All services: the pass over them, and what is told of them. */
#include <curl/curl.h>
#include <errno.h>
#include <math.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/random.h"
#include "loop/job.h"
#include "measure/exposition.h"
#include "provider/process/program.h"
#include "service/service_priv.h"
#include "store/store.h"

#define KEEPING_THREADS_MAX 4 /* a check that hangs holds one for its time-out */
#define USING_THREADS_MAX   8
#define INTERVAL_S_MIN      0.05
#define INTERVAL_S_MAX      3600
#define STOP_POLL_MS        20

static void turn(void *arg);

/* ---- the pass's own config ---- */

static void load_loop_config(struct services *services)
{
    CLEANUP(str_free) char *text = NULL;
    CLEANUP(json_put) struct json_object *config = NULL;
    if (store_config_get(services->parts.store, "JSORC_CONFIG", &text, NULL) == 0) {
        (void)json_parse_object(slice_str(text), &config, NULL);
    }
    double usual_s = (double)services->settings.interval_ms / 1000;
    double interval_s =
        config ? service_config_number(config, "backoff_interval", usual_s) : usual_s;
    interval_s = interval_s < INTERVAL_S_MIN ? INTERVAL_S_MIN : interval_s;
    services->backoff_s = interval_s > INTERVAL_S_MAX ? INTERVAL_S_MAX : interval_s;
    services->rules = (struct keep_rules){
        .interval_ms = (uint64_t)(services->backoff_s * 1000),
        .start_timeout_ms = services->settings.start_timeout_ms,
    };
    services->loop_on = json_flag(config, "automation", true);
    struct json_object *names = json_member(config, "pre_loaded_services", json_type_array);
    (void)json_put(services->preload);
    services->preload = names ? json_ref(names) : json_object_new_array();
    for (size_t i = 0; i < json_object_array_length(services->preload); i++) {
        const char *name = json_object_get_string(json_object_array_get_idx(services->preload, i));
        struct service *service = name ? services_find(services, name) : NULL;
        if (service) {
            service->asked = true;
        }
    }
}

struct json_object *services_loop_config(const struct services *services)
{
    struct json_object *config = json_object_new_object();
    double whole = round(services->backoff_s);
    if (whole == services->backoff_s) {
        json_set_int(config, "backoff_interval", (int64_t)whole);
    } else {
        json_set_double(config, "backoff_interval", services->backoff_s);
    }
    json_set(config, "pre_loaded_services", json_ref(services->preload));
    return config;
}

/* ---- life ---- */

struct services *services_new(const struct service_parts *parts,
                              const struct service_settings *settings)
{
    struct services *services = xcalloc(1, sizeof(*services));
    services->parts = *parts;
    services->settings = *settings;
    services->random = random_seed();
    services->timer = (struct loop_timer){.fn = turn, .arg = services};
    services->keeping = job_pool_new(KEEPING_THREADS_MAX);
    services->using = job_pool_new(USING_THREADS_MAX);
    if (sodium_init() < 0) {
        abort(); /* no source of random numbers */
    }
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
    for (size_t i = 0; SERVICE_KINDS[i]; i++) {
        service_init(&services->items[i], services, SERVICE_KINDS[i]);
        services->count++;
    }
    for (size_t i = 0; i < services->count; i++) {
        (void)service_load(&services->items[i]);
    }
    load_loop_config(services);
    return services;
}

struct services *services_free(struct services *services)
{
    if (services) {
        atomic_store(&services->stopping, true);
        services->keeping = job_pool_free(services->keeping);
        services->using = job_pool_free(services->using);
        loop_timer_clear(services->parts.loop, &services->timer);
        for (size_t i = 0; i < services->count; i++) {
            service_done(&services->items[i]);
        }
        (void)json_put(services->preload);
        free(services);
    }
    return NULL;
}

void services_start(struct services *services)
{
    for (size_t i = 0; i < services->count; i++) {
        service_adopt(&services->items[i]);
    }
    turn(services);
}

void services_wake(struct services *services)
{
    services->woken = true;
    loop_timer_set(services->parts.loop, &services->timer, clock_now_ms());
}

uint64_t services_random(struct services *services)
{
    return random_bits(&services->random);
}

static void finish_stop(struct services *services, uint64_t now_ms)
{
    bool over = services->jobs_out == 0;
    for (size_t i = 0; i < services->count; i++) {
        over &= services->items[i].program == NULL;
    }
    if (services->stopped && (over || now_ms >= services->stop_deadline_ms)) {
        void (*stopped)(void *arg) = TAKE(services->stopped);
        stopped(services->stopped_arg);
    } else if (services->stopped) {
        loop_timer_set(services->parts.loop, &services->timer, now_ms + STOP_POLL_MS);
    }
}

/* The pass. A service that fails has no hold on the others. */
static void turn(void *arg)
{
    struct services *services = arg;
    uint64_t now_ms = clock_now_ms(), wake_ms = UINT64_MAX;
    services->woken = false;
    if (atomic_load(&services->stopping)) {
        finish_stop(services, now_ms);
        return;
    }
    for (size_t i = 0; i < services->count; i++) {
        struct service *service = &services->items[i];
        uint64_t due_ms = service_turn(service, now_ms);
        service_tell(service, now_ms);
        for (const struct service_waiter *waiter = service->waiters; waiter;
             waiter = waiter->next) {
            due_ms = waiter->deadline_ms < due_ms ? waiter->deadline_ms : due_ms;
        }
        bool idle = !service_is_wanted(service) && !service->waiters;
        wake_ms = !idle && due_ms < wake_ms ? due_ms : wake_ms;
    }
    if (wake_ms != UINT64_MAX && !services->woken) { /* else the next turn follows at once */
        loop_timer_set(services->parts.loop, &services->timer,
                       wake_ms > now_ms ? wake_ms : now_ms + 1);
    }
}

void services_release(struct services *services)
{
    for (size_t i = 0; i < services->count; i++) {
        service_release(&services->items[i]);
    }
}

void services_stop(struct services *services, uint64_t grace_ms, void (*done)(void *arg), void *arg)
{
    atomic_store(&services->stopping, true);
    services->stopped = done;
    services->stopped_arg = arg;
    uint64_t ask_ms =
        grace_ms < services->settings.stop_grace_ms ? grace_ms : services->settings.stop_grace_ms;
    services_release(services);
    services->stop_deadline_ms = clock_now_ms() + grace_ms + 1000;
    for (size_t i = 0; i < services->count; i++) {
        struct service *service = &services->items[i];
        if (service->program) {
            service->ending = true;
            program_stop(service->program, ask_ms);
        }
    }
    services_wake(services);
}

/* ---- what is told ---- */

struct service *services_find(const struct services *services, const char *name)
{
    for (size_t i = 0; i < services->count; i++) {
        const struct service *service = &services->items[i];
        if (strcmp(service->ops->name, name) == 0 ||
            (service->ops->alias && strcmp(service->ops->alias, name) == 0)) {
            return (struct service *)(uintptr_t)service;
        }
    }
    return NULL;
}

const char *services_name(const struct services *services, const char *name)
{
    const struct service *service = services_find(services, name);
    return service ? service->ops->name : NULL;
}

static const char *provider_name(enum service_provider provider)
{
    static const char *const names[] = {"none", "embedded", "process", "address", "kubernetes"};
    return names[provider];
}

/* The stand-in is a part of the daemon: it runs as long as that does. */
static const char *state_of(const struct service *service)
{
    bool stands_in =
        service->provider == PROVIDER_EMBEDDED && service->enabled && !service->program;
    return service_state_name(stands_in ? SERVICE_RUNNING : service->keep.state);
}

static void add_state(const struct service *service, struct json_object *object)
{
    json_set_str(object, "state", state_of(service));
    json_set_str(object, "provider", provider_name(service->provider));
    json_set_int(object, "pid", service->program ? program_pid(service->program) : 0);
    json_set_int(object, "restarts", (int64_t)service->restarts);
    json_set_bool(object, "quarantined", keep_is_quarantined(&service->keep));
    json_set_double(object, "last_ok",
                    service->last_ok_ms ? (double)service->last_ok_ms / 1000 : NAN);
    if (service->refused && !service->error) {
        CLEANUP(str_free)
        char *text = xasprintf("the config that is set was not taken: %s", service->refused);
        json_set_str(object, "error", text);
    } else {
        json_set_str(object, "error", service->error);
    }
}

struct json_object *services_info(const struct services *services, const char *name)
{
    const struct service *service = services_find(services, name);
    if (!service) {
        return NULL;
    }
    struct json_object *info = json_object_new_object();
    json_set_bool(info, "enabled", service->enabled);
    json_set_bool(info, "automated", service->automated);
    json_set_bool(info, "quiet", service->quiet);
    add_state(service, info);
    json_set(info, "config", service_config_plain(service->config));
    if (service->ops->upkeep) {
        json_set_str(info, "upkeep_error", service->upkeep_error);
    }
    return info;
}

struct json_object *services_list(const struct services *services)
{
    struct json_object *list = json_object_new_array();
    for (size_t i = 0; i < services->count; i++) {
        const struct service *service = &services->items[i];
        if (service->enabled || service->program) {
            struct json_object *row = json_object_new_object();
            json_set_str(row, "name", service->ops->name);
            json_set_bool(row, "automated", service->automated);
            add_state(service, row);
            (void)json_object_array_add(list, row);
        }
    }
    return list;
}

bool services_is_running(const struct services *services, const char *name)
{
    const struct service *service = services_find(services, name);
    return service && service->keep.state == SERVICE_RUNNING;
}

struct json_object *services_redis_address(const struct services *services)
{
    struct service *service = services_find(services, "redis");
    if (!services_is_running(services, "redis")) {
        return NULL;
    }
    struct service_job *job = service_job_new(service, JOB_CHECK);
    struct json_object *address = job->away ? NULL : service_redis_address(job);
    service_job_free(job);
    return address;
}

void services_expose(const struct services *services, struct exposition *exposition)
{
    exposition_begin(exposition, METRIC_SERVICE_STATE);
    for (size_t i = 0; i < services->count; i++) {
        const struct service *service = &services->items[i];
        if (service_is_wanted(service)) {
            exposition_value(exposition, (const char *const[]){service->ops->name},
                             service->keep.state);
        }
    }
    exposition_begin(exposition, METRIC_SERVICE_RESTARTS);
    for (size_t i = 0; i < services->count; i++) {
        const struct service *service = &services->items[i];
        if (service_is_wanted(service)) {
            exposition_value(exposition, (const char *const[]){service->ops->name},
                             (double)service->restarts);
        }
    }
}

/* ---- what is asked ---- */

void service_await(struct service *service, const struct service_wait *wait)
{
    if (wait) {
        struct service_waiter *waiter = xcalloc(1, sizeof(*waiter));
        *waiter = (struct service_waiter){.next = service->waiters,
                                          .deadline_ms = clock_now_ms() + wait->timeout_ms,
                                          .done = wait->done,
                                          .arg = wait->arg};
        service->waiters = waiter;
    }
    services_wake(service->all);
}

/* It, and what shares its config. */
static void refresh(struct service *whole)
{
    struct services *services = whole->all;
    for (size_t i = 0; i < services->count; i++) {
        struct service *service = &services->items[i];
        const char *part_of = service->ops->part_of;
        if (service == whole || (part_of && strcmp(part_of, whole->ops->name) == 0)) {
            (void)service_load(service);
            service_restart(service);
        }
    }
    whole->asked = true;
}

void services_refresh_all(struct services *services)
{
    load_loop_config(services);
    for (size_t i = 0; i < services->count; i++) {
        if (service_load(&services->items[i])) {
            service_restart(&services->items[i]);
        }
    }
    services_wake(services);
}

int services_refresh(struct services *services, const char *name, const struct service_wait *wait,
                     struct err *err)
{
    struct service *service = services_find(services, name);
    if (!service) {
        return err_set(err, ENOENT, "service '%s' does not exist", name);
    }
    refresh(service);
    service_await(service, wait);
    return 0;
}

int services_configure(struct services *services, const char *name, struct json_object *config,
                       const struct service_wait *wait, struct err *err)
{
    struct service *service = services_find(services, name);
    if (!service) {
        return err_set(err, ENOENT, "service '%s' does not exist", name);
    }
    if (service->ops->part_of) {
        return err_set(err, EINVAL, "%s is a part of %s: its config is in that one's", name,
                       service->ops->part_of);
    }
    if (service_holds_state(service)) {
        return err_set(err, EINVAL,
                       "%s holds jsorc's own state, so its config is in the settings (services: "
                       "%s: in jsorc.yaml), and holds from the next start on",
                       service->ops->name, service->ops->name);
    }
    struct json_object *given = service_config_given(service->ops, services->parts.given);
    CLEANUP(json_put)
    struct json_object *own =
        service->ops->older ? service->ops->older(services->parts.store, config) : json_ref(config);
    CLEANUP(json_put) struct json_object *whole = service_config_over(given, own);
    CLEANUP(json_put) struct json_object *merged = service_config_merge(service->ops, whole);
    if (service_config_check(service->ops, merged, err) < 0) {
        return err_wrap(err, "%s", service->ops->config);
    }
    struct store *store = services->parts.store;
    CLEANUP(str_free) char *before = NULL;
    int failed = store_config_get(store, service->ops->config, &before, err);
    failed = failed == -ENOENT ? 0 : failed;
    failed =
        failed ? failed : store_config_set(store, service->ops->config, json_text(config), err);
    if (failed) {
        return failed;
    }
    /* Without a good one there is nothing to come back to; and one that is on trial is not it. */
    if (service->good && !service->can_put_back) {
        free(service->before);
        service->before = TAKE(before);
        service->can_put_back = true;
    }
    refresh(service);
    service_await(service, wait);
    return 0;
}
