/* The lease as Kubernetes' own programs hold theirs (client-go, tools/leaderelection), so that
 * `kubectl get lease` tells who decides.
 *
 * No clocks are compared: another one's lease is over when its record has not changed for its
 * duration, by the monotonic clock of who looks. The times written into it are for people. Who
 * takes or renews it names the resourceVersion that it saw, so of two only one succeeds.
 *
 * leaseTransitions is the lease's number. It fences the state (store_lease_fence): a holder that
 * was asleep while another one took over is refused there. Should the Lease have been deleted, so
 * that it counts anew, the holder writes a number above the state's.
 *
 *   take:  renew what is held ─────────────▶ fence ──▶ done
 *             │ changed meanwhile     ▲
 *             ▼                       │
 *          read ── free, over, ours ──┘
 *             └── another one's ─────────────────────▶ done
 */
#include "share/lease_kube.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "provider/kubernetes/kube.h"
#include "share/lease.h"
#include "store/store_shared.h"

#define API_VERSION "coordination.k8s.io/v1"

struct lease_kube {
    struct lease base;
    struct kube *kube;   /* owned */
    struct store *store; /* borrowed */
    char *holder;
    char *name;

    char *version;    /* resourceVersion seen last; owned; NULL = there was no Lease */
    char *record;     /* its spec as text; owned */
    uint64_t seen_ms; /* since then the record has not changed */
    int64_t number;   /* of the record */
    bool held;        /* it is ours, and the state knows */

    struct kube_request *request; /* under way; NULL = none */
    int64_t ttl_ms;
    int64_t wanted; /* the number that the write under way has */
    bool late;      /* once in a take: what changes all the time is for the next one */
    bool raised;    /* once in a take, too */
    lease_done_fn done;
    void *arg;
};

static void finish(struct lease_kube *lease, const struct lease_state *state, const struct err *err)
{
    lease->done(lease->arg, state, err);
}

static void tell(struct lease_kube *lease, const char *holder, int64_t number)
{
    struct lease_state state = {.number = number, .mine = lease->held};
    (void)snprintf(state.holder, sizeof(state.holder), "%s", holder);
    finish(lease, &state, NULL);
}

static struct kube_ref ref_of(const struct lease_kube *lease)
{
    return (struct kube_ref){.api_version = API_VERSION, .kind = "Lease", .name = lease->name};
}

/* ---- the record ---- */

/* MicroTime: RFC 3339 with six digits after the second. */
static void set_time(struct json_object *spec, const char *name, int64_t now_ms)
{
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm utc = {0};
    char text[40];
    (void)gmtime_r(&seconds, &utc);
    size_t size = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
    (void)snprintf(text + size, sizeof(text) - size, ".%03d000Z", (int)(now_ms % 1000));
    json_set_str(spec, name, text);
}

/* What makes it ours under the wanted number, as a patch or as an object. */
static struct json_object *claim(const struct lease_kube *lease, bool anew)
{
    int64_t now_ms = clock_unix_ms();
    struct json_object *object = json_object_new_object();
    struct json_object *metadata = json_object_new_object();
    struct json_object *spec = json_object_new_object();
    json_set_str(object, "apiVersion", API_VERSION);
    json_set_str(object, "kind", "Lease");
    json_set(object, "metadata", metadata);
    json_set_str(metadata, "name", lease->name);
    if (lease->version) {
        json_set_str(metadata, "resourceVersion", lease->version);
    }
    json_set(object, "spec", spec);
    json_set_str(spec, "holderIdentity", lease->holder);
    json_set_int(spec, "leaseDurationSeconds", (lease->ttl_ms + 999) / 1000);
    json_set_int(spec, "leaseTransitions", lease->wanted);
    set_time(spec, "renewTime", now_ms);
    if (anew) {
        set_time(spec, "acquireTime", now_ms);
    }
    return object;
}

/* As client-go gives a lease back. */
static struct json_object *waiver(const struct lease_kube *lease)
{
    struct json_object *object = claim(lease, true);
    struct json_object *spec = json_member(object, "spec", json_type_object);
    json_set_str(spec, "holderIdentity", "");
    json_set_int(spec, "leaseDurationSeconds", 1);
    json_set_int(spec, "leaseTransitions", lease->number);
    return object;
}

