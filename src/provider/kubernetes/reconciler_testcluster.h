/* For the reconciler's tests: an API server with a memory, over kube_testserver.h. It keeps objects
 * as they are applied, tells watches, and does what the test says now and then: refuses, cuts. What
 * controllers would do (pods, status) the test does itself. */
#pragma once

#include "base/random.h"
#include "manifest/manifest.h"
#include "provider/kubernetes/kube_testserver.h"

#define CLUSTER_OBJECTS_MAX  64
#define CLUSTER_WATCHERS_MAX 32

struct cluster_object {
    char *collection; /* "/api/v1/namespaces/ns/configmaps" */
    struct json_object *value;
};

struct cluster {
    struct server *server;
    struct cluster_object objects[CLUSTER_OBJECTS_MAX];
    size_t object_count;
    struct {
        char *collection;
        struct server_conn *conn;
    } watchers[CLUSTER_WATCHERS_MAX];
    size_t watcher_count;
    int64_t version;
    unsigned applied, created, changed, deleted;
    const char *refuse_method; /* with refuse_path in the path: that status and body; NULL = none */
    const char *refuse_path;
    int refuse_status;
    const char *refuse_body;
    unsigned refused;
    const char
        *hold_query; /* lists with that in their query are read and told later; NULL = none */
    struct server_conn *held;
    char *held_body;
    uint64_t faults; /* state of the dice; 0 = no faults */
    unsigned faults_left;
};

static struct cluster cluster; /* one a test */

static inline void cluster_tell(const char *collection, const char *type, struct json_object *value)
{
    char *line = xasprintf("{\"type\":\"%s\",\"object\":%s}\n", type, json_text(value));
    for (size_t i = 0; i < cluster.watcher_count; i++) {
        if (strcmp(cluster.watchers[i].collection, collection) == 0) {
            server_chunk(cluster.watchers[i].conn, line);
        }
    }
    free(line);
}

static inline struct cluster_object *cluster_find(const char *collection, const char *name)
{
    for (size_t i = 0; i < cluster.object_count; i++) {
        if (strcmp(cluster.objects[i].collection, collection) == 0 &&
            strcmp(manifest_name(cluster.objects[i].value), name) == 0) {
            return &cluster.objects[i];
        }
    }
    return NULL;
}

/* Stores value (owned from here on) as a controller or a person would. */
static inline void cluster_put(const char *collection, struct json_object *value)
{
    struct cluster_object *object = cluster_find(collection, manifest_name(value));
    struct json_object *metadata = json_member(value, "metadata", json_type_object);
    struct json_object *before =
        object ? json_member(object->value, "metadata", json_type_object) : NULL;
    const char *uid = json_str(before, "uid");
    char *fresh = xasprintf("uid-%lld", (long long)++cluster.version);
    char *version = xasprintf("%lld", (long long)cluster.version);
    bool same_spec = object && json_object_equal(json_object_object_get(object->value, "spec"),
                                                 json_object_object_get(value, "spec"));
    json_set_str(metadata, "uid", uid ? uid : fresh);
    json_set_str(metadata, "resourceVersion", version);
    if (strstr(collection, "deployments")) {
        json_set_int(metadata, "generation", json_int(before, "generation", 0) + !same_spec);
    }
    free(fresh);
    free(version);
    cluster_tell(collection, object ? "MODIFIED" : "ADDED", value);
    if (object) {
        (void)json_put(object->value);
        object->value = value;
    } else {
        if (cluster.object_count == CLUSTER_OBJECTS_MAX) {
            abort();
        }
        cluster.objects[cluster.object_count++] =
            (struct cluster_object){xstrdup(collection), value};
    }
}

static inline void cluster_put_text(const char *collection, const char *text)
{
    struct json_object *value = NULL;
    EXPECT_INT(json_parse(slice_str(text), &value, NULL), 0);
    cluster_put(collection, value);
}

static inline bool cluster_remove(const char *collection, const char *name)
{
    struct cluster_object *object = cluster_find(collection, name);
    if (!object) {
        return false;
    }
    cluster.version++;
    cluster_tell(collection, "DELETED", object->value);
    free(object->collection);
    (void)json_put(object->value);
    *object = cluster.objects[--cluster.object_count];
    return true;
}

