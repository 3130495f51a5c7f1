/* One request of kube.h: kind -> path, then an exchange or the pages of a list, then the reply. It
 * begins in the next turn of the loop, so no callback comes before its caller has the pointer. */
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "provider/kubernetes/kube_priv.h"

#define RESTARTS_MAX 3 /* of a list that became too old between its pages */

static char *copy(const char *text)
{
    return text ? xstrdup(text) : NULL;
}

void kube_ref_copy(struct kube_ref *into, const struct kube_ref *ref)
{
    *into = (struct kube_ref){copy(ref->api_version), copy(ref->kind), copy(ref->namespace),
                              copy(ref->name), copy(ref->subresource)};
}

void kube_ref_done(struct kube_ref *ref)
{
    free((char *)(uintptr_t)ref->api_version);
    free((char *)(uintptr_t)ref->kind);
    free((char *)(uintptr_t)ref->namespace);
    free((char *)(uintptr_t)ref->name);
    free((char *)(uintptr_t)ref->subresource);
    *ref = (struct kube_ref){0};
}

int kube_ref_of(const struct json_object *object, struct kube_ref *ret_ref, struct err *err)
{
    struct json_object *metadata = json_member(object, "metadata", json_type_object);
    struct kube_ref ref = {.api_version = json_str(object, "apiVersion"),
                           .kind = json_str(object, "kind"),
                           .namespace = json_str(metadata, "namespace"),
                           .name = json_str(metadata, "name")};
    if (!ref.api_version || !ref.kind || !ref.name) {
        return err_set(err, EINVAL, "%s%s%.100s%s has no %s", ref.kind ? ref.kind : "a manifest",
                       ref.name ? " '" : "", ref.name ? ref.name : "", ref.name ? "'" : "",
                       !ref.api_version ? "apiVersion"
                       : !ref.kind      ? "kind"
                                        : "metadata.name");
    }
    *ret_ref = ref;
    return 0;
}

struct kube_deed kube_deed_of(const struct kube *kube, const char *verb,
                              const struct kube_resource *resource, const struct kube_ref *ref)
{
    char group[256];
    kube_api_group(resource->api_version, group, sizeof(group));
    const char *namespace = ref->namespace ? ref->namespace : kube->config->namespace;
    bool one = resource->namespaced && strcmp(namespace, KUBE_NAMESPACES) != 0;
    return (struct kube_deed){
        .verb = verb,
        .group = xstrdup(group),
        .resource = ref->subresource ? xasprintf("%s/%s", resource->plural, ref->subresource)
                                     : xstrdup(resource->plural),
        .kind = xstrdup(resource->kind),
        .namespace = one ? xstrdup(namespace) : NULL,
        .name = copy(ref->name),
    };
}

struct kube_request *kube_request_free(struct kube_request *request)
{
    struct kube *kube = request->kube;
    loop_timer_clear(kube->loop, &request->begin);
    kube_lookup_cancel(&request->lookup);
    kube_exchange_done(&request->exchange);
    kube_pager_done(&request->pager);
    (void)json_put(request->items);
    kube_ref_done(&request->ref);
    free(request->query);
    free(request->asked_verb);
    free(request->early);
    *(request->previous ? &request->previous->next : &kube->requests) = request->next;
    if (request->next) {
        request->next->previous = request->previous;
    }
    kube->request_count--;
    free(request);
    return NULL;
}

void kube_cancel(struct kube_request *request)
{
    if (request && !request->answering) {
        (void)kube_request_free(request);
    }
}

static void answer(struct kube_request *request, const struct kube_result *result)
{
    bool ok = result->outcome == KUBE_OK;
    struct kube_reply reply = {
        .outcome = result->outcome,
        .status = result->status,
        .reason = ok ? NULL : json_str(result->object, "reason"),
        .object = result->object,
        .text = request->exchange.text ? result->text : (struct slice){0},
        .err = ok ? NULL : &result->err,
    };
    request->answering = true;
    request->fn(request->arg, &reply);
    (void)kube_request_free(request);
}

/* The path itself is not there, rather than an object: what discovery said is out of date. */
static bool path_is_unknown(const struct kube_result *result)
{
    struct json_object *details = json_member(result->object, "details", json_type_object);
    return result->outcome == KUBE_NOT_FOUND && !json_str(details, "name");
}

static void look_up(struct kube_request *request)
{
    kube_lookup_start(&request->lookup, request->kube, request->ref.api_version, request->ref.kind);
}

static bool look_again(struct kube_request *request, const struct kube_result *result)
{
    if (request->looked_again || !request->ref.api_version || request->prepare ||
        !path_is_unknown(result)) {
        return false;
    }
    request->looked_again = true;
    kube_lookup_forget(request->kube, request->ref.api_version);
    look_up(request);
    return true;
}

static void exchange_ended(void *arg, struct kube_result *result)
{
    struct kube_request *request = arg;
    if (!look_again(request, result)) {
        answer(request, result);
    }
}

/* ---- a list ---- */

static bool keep_page(void *arg, struct json_object *items)
{
    struct kube_request *request = arg;
    for (size_t i = 0; i < json_object_array_length(items); i++) {
        if (json_object_array_length(request->items) < KUBE_LIST_ITEMS_MAX) {
            (void)json_object_array_add(request->items,
                                        json_ref(json_object_array_get_idx(items, i)));
            continue;
        }
        struct kube_result result = {.outcome = KUBE_BROKEN};
        (void)err_set(&result.err, E2BIG, "there are more than %d", KUBE_LIST_ITEMS_MAX);
        kube_deed_wrap(&request->pager.exchange.deed, KUBE_BROKEN, &result.err);
        answer(request, &result);
        return false;
    }
    return true;
}

