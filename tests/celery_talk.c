/* A queue of Celery's, driven by lines: for system tests in Python. The first argument is JSON:
 * where the Redis is and what the queue shall do. Says {"task": NAME, "id": ..., "args": ..., ...}
 * for each task taken; with "echo" it finishes each at once with its first argument. Lines:
 * {"finish": ID, "value": ...}, {"finish": ID, "error": TEXT}, {"retry": ID, "delay_ms": ...},
 * {"send": NAME, "id": ..., "args": [...]}, {"await": ID, "timeout_ms": ...}. */
#include "talk.h"

#include "base/clock.h"
#include "base/err.h"
#include "task/celery_queue.h"

struct held {
    struct task_delivery *items[CELERY_TAKEN_MAX];
    size_t count;
};

static struct held held;
static struct celery_queue *queue;
static bool echo;

static void finish(struct task_delivery *delivery, struct json_object *value, const char *error)
{
    struct task_queue *tasks = delivery->queue;
    tasks->ops->finish(tasks, delivery, error ? TASK_DEAD : TASK_DONE, value, error);
    tasks->ops->want(tasks, 1);
}

static void on_task(void *arg, struct task_delivery *delivery)
{
    const struct task *task = &delivery->task;
    (void)arg;
    if (echo) {
        finish(delivery, json_object_array_get_idx(task->args, 0), NULL);
        return;
    }
    held.items[held.count++] = delivery;
    struct json_object *line = json_object_new_object();
    json_set_str(line, "task", task->name);
    json_set_str(line, "id", task->id);
    json_set(line, "args", json_ref(task->args));
    json_set(line, "kwargs", json_ref(task->kwargs));
    json_set_int(line, "retries", task->failures);
    json_set_bool(line, "redelivered", task->runs > 1);
    talk_say(line);
}

static void on_change(void *arg, bool is_up, const char *error)
{
    (void)arg;
    struct json_object *line = json_object_new_object();
    json_set_bool(line, "up", is_up);
    json_set_str(line, "error", error);
    talk_say(line);
}

static struct task_delivery *give(const char *id)
{
    for (size_t i = 0; i < held.count; i++) {
        if (strcmp(held.items[i]->task.id, id) == 0) {
            struct task_delivery *delivery = held.items[i];
            held.items[i] = held.items[--held.count];
            return delivery;
        }
    }
    (void)fprintf(stderr, "talk: there is no task %s\n", id);
    abort();
}

static void on_sent(void *arg, int status, const char *text)
{
    (void)arg;
    struct json_object *line = json_object_new_object();
    json_set_int(line, "sent", status);
    json_set_str(line, "text", text);
    talk_say(line);
}

static void on_answer(void *arg, const struct celery_answer *answer)
{
    struct json_object *line = json_object_new_object();
    json_set_str(line, "answer", arg);
    json_set_str(line, "status", answer ? answer->status : NULL);
    json_set(line, "value", answer ? json_ref(answer->value) : NULL);
    json_set_str(line, "error", answer ? answer->error : NULL);
    talk_say(line);
    free(arg);
}

static void send_task(struct json_object *line)
{
    struct err err = {0};
    struct celery_send send = {
        .id = json_str(line, "id"),
        .task = json_str(line, "send"),
        .queue = json_str(line, "queue") ? json_str(line, "queue") : "celery",
        .origin = "jsorc@test",
        .args = json_member(line, "args", json_type_array),
        .kwargs = json_member(line, "kwargs", json_type_object),
        .priority = (int)json_int(line, "priority", 0),
        .eta_unix_ms = json_int(line, "eta_unix_ms", 0),
        .expires_unix_ms = json_int(line, "expires_unix_ms", 0),
    };
    int failed = celery_queue_send(queue, &send, on_sent, NULL, &err);
    if (failed) {
        on_sent(NULL, failed, err.text);
    }
}

static void on_line(struct talk *talk, struct json_object *line)
{
    (void)talk;
    struct json_object *value = NULL;
    const char *error = json_str(line, "error");
    (void)json_object_object_get_ex(line, "value", &value);
    if (json_str(line, "finish")) {
        finish(give(json_str(line, "finish")), value, error);
    } else if (json_str(line, "retry")) {
        struct task_queue *tasks = celery_queue_tasks(queue);
        tasks->ops->again(tasks, give(json_str(line, "retry")),
                          (uint64_t)json_int(line, "delay_ms", 0), true, error);
        tasks->ops->want(tasks, 1);
    } else if (json_str(line, "send")) {
        send_task(line);
    } else if (json_str(line, "await")) {
        (void)celery_queue_await(queue, json_str(line, "await"),
                                 (uint64_t)json_int(line, "timeout_ms", 0), on_answer,
                                 xstrdup(json_str(line, "await")));
    }
}

int main(int argc, char **argv)
{
    CLEANUP(json_put) struct json_object *given = NULL;
    struct talk talk = {.line = on_line, .loop = loop_new(NULL), .jobs = job_pool_new(2)};
    if (argc != 2 || !talk.loop || json_parse_object(slice_str(argv[1]), &given, NULL) < 0) {
        (void)fprintf(stderr, "usage: %s JSON\n", argv[0]);
        return 1;
    }
    echo = json_flag(given, "echo", false);
    talk.input = (struct loop_watch){.fd = STDIN_FILENO, .fn = talk_input, .arg = &talk};
    if (fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK) < 0 ||
        loop_watch(talk.loop, &talk.input, EPOLLIN) < 0) {
        return 1;
    }
    queue = celery_queue_new(&(struct celery_queue_options){
        .loop = talk.loop,
        .jobs = talk.jobs,
        .address = {.socket = json_str(given, "socket"),
                    .host = json_str(given, "host"),
                    .port = (int)json_int(given, "port", 6379),
                    .password = json_str(given, "password"),
                    .db = (int)json_int(given, "db", 1)},
        .name = "celery",
        .visibility_s = (uint64_t)json_int(given, "visibility_s", 0),
        .owner_ms = (uint64_t)json_int(given, "owner_ms", 0),
        .on_change = on_change,
    });
    struct task_queue *tasks = celery_queue_tasks(queue);
    unsigned taken_max = (unsigned)json_int(given, "taken_max", 8);
    tasks->on_task = on_task;
    if (taken_max > 0) {
        tasks->ops->want(tasks, taken_max);
    }
    loop_run(talk.loop);
    (void)job_pool_free(talk.jobs);
    (void)celery_queue_free(queue);
    (void)loop_free(talk.loop);
    buf_done(&talk.bytes);
    return 0;
}
