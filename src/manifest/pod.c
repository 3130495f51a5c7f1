#include "manifest/pod.h"

#include <errno.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "manifest/manifest.h"

#define PRIVILEGED_PORTS 1024        /* below, a user needs a right to listen */
#define MEMORY_STEP_KB   (16 * 1024) /* figures of two measurements differ by less */
#define MEMORY_ROOM_KB   (64 * 1024) /* limit over request at least: one large request */
#define SCRIPT_FOLDER    "/etc/jsorc"
#define SPEC_PATH        "/jaseci_actions_spec/"

/* {name: text} */
static struct json_object *pair(const char *name, const char *text)
{
    struct json_object *object = json_object_new_object();
    json_set_str(object, name, text);
    return object;
}

static struct json_object *list_of(struct json_object *only)
{
    struct json_object *list = json_object_new_array();
    (void)json_object_array_add(list, only);
    return list;
}

static struct json_object *object_of(const char *api_version, const char *kind, const char *name,
                                     struct json_object *remote)
{
    struct json_object *object = json_object_new_object();
    struct json_object *metadata = pair("name", name);
    struct json_object *annotations = json_member(remote, "annotations", json_type_object);
    struct json_object *labels = json_member(remote, "labels", json_type_object);
    json_set_str(object, "apiVersion", api_version);
    json_set_str(object, "kind", kind);
    json_set(object, "metadata", metadata);
    if (labels) {
        json_set(metadata, "labels", json_ref(labels));
    }
    if (annotations) {
        json_set(metadata, "annotations", json_ref(annotations));
    }
    return object;
}

/* In quotes of a shell; owned by the caller. */
static char *quoted(const char *text)
{
    size_t quotes = 0;
    for (const char *at = text; *at; at++) {
        quotes += *at == '\'';
    }
    char *word = xcalloc(1, strlen(text) + 3 * quotes + 3), *end = word;
    *end++ = '\'';
    for (const char *at = text; *at; at++) {
        if (*at == '\'') {
            memcpy(end, "'\\''", 4);
            end += 4;
        } else {
            *end++ = *at;
        }
    }
    *end = '\'';
    return word;
}

/* With what the image has: jsorc, its Python package, or what the original's images are built on.
 */
static struct json_object *config_map(struct json_object *remote, const struct pod_module *module,
                                      const char *name)
{
    int port = (int)json_int(remote, "port", POD_PORT);
    CLEANUP(str_free) char *source = quoted(module->source);
    CLEANUP(str_free)
    char *script = xasprintf("if command -v jsorc >/dev/null 2>&1; then\n"
                             "    exec jsorc host %s --listen 0.0.0.0:%d\n"
                             "elif python3 -c 'import jsorc' 2>/dev/null; then\n"
                             "    exec python3 -m jsorc.worker --listen 0.0.0.0:%d %s\n"
                             "fi\n"
                             "exec uvicorn %s:serv_actions --host 0.0.0.0 --port %d\n",
                             source, port, port, source, source, port);
    CLEANUP(str_free) char *own = xasprintf("%s-up", name);
    struct json_object *object = object_of("v1", "ConfigMap", own, remote);
    json_set(object, "data", pair("start", script));
    return object;
}

static struct json_object *service(struct json_object *remote, const char *name)
{
    struct json_object *object = object_of("v1", "Service", name, remote);
    struct json_object *spec = json_object_new_object();
    struct json_object *port = pair("name", "http");
    json_set_str(port, "protocol", "TCP");
    json_set_int(port, "port", json_int(remote, "port", POD_PORT));
    json_set_str(port, "targetPort", "http");
    json_set_str(spec, "type", "ClusterIP");
    json_set(spec, "selector", pair("pod", name));
    json_set(spec, "ports", list_of(port));
    json_set(object, "spec", spec);
    return object;
}

static int64_t in_steps(int64_t kb)
{
    return (kb + MEMORY_STEP_KB - 1) / MEMORY_STEP_KB * (MEMORY_STEP_KB / 1024);
}

/* As given: request and limit are the same, as in the original's configs. Else as measured: a tenth
 * over what it had after loading is asked for, half over that is the limit. */
