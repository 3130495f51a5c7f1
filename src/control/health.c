/* Is an instance well? Each gets a probe that passes through its interpreter: once before it
 * serves, then at intervals and at once when calls to it fail. */
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "control/control_priv.h"
#include "http/client.h"

#define MISSES_MAX          2    /* probes in a row without an answer: it hangs */
#define MEASURE_INTERVAL_MS 5000 /* reading smaps_rollup of a large process takes milliseconds */

static void send_probe(struct instance *instance, struct target *target, http_reply_fn fn)
{
    char head[256];
    int size =
        snprintf(head, sizeof(head), "GET /healthz HTTP/1.1\r\nHost: %s\r\n\r\n", target->host);
    instance->probed_ms = clock_now_ms();
    instance->probe =
        http_client_new(instance->control->parts.loop, (const struct sockaddr *)&target->address,
                        target->address_size, target->tls, target->host);
    http_client_send(instance->probe,
                     &(struct http_send){.head = {head, (size_t)size},
                                         .timeout_ms = instance->control->settings.probe_timeout_ms,
                                         .connect_timeout_ms = 1000,
                                         .reply_bytes_max = 65536},
                     fn, instance);
}

static bool probe_ended(struct instance *instance, enum http_outcome outcome,
                        const struct http_reply *reply)
{
    bool well = outcome == HTTP_REPLIED && reply->status < 500;
    instance->probe = http_client_free(instance->probe);
    return well;
}

/* ---- before it serves ---- */

static void on_first_reply(void *arg, enum http_outcome outcome, const struct http_reply *reply)
{
    struct instance *instance = arg;
    struct target_set *targets = TAKE(instance->targets);
    CLEANUP(json_put) struct json_object *modules = TAKE(instance->first_info);
    if (probe_ended(instance, outcome, reply)) {
        instance_ready(instance, targets, modules);
    } else {
        target_set_unref(targets);
        instance_failed(instance, NULL, "the worker loaded its modules but does not answer", NULL);
    }
}

void instance_first_probe(struct instance *instance, struct target *target,
                          struct json_object *modules)
{
    if (instance->state != INSTANCE_STARTING) {
        target_unref(target);
        return;
    }
    instance->targets = target_set_of(target);
    instance->first_info = json_ref(modules);
    send_probe(instance, target, on_first_reply);
}

/* ---- while it serves ---- */

static void on_reply(void *arg, enum http_outcome outcome, const struct http_reply *reply)
{
    struct instance *instance = arg;
    if (probe_ended(instance, outcome, reply)) {
        instance->misses = 0;
        return;
    }
    if (++instance->misses >= MISSES_MAX && instance->health != HEALTH_HUNG) {
        instance->health = HEALTH_HUNG;
        log_warn("worker does not answer and is replaced", "worker=%s",
                 instance->pod ? instance->pod->name : "server");
    }
    control_wake(instance->control);
}

static bool has_trouble(struct instance *instance)
{
    const struct target *target = instance_target(instance);
    unsigned timeouts = atomic_load(&target->timeouts);
    unsigned failures = atomic_load(&target->failures);
    bool trouble = failures > 0 && failures != instance->failures_seen;
    instance->failures_seen = failures;
    if (timeouts != instance->timeouts_seen) {
        instance->timeouts_seen = timeouts;
        trouble = true;
        if (instance->pod && instance->health == HEALTH_GOOD) {
            instance->health = HEALTH_WORN;
            log_warn("a call ran over its limit; the worker is replaced", "worker=%s",
                     instance->pod->name);
        }
    }
    return trouble;
}

void instance_check(struct instance *instance, uint64_t now_ms)
{
    if (instance_is_away(instance)) { /* its provider watches it */
        instance_ask_if_due(instance, now_ms);
        return;
    }
    look_if_due(instance, now_ms);
    if (instance->state != INSTANCE_READY || !instance->targets) {
        return;
    }
    bool trouble = has_trouble(instance);
    if (!instance->pod) {
        return; /* somebody else's: the breaker of its calls watches it */
    }
    uint64_t interval_ms = trouble || instance->misses > 0
                               ? instance->control->settings.probe_timeout_ms / 10
                               : instance->control->settings.probe_interval_ms;
    if (!instance->probe && now_ms - instance->probed_ms >= interval_ms) {
        send_probe(instance, instance_target(instance), on_reply);
    }
    if (now_ms - instance->measured_ms >= MEASURE_INTERVAL_MS) {
        instance->measured_ms = now_ms;
        (void)instance->pod->ops->measure(instance->pod, &instance->memory);
        figures_note_memory(instance);
    }
}
