/* How tasks are run, and the queue's part of TASK_CONFIG. */
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/self_call.h"
#include "api/tasks.h"
#include "base/alloc.h"
#include "base/json.h"
#include "service/service.h"
#include "task/task_local.h"

/* ---- config ---- */

static double seconds(struct json_object *config, const char *key, double fallback)
{
    struct json_object *value = NULL;
    bool there = json_object_object_get_ex(config, key, &value) && value;
    return there ? json_object_get_double(value) : fallback; /* also of a text */
}

static uint64_t in_ms(struct json_object *config, const char *key, double fallback)
{
    return (uint64_t)(seconds(config, key, fallback) * 1000);
}

bool tasks_are_on(const struct api *api)
{
    CLEANUP(json_put)
    struct json_object *info = api->tasks ? services_info(api->services, "task") : NULL;
    return info && json_flag(info, "enabled", false);
}

void tasks_configure(struct api *api)
{
    CLEANUP(json_put)
    struct json_object *info = api->tasks ? services_info(api->services, "task") : NULL;
    struct json_object *config = info ? json_member(info, "config", json_type_object) : NULL;
    if (config) {
        task_local_set(api->tasks, &(struct task_local_settings){
                                       .visibility_ms = in_ms(config, "visibility_timeout_s", 60),
                                       .done_keep_ms = in_ms(config, "result_expires", 86400),
                                       .dead_keep_ms = in_ms(config, "dead_expires", 2592000),
                                   });
        task_runner_set(api->runner, &(struct task_runner_settings){
                                         .concurrency = (unsigned)seconds(config, "concurrency", 4),
                                         .pause_ms = in_ms(config, "backoff_s", 1),
                                         .pause_ms_max = in_ms(config, "backoff_max_s", 600),
                                     });
    }
}

/* ---- a walker ---- */

struct running {
    task_ran_fn done;
    void *done_arg;
};

/* The original's answer for a run from its queue. Owned by the caller. */
static struct json_object *result_of(struct json_object *response)
{
    struct json_object *result = json_object_new_object();
    json_set(result, "anchor", NULL);
    json_set(result, "response", json_ref(response));
    return result;
}

static const char *first_error(struct json_object *value)
{
    struct json_object *errors = json_object_is_type(value, json_type_object)
                                     ? json_member(value, "errors", json_type_array)
                                     : NULL;
    struct json_object *first =
        errors && json_object_array_length(errors) ? json_object_array_get_idx(errors, 0) : NULL;
    const char *detail =
        json_object_is_type(value, json_type_object) ? json_str(value, "detail") : NULL;
    return first ? json_object_get_string(first) : detail;
}

static void on_walked(void *arg, int status, struct json_object *value)
{
    struct running *running = arg;
    CLEANUP(json_put) struct json_object *result = result_of(value);
    CLEANUP(str_free) char *text = xasprintf("the walker's answer has status %d", status);
    const char *error = first_error(value);
    bool object = json_object_is_type(value, json_type_object);
    bool well = status >= 200 && status < 300 && (!object || json_flag(value, "success", true));
    if (status == 0 || status == 503) { /* 503: there was no worker that it could begin on */
        running->done(running->done_arg, TASK_UNBEGUN, NULL,
                      status ? "no worker was there for it" : "the daemon could not reach itself");
    } else if (well) {
        running->done(running->done_arg, TASK_WELL, result, NULL);
    } else {
        running->done(running->done_arg, TASK_FAILED, result, error ? error : text);
    }
    free(running);
}

/* The walker's name, as the original's two versions and Celery's positional form have it. */
static const char *walker_of(const struct task *task)
{
    const char *name = json_str(task->kwargs, "name");
    struct json_object *first = task->args && json_object_array_length(task->args)
                                    ? json_object_array_get_idx(task->args, 0)
                                    : NULL;
    name = name ? name : json_str(task->kwargs, "wlk");
    return name                                           ? name
           : json_object_is_type(first, json_type_string) ? json_object_get_string(first)
                                                          : "init";
}

/* [walker, node, [context, ...]] */
static struct json_object *context_of(const struct task *task)
{
    struct json_object *ctx = json_member(task->kwargs, "ctx", json_type_object);
    struct json_object *third = task->args && json_object_array_length(task->args) > 2
                                    ? json_object_array_get_idx(task->args, 2)
                                    : NULL;
    struct json_object *own =
        json_object_is_type(third, json_type_array) && json_object_array_length(third)
            ? json_object_array_get_idx(third, 0)
            : NULL;
    return ctx ? ctx : json_object_is_type(own, json_type_object) ? own : NULL;
}

static void run_walker(struct api *api, const struct task *task, struct running *running)
{
    CLEANUP(json_put) struct json_object *body = json_object_new_object();
    struct json_object *ctx = context_of(task);
    CLEANUP(str_free)
    char *lines =
        xasprintf("X-Jsorc-User: %lld\r\nIdempotency-Key: %s\r\nX-Task-Id: %s\r\n"
                  "X-Task-Run: %u\r\n",
                  (long long)task->user_id, task->key ? task->key : task->id, task->id, task->runs);
    json_set_str(body, "name", walker_of(task));
    json_set(body, "ctx", ctx ? json_ref(ctx) : json_object_new_object());
    self_call_as(api, "/js/walker_run", lines, body, on_walked, running);
}

void tasks_run(void *api, const struct task *task, task_ran_fn done, void *done_arg)
{
    struct running *running = xcalloc(1, sizeof(*running));
    const char *name = task_own_name(task->name);
    *running = (struct running){done, done_arg};
    if (name && strcmp(name, TASK_WALKER) == 0) {
        run_walker(api, task, running);
    } else {
        free(running);
        done(done_arg, TASK_HOPELESS, NULL, "nothing here runs a task of that name");
    }
}
