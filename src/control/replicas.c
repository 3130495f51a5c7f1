/* Pods that are not on this host: any number of replicas, which their provider watches. */
#include <errno.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "control/control_priv.h"
#include "http/client.h"

#define ASK_TIMEOUT_MS 5000
#define ASK_PAUSE_MS   1000
#define SPEC_BYTES_MAX (8 * 1024 * 1024)

bool instance_is_away(const struct instance *instance)
{
    return instance->pod && !instance->pod->socket_path;
}

/* ---- what they serve ---- */

static void on_spec(void *arg, enum http_outcome outcome, const struct http_reply *reply)
{
    struct instance *instance = arg;
    struct control *control = instance->control;
    CLEANUP(json_put) struct json_object *spec = NULL, *modules = json_object_new_object();
    bool well = outcome == HTTP_REPLIED && reply->status == 200 &&
                json_parse_object(reply->body, &spec, NULL) == 0;
    instance->probe = http_client_free(instance->probe);
    if (!well || !instance->targets || instance->state != INSTANCE_STARTING) {
        return; /* asked again soon */
    }
    const struct module *module = control->modules[instance->loaded[0].module];
    struct json_object *info = info_of_spec(spec);
    json_set_int(info, "mem_kb", json_int(module->info, "mem_kb", 0)); /* a spec does not tell */
    json_set(modules, module->name, info);
    instance_ready(instance, TAKE(instance->targets), modules);
}

void instance_ask_if_due(struct instance *instance, uint64_t now_ms)
{
    if (instance->state != INSTANCE_STARTING || !instance->targets || instance->probe ||
        now_ms - instance->probed_ms < ASK_PAUSE_MS) {
        return;
    }
    uint32_t index = (uint32_t)(now_ms / ASK_PAUSE_MS) % instance->targets->count;
    const struct target *target = instance->targets->items[index];
    CLEANUP(str_free)
    char *head = xasprintf("GET %s/jaseci_actions_spec/ HTTP/1.1\r\nHost: %s\r\n\r\n",
                           target->base_path, target->host);
    instance->probed_ms = now_ms;
    instance->probe =
        http_client_new(instance->control->parts.loop, (const struct sockaddr *)&target->address,
                        target->address_size, target->tls, target->host);
    http_client_send(instance->probe,
                     &(struct http_send){.head = slice_str(head),
                                         .timeout_ms = ASK_TIMEOUT_MS,
                                         .connect_timeout_ms = ASK_TIMEOUT_MS,
                                         .reply_bytes_max = SPEC_BYTES_MAX},
                     on_spec, instance);
}

/* ---- where they are ---- */

/* The target of that replica, a reference; the one there was, with its connections. */
static struct target *target_for(struct instance *instance, const struct pod_replica *replica)
{
    const struct target_set *old = instance->targets;
    for (uint32_t i = 0; old && i < old->count; i++) {
        struct target *target = old->items[i];
        if (target->address_size == replica->address_size &&
            memcmp(&target->address, replica->address, replica->address_size) == 0) {
            return target_ref(target);
        }
    }
    struct target *target = target_new_server(target_id_new(instance->control), replica->address,
                                              replica->address_size, replica->host, "", NULL);
    target->guarded = false;
    return target;
}

static struct target_set *set_of(struct instance *instance, const struct pod_replica *replicas,
                                 uint32_t count)
{
    struct target *targets[TARGET_SET_MAX];
    count = count < TARGET_SET_MAX ? count : TARGET_SET_MAX;
    for (uint32_t i = 0; i < count; i++) {
        targets[i] = target_for(instance, &replicas[i]);
    }
    struct target_set *set = count > 0 ? target_set_new(targets, count) : NULL;
    for (uint32_t i = 0; i < count; i++) {
        target_unref(targets[i]);
    }
    return set;
}

static bool same_set(const struct target_set *a, const struct target_set *b)
{
    bool same = (a ? a->count : 0) == (b ? b->count : 0);
    for (uint32_t i = 0; same && a && i < a->count; i++) {
        same = a->items[i] == b->items[i];
    }
    return same;
}