static inline bool cluster_discover(struct server_conn *conn, const char *path)
{
    static const char *const groups[][2] = {
        {"/api/v1",
         "{\"name\":\"pods\",\"kind\":\"Pod\",\"namespaced\":true},"
         "{\"name\":\"services\",\"kind\":\"Service\",\"namespaced\":true},"
         "{\"name\":\"secrets\",\"kind\":\"Secret\",\"namespaced\":true},"
         "{\"name\":\"configmaps\",\"kind\":\"ConfigMap\",\"namespaced\":true},"
         "{\"name\":\"serviceaccounts\",\"kind\":\"ServiceAccount\",\"namespaced\":true},"
         "{\"name\":\"persistentvolumeclaims\",\"kind\":\"PersistentVolumeClaim\","
         "\"namespaced\":true},"
         "{\"name\":\"namespaces\",\"kind\":\"Namespace\",\"namespaced\":false}"},
        {"/apis/apps/v1",
         "{\"name\":\"deployments\",\"kind\":\"Deployment\",\"namespaced\":true},"
         "{\"name\":\"statefulsets\",\"kind\":\"StatefulSet\",\"namespaced\":true},"
         "{\"name\":\"daemonsets\",\"kind\":\"DaemonSet\",\"namespaced\":true}"},
        {"/apis/discovery.k8s.io/v1",
         "{\"name\":\"endpointslices\",\"kind\":\"EndpointSlice\",\"namespaced\":true}"},
        {"/apis/batch/v1", "{\"name\":\"jobs\",\"kind\":\"Job\",\"namespaced\":true}"},
    };
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        if (strcmp(path, groups[i][0]) == 0) {
            char *body =
                xasprintf("{\"kind\":\"APIResourceList\",\"resources\":[%s]}", groups[i][1]);
            server_reply(conn, 200, "", body);
            free(body);
            return true;
        }
    }
    return false;
}

static inline void cluster_release(void)
{
    cluster.hold_query = NULL;
    server_reply(cluster.held, 200, "", cluster.held_body);
    free(cluster.held_body);
}

static inline void cluster_list(struct server_conn *conn, const char *collection, const char *query)
{
    struct buf items = {0};
    for (size_t i = 0; i < cluster.object_count; i++) {
        if (strcmp(cluster.objects[i].collection, collection) == 0) {
            buf_printf(&items, "%s%s", buf_size(&items) ? "," : "",
                       json_text(cluster.objects[i].value));
        }
    }
    char *body =
        xasprintf("{\"kind\":\"List\",\"metadata\":{\"resourceVersion\":\"%lld\"},"
                  "\"items\":[%.*s]}",
                  (long long)cluster.version, (int)buf_size(&items), items.data ? items.data : "");
    buf_done(&items);
    if (cluster.hold_query && strstr(query, cluster.hold_query)) {
        cluster.held = conn;
        cluster.held_body = body;
        return;
    }
    server_reply(conn, 200, "", body);
    free(body);
}

/* It keeps no history: who asks for what was missed is told to list anew. */
static inline void cluster_watch(struct server_conn *conn, const char *collection,
                                 const char *query)
{
    const char *from = strstr(query, "resourceVersion=");
    if (!from || strtoll(from + 16, NULL, 10) < cluster.version) {
        server_reply(conn, 410, "", "{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\"}");
        return;
    }
    if (cluster.watcher_count == CLUSTER_WATCHERS_MAX) { /* cut ones make room */
        free(cluster.watchers[0].collection);
        cluster.watchers[0] = cluster.watchers[--cluster.watcher_count];
    }
    server_begin(conn);
    cluster.watchers[cluster.watcher_count].collection = xstrdup(collection);
    cluster.watchers[cluster.watcher_count++].conn = conn;
}

/* Server-side apply, as far as it matters here: what is sent replaces what was there but for status
 * and what others have set beside it. */
static inline void cluster_apply(struct server_conn *conn, const char *collection,
                                 struct slice body)
{
    struct json_object *value = NULL;
    EXPECT_INT(json_parse(body, &value, NULL), 0);
    struct cluster_object *object = cluster_find(collection, manifest_name(value));
    cluster.applied++;
    cluster.created += !object;
    if (object) {
        struct json_object *status = json_object_object_get(object->value, "status");
        if (status) {
            json_set(value, "status", json_ref(status));
        }
        if (manifest_is_within(value, object->value)) {
            (void)json_put(value);
            server_reply(conn, 200, "", json_text(object->value));
            return;
        }
        cluster.changed++;
    }
    char *name = xstrdup(manifest_name(value));
    cluster_put(collection, value);
    server_reply(conn, 200, "", json_text(cluster_find(collection, name)->value));
    free(name);
}

/* One fault of several kinds, or none: a request that is lost before or after it was executed, one
 * that is refused for now, watches that end. */
