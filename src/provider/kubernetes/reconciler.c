#include "provider/kubernetes/reconciler.h"

#include <assert.h>
#include <json-c/linkhash.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/random.h"
#include "measure/histogram.h"
#include "provider/kubernetes/reconciler_priv.h"

/* ---- sets ---- */

static char *set_key(const char *owner_kind, const char *label)
{
    return xasprintf("%s/%s", owner_kind, label);
}

struct reconciler_set *set_find(const struct reconciler *reconciler, const char *owner_kind,
                                const char *label)
{
    CLEANUP(str_free) char *key = set_key(owner_kind, label);
    void *set = NULL;
    (void)lh_table_lookup_ex(reconciler->by_owner, key, &set);
    return set;
}

static void dequeue(struct reconciler_set *set)
{
    struct reconciler_set *next = set->queue_next, *previous = set->queue_previous;
    struct set_queue *queue = TAKE(set->queue);
    if (queue) {
        *(previous ? &previous->queue_next : &queue->first) = next;
        *(next ? &next->queue_previous : &queue->last) = previous;
        set->queue_next = set->queue_previous = NULL;
    }
}

static void enqueue(struct reconciler_set *set, struct set_queue *queue)
{
    dequeue(set);
    set->queue = queue;
    set->queue_previous = queue->last;
    *(queue->last ? &queue->last->queue_next : &queue->first) = set;
    queue->last = set;
}

static void wait_for_turn(struct reconciler_set *set)
{
    struct reconciler *reconciler = set->reconciler;
    if (set->queue != &reconciler->waiting) {
        enqueue(set, &reconciler->waiting);
    }
    loop_timer_set(reconciler->loop, &reconciler->timer, loop_now_ms(reconciler->loop));
}

void set_decide(struct reconciler_set *set)
{
    set->dirty = true;
    wait_for_turn(set);
}

void set_tell(struct reconciler_set *set)
{
    set->news = true;
    wait_for_turn(set);
}

void set_touch(struct reconciler_set *set)
{
    set_decide(set);
    set_tell(set);
}

static void on_due(void *arg)
{
    set_decide(arg);
}

static void want_object(struct reconciler_set *set, struct json_object *object)
{
    const char *version = manifest_label(object, MANIFEST_VERSION);
    struct json_object *metadata = json_member(object, "metadata", json_type_object);
    struct json_object *annotations = json_member(metadata, "annotations", json_type_object);
    struct item *item =
        item_find(set, manifest_kind(object), manifest_namespace(object), manifest_name(object));
    item = item ? item : item_new(set, object);
    if (!item) {
        return;
    }
    str_replace(&item->wanted, json_text(object));
    (void)snprintf(item->wanted_hash, sizeof(item->wanted_hash), "%s",
                   json_str(annotations, MANIFEST_HASH));
    str_replace(&item->wanted_version, version);
    str_replace(&item->api_version, json_str(object, "apiVersion"));
    item->failures = 0;
    item->retry_ms = 0;
    item->failure.reason[0] = '\0';
    watch_kind(set->reconciler, item->api_version, item->kind, item->namespace);
}

static void want_all(struct reconciler_set *set, struct manifest *manifest)
{
    const struct manifest_owner owner = {set->reconciler->owner, set->owner_kind, set->owner_name};
    const struct json_object *service = NULL;
    for (size_t i = 0; i < set->item_count; i++) {
        str_replace(&set->items[i]->wanted, NULL);
    }
    manifest_own(manifest, &owner);
    set->wanted = manifest->count > 0;
    set->may_delete_claims = manifest->may_delete_claims;
    for (size_t i = 0; i < manifest->count; i++) {
        struct json_object *object = manifest->objects[i].value;
        want_object(set, object);
        if (strcmp(manifest_kind(object), "Service") == 0 && !service) {
            service = object;
        }
    }
    set_note_service(set, service);
    (void)manifest_free(manifest);
    set_merge_endpoints(set);
    set_touch(set);
}

/* What an earlier life left of it. */
static void take_over_orphans(struct reconciler_set *set)
{
    struct reconciler_set *orphans = &set->reconciler->orphans;
    for (size_t i = orphans->item_count; i-- > 0;) {
        struct item *item = orphans->items[i];
        if (strcmp(item->owner_kind, set->owner_kind) == 0 &&
            strcmp(item->owner_name, set->label) == 0) {
            item_take_out(item);
            item_put(set, item);
        }
    }
}

