/* Celery's queue on the Redis that the services have: what clients of Celery send there is run
 * here, beside the tasks in the state. It begins once a queue is named in TASK_CONFIG and the Redis
 * runs, and lasts as long as the daemon: a Redis that is away comes back, with what it holds. */
#include "task/celery_queue.h"

#include "api/tasks.h"
#include "base/alloc.h"
#include "base/json.h"
#include "base/log.h"
#include "base/random.h"
#include "daemon/daemon_priv.h"
#include "daemon/paths.h"
#include "service/service.h"
#include "task/runner.h"

#define LOOK_MS 1000

static void on_change(void *arg, bool is_up, const char *error)
{
    (void)arg;
    if (is_up) {
        log_info("celery's queue answers", "redis=up");
    } else {
        log_info("celery's queue does not answer", "error=\"%.300s\"", error);
    }
}

/* Its address as the service's config has it. */
static void begin(struct daemon *daemon, struct json_object *redis, const char *name)
{
    struct json_object *config = json_member(redis, "config", json_type_object);
    const char *provider = json_str(redis, "provider");
    bool own = provider && strcmp(provider, "process") == 0;
    const char *host = config ? json_str(config, "host") : NULL;
    CLEANUP(str_free) char *socket = xasprintf("%s/redis.sock", daemon->options->paths->run);
    daemon->celery = celery_queue_new(&(struct celery_queue_options){
        .loop = daemon->loop,
        .jobs = daemon->jobs,
        .address = {.socket = own ? socket : NULL,
                    .host = host ? host : "localhost",
                    .port =
                        config ? json_object_get_int(json_object_object_get(config, "port")) : 6379,
                    .password = config ? json_str(config, "password") : NULL,
                    .db = config ? json_object_get_int(json_object_object_get(config, "db")) : 1},
        .name = name,
        .seed = random_seed(),
        .on_change = on_change,
    });
    task_runner_attach(daemon->api.runner, celery_queue_tasks(daemon->celery));
}

static void look(void *arg)
{
    struct daemon *daemon = arg;
    struct services *services = daemon->backing.services;
    CLEANUP(json_put) struct json_object *task = services_info(services, "task");
    CLEANUP(json_put) struct json_object *redis = services_info(services, "redis");
    struct json_object *config = task ? json_member(task, "config", json_type_object) : NULL;
    const char *name = config ? json_str(config, "celery_queue") : NULL;
    if (name && *name && redis && tasks_are_on(&daemon->api) &&
        services_is_running(services, "redis")) {
        begin(daemon, redis, name);
    } else {
        loop_timer_set(daemon->loop, &daemon->celery_due, loop_now_ms(daemon->loop) + LOOK_MS);
    }
}

void daemon_start_celery(struct daemon *daemon)
{
    daemon->celery_due = (struct loop_timer){.fn = look, .arg = daemon};
    loop_timer_set(daemon->loop, &daemon->celery_due, loop_now_ms(daemon->loop) + LOOK_MS);
}

void daemon_free_celery(struct daemon *daemon)
{
    if (daemon->loop) {
        loop_timer_clear(daemon->loop, &daemon->celery_due);
    }
    daemon->celery = celery_queue_free(daemon->celery);
}
