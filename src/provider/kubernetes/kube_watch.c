/* A watch that never ends: look the kind up, list it page by page, then read changes from the
 * list's resourceVersion on; when the stream ends or is cut, read on from the last version that
 * came; when that is too old, list again and tell only what differs.
 *
 *   LOOKUP -> LIST -> STREAM -> (pause) -> STREAM      cut, ended, silent
 *     ^---------------- (pause) <----- 410, or the stream makes no sense
 *
 * The receiver may free the watch in any callback: `depth` counts how often we are on the stack,
 * and the outermost one frees it (kube_watch_enter, kube_watch_leave). */
#include <errno.h>

#include "base/alloc.h"
#include "base/json.h"
#include "provider/kubernetes/kube_watch_priv.h"

void kube_watch_bury(struct kube_watch *watch)
{
    struct kube *kube = watch->kube;
    loop_timer_clear(kube->loop, &watch->again);
    *(watch->previous ? &watch->previous->next : &kube->watches) = watch->next;
    if (watch->next) {
        watch->next->previous = watch->previous;
    }
    (void)kube_known_free(watch->known);
    free(watch);
}

static void on_buried(void *arg)
{
    kube_watch_bury(arg);
}

struct kube_watch *kube_watch_free(struct kube_watch *watch)
{
    if (!watch || watch->dead) {
        return NULL;
    }
    struct kube *kube = watch->kube;
    watch->dead = true;
    watch->again.fn = on_buried;
    loop_timer_set(kube->loop, &watch->again, loop_now_ms(kube->loop));
    loop_timer_clear(kube->loop, &watch->silence);
    kube_lookup_cancel(&watch->lookup);
    kube_exchange_done(&watch->stream);
    kube_pager_done(&watch->pager);
    kube_ref_done(&watch->ref);
    free(watch->query);
    free(watch->path);
    free(watch->group);
    free(watch->plural);
    free(watch->namespace);
    free(watch->version);
    return NULL;
}

bool kube_watch_is_synced(const struct kube_watch *watch)
{
    return watch->synced && !watch->troubled;
}

/* ---- what goes wrong ---- */

void kube_watch_pause(struct kube_watch *watch, uint64_t retry_after_ms)
{
    loop_timer_clear(watch->kube->loop, &watch->silence);
    uint64_t pause_ms = kube_backoff_ms(watch->kube, watch->failures, retry_after_ms);
    if (watch->failures > 0) { /* else it ended in good order, as watches do in time */
        kube_note_wait(watch->kube, retry_after_ms > 0 ? KUBE_WAIT_LATER : KUBE_WAIT_FAULT,
                       pause_ms);
    }
    loop_timer_set(watch->kube->loop, &watch->again, loop_now_ms(watch->kube->loop) + pause_ms);
}

static void tell_trouble(struct kube_watch *watch, const struct kube_result *result)
{
    if (watch->troubled && watch->told == result->outcome) {
        return;
    }
    struct kube_reply reply = {.outcome = result->outcome,
                               .status = result->status,
                               .reason = json_str(result->object, "reason"),
                               .object = result->object,
                               .err = &result->err};
    watch->troubled = true;
    watch->told = result->outcome;
    if (watch->events.trouble) {
        watch->events.trouble(watch->events.arg, &reply);
    }
}

void kube_watch_well(struct kube_watch *watch)
{
    if (watch->troubled) {
        watch->troubled = false;
        if (watch->events.trouble) {
            watch->events.trouble(watch->events.arg, NULL);
        }
    }
}

void kube_watch_failed(struct kube_watch *watch, const struct kube_result *result, bool quiet)
{
    watch->failures++;
    watch->unreached = result->outcome == KUBE_UNREACHABLE || result->status >= 500;
    watch->kube->ailing |= watch->unreached;
    if (!quiet) {
        tell_trouble(watch, result);
    }
    if (!watch->dead) {
        kube_watch_pause(watch, result->retry_after_ms);
    }
}

void kube_watches_hurry(struct kube *kube)
{
    for (struct kube_watch *watch = kube->watches; watch; watch = watch->next) {
        if (watch->again.place != 0 && watch->unreached && !watch->hurried && !watch->dead) {
            watch->hurried = true;
            loop_timer_set(kube->loop, &watch->again, loop_now_ms(kube->loop));
        }
    }
}

void kube_watch_list_anew(struct kube_watch *watch)
{
    watch->version = free_null(watch->version);
    watch->synced = false;
}

/* ---- the list ---- */

static void too_many(struct kube_watch *watch)
{
    struct kube_result result = {.outcome = KUBE_BROKEN};
    (void)err_set(&result.err, E2BIG, "there are more than %d of them", KUBE_WATCHED_MAX);
    (void)err_wrap(&result.err, "cannot watch %s", watch->ref.kind);
    kube_exchange_done(&watch->stream);
    kube_pager_done(&watch->pager);
    kube_watch_list_anew(watch);
    kube_watch_failed(watch, &result, false);
}