static inline bool cluster_fault(struct server_conn *conn, bool *ret_cut_after)
{
    uint64_t dice = cluster.faults ? random_bits(&cluster.faults) % 12 : 11;
    if (cluster.faults_left == 0 || dice > 5) {
        return false;
    }
    cluster.faults_left--;
    if (dice == 0) {
        server_cut(conn);
    } else if (dice == 1) {
        *ret_cut_after = true;
        return false;
    } else if (dice == 2) {
        server_reply(conn, 429, "Retry-After: 0\r\n", "{\"kind\":\"Status\",\"code\":429}");
    } else if (dice == 3) {
        server_reply(conn, 500, "", "{\"kind\":\"Status\",\"code\":500}");
    } else if (dice == 4) {
        server_reply(conn, 409, "", "{\"kind\":\"Status\",\"code\":409,\"reason\":\"Conflict\"}");
    } else {
        for (size_t i = 0; i < cluster.watcher_count; i++) {
            server_cut(cluster.watchers[i].conn);
            free(cluster.watchers[i].collection);
        }
        cluster.watcher_count = 0;
        return false;
    }
    return true;
}

/* A connection that asks again is no watch any more: it was cut, and its place is another one's. */
static inline void cluster_forget_watcher(const struct server_conn *conn)
{
    for (size_t i = cluster.watcher_count; i-- > 0;) {
        if (cluster.watchers[i].conn == conn) {
            free(cluster.watchers[i].collection);
            cluster.watchers[i] = cluster.watchers[--cluster.watcher_count];
        }
    }
}

static inline void cluster_answer(struct server *server, struct server_conn *conn,
                                  const struct seen *seen)
{
    char *path = xstrndup(seen->path, strcspn(seen->path, "?"));
    bool watches = strstr(seen->path, "watch=") != NULL, cut_after = false;
    const char *slash = strrchr(path, '/');
    char *collection = xstrndup(path, (size_t)(slash - path));
    bool get = strcmp(seen->method, "GET") == 0;
    (void)server;
    cluster_forget_watcher(conn);
    if (cluster_discover(conn, path)) {
        /* always well */
    } else if (cluster.refuse_method && strcmp(cluster.refuse_method, seen->method) == 0 &&
               strstr(seen->path, cluster.refuse_path)) {
        cluster.refused++;
        server_reply(conn, cluster.refuse_status, "", cluster.refuse_body);
    } else if (cluster_fault(conn, &cut_after)) {
        /* it was its answer */
    } else if (get && watches) {
        cluster_watch(conn, path, seen->path);
    } else if (get) {
        cluster_list(conn, path, seen->path);
    } else if (strcmp(seen->method, "PATCH") == 0) {
        cluster_apply(conn, collection, seen->body);
    } else if (strcmp(seen->method, "DELETE") == 0) {
        bool there = cluster_remove(collection, slash + 1);
        cluster.deleted += there;
        server_reply(conn, there ? 200 : 404, "",
                     there ? "{\"kind\":\"Status\",\"status\":\"Success\"}"
                           : "{\"kind\":\"Status\",\"code\":404,\"reason\":\"NotFound\"}");
    } else {
        server_reply(conn, 404, "", "{\"kind\":\"Status\",\"code\":404,\"reason\":\"NotFound\"}");
    }
    if (cut_after) {
        server_cut(conn);
    }
    free(path);
    free(collection);
}

static inline void cluster_start(void)
{
    static const struct kube_config_options options = {.namespace = "ns"};
    static const struct kube_settings settings = {
        .backoff_ms_min = 1, .backoff_ms_max = 20, .seed = 1};
    cluster = (struct cluster){.version = 10};
    cluster.server = server_new(cluster_answer, &options, &settings);
}

static inline void cluster_end(void)
{
    (void)server_free(cluster.server);
    for (size_t i = 0; i < cluster.object_count; i++) {
        free(cluster.objects[i].collection);
        (void)json_put(cluster.objects[i].value);
    }
    for (size_t i = 0; i < cluster.watcher_count; i++) {
        free(cluster.watchers[i].collection);
    }
}

/* Turns the loop until fn(arg) holds. */
static inline void cluster_until(bool (*fn)(void *arg), void *arg, const char *what)
{
    uint64_t end_ms = clock_now_ms() + TEST_PATIENCE_MS;
    while (!fn(arg) && clock_now_ms() < end_ms) {
        loop_turn(cluster.server->loop, 20);
    }
    if (!fn(arg)) {
        printf("Bail out! waited in vain: %s\n", what);
        abort();
    }
}
