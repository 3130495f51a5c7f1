/* One app a module: its set of objects, and the pods that control has started of it, newest first.
 * Two at a time happen while a new revision is rolled out: the cluster itself replaces the old
 * replicas by new ones, so both pods are the same objects, of which the newest pod says what they
 * are; when it is given up, the one before it does again. */
#include "provider/kubernetes/kubernetes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/random.h"
#include "loop/loop.h"
#include "manifest/manifest.h"
#include "manifest/pod.h"
#include "provider/kubernetes/access.h"
#include "provider/kubernetes/kube.h"
#include "provider/kubernetes/reconciler.h"

#define SWEEP_MS 3000 /* after the start: modules and services have wanted all that is to stay */

static const struct provider_ops kubernetes_ops;

struct kubernetes {
    struct provider base;
    struct loop *loop; /* borrowed */
    struct kube *kube; /* borrowed */
    struct reconciler *reconciler;
    struct access *access;
    uint64_t start_timeout_ms;
    char *owner;
    struct app *apps;
    struct loop_timer sweep;
    bool settled, wanted; /* what the sweep waits for: modules serve, and SWEEP_MS have passed */
};

struct app {
    struct app *next;
    struct kubernetes *provider; /* borrowed */
    char *module;
    struct reconciler_set *set;
    struct access_routes *routes;
    struct kube_pod *pods; /* newest first */
    bool ending;           /* its objects are being deleted */
};

struct kube_pod {
    struct pod base;
    struct kube_pod *older;
    struct kubernetes *provider; /* borrowed */
    struct app *app;             /* NULL once it is stopped */
    char *name;
    char *url;
    char *objects; /* its manifest, as JSON: see struct item */
    struct pod_events events;
    struct loop_timer timer; /* of the start, then of the end */
    bool started;            /* replicas were told */
    bool stopping;
    char *trouble; /* the reason that was told last; NULL = none */
};

/* ---- what it makes ---- */

static const struct json_object *first_service(const struct manifest *manifest)
{
    for (size_t i = 0; i < manifest->count; i++) {
        if (strcmp(manifest_kind(manifest->objects[i].value), "Service") == 0) {
            return manifest->objects[i].value;
        }
    }
    return NULL;
}

static int make_manifest(const struct kubernetes *provider, const struct pod_spec *spec,
                         struct manifest **ret_manifest, struct err *err)
{
    struct json_object *remote = json_object_object_get(spec->config, "remote");
    CLEANUP(manifest_free) struct manifest *manifest = NULL;
    if (!remote) {
        return err_set(err, EINVAL, "the action config of '%s' has no 'remote': what its pod is",
                       spec->module);
    }
    const struct pod_module module = {
        .name = spec->module, .source = spec->source, .memory_kb = spec->memory_kb};
    int failed = pod_is_short(remote) ? pod_manifest(remote, &module, &manifest, err)
                                      : manifest_read(remote, &manifest, err);
    if (failed) {
        return err_wrap(err, "the action config of '%s'", spec->module);
    }
    if (!first_service(manifest)) {
        return err_set(err, EINVAL,
                       "the action config of '%s' has no Service: nothing says where its pods "
                       "answer",
                       spec->module);
    }
    manifest_rewrite(manifest, MANIFEST_DEDICATED,
                     kube_config_namespace(kube_configuration(provider->kube)), NULL);
    *ret_manifest = TAKE(manifest);
    return 0;
}

static char *url_of(const struct manifest *manifest)
{
    const struct json_object *service = first_service(manifest);
    struct json_object *spec = json_member(service, "spec", json_type_object);
    struct json_object *ports = json_member(spec, "ports", json_type_array);
    struct json_object *first = ports ? json_object_array_get_idx(ports, 0) : NULL;
    return xasprintf("http://%s.%s.svc:%lld/", manifest_name(service), manifest_namespace(service),
                     (long long)json_int(first, "port", POD_PORT));
}

/* ---- apps ---- */

static struct app *app_find(const struct kubernetes *provider, const char *module)
{
    for (struct app *app = provider->apps; app; app = app->next) {
        if (strcmp(app->module, module) == 0) {
            return app;
        }
    }
    return NULL;
}

/* Its objects stay as they are. */
static void app_done(struct app *app)
{
    (void)reconciler_forget(app->set);
    (void)access_routes_free(app->routes);
    free(app->module);
    free(app);
}

static void app_free(struct app *app)
{
    struct app **at = &app->provider->apps;
    while (*at != app) {
        at = &(*at)->next;
    }
    *at = app->next;
    app_done(app);
}

static void tell_trouble(struct kube_pod *pod, const char *reason, const char *text, bool stuck)
{
    bool same = reason && pod->trouble ? strcmp(reason, pod->trouble) == 0 : reason == pod->trouble;
    if (!same) {
        str_replace(&pod->trouble, reason);
        pod->events.trouble(pod->events.arg, reason, text, stuck);
    }
}

