/* What a set's owner asks about it. */
#include <string.h>

#include "base/json.h"
#include "provider/kubernetes/reconciler_priv.h"

bool reconciler_is_settled(const struct reconciler_set *set)
{
    return set->settled && !set->dirty;
}

bool reconciler_is_rolled_out(const struct reconciler_set *set)
{
    bool rolled_out = reconciler_is_settled(set);
    for (size_t i = 0; i < set->item_count; i++) {
        rolled_out &= set->items[i]->rolled_out || !set->items[i]->wanted;
    }
    return rolled_out;
}

/* A stuck one rather than one that passes, and the first of these. */
static void consider(const struct condition *condition, const struct condition **best)
{
    if (!*best || (condition->stuck && !(*best)->stuck)) {
        *best = condition;
    }
}

bool reconciler_condition(const struct reconciler_set *set, struct condition *ret_condition)
{
    const struct condition *best = NULL;
    for (size_t i = 0; i < set->item_count; i++) {
        if (set->items[i]->failure.reason[0]) {
            consider(&set->items[i]->failure, &best);
        }
    }
    for (size_t i = 0; i < set->item_count; i++) {
        if (set->items[i]->has_condition && set->items[i]->wanted) {
            consider(&set->items[i]->condition, &best);
        }
    }
    for (size_t i = 0; i < set->pod_count; i++) {
        if (set->pods[i].has_condition) {
            consider(&set->pods[i].condition, &best);
        }
    }
    if (best) {
        *ret_condition = *best;
    }
    return best != NULL;
}

const struct endpoint *reconciler_endpoints(const struct reconciler_set *set, size_t *ret_count)
{
    *ret_count = set->endpoint_count;
    return set->endpoints;
}

static const char *state_of(const struct item *item)
{
    switch (item->step) {
    case RECONCILE_KEEP:
        return "applied";
    case RECONCILE_GUARD:
        return "guarded";
    default:
        return item->failure.reason[0] ? "failed"
               : item->going           ? "deleting"
               : item->request         ? (item->wanted ? "applying" : "deleting")
                                       : "waiting";
    }
}

struct json_object *reconciler_objects(const struct reconciler_set *set)
{
    struct json_object *list = json_object_new_array();
    for (size_t i = 0; i < set->item_count; i++) {
        const struct item *item = set->items[i];
        const struct condition *why = item->failure.reason[0]               ? &item->failure
                                      : item->has_condition && item->wanted ? &item->condition
                                                                            : NULL;
        struct json_object *object = json_object_new_object();
        json_set_str(object, "kind", item->kind);
        json_set_str(object, "namespace", *item->namespace ? item->namespace : NULL);
        json_set_str(object, "name", item->name);
        json_set_str(object, "state", state_of(item));
        json_set_str(object, "reason", why ? why->reason : NULL);
        json_set_str(object, "message", why ? why->text : NULL);
        (void)json_object_array_add(list, object);
    }
    return list;
}

void reconciler_figures_read(const struct reconciler *reconciler, struct reconciler_figures *ret)
{
    *ret = reconciler->figures;
    ret->turning = reconciler->turning;
    ret->settling = reconciler->settling;
    ret->watches = reconciler->watch_count;
    for (const struct reconciler_set *set = reconciler->sets; set; set = set->next) {
        ret->sets++;
        ret->unsettled += !reconciler_is_settled(set);
        ret->objects += set->item_count;
        for (size_t i = 0; i < set->item_count; i++) {
            const struct item *item = set->items[i];
            ret->asking += item->request != NULL;
            ret->failing += !item->request && item->failure.reason[0] != '\0';
        }
    }
}
