#include "task/runner.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"

#define UNBEGUN_MS_MAX 5000 /* who comes back is noticed after so long */

struct source {
    struct task_runner *runner; /* borrowed */
    struct task_queue *queue;   /* borrowed */
    unsigned allowed;           /* places that the queue was told of and that did not come back */
};

struct task_runner {
    struct task_runner_options options;
    struct task_runner_settings settings;
    struct source sources[TASK_QUEUES_MAX];
    unsigned source_count;
    unsigned running;
    unsigned unbegun; /* in a row: nobody is there */
    bool ending;
    uint64_t random;
};

static struct source *source_of(struct task_runner *runner, const struct task_queue *queue)
{
    for (unsigned i = 0; i < runner->source_count; i++) {
        if (runner->sources[i].queue == queue) {
            return &runner->sources[i];
        }
    }
    return NULL;
}

/* Tells the queue of the places that it has not. */
static void offer(struct source *source)
{
    unsigned wanted = source->runner->settings.concurrency;
    if (!source->runner->ending && source->allowed < wanted) {
        unsigned more = wanted - source->allowed;
        source->allowed = wanted;
        source->queue->ops->want(source->queue, more);
    }
}

static uint64_t pause_ms(struct task_runner *runner, unsigned failures)
{
    return task_pause_ms(failures, runner->settings.pause_ms, runner->settings.pause_ms_max,
                         random_bits(&runner->random));
}

/* Nobody was there: that is not the task's doing, so it does not grow with its failures. */
static uint64_t unbegun_pause_ms(struct task_runner *runner)
{
    uint64_t max_ms = runner->settings.pause_ms_max;
    return task_pause_ms(runner->unbegun, runner->settings.pause_ms,
                         max_ms < UNBEGUN_MS_MAX ? max_ms : UNBEGUN_MS_MAX,
                         random_bits(&runner->random));
}

static void decide(struct task_runner *runner, struct task_delivery *delivery,
                   enum task_outcome outcome, struct json_object *result, const char *error)
{
    const struct task_queue_ops *ops = delivery->queue->ops;
    struct task_queue *queue = delivery->queue;
    const struct task *task = &delivery->task;
    if (outcome == TASK_FAILED && runner->ending) { /* its worker was taken away from it, maybe */
        outcome = TASK_UNBEGUN;
    }
    switch (outcome) {
    case TASK_WELL:
        ops->finish(queue, delivery, TASK_DONE, result, NULL);
        break;
    case TASK_FAILED:
        if (task->failures < task->retries) {
            ops->again(queue, delivery, pause_ms(runner, task->failures + 1), true, error);
            break;
        }
        log_warn("task is dead", "task=%s name=%s failures=%u error=\"%s\"", task->id, task->name,
                 task->failures + 1, error ? error : "");
        delivery->task.failures++;
        ops->finish(queue, delivery, TASK_DEAD, result, error);
        break;
    case TASK_UNBEGUN:
        ops->again(queue, delivery, runner->ending ? 0 : unbegun_pause_ms(runner), false, error);
        break;
    case TASK_HOPELESS:
        log_warn("task is dead", "task=%s name=%s error=\"%s\"", task->id, task->name,
                 error ? error : "");
        ops->finish(queue, delivery, TASK_DEAD, result, error);
        break;
    }
}

static void ran(void *arg, enum task_outcome outcome, struct json_object *result, const char *error)
{
    struct task_delivery *delivery = arg;
    struct source *source = delivery->arg;
    struct task_runner *runner = source->runner;
    runner->unbegun = outcome == TASK_UNBEGUN ? runner->unbegun + 1 : 0;
    runner->running--;
    source->allowed--;
    decide(runner, delivery, outcome, result, error);
    offer(source);
}

static void on_task(void *arg, struct task_delivery *delivery)
{
    struct task_runner *runner = arg;
    struct source *source = source_of(runner, delivery->queue);
    int64_t expires_ms = delivery->task.expires_unix_ms;
    assert(source);
    delivery->arg = source;
    if (expires_ms > 0 && clock_unix_ms() > expires_ms) {
        source->allowed--;
        delivery->queue->ops->finish(delivery->queue, delivery, TASK_CANCELLED, NULL,
                                     "its time was over before it could run");
        offer(source);
        return;
    }
    runner->running++;
    runner->options.run(runner->options.arg, &delivery->task, ran, delivery);
}

struct task_runner *task_runner_new(const struct task_runner_options *options)
{
    struct task_runner *runner = xcalloc(1, sizeof(*runner));
    runner->options = *options;
    runner->settings = options->settings;
    runner->random = random_seed();
    return runner;
}

struct task_runner *task_runner_free(struct task_runner *runner)
{
    free(runner);
    return NULL;
}

void task_runner_attach(struct task_runner *runner, struct task_queue *queue)
{
    assert(runner->source_count < TASK_QUEUES_MAX);
    struct source *source = &runner->sources[runner->source_count++];
    *source = (struct source){.runner = runner, .queue = queue};
    queue->on_task = on_task;
    queue->arg = runner;
    offer(source);
}

void task_runner_set(struct task_runner *runner, const struct task_runner_settings *settings)
{
    runner->settings = *settings;
    for (unsigned i = 0; i < runner->source_count; i++) {
        offer(&runner->sources[i]);
    }
}

void task_runner_end(struct task_runner *runner)
{
    runner->ending = true;
}

unsigned task_runner_running(const struct task_runner *runner)
{
    return runner->running;
}
