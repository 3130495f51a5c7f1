/* The requests of kube.h, each as what it adds to a plain one: method, query, body. */
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "provider/kubernetes/kube_priv.h"

#define JSON_TYPE        "application/json"
#define MERGE_PATCH_TYPE "application/merge-patch+json"
#define APPLY_PATCH_TYPE "application/apply-patch+yaml" /* of which JSON is a part */

static void add_query(struct kube_request *request, const char *name, const char *value)
{
    struct buf query = {0};
    buf_printf(&query, "%s", request->query ? request->query : "");
    kube_path_query(&query, name, value);
    free(request->query);
    request->query = kube_path_take(&query);
}

static void add_write(struct kube_request *request, const struct kube_write *options)
{
    add_query(request, "fieldManager", KUBE_FIELD_MANAGER);
    if (options && options->dry_run) {
        add_query(request, "dryRun", "All");
    }
}

struct kube_request *kube_get(struct kube *kube, const struct kube_ref *ref, kube_reply_fn fn,
                              void *arg)
{
    struct kube_request *request = kube_request_new(
        kube,
        &(struct kube_plan){.verb = "get", .method = "GET", .ref = ref, .fn = fn, .arg = arg});
    request->exchange.repeatable = true;
    return request;
}

struct kube_request *kube_list(struct kube *kube, const struct kube_ref *ref,
                               const struct kube_select *select, kube_reply_fn fn, void *arg)
{
    struct kube_request *request = kube_request_new(
        kube,
        &(struct kube_plan){.verb = "list", .method = "GET", .ref = ref, .fn = fn, .arg = arg});
    request->listing = true;
    request->collection = true;
    if (select) {
        add_query(request, "labelSelector", select->labels);
        add_query(request, "fieldSelector", select->fields);
    }
    return request;
}

/* A request about the object that a manifest describes. */
static struct kube_request *write_object(struct kube *kube, struct kube_plan *plan,
                                         struct json_object *object)
{
    struct kube_ref ref = {0};
    struct err err = {0};
    plan->ref = &ref;
    int failed = kube_ref_of(object, &ref, &err);
    if (failed) {
        ref = (struct kube_ref){.api_version = "", .kind = ""};
    }
    struct kube_request *request = kube_request_new(kube, plan);
    if (failed) {
        kube_request_fail(request, &err);
    }
    return request;
}

struct kube_request *kube_apply(struct kube *kube, struct json_object *object,
                                const struct kube_write *options, kube_reply_fn fn, void *arg)
{
    struct kube_plan plan = {.verb = "patch", .method = "PATCH", .fn = fn, .arg = arg};
    struct kube_request *request = write_object(kube, &plan, object);
    request->exchange.repeatable = true;
    add_write(request, options);
    add_query(request, "force", options && options->force ? "true" : "false");
    kube_request_body(request, APPLY_PATCH_TYPE, object);
    return request;
}

struct kube_request *kube_create(struct kube *kube, struct json_object *object,
                                 const struct kube_write *options, kube_reply_fn fn, void *arg)
{
    struct kube_plan plan = {.verb = "create", .method = "POST", .fn = fn, .arg = arg};
    struct kube_request *request = write_object(kube, &plan, object);
    request->collection = true;
    add_write(request, options);
    kube_request_body(request, JSON_TYPE, object);
    return request;
}

static bool needs_name(struct kube_request *request)
{
    struct err err = {0};
    if (request->ref.name) {
        return true;
    }
    (void)err_set(&err, EINVAL, "no name of the object is given");
    kube_request_fail(request, &err);
    return false;
}

