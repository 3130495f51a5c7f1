/* Pods of an earlier daemon: which of our modules each has, and whether it may serve on. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "control/control_priv.h"

static bool spec_is_current(const struct module *module, struct json_object *spec)
{
    struct json_object *ctx = json_member(spec, "ctx", json_type_object);
    const char *source = json_str(spec, "source");
    bool same_ctx = json_object_equal(ctx, module->ctx) ||
                    (!module->ctx && json_object_object_length(ctx) == 0);
    bool same_names =
        json_flag(spec, "remote", false) ||
        json_object_equal(json_member(spec, "elsewhere", json_type_array), module->elsewhere);
    return source && strcmp(source, module->source) == 0 && same_ctx && same_names;
}

/* Which of our modules the pod has, as set[]. One that is out of date, since the daemon ended
 * before a change was carried out, serves on until that is made up for; a forgotten one makes the
 * pod stale, so that the others it has serve on until it is replaced. */
static uint32_t match_modules(struct control *control, struct json_object *specs,
                              struct seen_loaded *set, bool *ret_stale)
{
    uint32_t count = 0;
    for (size_t i = 0; i < json_object_array_length(specs) && i < DECIDE_MODULES_MAX; i++) {
        struct json_object *spec = json_object_array_get_idx(specs, i);
        const char *name = json_str(spec, "name");
        uint32_t revision = (uint32_t)json_int(spec, "revision", 0), index = 0;
        struct module *module = name ? module_find(control, name, &index) : NULL;
        if (!module) {
            *ret_stale = true;
            continue;
        }
        uint32_t current = spec_is_current(module, spec) ? revision : revision + 1;
        module->revision = current > module->revision ? current : module->revision;
        set[count++] = (struct seen_loaded){index, revision};
    }
    return count;
}

static const struct pod_events *adopt(void *arg, struct pod *pod, struct json_object *spec,
                                      struct json_object *info)
{
    struct control *control = arg;
    static struct seen_loaded set[DECIDE_MODULES_MAX]; /* control thread only */
    struct json_object *specs = json_member(spec, "modules", json_type_array);
    const char *role = json_str(spec, "role");
    bool stale = false;
    /* Also of one that is not taken: names with its number are in use until it has ended. */
    int64_t generation = json_int(spec, "generation", 0);
    control->generation = generation > control->generation ? generation : control->generation;
    uint32_t count = role && specs ? match_modules(control, specs, set, &stale) : 0;
    if (count == 0) {
        return NULL;
    }
    struct instance *instance = instance_new(control, strcmp(role, "runtime") == 0);
    instance->generation = generation;
    instance->adopted = true;
    look_free(instance->look);
    instance->look = look_new(true);
    instance->health = stale ? HEALTH_WORN : HEALTH_GOOD;
    instance->loaded = xcalloc(count, sizeof(set[0]));
    instance->loaded_count = count;
    memcpy(instance->loaded, set, count * sizeof(set[0]));
    instance->pod = pod;
    instance_listen(instance);
    instance_ready(instance,
                   target_set_of(target_new_local(target_id_new(control), pod->socket_path)),
                   json_member(info, "modules", json_type_object));
    log_info("worker adopted", "worker=%s pid=%d", pod->name, pod->pid);
    return &instance->events;
}

static int by_generation(const void *a, const void *b)
{
    const struct instance *left = *(struct instance *const *)a;
    const struct instance *right = *(struct instance *const *)b;
    return (left->generation > right->generation) - (left->generation < right->generation);
}

void control_set_cluster(struct control *control, struct provider *cluster)
{
    control->parts.cluster = cluster;
    control->cluster_settled = false;
    cluster->ops->adopt(cluster, adopt, control);
}

void cluster_settle(struct control *control)
{
    struct provider *cluster = control->parts.cluster;
    if (control->cluster_settled || !cluster || !cluster->ops->settled) {
        return;
    }
    for (uint32_t i = 0; i < control->module_count; i++) {
        const struct module *module = control->modules[i];
        bool serves = control->plan.routes[i].choice == CHOICE_TARGET && !module->broken;
        if (module->wanted != PLACE_NONE && !serves) {
            return;
        }
    }
    control->cluster_settled = true;
    cluster->ops->settled(cluster);
}

void instances_adopt(struct control *control)
{
    control->parts.provider->ops->adopt(control->parts.provider, adopt, control);
    if (control->parts.cluster) {
        control_set_cluster(control, control->parts.cluster);
    }
    qsort(control->instances, control->instance_count, sizeof(struct instance *), by_generation);
}