/* False: it is not known yet how they are reached. */
static bool tell_replicas(struct kube_pod *pod, const struct endpoint *endpoints, size_t count)
{
    const struct pod_replica *replicas = NULL;
    int used = access_replicas(pod->app->routes, endpoints, (uint32_t)count, &replicas);
    if (used >= 0) {
        pod->started = true;
        loop_timer_clear(pod->provider->loop, &pod->timer);
        pod->events.replicas(pod->events.arg, replicas, (uint32_t)used);
    }
    return used >= 0;
}

/* What a pod hears of its app. A first pod serves as soon as one replica does; the next revision
 * once all replicas are of it. */
static void tell_pod(struct kube_pod *pod)
{
    const struct app *app = pod->app;
    size_t count = 0;
    const struct endpoint *endpoints = reconciler_endpoints(app->set, &count);
    struct condition condition = {0};
    bool newest = pod == app->pods;
    bool replaces = newest && pod->older;
    bool reached = true;
    if (pod->started || (count > 0 && (!replaces || reconciler_is_rolled_out(app->set)))) {
        reached = tell_replicas(pod, endpoints, count);
    }
    if (!newest) {
        return;
    }
    if (reconciler_condition(app->set, &condition)) {
        CLEANUP(str_free)
        char *text =
            xasprintf("%s%s%s", condition.reason, condition.text[0] ? ": " : "", condition.text);
        tell_trouble(pod, condition.reason, text, condition.stuck);
    } else if (!reached && access_trouble(app->provider->access)) {
        tell_trouble(pod, "Unreachable", access_trouble(app->provider->access), true);
    } else if (pod->started || !pod->trouble || strcmp(pod->trouble, "StartTimeout") != 0) {
        tell_trouble(pod, NULL, NULL, false);
    }
}

static void on_changed(void *arg)
{
    struct app *app = arg;
    if (app->ending) {
        if (reconciler_is_settled(app->set)) {
            app_free(app);
        }
        return;
    }
    struct kube_pod *older = NULL;
    for (struct kube_pod *pod = app->pods; pod; pod = older) {
        older = pod->older;
        tell_pod(pod);
    }
}

static void on_access(void *arg)
{
    struct kubernetes *provider = arg;
    struct app *next = NULL;
    for (struct app *app = provider->apps; app; app = next) {
        next = app->next;
        if (!app->ending) {
            on_changed(app);
        }
    }
}

/* ---- pods ---- */

static void leave_app(struct kube_pod *pod)
{
    struct kube_pod **at = &pod->app->pods;
    while (*at != pod) {
        at = &(*at)->older;
    }
    *at = pod->older;
    pod->app = NULL;
}

static struct pod *free_pod(struct pod *base)
{
    struct kube_pod *pod = (struct kube_pod *)base;
    if (pod) {
        struct app *app = pod->app;
        loop_timer_clear(pod->provider->loop, &pod->timer);
        if (app) {
            leave_app(pod);
        }
        if (app && !app->pods && !app->ending) {
            app_free(app);
        }
        free(pod->objects);
        free(pod->name);
        free(pod->url);
        free(pod->trouble);
        free(pod);
    }
    return NULL;
}

static void on_timer(void *arg)
{
    struct kube_pod *pod = arg;
    if (pod->stopping) {
        pod->events.exited(pod->events.arg, "deleted", true);
    } else if (!pod->started && !pod->trouble) {
        tell_trouble(pod, "StartTimeout",
                     "StartTimeout: no replica was ready in time (setting start_timeout_s)", true);
    }
}

/* Puts the objects of the newest pod in place. */
static void app_want(struct app *app, const char *module, struct manifest *manifest)
{
    const struct manifest_owner owner = {.kind = MANIFEST_ACTION, .name = module};
    if (app->set) {
        reconciler_change(app->set, manifest);
    } else {
        app->set = reconciler_want(app->provider->reconciler, &owner, manifest, on_changed, app);
    }
    app->ending = false;
}

static struct pod *start(struct provider *base, const struct pod_spec *spec,
                         const struct pod_events *events, struct err *err)
{
    struct kubernetes *provider = (struct kubernetes *)base;
    CLEANUP(manifest_free) struct manifest *manifest = NULL;
    if (make_manifest(provider, spec, &manifest, err) < 0) {
        return NULL;
    }
    struct app *app = app_find(provider, spec->module);
    if (!app) {
        app = xcalloc(1, sizeof(*app));
        *app = (struct app){.next = provider->apps,
                            .provider = provider,
                            .module = xstrdup(spec->module),
                            .routes = access_routes_new(provider->access)};
        provider->apps = app;
    }
    CLEANUP(json_put) struct json_object *map = manifest_map(manifest);
    struct kube_pod *pod = xcalloc(1, sizeof(*pod));
    *pod = (struct kube_pod){.older = app->pods,
                             .provider = provider,
                             .app = app,
                             .name = xstrdup(spec->name),
                             .url = url_of(manifest),
                             .objects = xstrdup(json_text(map)),
                             .events = *events};
    pod->base = (struct pod){
        .ops = &kubernetes_ops, .name = pod->name, .url = pod->url, .started_ms = clock_unix_ms()};
    pod->timer = (struct loop_timer){.fn = on_timer, .arg = pod};
    app->pods = pod;
    loop_timer_set(provider->loop, &pod->timer, clock_now_ms() + provider->start_timeout_ms);
    app_want(app, spec->module, TAKE(manifest));
    return &pod->base;
}