struct kube_request *kube_patch(struct kube *kube, const struct kube_ref *ref,
                                struct json_object *patch, const struct kube_write *options,
                                kube_reply_fn fn, void *arg)
{
    struct kube_request *request = kube_request_new(
        kube,
        &(struct kube_plan){.verb = "patch", .method = "PATCH", .ref = ref, .fn = fn, .arg = arg});
    if (needs_name(request)) {
        struct json_object *metadata = json_member(patch, "metadata", json_type_object);
        request->exchange.repeatable =
            !json_str(metadata, "resourceVersion") || (options && options->again);
        add_write(request, options);
        kube_request_body(request, MERGE_PATCH_TYPE, patch);
    }
    return request;
}

static struct json_object *delete_options(const struct kube_remove *options)
{
    static const char *const policies[] = {"Background", "Foreground", "Orphan"};
    struct json_object *body = json_object_new_object();
    json_set_str(body, "apiVersion", "v1");
    json_set_str(body, "kind", "DeleteOptions");
    json_set_str(body, "propagationPolicy", policies[options ? options->propagation : 0]);
    if (options && options->grace_s) {
        json_set_int(body, "gracePeriodSeconds", options->grace_s > 0 ? options->grace_s : 0);
    }
    if (options && (options->uid || options->version)) {
        struct json_object *only = json_object_new_object();
        if (options->uid) {
            json_set_str(only, "uid", options->uid);
        }
        if (options->version) {
            json_set_str(only, "resourceVersion", options->version);
        }
        json_set(body, "preconditions", only);
    }
    return body;
}

struct kube_request *kube_delete(struct kube *kube, const struct kube_ref *ref,
                                 const struct kube_remove *options, kube_reply_fn fn, void *arg)
{
    struct kube_request *request = kube_request_new(
        kube, &(struct kube_plan){
                  .verb = "delete", .method = "DELETE", .ref = ref, .fn = fn, .arg = arg});
    if (needs_name(request)) {
        CLEANUP(json_put) struct json_object *body = delete_options(options);
        request->exchange.repeatable = options && options->uid;
        if (options && options->dry_run) {
            add_query(request, "dryRun", "All");
        }
        kube_request_body(request, JSON_TYPE, body);
    }
    return request;
}

struct kube_request *kube_log(struct kube *kube, const char *namespace, const char *pod,
                              const struct kube_log_options *options, kube_reply_fn fn, void *arg)
{
    struct kube_ref ref = {"v1", "Pod", namespace, pod, "log"};
    struct kube_request *request = kube_get(kube, &ref, fn, arg);
    char number[16];
    request->exchange.text = true;
    if (!needs_name(request)) {
        return request;
    }
    (void)snprintf(number, sizeof(number), "%d", KUBE_LOG_BYTES_MAX);
    add_query(request, "limitBytes", number);
    if (options) {
        add_query(request, "container", options->container);
        add_query(request, "previous", options->previous ? "true" : NULL);
        (void)snprintf(number, sizeof(number), "%u", options->lines_max);
        add_query(request, "tailLines", options->lines_max ? number : NULL);
    }
    return request;
}

struct kube_request *kube_events(struct kube *kube, const struct json_object *object,
                                 kube_reply_fn fn, void *arg)
{
    struct json_object *metadata = json_member(object, "metadata", json_type_object);
    const char *uid = json_str(metadata, "uid"), *namespace = json_str(metadata, "namespace");
    struct kube_ref ref = {.api_version = "v1", .kind = "Event"};
    CLEANUP(str_free) char *fields = xasprintf("involvedObject.uid=%s", uid ? uid : "");
    struct err err = {0};
    ref.namespace = namespace ? namespace : "default"; /* those of cluster-wide objects lie there */
    struct kube_request *request =
        kube_list(kube, &ref, &(struct kube_select){.fields = fields}, fn, arg);
    if (!uid) {
        (void)err_set(&err, EINVAL, "an object without a uid has no events: get it first");
        kube_request_fail(request, &err);
    }
    return request;
}

/* ---- access ---- */

