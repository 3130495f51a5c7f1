/* What is there already when somebody comes to want it: of an earlier life, of another daemon, of a
 * set that was forgotten. A watch tells it once, when it begins; who comes later reads it here. */
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/log.h"
#include "base/random.h"
#include "provider/kubernetes/reconciler_priv.h"

static void see_all(struct reconciler *reconciler, const struct kube_reply *reply)
{
    struct json_object *items = json_member(reply->object, "items", json_type_array);
    for (size_t i = 0; i < json_object_array_length(items); i++) {
        struct json_object *object = json_object_array_get_idx(items, i);
        if (manifest_kind(object) && manifest_name(object)) {
            see_object(reconciler, object);
        }
    }
}

/* ---- of one set: what its Service has, pods and where they answer ---- */

static const char *const read_kinds[RECONCILER_READINGS][2] = {
    {"v1", "Pod"},
    {"discovery.k8s.io/v1", "EndpointSlice"},
};

static void read_now(struct reading *reading);

static void on_again(void *arg)
{
    read_now(arg);
}

static void on_read(void *arg, const struct kube_reply *reply)
{
    struct reading *reading = arg;
    struct reconciler *reconciler = reading->set->reconciler;
    reading->request = NULL;
    if (reply->outcome != KUBE_OK) {
        if (reading->failures++ == 0) { /* one failure, one line */
            log_warn("what is in the cluster already cannot be read", "kind=%s error=\"%s\"",
                     reading->kind, reply->err ? reply->err->text : "");
        }
        uint64_t pause_ms =
            reconcile_backoff_ms(reading->failures, random_bits(&reconciler->random));
        loop_timer_set(reconciler->loop, &reading->again, loop_now_ms(reconciler->loop) + pause_ms);
        return;
    }
    reading->failures = 0;
    if (reading->stale) {
        read_now(reading);
    } else {
        see_all(reconciler, reply);
    }
}

static void read_now(struct reading *reading)
{
    const struct reconciler_set *set = reading->set;
    struct reconciler *reconciler = set->reconciler;
    struct kube_ref ref = {.api_version = reading->api_version,
                           .kind = reading->kind,
                           .namespace = *set->service_namespace ? set->service_namespace : NULL};
    CLEANUP(str_free)
    char *labels = xasprintf("%s,%s=%s", reconciler->selector, set->owner_kind, set->label);
    struct kube_select select = {.labels = labels};
    loop_timer_clear(reconciler->loop, &reading->again);
    kube_cancel(reading->request);
    reading->stale = false;
    reading->request = kube_list(reconciler->kube, &ref, &select, on_read, reading);
}

/* Who comes when all was told has missed it. */
static void watch_pods(struct reconciler_set *set)
{
    struct reconciler *reconciler = set->reconciler;
    for (size_t i = 0; i < RECONCILER_READINGS; i++) {
        struct reading *reading = &set->readings[i];
        reading->set = set;
        reading->api_version = read_kinds[i][0];
        reading->kind = read_kinds[i][1];
        reading->again.fn = on_again;
        reading->again.arg = reading;
        watch_kind(reconciler, reading->api_version, reading->kind, set->service_namespace);
        reading->late = has_told(reconciler, reading->kind, set->service_namespace);
    }
}

static bool is_service(const struct item *item)
{
    const struct reconciler_set *set = item->set;
    return set->service && strcmp(item->kind, "Service") == 0 &&
           strcmp(item->name, set->service) == 0 &&
           strcmp(item->namespace, set->service_namespace) == 0;
}

void set_read_behind(struct item *item)
{
    for (size_t i = 0; is_service(item) && i < RECONCILER_READINGS; i++) {
        struct reading *reading = &item->set->readings[i];
        if (reading->late) {
            reading->late = false;
            read_now(reading);
        }
    }
}

void set_read_stale(struct reconciler_set *set, const char *kind)
{
    for (size_t i = 0; i < RECONCILER_READINGS; i++) {
        set->readings[i].stale |= strcmp(read_kinds[i][1], kind) == 0;
    }
}

void set_read_end(struct reconciler_set *set)
{
    for (size_t i = 0; i < RECONCILER_READINGS; i++) {
        kube_cancel(set->readings[i].request);
        loop_timer_clear(set->reconciler->loop, &set->readings[i].again);
    }
}

/* True: it differs. */
static bool note_text(char **at, const char *text)
{
    bool differs = !*at || strcmp(*at, text) != 0;
    if (differs) {
        str_replace(at, text);
    }
    return differs;
}

void set_note_service(struct reconciler_set *set, const struct json_object *object)
{
    const char *port = object ? endpoints_port_name(object) : NULL;
    const char *namespace = object ? manifest_namespace(object) : NULL;
    bool differs = note_text(&set->service, object ? manifest_name(object) : "");
    differs |= note_text(&set->service_namespace, namespace ? namespace : "");
    differs |= note_text(&set->port_name, port ? port : "");
    if (differs && object) {
        watch_pods(set);
        struct item *item = item_find(set, "Service", namespace, set->service);
        if (item && (item->seen || !is_watched(set->reconciler, item))) {
            set_read_behind(item);
        }
    } else if (differs) {
        set_read_end(set);
    }
}

/* ---- of an earlier life ---- */

static void on_left(void *arg, const struct kube_reply *reply)
{
    if (reply->outcome == KUBE_OK) {
        see_all(arg, reply);
    }
}

void sweep_begin(struct reconciler *reconciler)
{
    static const char *const kinds[][2] = {
        {"apps/v1", "Deployment"}, {"apps/v1", "StatefulSet"}, {"apps/v1", "DaemonSet"},
        {"v1", "Service"},         {"v1", "ConfigMap"},        {"v1", "Secret"},
        {"v1", "ServiceAccount"},  {"batch/v1", "Job"},
    };
    struct kube_select select = {.labels = reconciler->selector};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct kube_ref ref = {.api_version = kinds[i][0], .kind = kinds[i][1]};
        (void)kube_list(reconciler->kube, &ref, &select, on_left, reconciler);
    }
}
