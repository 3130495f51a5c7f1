/* The objects of a set. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "provider/kubernetes/reconciler_priv.h"

struct item *item_find(const struct reconciler_set *set, const char *kind, const char *namespace,
                       const char *name)
{
    for (size_t i = 0; i < set->item_count; i++) {
        struct item *item = set->items[i];
        if (strcmp(item->name, name) == 0 && strcmp(item->kind, kind) == 0 &&
            strcmp(item->namespace, namespace ? namespace : "") == 0) {
            return item;
        }
    }
    return NULL;
}

void item_put(struct reconciler_set *set, struct item *item)
{
    set->items = xrealloc(set->items, (set->item_count + 1) * sizeof(struct item *));
    set->items[set->item_count++] = item;
    item->set = set;
}

struct item *item_new(struct reconciler_set *set, const struct json_object *object)
{
    const char *namespace = manifest_namespace(object);
    if (set->item_count == RECONCILER_ITEMS_MAX) {
        return NULL;
    }
    struct item *item = xcalloc(1, sizeof(*item));
    item->api_version = xstrdup(json_str(object, "apiVersion"));
    item->kind = xstrdup(manifest_kind(object));
    item->namespace = xstrdup(namespace ? namespace : "");
    item->name = xstrdup(manifest_name(object));
    item_put(set, item);
    return item;
}

void item_free(struct item *item)
{
    if (item->request) {
        kube_cancel(item->request);
    }
    free(item->api_version);
    free(item->kind);
    free(item->namespace);
    free(item->name);
    free(item->owner_kind);
    free(item->owner_name);
    free(item->wanted_version);
    free(item->seen_version);
    free(item->uid);
    free(item->wanted);
    free(item);
}

struct json_object *item_wanted(const struct item *item)
{
    struct json_object *object = NULL;
    if (item->wanted && json_parse_object(slice_str(item->wanted), &object, NULL) < 0) {
        abort(); /* we wrote it */
    }
    return object;
}

void item_take_out(struct item *item)
{
    struct reconciler_set *set = item->set;
    size_t kept = 0;
    for (size_t i = 0; i < set->item_count; i++) {
        if (set->items[i] != item) {
            set->items[kept++] = set->items[i];
        }
    }
    set->item_count = kept;
}

void item_drop(struct item *item)
{
    item_take_out(item);
    item_free(item);
}