static struct json_object *resources(struct json_object *remote, const struct pod_module *module)
{
    struct json_object *result = json_object_new_object();
    struct json_object *requests = json_object_new_object();
    struct json_object *limits = json_object_new_object();
    const char *memory = json_str(remote, "memory"), *cpu = json_str(remote, "cpu");
    if (memory) {
        json_set_str(requests, "memory", memory);
        json_set_str(limits, "memory", memory);
    } else if (module->memory_kb > 0) {
        int64_t request_kb = module->memory_kb + module->memory_kb / 10;
        int64_t limit_kb = module->memory_kb + module->memory_kb / 2;
        limit_kb = limit_kb > request_kb + MEMORY_ROOM_KB ? limit_kb : request_kb + MEMORY_ROOM_KB;
        CLEANUP(str_free) char *request = xasprintf("%lldMi", (long long)in_steps(request_kb));
        CLEANUP(str_free) char *limit = xasprintf("%lldMi", (long long)in_steps(limit_kb));
        json_set_str(requests, "memory", request);
        json_set_str(limits, "memory", limit);
    }
    if (cpu) {
        json_set_str(requests, "cpu", cpu);
    }
    json_set(result, "requests", requests);
    json_set(result, "limits", limits);
    return result;
}

/* It takes calls once it answers by the wire format. */
static struct json_object *readiness(void)
{
    struct json_object *probe = json_object_new_object();
    struct json_object *get = pair("path", SPEC_PATH);
    json_set_str(get, "port", "http");
    json_set(probe, "httpGet", get);
    json_set_int(probe, "periodSeconds", 2);
    json_set_int(probe, "timeoutSeconds", 1);
    json_set_int(probe, "failureThreshold", 2);
    return probe;
}

/* A pod that ends leaves the Service first; who has not heard of it yet is still answered. */
static struct json_object *lifecycle(void)
{
    struct json_object *lifecycle = json_object_new_object();
    struct json_object *stop = json_object_new_object();
    struct json_object *sleep = json_object_new_object();
    json_set_int(sleep, "seconds", POD_LEAVE_S);
    json_set(stop, "sleep", sleep);
    json_set(lifecycle, "preStop", stop);
    return lifecycle;
}

static struct json_object *container_security(void)
{
    struct json_object *security = json_object_new_object();
    struct json_object *capabilities = json_object_new_object();
    json_set(capabilities, "drop", list_of(json_object_new_string("ALL")));
    json_set_bool(security, "allowPrivilegeEscalation", false);
    json_set(security, "capabilities", capabilities);
    return security;
}

/* Pod Security Standards, profile `restricted`. */
static struct json_object *pod_security(struct json_object *remote)
{
    struct json_object *security = json_object_new_object();
    struct json_object *user = NULL;
    bool given = json_object_object_get_ex(remote, "user", &user);
    json_set_bool(security, "runAsNonRoot", true);
    if (!given || user) { /* null: as the image says */
        json_set_int(security, "runAsUser", json_int(remote, "user", POD_USER));
    }
    json_set(security, "seccompProfile", pair("type", "RuntimeDefault"));
    if (json_int(remote, "port", POD_PORT) < PRIVILEGED_PORTS) {
        struct json_object *sysctl = pair("name", "net.ipv4.ip_unprivileged_port_start");
        json_set_str(sysctl, "value", "0");
        json_set(security, "sysctls", list_of(sysctl));
    }
    return security;
}

static struct json_object *environment(struct json_object *remote)
{
    struct json_object *list = json_object_new_array();
    struct json_object *env = json_member(remote, "env", json_type_object);
    if (env) {
        json_object_object_foreach(env, name, value)
        {
            struct json_object *entry = pair("name", name);
            json_set_str(entry, "value", value ? json_object_get_string(value) : "");
            (void)json_object_array_add(list, entry);
        }
    }
    return list;
}

static void add_volume(struct json_object *container, struct json_object *spec, const char *name,
                       const char *path, const char *type, struct json_object *source)
{
    struct json_object *volume = pair("name", name);
    struct json_object *mount = pair("name", name);
    json_set(volume, type, source);
    json_set_str(mount, "mountPath", path);
    (void)json_object_array_add(json_member(spec, "volumes", json_type_array), volume);
    (void)json_object_array_add(json_member(container, "volumeMounts", json_type_array), mount);
}

static void add_volumes(struct json_object *container, struct json_object *spec,
                        struct json_object *remote, const char *name, bool script)
{
    struct json_object *claims = json_member(remote, "claims", json_type_object);
    json_set(spec, "volumes", json_object_new_array());
    json_set(container, "volumeMounts", json_object_new_array());
    if (script) {
        CLEANUP(str_free) char *map = xasprintf("%s-up", name);
        add_volume(container, spec, "start", SCRIPT_FOLDER, "configMap", pair("name", map));
    }
    if (claims) {
        int number = 0;
        json_object_object_foreach(claims, claim, path)
        {
            CLEANUP(str_free) char *volume = xasprintf("claim-%d", number++);
            add_volume(container, spec, volume, json_object_get_string(path),
                       "persistentVolumeClaim", pair("claimName", claim));
        }
    }
}