static void list_ended(void *arg, struct kube_result *result, const char *version)
{
    struct kube_request *request = arg;
    if (result->outcome == KUBE_GONE && request->restarts++ < RESTARTS_MAX) {
        look_up(request);
        return;
    }
    if (look_again(request, result)) {
        return;
    }
    if (result->outcome != KUBE_OK) {
        answer(request, result);
        return;
    }
    CLEANUP(json_put) struct json_object *list = json_object_new_object();
    struct json_object *metadata = json_object_new_object();
    CLEANUP(str_free) char *kind = xasprintf("%sList", request->ref.kind);
    json_set_str(list, "apiVersion", request->ref.api_version);
    json_set_str(list, "kind", kind);
    json_set_str(metadata, "resourceVersion", version);
    json_set(list, "metadata", metadata);
    json_set(list, "items", TAKE(request->items));
    struct kube_result own = {.outcome = KUBE_OK, .status = result->status, .object = list};
    answer(request, &own);
}

/* Takes path and deed. */
static void start_list(struct kube_request *request, const struct kube_resource *resource,
                       char *path, struct kube_deed *deed)
{
    struct kube_pager *pager = &request->pager;
    request->items = json_put(request->items);
    request->items = json_object_new_array();
    pager->page = keep_page;
    pager->ended = list_ended;
    pager->arg = request;
    kube_pager_start(pager, request->kube, resource, path, deed);
}

/* ---- begin ---- */

static int make_path(struct kube_request *request, const struct kube_resource *resource,
                     struct buf *path, struct err *err)
{
    struct kube_ref ref = request->ref;
    if (request->collection) {
        ref.name = NULL;
    }
    int failed = kube_path_object(path, request->kube->config, resource, &ref, err);
    if (!failed && request->query) {
        buf_printf(path, "%s", request->query);
    }
    return failed;
}

static void found(void *arg, const struct kube_resource *resource, struct kube_result *result)
{
    struct kube_request *request = arg;
    struct kube_exchange *exchange = &request->exchange;
    if (!resource) {
        answer(request, result);
        return;
    }
    struct kube_deed deed = kube_deed_of(request->kube, request->verb, resource, &request->ref);
    struct buf path = {0};
    int failed = request->prepare ? request->prepare(request, resource, &result->err)
                                  : make_path(request, resource, &path, &result->err);
    if (failed) {
        result->outcome = KUBE_INVALID;
        kube_deed_wrap(&deed, KUBE_INVALID, &result->err);
        kube_deed_done(&deed);
        answer(request, result);
    } else if (request->listing) {
        start_list(request, resource, kube_path_take(&path), &deed);
    } else {
        if (!request->prepare) {
            free(exchange->path);
            exchange->path = kube_path_take(&path);
        }
        kube_deed_done(&exchange->deed);
        exchange->deed = deed;
        kube_exchange_start(exchange);
    }
    buf_done(&path);
}

static void begin(void *arg)
{
    struct kube_request *request = arg;
    if (request->early) {
        answer(request, request->early);
    } else if (request->ref.api_version) {
        look_up(request);
    } else {
        kube_exchange_start(&request->exchange);
    }
}

static void fail_early(struct kube_request *request, enum kube_outcome outcome,
                       const struct err *err)
{
    if (!request->early) {
        request->early = xcalloc(1, sizeof(*request->early));
        request->early->outcome = outcome;
        request->early->err = *err;
    }
}

void kube_request_fail(struct kube_request *request, const struct err *err)
{
    fail_early(request, KUBE_INVALID, err);
}

struct kube_request *kube_request_new(struct kube *kube, const struct kube_plan *plan)
{
    struct kube_request *request = xcalloc(1, sizeof(*request));
    *request = (struct kube_request){
        .kube = kube,
        .next = kube->requests,
        .verb = plan->verb,
        .lookup = {.found = found, .arg = request},
        .exchange = {.kube = kube, .method = plan->method, .ended = exchange_ended, .arg = request},
        .begin = {.fn = begin, .arg = request},
        .fn = plan->fn,
        .arg = plan->arg,
    };
    if (plan->ref) {
        kube_ref_copy(&request->ref, plan->ref);
    }
    if (request->next) {
        request->next->previous = request;
    }
    kube->requests = request;
    struct err err = {0};
    if (kube->request_count++ >= KUBE_WAITING_MAX) {
        (void)err_set(&err, EBUSY, "more than %d requests wait for the API server",
                      KUBE_WAITING_MAX);
        fail_early(request, KUBE_BUSY, &err);
    } else if (plan->ref && (!plan->ref->api_version || !plan->ref->kind)) {
        (void)err_set(&err, EINVAL, "an object needs apiVersion and kind");
        fail_early(request, KUBE_INVALID, &err);
    }
    loop_timer_set(kube->loop, &request->begin, loop_now_ms(kube->loop));
    return request;
}

void kube_request_body(struct kube_request *request, const char *content_type,
                       struct json_object *body)
{
    request->exchange.content_type = content_type;
    str_replace(&request->exchange.body, json_text(body));
}
