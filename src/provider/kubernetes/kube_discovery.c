/* Which path a kind has, from the server's discovery: one document an apiVersion, asked for when it
 * is first needed and kept. A kind that is not in it may have come since (a
 * CustomResourceDefinition just created), so the document is asked for again, but not more often
 * than KUBE_RESOLVE_MS. */
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "provider/kubernetes/kube_priv.h"

struct kube_group {
    struct kube *kube; /* borrowed */
    char *api_version;
    struct kube_resources *resources; /* owned; NULL = not known, or not there */
    uint64_t asked_ms;                /* 0 = never */
    bool asking;
    struct kube_exchange exchange;
    struct kube_waiter *waiters; /* oldest first */
};

struct kube_waiter {
    struct kube_waiter *next;
    struct kube_lookup *lookup; /* borrowed; NULL = does not wait any more */
};

static void unknown_kind(const struct kube_group *group, const char *kind,
                         struct kube_result *result)
{
    result->outcome = KUBE_NO_KIND;
    (void)err_set(
        &result->err, kube_outcome_errno(KUBE_NO_KIND),
        "the API server knows no kind '%.100s' of '%.100s'; check apiVersion and kind, or "
        "install its CustomResourceDefinition",
        kind, group->api_version);
}

/* To all that wait, who may start other lookups meanwhile. */
static void tell(struct kube_group *group, struct kube_result *result)
{
    struct kube_waiter *waiter = group->waiters;
    group->waiters = NULL;
    while (waiter) {
        struct kube_waiter *next = waiter->next;
        struct kube_lookup *lookup = waiter->lookup;
        if (lookup) {
            const struct kube_resource *resource =
                kube_resources_find(group->resources, lookup->kind);
            struct kube_result own = *result;
            if (own.outcome == KUBE_OK && !resource) {
                unknown_kind(group, lookup->kind, &own);
            }
            lookup->waiter = NULL;
            lookup->found(lookup->arg, own.outcome == KUBE_OK ? resource : NULL, &own);
        }
        free(waiter);
        waiter = next;
    }
}

static void document_came(void *arg, struct kube_result *result)
{
    struct kube_group *group = arg;
    struct kube_result told = {.outcome = result->outcome, .status = result->status};
    group->asking = false;
    if (result->outcome != KUBE_OK && result->outcome != KUBE_NOT_FOUND) {
        told.err = result->err; /* what was known before stays */
        told.retry_after_ms = result->retry_after_ms;
        tell(group, &told);
        return;
    }
    /* Not found: it has none of these kinds, and each waiter is told of its own. */
    told.outcome = KUBE_OK;
    group->asked_ms = clock_now_ms();
    group->resources = kube_resources_free(group->resources);
    if (result->outcome == KUBE_OK &&
        kube_resources_read(result->object, group->api_version, &group->resources, &told.err) < 0) {
        told.outcome = KUBE_BROKEN;
    }
    tell(group, &told);
}

static void ask(struct kube_group *group)
{
    struct kube_exchange *exchange = &group->exchange;
    bool core = !strchr(group->api_version, '/');
    kube_exchange_done(exchange);
    *exchange = (struct kube_exchange){
        .kube = group->kube,
        .method = "GET",
        .path = xasprintf("/%s/%s", core ? "api" : "apis", group->api_version),
        .deed = {.verb = "get", .kind = xasprintf("the kinds of '%s'", group->api_version)},
        .repeatable = true,
        .ended = document_came,
        .arg = group,
    };
    group->asking = true;
    kube_exchange_start(exchange);
}

static struct kube_group *find_group(const struct kube *kube, const char *api_version)
{
    for (unsigned i = 0; i < kube->group_count; i++) {
        if (strcmp(kube->groups[i]->api_version, api_version) == 0) {
            return kube->groups[i];
        }
    }
    return NULL;
}

static bool is_api_version(const char *text)
{
    CLEANUP(str_free) char *copy = xstrdup(text);
    char *slash = strchr(copy, '/');
    if (slash) {
        *slash = '\0';
    }
    return kube_is_segment(copy) && (!slash || kube_is_segment(slash + 1));
}

static struct kube_group *need_group(struct kube *kube, const char *api_version)
{
    struct kube_group *group = find_group(kube, api_version);
    if (group || kube->group_count == KUBE_GROUPS_MAX || !is_api_version(api_version)) {
        return group;
    }
    group = xcalloc(1, sizeof(*group));
    group->kube = kube;
    group->api_version = xstrdup(api_version);
    kube->groups[kube->group_count++] = group;
    return group;
}

static void wait_for(struct kube_group *group, struct kube_lookup *lookup)
{
    struct kube_waiter *waiter = xcalloc(1, sizeof(*waiter));
    struct kube_waiter **link = &group->waiters;
    while (*link) {
        link = &(*link)->next;
    }
    waiter->lookup = lookup;
    lookup->waiter = waiter;
    *link = waiter;
    if (!group->asking) {
        ask(group);
    }
}

void kube_lookup_start(struct kube_lookup *lookup, struct kube *kube, const char *api_version,
                       const char *kind)
{
    struct kube_group *group = need_group(kube, api_version);
    struct kube_result result = {0};
    lookup->waiter = NULL;
    str_replace(&lookup->kind, kind);
    if (!group) {
        result.outcome = KUBE_INVALID;
        (void)err_set(&result.err, EINVAL,
                      "'%.100s' is no apiVersion, or more than %d of them are in use", api_version,
                      KUBE_GROUPS_MAX);
        lookup->found(lookup->arg, NULL, &result);
        return;
    }
    const struct kube_resource *resource = kube_resources_find(group->resources, kind);
    if (resource) {
        lookup->found(lookup->arg, resource, &result);
    } else if (group->asked_ms && clock_now_ms() < group->asked_ms + KUBE_RESOLVE_MS) {
        unknown_kind(group, kind, &result);
        lookup->found(lookup->arg, NULL, &result);
    } else {
        wait_for(group, lookup);
    }
}

void kube_lookup_cancel(struct kube_lookup *lookup)
{
    if (lookup->waiter) {
        lookup->waiter->lookup = NULL;
        lookup->waiter = NULL;
    }
    lookup->kind = free_null(lookup->kind);
}

void kube_lookup_forget(struct kube *kube, const char *api_version)
{
    struct kube_group *group = find_group(kube, api_version);
    if (group) {
        group->resources = kube_resources_free(group->resources);
        group->asked_ms = 0;
    }
}

void kube_discovery_free(struct kube *kube)
{
    for (unsigned i = 0; i < kube->group_count; i++) {
        struct kube_group *group = kube->groups[i];
        while (group->waiters) {
            struct kube_waiter *next = group->waiters->next;
            if (group->waiters->lookup) {
                group->waiters->lookup->waiter = NULL;
            }
            free(group->waiters);
            group->waiters = next;
        }
        kube_exchange_done(&group->exchange);
        (void)kube_resources_free(group->resources);
        free(group->api_version);
        free(group);
    }
    kube->group_count = 0;
}