static struct json_object *container_of(struct json_object *remote, const struct pod_module *module,
                                        const char *name, bool script)
{
    struct json_object *container = pair("name", name);
    struct json_object *port = pair("name", "http");
    struct json_object *command = json_member(remote, "command", json_type_array);
    json_set_int(port, "containerPort", json_int(remote, "port", POD_PORT));
    json_set_str(container, "image", json_str(remote, "image"));
    if (json_str(remote, "pull_policy")) {
        json_set_str(container, "imagePullPolicy", json_str(remote, "pull_policy"));
    }
    if (script) {
        struct json_object *words = list_of(json_object_new_string("sh"));
        (void)json_object_array_add(words, json_object_new_string(SCRIPT_FOLDER "/start"));
        json_set(container, "command", words);
    } else if (json_object_array_length(command) > 0) {
        json_set(container, "command", json_ref(command));
    }
    json_set(container, "env", environment(remote));
    json_set(container, "ports", list_of(port));
    json_set(container, "resources", resources(remote, module));
    json_set(container, "readinessProbe", readiness());
    json_set(container, "lifecycle", lifecycle());
    json_set(container, "securityContext", container_security());
    return container;
}

static struct json_object *pod_spec_of(struct json_object *remote, const struct pod_module *module,
                                       const char *name)
{
    struct json_object *spec = json_object_new_object();
    struct json_object *secrets = json_member(remote, "pull_secrets", json_type_array);
    struct json_object *selector = json_member(remote, "node_selector", json_type_object);
    bool script = !json_member(remote, "command", json_type_array);
    struct json_object *container = container_of(remote, module, name, script);
    add_volumes(container, spec, remote, name, script);
    json_set(spec, "containers", list_of(container));
    json_set_bool(spec, "automountServiceAccountToken", false);
    json_set_bool(spec, "enableServiceLinks", false);
    json_set(spec, "securityContext", pod_security(remote));
    json_set_int(spec, "terminationGracePeriodSeconds", POD_GRACE_S + POD_LEAVE_S);
    if (selector) {
        json_set(spec, "nodeSelector", json_ref(selector));
    }
    if (secrets) {
        struct json_object *names = json_object_new_array();
        for (size_t i = 0; i < json_object_array_length(secrets); i++) {
            const char *secret = json_object_get_string(json_object_array_get_idx(secrets, i));
            (void)json_object_array_add(names, pair("name", secret));
        }
        json_set(spec, "imagePullSecrets", names);
    }
    return spec;
}

static struct json_object *deployment(struct json_object *remote, const struct pod_module *module,
                                      const char *name)
{
    struct json_object *object = object_of("apps/v1", "Deployment", name, remote);
    struct json_object *spec = json_object_new_object();
    struct json_object *selector = json_object_new_object();
    struct json_object *template = json_object_new_object();
    struct json_object *metadata = json_object_new_object();
    struct json_object *strategy = pair("type", "RollingUpdate");
    struct json_object *rolling = json_object_new_object();
    json_set_int(rolling, "maxUnavailable", 0); /* never stop before start */
    json_set_int(rolling, "maxSurge", 1);
    json_set(strategy, "rollingUpdate", rolling);
    json_set(selector, "matchLabels", pair("pod", name));
    json_set(metadata, "labels", pair("pod", name));
    json_set(template, "metadata", metadata);
    json_set(template, "spec", pod_spec_of(remote, module, name));
    json_set_int(spec, "replicas", json_int(remote, "replicas", 1));
    json_set(spec, "selector", selector);
    json_set(spec, "strategy", strategy);
    json_set(spec, "template", template);
    json_set(object, "spec", spec);
    return object;
}

int pod_manifest(struct json_object *remote, const struct pod_module *module,
                 struct manifest **ret_manifest, struct err *err)
{
    char name[MANIFEST_LABEL_MAX + 1];
    int failed = pod_check(remote, err);
    if (failed) {
        return failed;
    }
    manifest_object_name_of(module->name, name);
    CLEANUP(json_put) struct json_object *objects = json_object_new_array();
    if (!json_member(remote, "command", json_type_array)) {
        (void)json_object_array_add(objects, config_map(remote, module, name));
    }
    (void)json_object_array_add(objects, service(remote, name));
    (void)json_object_array_add(objects, deployment(remote, module, name));
    return manifest_read(objects, ret_manifest, err);
}
