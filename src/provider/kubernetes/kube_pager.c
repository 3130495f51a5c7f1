#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "provider/kubernetes/kube_priv.h"

#define CONTINUE_MAX 4096 /* a token has some hundred bytes */

static void ask(struct kube_pager *pager)
{
    struct buf path = {0};
    char limit[16];
    (void)snprintf(limit, sizeof(limit), "%u", pager->page_items);
    buf_printf(&path, "%s", pager->path);
    kube_path_query(&path, "limit", limit);
    kube_path_query(&path, "continue", pager->next);
    free(pager->exchange.path);
    pager->exchange.path = kube_path_take(&path);
    kube_exchange_start(&pager->exchange);
}

static void complete_items(const struct kube_pager *pager, struct json_object *items)
{
    for (size_t i = 0; i < json_object_array_length(items); i++) {
        struct json_object *item = json_object_array_get_idx(items, i);
        if (json_object_is_type(item, json_type_object)) {
            json_set_str(item, "apiVersion", pager->api_version);
            json_set_str(item, "kind", pager->kind);
        }
    }
}

static void page_came(void *arg, struct kube_result *result)
{
    struct kube_pager *pager = arg;
    if (pager->exchange.transfer.too_large && pager->page_items > 1) {
        pager->page_items = (pager->page_items + 3) / 4;
        ask(pager);
        return;
    }
    if (result->outcome != KUBE_OK) {
        pager->ended(pager->arg, result, NULL);
        return;
    }
    struct json_object *metadata = json_member(result->object, "metadata", json_type_object);
    struct json_object *items = json_member(result->object, "items", json_type_array);
    const char *version = json_str(metadata, "resourceVersion");
    const char *next = json_str(metadata, "continue");
    bool null_items = json_object_object_get_ex(result->object, "items", NULL) && !items;
    if (!version || (!items && !null_items) || (next && strlen(next) > CONTINUE_MAX)) {
        result->outcome = KUBE_BROKEN;
        (void)err_set(&result->err, EPROTO, "the answer is no list");
        kube_deed_wrap(&pager->exchange.deed, KUBE_BROKEN, &result->err);
        pager->ended(pager->arg, result, NULL);
        return;
    }
    if (items) {
        complete_items(pager, items);
        if (!pager->page(pager->arg, items)) {
            return;
        }
    }
    str_replace(&pager->next, next && *next ? next : NULL);
    if (!pager->version) { /* of the first page: what follows it is told by the watch */
        pager->version = xstrdup(version);
    }
    if (pager->next) {
        ask(pager);
    } else {
        pager->ended(pager->arg, result, pager->version);
    }
}

void kube_pager_start(struct kube_pager *pager, struct kube *kube,
                      const struct kube_resource *resource, char *path, struct kube_deed *deed)
{
    kube_pager_done(pager);
    pager->path = path;
    pager->api_version = xstrdup(resource->api_version);
    pager->kind = xstrdup(resource->kind);
    pager->page_items = kube->settings.page_items;
    pager->exchange = (struct kube_exchange){
        .kube = kube,
        .method = "GET",
        .deed = *deed,
        .repeatable = true,
        .ended = page_came,
        .arg = pager,
    };
    *deed = (struct kube_deed){0};
    ask(pager);
}

void kube_pager_done(struct kube_pager *pager)
{
    kube_exchange_done(&pager->exchange);
    pager->path = free_null(pager->path);
    pager->api_version = free_null(pager->api_version);
    pager->kind = free_null(pager->kind);
    pager->next = free_null(pager->next);
    pager->version = free_null(pager->version);
}