static int prepare_access(struct kube_request *request, const struct kube_resource *resource,
                          struct err *err)
{
    const struct kube_ref *ref = &request->ref;
    const char *namespace = ref->namespace ? ref->namespace : request->kube->config->namespace;
    CLEANUP(json_put) struct json_object *review = json_object_new_object();
    struct json_object *spec = json_object_new_object(), *what = json_object_new_object();
    char group[256];
    (void)err;
    kube_api_group(ref->api_version, group, sizeof(group));
    json_set_str(review, "apiVersion", "authorization.k8s.io/v1");
    json_set_str(review, "kind", "SelfSubjectAccessReview");
    json_set(review, "spec", spec);
    json_set(spec, "resourceAttributes", what);
    json_set_str(what, "verb", request->asked_verb);
    json_set_str(what, "group", group);
    json_set_str(what, "resource", resource->plural);
    if (ref->subresource) {
        json_set_str(what, "subresource", ref->subresource);
    }
    if (ref->name) {
        json_set_str(what, "name", ref->name);
    }
    if (resource->namespaced && strcmp(namespace, KUBE_NAMESPACES) != 0) {
        json_set_str(what, "namespace", namespace);
    }
    kube_request_body(request, JSON_TYPE, review);
    str_replace(&request->exchange.path, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews");
    return 0;
}

struct kube_request *kube_access(struct kube *kube, const char *verb, const struct kube_ref *ref,
                                 kube_reply_fn fn, void *arg)
{
    struct kube_request *request = kube_request_new(
        kube, &(struct kube_plan){
                  .verb = "check access to", .method = "POST", .ref = ref, .fn = fn, .arg = arg});
    request->asked_verb = xstrdup(verb);
    request->exchange.repeatable = true; /* a question, though it is a POST */
    request->prepare = prepare_access;
    return request;
}

bool kube_access_allowed(const struct json_object *review)
{
    return json_flag(json_member(review, "status", json_type_object), "allowed", false);
}

struct kube_request *kube_rules(struct kube *kube, const char *namespace, kube_reply_fn fn,
                                void *arg)
{
    CLEANUP(json_put) struct json_object *review = json_object_new_object();
    struct json_object *spec = json_object_new_object();
    json_set_str(review, "apiVersion", "authorization.k8s.io/v1");
    json_set_str(review, "kind", "SelfSubjectRulesReview");
    json_set(review, "spec", spec);
    json_set_str(spec, "namespace", namespace ? namespace : kube->config->namespace);
    struct kube_request *request = kube_raw(
        kube, "POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", review, fn, arg);
    request->exchange.text = false;
    request->exchange.repeatable = true;
    return request;
}

/* ---- paths ---- */

static const char *known_method(const char *method)
{
    static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"};
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (strcmp(methods[i], method) == 0) {
            return methods[i];
        }
    }
    return NULL;
}

struct kube_request *kube_raw(struct kube *kube, const char *method, const char *path,
                              struct json_object *body, kube_reply_fn fn, void *arg)
{
    const char *known = known_method(method);
    struct err err = {0};
    struct kube_request *request = kube_request_new(
        kube, &(struct kube_plan){.verb = "ask for", .method = known, .fn = fn, .arg = arg});
    request->exchange.path = xstrdup(path);
    request->exchange.text = true;
    request->exchange.repeatable = strcmp(method, "GET") == 0;
    request->exchange.deed = (struct kube_deed){.verb = "ask for", .kind = xasprintf("'%s'", path)};
    if (body) {
        kube_request_body(request, JSON_TYPE, body);
    }
    if (!known || path[0] != '/' || strpbrk(path, " \r\n") || strlen(path) > KUBE_PATH_MAX) {
        (void)err_set(&err, EINVAL, "'%.10s %.200s' is no method and path", method, path);
        kube_request_fail(request, &err);
    }
    return request;
}

char *kube_proxy_path(const struct kube *kube, const char *what, const char *namespace,
                      const char *name, int port)
{
    return xasprintf("/api/v1/namespaces/%s/%s/%s:%d/proxy/",
                     namespace ? namespace : kube->config->namespace, what, name, port);
}
