/* The operations service_* and jsorc_refresh: the backing services, and the orchestrator itself
 * under the name "meta" of the original's older version. */
#include <errno.h>

#include "api/api.h"
#include "api/config_names.h"
#include "api/op.h"
#include "api/redact.h"
#include "api/services.h"
#include "api/tasks.h"
#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "service/manifests.h"

#define NAME_META "meta"
#define NAME_KUBE "kube"

static bool is_meta(const char *name)
{
    return strcmp(name, NAME_META) == 0;
}

/* Without secrets; takes value over. */
static struct json_object *clean(struct json_object *value)
{
    bool found = false;
    struct json_object *copy = redact(value, &found);
    (void)json_put(value);
    return copy;
}

static void fail_unknown(struct op_call *call, const char *name)
{
    op_fail(call, "Internal Exception: Service %s is not existing!", name);
}

static struct service_wait waits(struct op_call *call, service_done_fn done)
{
    double seconds = op_arg_number(call, "timeout");
    return (struct service_wait){
        .timeout_ms = seconds > 0 ? (uint64_t)(seconds * 1000) : 0, .done = done, .arg = call};
}

#define TIMEOUT                                                                                    \
    {                                                                                              \
        "timeout", OP_FLOAT, "30", "how long to wait until it runs or has failed, in seconds"      \
    }
#define SERVICE                                                                                    \
    {                                                                                              \
        "name", OP_STR, NULL,                                                                      \
            "redis, prome (or promon), node_exporter, grafana, mail, task or database (or "        \
            "jaseci-db); meta is the orchestrator itself"                                          \
    }

/* ---- service_info, service_list ---- */

static struct json_object *meta_info(const struct api *api)
{
    struct json_object *info = json_object_new_object();
    CLEANUP(json_put) struct json_object *jsorc = config_object(api->store, "JSORC_CONFIG");
    CLEANUP(json_put) struct json_object *meta = config_object(api->store, "META_CONFIG");
    json_set_bool(info, "enabled", true);
    json_set_bool(info, "automated", json_flag(jsorc, "automation", true));
    json_set_bool(info, "quiet", false);
    json_set_str(info, "state", "RUNNING");
    json_set(info, "config", meta ? TAKE(meta) : services_loop_config(api->services));
    json_set_str(info, "error", NULL);
    return info;
}

static void run_info(struct op_call *call)
{
    const struct api *api = op_api(call);
    const char *name = op_arg_str(call, "name");
    struct json_object *info = is_meta(name) ? meta_info(api) : services_info(api->services, name);
    const char *own_name = is_meta(name) ? NULL : services_name(api->services, name);
    if (info && own_name && api->manifests) {
        json_set(info, "objects", manifests_objects(api->manifests, own_name));
    }
    if (info) {
        op_return(call, clean(info));
    } else {
        fail_unknown(call, name);
    }
}

#define INFO                                                                                       \
    "{\"enabled\": true, \"automated\": false, \"quiet\": false, \"state\": \"RUNNING\" (or "      \
    "RESTART, FAILED, NOT_STARTED, STARTED), \"config\": {...} (secrets as \"***\"), \"error\": "  \
    "null, \"last_ok\": UNIX SECONDS, \"restarts\": COUNT, \"provider\": \"none\", \"embedded\", " \
    "\"process\", \"kubernetes\" or \"address\", \"pid\", \"quarantined\": false, \"objects\": "   \
    "of its manifest in a cluster, or null}"

extern const struct op op_service_info, op_service_list, op_service_refresh, op_service_config_get,
    op_service_config_set, op_service_call, op_jsorc_refresh;

const struct op op_service_info = {
    .name = "service_info",
    .access = OP_ADMIN,
    .params = {SERVICE},
    .positionals = "name",
    .help = "Tell how a backing service is and with which config.",
    .result = INFO,
    .run = run_info,
};