void instance_replicas(void *arg, const struct pod_replica *replicas, uint32_t count)
{
    struct instance *instance = arg;
    struct target_set *old = instance->targets;
    struct target_set *fresh = set_of(instance, replicas, count);
    if (same_set(old, fresh)) {
        target_set_unref(fresh);
        return;
    }
    target_set_retire(old, fresh);
    instance->targets = fresh;
    target_set_unref(old);
    if (instance->state == INSTANCE_READY) {
        if ((fresh == NULL) != (instance->health == HEALTH_AWAY)) {
            log_info(fresh ? "pod answers again" : "pod has no replica", "pod=%s replicas=%u",
                     instance->pod->name, count);
        }
        instance->health = fresh ? HEALTH_GOOD : HEALTH_AWAY;
        instance->control->must_publish = true;
    } else if (!old) {
        instance->probed_ms = 0;
    }
    control_wake(instance->control);
}

/* ---- what is wrong with them ---- */

void instance_trouble(void *arg, const char *reason, const char *text, bool stuck)
{
    struct instance *instance = arg;
    struct control *control = instance->control;
    bool starts = instance->state == INSTANCE_STARTING;
    str_replace(&instance->trouble, reason);
    str_replace(&instance->trouble_text, reason ? text : NULL);
    if (reason && starts && stuck) {
        /* Who waits for it is told; it is not stopped: what mends it may come by itself. */
        control->counts.start_failures[0]++;
        for (uint32_t i = 0; i < instance->loaded_count; i++) {
            module_failed(control, instance->loaded[i].module, text, NULL);
        }
    } else if (reason) {
        log_warn("pod is in trouble", "pod=%s reason=%s error=\"%s\"",
                 instance->pod ? instance->pod->name : "", reason, text);
    }
    for (uint32_t i = 0; !reason && starts && i < instance->loaded_count; i++) {
        struct module *module = control->modules[instance->loaded[i].module];
        module->broken = false;
        str_replace(&module->error, NULL);
        control->must_publish = true;
    }
    control_wake(control);
}

/* ---- who makes them ---- */

#define INTERPRETER_KB (32 * 1024) /* of a pod beside what loading its module adds, at least */

void pod_spec_away(const struct module *module, struct pod_spec *spec)
{
    /* As it was learnt when it was loaded on this host last, and not as it is measured just now:
     * the next daemon must ask for the same, or it would roll out its pods anew. */
    int64_t loaded_kb = json_int(module->info, "mem_kb", 0);
    spec->module = module->name;
    spec->source = module->source;
    spec->config = module->config;
    spec->memory_kb = loaded_kb > 0 ? loaded_kb + INTERPRETER_KB : 0;
}

int control_pod_spec(const struct control *control, const char *name, struct pod_spec *ret_spec,
                     struct err *err)
{
    const struct module *module = module_find(control, name, NULL);
    if (!module || !module->listed) {
        return err_set(err, ENOENT, "module '%s' is not known", name);
    }
    *ret_spec = (struct pod_spec){.role = POD_REMOTE};
    pod_spec_away(module, ret_spec);
    return 0;
}

struct provider *provider_of(const struct control *control, const struct module *module,
                             struct err *err)
{
    const char *asked = json_str(module->config, "provider");
    struct json_object *remote = json_object_object_get(module->config, "remote");
    bool meant =
        json_object_is_type(remote, json_type_object)
            ? json_object_object_length(remote) > 0
            : json_object_is_type(remote, json_type_array) && json_object_array_length(remote) > 0;
    bool cluster = asked && strcmp(asked, "kubernetes") == 0;
    if (cluster && !control->parts.cluster) {
        (void)err_set(err, ENOENT,
                      "its action config asks for provider 'kubernetes', and no cluster is "
                      "configured: setting provider, or KUBE_CONFIG");
        return NULL;
    }
    if (cluster || (!asked && meant && control->parts.cluster)) {
        return control->parts.cluster;
    }
    return control->parts.provider;
}