/* Takes gone. */
static void tell_gone(struct kube_watch *watch, struct json_object *gone)
{
    json_set_str(gone, "apiVersion", watch->ref.api_version);
    json_set_str(gone, "kind", watch->ref.kind);
    watch->events.change(watch->events.arg, KUBE_DELETED, gone);
    (void)json_put(gone);
}

bool kube_watch_take(struct kube_watch *watch, struct json_object *object)
{
    struct json_object *gone = NULL;
    enum kube_news news = kube_known_put(watch->known, object, &gone);
    if (gone) {
        tell_gone(watch, gone);
    }
    if (watch->dead) {
        return false;
    }
    if (news == KUBE_NEWS_TOO_MANY) {
        too_many(watch);
        return false;
    }
    if (news != KUBE_NEWS_NONE) {
        watch->events.change(watch->events.arg,
                             news == KUBE_NEWS_ADDED ? KUBE_ADDED : KUBE_MODIFIED, object);
    }
    return !watch->dead;
}

static bool list_page(void *arg, struct json_object *items)
{
    struct kube_watch *watch = arg;
    bool on = true;
    for (size_t i = 0; on && i < json_object_array_length(items); i++) {
        on = kube_watch_take(watch, json_object_array_get_idx(items, i));
    }
    return on;
}

static void list_ended(void *arg, struct kube_result *result, const char *version)
{
    struct kube_watch *watch = arg;
    if (result->outcome == KUBE_NOT_FOUND) {
        kube_lookup_forget(watch->kube, watch->ref.api_version);
    }
    if (result->outcome != KUBE_OK) {
        kube_watch_failed(watch, result, result->outcome == KUBE_GONE);
        return;
    }
    str_replace(&watch->version, version);
    watch->listed = true;
    struct json_object *gone;
    while (!watch->dead && (gone = kube_known_sweep(watch->known))) {
        tell_gone(watch, gone);
    }
    if (!watch->dead) {
        watch->synced = true;
        if (watch->events.synced) {
            watch->events.synced(watch->events.arg);
        }
    }
    if (!watch->dead) {
        kube_watch_stream(watch);
    }
}

static void found(void *arg, const struct kube_resource *resource, struct kube_result *result)
{
    struct kube_watch *watch = arg;
    struct buf path = {0};
    if (!resource) {
        kube_watch_failed(watch, result, false);
        return;
    }
    if (kube_path_object(&path, watch->kube->config, resource, &watch->ref, &result->err) < 0) {
        buf_done(&path);
        result->outcome = KUBE_INVALID;
        kube_watch_failed(watch, result, false);
        return;
    }
    struct kube_deed deed = kube_deed_of(watch->kube, "list", resource, &watch->ref);
    buf_printf(&path, "%s", watch->query);
    free(watch->path);
    watch->path = kube_path_take(&path);
    str_replace(&watch->group, deed.group);
    str_replace(&watch->plural, deed.resource);
    str_replace(&watch->namespace, deed.namespace);
    watch->kube->figures.relists += watch->listed;
    kube_known_mark(watch->known);
    watch->pager.page = list_page;
    watch->pager.ended = list_ended;
    watch->pager.arg = watch;
    kube_pager_start(&watch->pager, watch->kube, resource, xstrdup(watch->path), &deed);
}

static void on_again(void *arg)
{
    struct kube_watch *watch = arg;
    if (watch->version) {
        kube_watch_stream(watch);
    } else {
        kube_lookup_start(&watch->lookup, watch->kube, watch->ref.api_version, watch->ref.kind);
    }
}

static char *make_query(const struct kube_ref *ref, const struct kube_select *select)
{
    struct buf query = {0};
    const char *fields = select ? select->fields : NULL;
    CLEANUP(str_free)
    char *one = ref->name ? xasprintf("metadata.name=%s%s%s", ref->name, fields ? "," : "",
                                      fields ? fields : "")
                          : NULL;
    kube_path_query(&query, "labelSelector", select ? select->labels : NULL);
    kube_path_query(&query, "fieldSelector", one ? one : fields);
    return kube_path_take(&query);
}

struct kube_watch *kube_watch_new(struct kube *kube, const struct kube_ref *ref,
                                  const struct kube_select *select,
                                  const struct kube_watch_events *events)
{
    struct kube_watch *watch = xcalloc(1, sizeof(*watch));
    struct kube_ref collection = *ref;
    collection.name = NULL;
    *watch = (struct kube_watch){
        .kube = kube,
        .next = kube->watches,
        .query = make_query(ref, select),
        .events = *events,
        .lookup = {.found = found, .arg = watch},
        .again = {.fn = on_again, .arg = watch},
        .known = kube_known_new(),
    };
    kube_ref_copy(&watch->ref, &collection);
    if (watch->next) {
        watch->next->previous = watch;
    }
    kube->watches = watch;
    loop_timer_set(kube->loop, &watch->again, loop_now_ms(kube->loop));
    return watch;
}