struct reconciler_set *reconciler_want(struct reconciler *reconciler,
                                       const struct manifest_owner *owner,
                                       struct manifest *manifest, reconciler_changed_fn changed,
                                       void *arg)
{
    struct reconciler_set *set = xcalloc(1, sizeof(*set));
    set->reconciler = reconciler;
    set->owner_kind =
        strcmp(owner->kind, MANIFEST_SERVICE) == 0 ? MANIFEST_SERVICE : MANIFEST_ACTION;
    set->owner_name = xstrdup(owner->name);
    manifest_label_of(owner->name, set->label);
    assert(!set_find(reconciler, set->owner_kind, set->label));
    set->changed = changed;
    set->arg = arg;
    set->timer = (struct loop_timer){.fn = on_due, .arg = set};
    set->next = reconciler->sets;
    reconciler->sets = set;
    set->key = set_key(set->owner_kind, set->label);
    if (lh_table_insert(reconciler->by_owner, set->key, set) != 0) {
        abort();
    }
    take_over_orphans(set);
    want_all(set, manifest);
    return set;
}

void reconciler_change(struct reconciler_set *set, struct manifest *manifest)
{
    want_all(set, manifest);
}

void reconciler_unwant(struct reconciler_set *set)
{
    set->wanted = false;
    for (size_t i = set->item_count; i-- > 0;) {
        struct item *item = set->items[i];
        str_replace(&item->wanted, NULL);
        item->failures = 0;
        item->retry_ms = 0;
    }
    set_touch(set);
}

static void set_done(struct reconciler_set *set)
{
    dequeue(set);
    loop_timer_clear(set->reconciler->loop, &set->timer);
    for (size_t i = 0; i < set->item_count; i++) {
        item_free(set->items[i]);
    }
    set_read_end(set);
    set_forget_seen(set);
    free(set->items);
    free(set->endpoints);
    free(set->service);
    free(set->service_namespace);
    free(set->port_name);
    free(set->owner_name);
    free(set->key);
}

struct reconciler_set *reconciler_forget(struct reconciler_set *set)
{
    if (set) {
        struct reconciler_set **at = &set->reconciler->sets;
        while (*at != set) {
            at = &(*at)->next;
        }
        *at = set->next;
        (void)lh_table_delete(set->reconciler->by_owner, set->key);
        set_done(set);
        free(set);
    }
    return NULL;
}

/* ---- a turn ---- */

static struct reconcile_object seen_as(const struct reconciler *reconciler, const struct item *item)
{
    return (struct reconcile_object){
        .kind = item->kind,
        .wanted = item->wanted != NULL,
        .seen = item->seen,
        .going = item->going,
        .busy = item->request != NULL,
        .unread = !is_known(reconciler, item),
        .wanted_hash = item->wanted ? item->wanted_hash : NULL,
        .seen_hash = item->seen_hash,
        .wanted_version = item->wanted_version,
        .seen_version = item->seen_version,
        .drifted = item->drifted,
        .mark = item->mark,
        .mark_at_end = item->mark_at_end,
        .retry_ms = item->retry_ms,
    };
}

/* Neither wanted nor there: nothing is left to do for it. */
static void drop_gone(struct reconciler_set *set)
{
    for (size_t i = set->item_count; i-- > 0;) {
        struct item *item = set->items[i];
        if (!item->wanted && !item->seen && !item->request && is_known(set->reconciler, item)) {
            item_drop(item);
        }
    }
}

static void note_progress(struct reconciler_set *set)
{
    struct reconciler *reconciler = set->reconciler;
    if (!set->settled && !set->begun_ns) {
        set->begun_ns = clock_now_ns();
    } else if (set->settled && set->begun_ns) {
        uint64_t took_ns = clock_now_ns() - set->begun_ns;
        set->begun_ns = 0;
        reconciler->figures.settling_ns += took_ns;
        histogram_add(reconciler->settling, took_ns);
    }
}