static void run_list(struct op_call *call)
{
    op_return(call, services_list(op_api(call)->services));
}

const struct op op_service_list = {
    .name = "service_list",
    .access = OP_ADMIN,
    .positionals = "",
    .help = "List the backing services that are enabled, and how they are.",
    .result = "[{\"name\", \"automated\", \"state\", \"provider\", \"pid\", \"restarts\", "
              "\"quarantined\", \"last_ok\", \"error\"}]",
    .run = run_list,
};

/* ---- service_refresh ---- */

/* {"success": true, "state", "error"} */
static void on_refreshed(void *arg, int status, const char *text)
{
    struct op_call *call = arg;
    CLEANUP(json_put)
    struct json_object *info = services_info(op_api(call)->services, op_arg_str(call, "name"));
    struct json_object *result = op_success(true, NULL);
    tasks_configure(op_api(call));
    (void)status;
    json_set_str(result, "state", json_str(info, "state"));
    json_set_str(result, "error", text ? text : json_str(info, "error"));
    op_return(call, result);
}

static int refresh_cluster(const struct api *api, struct err *err)
{
    return api->refresh_cluster ? api->refresh_cluster(api->refresh_cluster_arg, err) : 0;
}

static void run_refresh(struct op_call *call)
{
    struct services *services = op_api(call)->services;
    const char *name = op_arg_str(call, "name");
    struct service_wait wait = waits(call, on_refreshed);
    struct err err = {0};
    if (is_meta(name) || strcmp(name, NAME_KUBE) == 0) {
        int failed = refresh_cluster(op_api(call), &err);
        if (is_meta(name)) { /* without a cluster it goes on, as the original did */
            services_refresh_all(services);
            tasks_configure(op_api(call));
            failed = 0;
        }
        op_return(call, op_success(!failed, failed ? err.text : NULL));
    } else if (services_refresh(services, name, &wait, NULL) < 0) {
        CLEANUP(str_free)
        char *text = xasprintf("%s is not a valid service. Can not refresh config.", name);
        op_return(call, op_success(false, text));
    }
}

const struct op op_service_refresh = {
    .name = "service_refresh",
    .access = OP_ADMIN,
    .params = {SERVICE, TIMEOUT},
    .positionals = "name",
    .help = "Read a service's config anew and start it anew with it; 'meta': read all configs, and "
            "start anew what has another one.",
    .result = "{\"success\": true, \"state\": \"RUNNING\", \"error\": null}; for a name that there "
              "is not {\"success\": false, \"message\": TEXT}",
    .run = run_refresh,
};

static void run_jsorc_refresh(struct op_call *call)
{
    struct services *services = op_api(call)->services;
    (void)refresh_cluster(op_api(call), NULL);
    services_refresh_all(services);
    struct json_object *result = json_object_new_object();
    json_set_int(result, "running_interval", 1);
    json_set(result, "config", services_loop_config(services));
    op_return(call, result);
}

const struct op op_jsorc_refresh = {
    .name = "jsorc_refresh",
    .access = OP_ADMIN,
    .positionals = "",
    .help = "Read the orchestrator's configs anew.",
    .result = "{\"running_interval\": 1, \"config\": {\"backoff_interval\": SECONDS, "
              "\"pre_loaded_services\": [NAME]}}",
    .run = run_jsorc_refresh,
};

/* ---- service_config_* ---- */

static void run_config_get(struct op_call *call)
{
    CLEANUP(json_put)
    struct json_object *info = services_info(op_api(call)->services, op_arg_str(call, "name"));
    if (!info) {
        fail_unknown(call, op_arg_str(call, "name"));
        return;
    }
    op_return(call, clean(json_ref(json_member(info, "config", json_type_object))));
}

const struct op op_service_config_get = {
    .name = "service_config_get",
    .access = OP_ADMIN,
    .params = {SERVICE},
    .positionals = "name",
    .help = "Show the config that a service has: what was set, over the environment and the "
            "defaults.",
    .result = "{...}, secrets as \"***\"",
    .run = run_config_get,
};

