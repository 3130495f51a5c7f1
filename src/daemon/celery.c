/* Celery's queue on the Redis that the services have: what clients of Celery send there is run
 * here, beside the tasks in the state. It begins once a queue is named in TASK_CONFIG and the Redis
 * runs, and lasts as long as the daemon: a Redis that is away comes back, with what it holds. */
#include "task/celery_queue.h"

#include "api/tasks.h"
#include "base/json.h"
#include "base/log.h"
#include "base/random.h"
#include "daemon/daemon_priv.h"
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

static void begin(struct daemon *daemon, struct json_object *address, const char *name)
{
    daemon->celery = celery_queue_new(&(struct celery_queue_options){
        .loop = daemon->loop,
        .jobs = daemon->jobs,
        .address = {.socket = json_str(address, "socket"),
                    .host = json_str(address, "host"),
                    .port = (int)json_int(address, "port", 0),
                    .password = json_str(address, "password"),
                    .db = (int)json_int(address, "db", 0)},
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
    struct json_object *config = task ? json_member(task, "config", json_type_object) : NULL;
    const char *name = config ? json_str(config, "celery_queue") : NULL;
    bool wanted = name && *name && tasks_are_on(&daemon->api);
    CLEANUP(json_put)
    struct json_object *redis = wanted ? services_redis_address(services) : NULL;
    if (redis) {
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