static void set_turn(struct reconciler_set *set, uint64_t now_ms)
{
    static struct reconcile_object objects[RECONCILER_ITEMS_MAX]; /* the loop's thread only */
    static enum reconcile_step steps[RECONCILER_ITEMS_MAX];
    struct reconcile_plan plan = {.steps = steps};
    set->dirty = false;
    drop_gone(set);
    for (size_t i = 0; i < set->item_count; i++) {
        objects[i] = seen_as(set->reconciler, set->items[i]);
    }
    reconcile_decide(objects, set->item_count, set->may_delete_claims, now_ms, &plan);
    for (size_t i = 0; i < set->item_count; i++) {
        struct item *item = set->items[i];
        item->step = steps[i];
        if (set->reconciler->passive) {
            continue;
        }
        if (steps[i] == RECONCILE_APPLY) {
            item_apply(item);
        } else if (steps[i] == RECONCILE_DELETE) {
            item_delete(item);
        }
    }
    set->news |= set->settled != plan.settled;
    set->settled = plan.settled;
    note_progress(set);
    if (plan.wake_ms == UINT64_MAX) {
        loop_timer_clear(set->reconciler->loop, &set->timer);
    } else {
        loop_timer_set(set->reconciler->loop, &set->timer, plan.wake_ms);
    }
}

static void turn_all(struct reconciler *reconciler)
{
    uint64_t begun_ns = clock_now_ns(), now_ms = loop_now_ms(reconciler->loop);
    struct reconciler_set *set;
    while ((set = reconciler->waiting.first)) {
        if (set->dirty && (set != &reconciler->orphans || reconciler->sweeping)) {
            set_turn(set, now_ms);
        }
        enqueue(set, &reconciler->telling);
    }
    uint64_t took_ns = clock_now_ns() - begun_ns;
    reconciler->figures.turning_ns += took_ns;
    histogram_add(reconciler->turning, took_ns);
}

/* Who is told may want, unwant and forget: what that makes dirty waits for the next turn. */
static void tell_all(struct reconciler *reconciler)
{
    struct reconciler_set *set;
    while ((set = reconciler->telling.first)) {
        bool news = set->news && set->changed;
        dequeue(set);
        set->news = false;
        if (news) {
            set->changed(set->arg);
        }
    }
}

static void on_turn(void *arg)
{
    struct reconciler *reconciler = arg;
    turn_all(reconciler);
    tell_all(reconciler);
}

struct reconciler *reconciler_new(struct loop *loop, struct kube *kube, const char *owner,
                                  uint64_t seed)
{
    struct reconciler *reconciler = xcalloc(1, sizeof(*reconciler));
    reconciler->loop = loop;
    reconciler->kube = kube;
    reconciler->owner = xstrdup(owner);
    reconciler->selector = xasprintf("%s=%s", MANIFEST_OWNER, owner);
    reconciler->random = seed;
    reconciler->orphans = (struct reconciler_set){
        .reconciler = reconciler, .timer = {.fn = on_due, .arg = &reconciler->orphans}};
    reconciler->turning = histogram_new();
    reconciler->settling = histogram_new();
    reconciler->by_owner = lh_kchar_table_new(64, NULL);
    if (!reconciler->by_owner) {
        abort();
    }
    reconciler->timer = (struct loop_timer){.fn = on_turn, .arg = reconciler};
    return reconciler;
}

struct reconciler *reconciler_free(struct reconciler *reconciler)
{
    if (reconciler) {
        loop_timer_clear(reconciler->loop, &reconciler->timer);
        watches_end(reconciler);
        kube_cancel(reconciler->namespace_request);
        while (reconciler->sets) {
            struct reconciler_set *set = reconciler->sets;
            reconciler->sets = set->next;
            set_done(set);
            free(set);
        }
        set_done(&reconciler->orphans);
        lh_table_free(reconciler->by_owner);
        (void)histogram_free(reconciler->turning);
        (void)histogram_free(reconciler->settling);
        free(reconciler->owner);
        free(reconciler->selector);
        free(reconciler);
    }
    return NULL;
}

void reconciler_set_passive(struct reconciler *reconciler, bool passive)
{
    if (reconciler->passive == passive) {
        return;
    }
    reconciler->passive = passive;
    for (struct reconciler_set *set = reconciler->sets; set; set = set->next) {
        set_touch(set);
    }
    set_decide(&reconciler->orphans);
}

void reconciler_sweep(struct reconciler *reconciler)
{
    reconciler->sweeping = true;
    set_decide(&reconciler->orphans);
    sweep_begin(reconciler);
}