static void note(struct lease_kube *lease, struct json_object *object)
{
    struct json_object *spec = json_member(object, "spec", json_type_object);
    const char *record = json_text(spec);
    str_replace(&lease->version,
                json_str(json_member(object, "metadata", json_type_object), "resourceVersion"));
    int64_t number = json_int(spec, "leaseTransitions", 0);
    lease->number = number < 0 ? 0 : number < INT32_MAX ? number : INT32_MAX; /* the field's type */
    if (!lease->record || strcmp(record, lease->record) != 0) {
        str_replace(&lease->record, record);
        lease->seen_ms = clock_now_ms();
    }
}

static bool is_mine(const struct lease_kube *lease, const char *holder)
{
    return holder && strcmp(holder, lease->holder) == 0;
}

/* Nobody has it, or whoever had it gives no sign any more. */
static bool is_over(const struct lease_kube *lease, const struct json_object *spec)
{
    const char *holder = json_str(spec, "holderIdentity");
    int64_t lasts_s = json_int(spec, "leaseDurationSeconds", 0);
    if (!holder || !*holder || lasts_s <= 0) {
        return true;
    }
    lasts_s = lasts_s < INT32_MAX ? lasts_s : INT32_MAX;
    return clock_now_ms() >= lease->seen_ms + (uint64_t)lasts_s * 1000;
}

/* ---- taking and renewing ---- */

static void look(struct lease_kube *lease);
static void write_claim(struct lease_kube *lease, int64_t number, bool anew);

/* It is ours in the cluster; now in the state, too. A leader there that this Lease knows nothing of
 * is left alone as long as it gives signs: daemons that have not this setting yet, or another
 * Lease. */
static void fence(struct lease_kube *lease)
{
    struct store_lease row;
    struct err err = {0};
    if (store_lease_fence(lease->store, lease->holder, lease->wanted, lease->ttl_ms, &row, &err)) {
        finish(lease, NULL, &err);
    } else if (row.mine) {
        lease->held = true;
        tell(lease, lease->holder, lease->wanted);
    } else if (row.over && !lease->raised) {
        lease->raised = true;
        write_claim(lease, row.number + 1, true);
    } else {
        lease->held = false;
        (void)err_set(
            &err, EBUSY,
            "Lease '%s' is held by this daemon, but by the state '%s' decides, which holds "
            "no such Lease: give all daemons of the state the same settings lease and "
            "lease_name, in one namespace",
            lease->name, row.holder);
        finish(lease, NULL, &err);
    }
}

static void on_written(void *arg, const struct kube_reply *reply)
{
    struct lease_kube *lease = arg;
    lease->request = NULL;
    bool changed = reply->outcome == KUBE_CONFLICT || reply->outcome == KUBE_EXISTS ||
                   reply->outcome == KUBE_NOT_FOUND;
    if (reply->outcome == KUBE_OK) {
        note(lease, reply->object);
        fence(lease);
    } else if (changed && !lease->late) {
        lease->late = true;
        look(lease);
    } else {
        finish(lease, NULL, reply->err);
    }
}

/* anew: it was not ours under this number before. */
static void write_claim(struct lease_kube *lease, int64_t number, bool anew)
{
    static const struct kube_write again = {.again = true}; /* a conflict makes us look */
    lease->wanted = number;
    lease->held = lease->held && !anew;
    CLEANUP(json_put) struct json_object *object = claim(lease, anew);
    struct kube_ref ref = ref_of(lease);
    lease->request = lease->version
                         ? kube_patch(lease->kube, &ref, object, &again, on_written, lease)
                         : kube_create(lease->kube, object, NULL, on_written, lease);
}

static void on_read(void *arg, const struct kube_reply *reply)
{
    struct lease_kube *lease = arg;
    lease->request = NULL;
    if (reply->outcome == KUBE_NOT_FOUND) { /* number stays: the next one is greater */
        str_replace(&lease->version, NULL);
        write_claim(lease, lease->number + 1, true);
        return;
    }
    if (reply->outcome != KUBE_OK) {
        finish(lease, NULL, reply->err);
        return;
    }
    note(lease, reply->object);
    struct json_object *spec = json_member(reply->object, "spec", json_type_object);
    const char *holder = json_str(spec, "holderIdentity");
    if (is_mine(lease, holder)) { /* by a write whose answer was lost */
        write_claim(lease, lease->number, false);
    } else if (is_over(lease, spec)) {
        write_claim(lease, lease->number + 1, true);
    } else {
        lease->held = false;
        tell(lease, holder, lease->number);
    }
}