static void on_configured(void *arg, int status, const char *text)
{
    struct op_call *call = arg;
    const char *name = op_arg_str(call, "name");
    if (status == -EINVAL) {
        op_fail(call, "%s", text);
        return;
    }
    struct json_object *info = services_info(op_api(call)->services, name);
    tasks_configure(op_api(call));
    if (status == -ETIMEDOUT) {
        json_set_str(info, "error", text);
    }
    op_return(call, clean(info));
}

static void run_config_set(struct op_call *call)
{
    const char *name = op_arg_str(call, "name");
    struct err err = {0};
    struct service_wait wait = waits(call, on_configured);
    int failed =
        services_configure(op_api(call)->services, name, op_arg(call, "config"), &wait, &err);
    if (failed == -ENOENT) {
        fail_unknown(call, name);
    } else if (failed) {
        op_fail(call, "%s", err.text);
    }
}

const struct op op_service_config_set = {
    .name = "service_config_set",
    .access = OP_ADMIN,
    .changes = true,
    .params = {SERVICE,
               {"config", OP_DICT, NULL, "the whole new config; what it lacks has its default"},
               TIMEOUT},
    .positionals = "name",
    .help = "Replace a service's config and start it anew; with one that does not run, the last "
            "good one is put back.",
    .result = INFO,
    .run = run_config_set,
};

/* ---- service_call ---- */

void op_call_service(struct op_call *call, const struct service_call *what, service_call_fn done)
{
    struct services *services = op_api(call)->services;
    struct err err = {0};
    int failed = services_call(services, what, done, call, &err);
    if (failed == -ENOENT && !services_name(services, what->service)) {
        fail_unknown(call, what->service);
    } else if (failed) {
        op_fail(call, failed == -ENOTCONN ? "Internal Exception: %s" : "%s", err.text);
    }
}

static void run_call(struct op_call *call)
{
    struct json_object *attrs = op_arg(call, "attrs");
    size_t count = json_object_array_length(attrs);
    const char *name = op_arg_str(call, "svc");
    if (count == 0) {
        op_return(call, json_object_new_string("Attributes (attrs) field is required!"));
        return;
    }
    struct json_object *attr = json_object_array_get_idx(attrs, 0);
    const char *method =
        json_object_is_type(attr, json_type_object) ? json_str(attr, "attr") : NULL;
    if (count > 1 || !method || !json_flag(attr, "callable", true)) {
        op_fail(call, "attrs must have one entry, {\"attr\": METHOD, \"callable\": true, \"args\": "
                      "[...], \"kwargs\": {...}}");
        return;
    }
    const char *own_name = services_name(op_api(call)->services, name);
    if (own_name && strcmp(own_name, "task") == 0 &&
        tasks_method(call, method, json_member(attr, "args", json_type_array))) {
        return;
    }
    op_call_service(call,
                    &(struct service_call){.service = name,
                                           .method = method,
                                           .args = json_member(attr, "args", json_type_array),
                                           .kwargs = json_member(attr, "kwargs", json_type_object)},
                    op_on_result);
}

const struct op op_service_call = {
    .name = "service_call",
    .access = OP_ADMIN,
    .params = {{"svc", OP_STR, NULL, "name of the service"},
               {"attrs", OP_LIST, "[]",
                "one entry {\"attr\": METHOD, \"callable\": true, \"args\": [], \"kwargs\": {}}; "
                "redis has get, set, exists, delete, hget, hset, hexists, hdel, hkeys; prome has "
                "all_metrics, pods, info, node_info; mail has send_custom_email; database has "
                "backup, backups, restore, url; task has inspect_tasks, get_by_task_id"}},
    .positionals = "",
    .help = "Call one of a service's methods.",
    .result = "what the method returns",
    .run = run_call,
};