/* NULL = it cannot be read, though we wrote it. */
static struct manifest *manifest_of(const struct kube_pod *pod)
{
    CLEANUP(json_put) struct json_object *map = NULL;
    struct manifest *manifest = NULL;
    if (json_parse_object(slice_str(pod->objects), &map, NULL) == 0) {
        (void)manifest_read(map, &manifest, NULL);
    }
    return manifest;
}

static void stop(struct pod *base, uint64_t grace_ms)
{
    struct kube_pod *pod = (struct kube_pod *)base;
    struct app *app = pod->app;
    struct manifest *manifest = NULL;
    if (pod->stopping) {
        return;
    }
    (void)grace_ms; /* the pods have their own: terminationGracePeriodSeconds */
    bool newest = app->pods == pod;
    leave_app(pod);
    pod->stopping = true;
    if (!app->pods) {
        app->ending = true;
        reconciler_unwant(app->set);
    } else if (newest && (manifest = manifest_of(app->pods))) {
        app_want(app, app->module, manifest); /* as the one before it had them */
    }
    loop_timer_set(pod->provider->loop, &pod->timer, loop_now_ms(pod->provider->loop));
}

/* Nothing reports what a container uses but a metrics server, which need not be there. */
static int measure(struct pod *pod, struct pod_memory *ret_memory)
{
    (void)pod;
    (void)ret_memory;
    return -ENOTSUP;
}

/* ---- the provider ---- */

static void sweep(struct kubernetes *provider)
{
    if (provider->settled && provider->wanted) {
        reconciler_sweep(provider->reconciler);
    }
}

static void on_sweep(void *arg)
{
    struct kubernetes *provider = arg;
    provider->wanted = true;
    sweep(provider);
}

/* Until then a pod that nobody wants may be all that a module has: it was on trial there, say, and
 * loads again where it was before. */
static void settled(struct provider *base)
{
    struct kubernetes *provider = (struct kubernetes *)base;
    provider->settled = true;
    sweep(provider);
}

/* Pods of an earlier daemon are found by their labels when the first turn starts them again; what
 * it does not start is nobody's. */
static void adopt(struct provider *base, pod_adopt_fn fn, void *arg)
{
    struct kubernetes *provider = (struct kubernetes *)base;
    (void)fn;
    (void)arg;
    loop_timer_set(provider->loop, &provider->sweep, clock_now_ms() + SWEEP_MS);
}

static void lead(struct provider *base, bool leads)
{
    reconciler_set_passive(((struct kubernetes *)base)->reconciler, !leads);
}

static struct provider *free_provider(struct provider *base)
{
    struct kubernetes *provider = (struct kubernetes *)base;
    if (provider) {
        loop_timer_clear(provider->loop, &provider->sweep);
        while (provider->apps) {
            struct app *app = provider->apps;
            provider->apps = app->next;
            app_done(app);
        }
        (void)reconciler_free(provider->reconciler);
        (void)access_free(provider->access);
        free(provider->owner);
        free(provider);
    }
    return NULL;
}

static const struct provider_ops kubernetes_ops = {
    .name = "kubernetes",
    .pods_stay = true,
    .start = start,
    .adopt = adopt,
    .settled = settled,
    .stop = stop,
    .lead = lead,
    .measure = measure,
    .free_pod = free_pod,
    .free = free_provider,
};

struct provider *kubernetes_provider_new(struct loop *loop, struct kube *kube,
                                         const struct kubernetes_settings *settings)
{
    struct kubernetes *provider = xcalloc(1, sizeof(*provider));
    provider->base.ops = &kubernetes_ops;
    provider->loop = loop;
    provider->kube = kube;
    provider->start_timeout_ms = settings->start_timeout_ms;
    provider->owner = xstrdup(settings->owner);
    provider->reconciler = reconciler_new(loop, kube, settings->owner, random_seed());
    provider->access = access_new(loop, &settings->access, on_access, provider);
    provider->sweep = (struct loop_timer){.fn = on_sweep, .arg = provider};
    return &provider->base;
}

int kubernetes_manifest(struct provider *base, const struct pod_spec *spec,
                        struct manifest **ret_manifest, struct err *err)
{
    struct kubernetes *provider = (struct kubernetes *)base;
    int failed = make_manifest(provider, spec, ret_manifest, err);
    if (!failed) {
        manifest_own(*ret_manifest,
                     &(struct manifest_owner){provider->owner, MANIFEST_ACTION, spec->module});
    }
    return failed;
}

struct reconciler *kubernetes_reconciler(struct provider *provider)
{
    return ((struct kubernetes *)provider)->reconciler;
}

struct kube *kubernetes_client(struct provider *provider)
{
    return ((struct kubernetes *)provider)->kube;
}