static void look(struct lease_kube *lease)
{
    struct kube_ref ref = ref_of(lease);
    lease->request = kube_get(lease->kube, &ref, on_read, lease);
}

static void take(struct lease *base, int64_t ttl_ms, lease_done_fn done, void *arg)
{
    struct lease_kube *lease = (struct lease_kube *)base;
    const char *lost = store_lost(lease->store);
    lease->ttl_ms = ttl_ms;
    lease->done = done;
    lease->arg = arg;
    lease->late = lease->raised = false;
    if (lost) { /* let one have it that could write what it decides */
        struct err err = {0};
        (void)err_set(&err, ENOTCONN, "%s", lost);
        finish(lease, NULL, &err);
    } else if (lease->held) {
        write_claim(lease, lease->number, false);
    } else {
        look(lease);
    }
}

/* ---- the end ---- */

static void write_waiver(struct lease_kube *lease, kube_reply_fn fn)
{
    CLEANUP(json_put) struct json_object *object = waiver(lease);
    struct kube_ref ref = ref_of(lease);
    lease->request = kube_patch(lease->kube, &ref, object, NULL, fn, lease);
}

/* It is free by now, so whoever hears of it in the state can have it. */
static void on_waived(void *arg, const struct kube_reply *reply)
{
    struct lease_kube *lease = arg;
    lease->request = NULL;
    if (reply->outcome == KUBE_OK) {
        (void)store_lease_release(lease->store, NULL);
    }
}

static void on_read_to_waive(void *arg, const struct kube_reply *reply)
{
    struct lease_kube *lease = arg;
    struct json_object *spec = json_member(reply->object, "spec", json_type_object);
    lease->request = NULL;
    if (reply->outcome == KUBE_OK && is_mine(lease, json_str(spec, "holderIdentity"))) {
        note(lease, reply->object);
        write_waiver(lease, on_waived);
    }
}

/* A renewal that was cut off may have changed it. */
static void on_waived_first(void *arg, const struct kube_reply *reply)
{
    struct lease_kube *lease = arg;
    struct kube_ref ref = ref_of(lease);
    if (reply->outcome == KUBE_CONFLICT) {
        lease->request = kube_get(lease->kube, &ref, on_read_to_waive, lease);
    } else {
        on_waived(lease, reply);
    }
}

static void release(struct lease *base)
{
    struct lease_kube *lease = (struct lease_kube *)base;
    struct kube_ref ref = ref_of(lease);
    bool asking = lease->request != NULL;
    kube_cancel(TAKE(lease->request));
    if (lease->held) {
        lease->held = false;
        write_waiver(lease, on_waived_first);
    } else if (asking) { /* it may have become ours by what was cut off */
        lease->request = kube_get(lease->kube, &ref, on_read_to_waive, lease);
    }
}

static bool is_released(const struct lease *base)
{
    return !((const struct lease_kube *)base)->request;
}

static struct lease *lease_free(struct lease *base)
{
    struct lease_kube *lease = (struct lease_kube *)base;
    (void)kube_free(lease->kube);
    free(lease->holder);
    free(lease->name);
    free(lease->version);
    free(lease->record);
    free(lease);
    return NULL;
}

static const struct lease_ops OPS = {.name = "kubernetes",
                                     .take = take,
                                     .release = release,
                                     .is_released = is_released,
                                     .free = lease_free};

struct lease *lease_kube_new(struct kube *kube, struct store *store, const char *name,
                             const char *holder)
{
    struct lease_kube *lease = xcalloc(1, sizeof(*lease));
    lease->base.ops = &OPS;
    lease->kube = kube;
    lease->store = store;
    lease->name = xstrdup(name);
    lease->holder = xstrdup(holder);
    return &lease->base;
}
