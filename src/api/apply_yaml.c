/* The operation apply_yaml: what a backing service is in the cluster. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/config_names.h"
#include "api/documents.h"
#include "api/op.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "manifest/manifest.h"
#include "provider/kubernetes/batch.h"
#include "provider/kubernetes/kubernetes.h"
#include "service/manifests.h"
#include "service/service.h"

/* "redis", or, as the older version has it, "REDIS_MANIFEST" -> the config as it is stored; owned
 * by the caller. NULL = there is no such service. */
static char *config_of(const struct op_call *call)
{
    const char *service = op_arg_str(call, "service"), *name = op_arg_str(call, "name");
    CLEANUP(str_free)
    char *config = name ? xstrdup(name) : xasprintf("%s_MANIFEST", service ? service : "");
    for (char *at = config; *at; at++) {
        *at = (char)toupper((unsigned char)*at);
    }
    size_t size = strlen(config);
    bool manifest = size > 9 && strcmp(config + size - 9, "_MANIFEST") == 0;
    return manifest && config_is_known(config) ? xstrdup(config_stored_name(config)) : NULL;
}

struct comparing {
    struct op_call *call;
    struct json_object *map;
};

static void on_compared(void *arg, struct json_object *results)
{
    struct comparing *comparing = arg;
    json_set(comparing->map, "results", results);
    op_return(comparing->call, comparing->map);
    free(comparing);
}

/* Takes map over. */
static void compare(struct op_call *call, struct manifest *manifest, struct json_object *map)
{
    struct comparing *comparing = xcalloc(1, sizeof(*comparing));
    *comparing = (struct comparing){call, map};
    batch_apply(kubernetes_client(op_api(call)->cluster), manifest,
                &(struct batch_options){.dry_run = true, .force = true}, on_compared, comparing);
}

static int keep(struct op_call *call, const char *config, struct json_object *map, struct err *err)
{
    const struct api *api = op_api(call);
    const char *phrase = op_arg_str(call, "unsafe_paraphrase");
    CLEANUP(json_put) struct json_object *stored = NULL;
    if (json_object_deep_copy(map, &stored, NULL) < 0) {
        abort();
    }
    if (phrase && strcmp(phrase, MANIFEST_PHRASE) == 0) {
        json_set_str(stored, MANIFEST_PHRASE_KEY, phrase);
    }
    int failed = config_write(api->store, config, json_text(stored), true, err);
    failed = failed || !api->manifests ? failed : manifests_refresh(api->manifests, config, err);
    const char *service = op_arg_str(call, "service");
    if (!failed && api->services && service && services_name(api->services, service)) {
        (void)services_refresh(api->services, service, NULL,
                               NULL); /* it looks for its server anew */
    }
    return failed;
}

static void on_documents(void *arg, struct json_object *documents, const char *error)
{
    struct op_call *call = arg;
    const struct api *api = op_api(call);
    CLEANUP(str_free) char *config = config_of(call);
    CLEANUP(manifest_free) struct manifest *manifest = NULL, *resolved = NULL;
    struct err err = {0};
    if (!documents) {
        op_fail(call, "%s", error);
        return;
    }
    int failed = manifest_read(documents, &manifest, &err);
    if (!failed) {
        CLEANUP(str_free) char *version = xasprintf("%.3f", (double)clock_unix_ms() / 1000);
        manifest_stamp(manifest, version);
    }
    CLEANUP(json_put) struct json_object *map = failed ? NULL : manifest_map(manifest);
    if (!failed && api->manifests) { /* what cannot be applied is not stored */
        failed = manifests_resolve(api->manifests, config, map, &resolved, &err);
    }
    bool dry_run = op_arg_bool(call, "dry_run");
    if (!failed && dry_run && resolved && api->cluster) {
        compare(call, TAKE(resolved), TAKE(map));
        return;
    }
    failed = failed || dry_run ? failed : keep(call, config, map, &err);
    if (failed) {
        op_fail(call, "%s", err.text);
    } else {
        op_return(call, TAKE(map));
    }
}

static void run(struct op_call *call)
{
    CLEANUP(str_free) char *config = config_of(call);
    if (!config) {
        const char *service = op_arg_str(call, "service");
        op_fail(call,
                "there is no manifest of a service '%s'; services: redis, prome, grafana, elastic, "
                "task, mail, database",
                service ? service : "");
        return;
    }
    documents_read(op_api(call), op_arg(call, "file"), on_documents, call);
}

extern const struct op op_apply_yaml;

const struct op op_apply_yaml = {
    .name = "apply_yaml",
    .access = OP_ADMIN,
    .params = {{"service", OP_STR, "null",
                "redis, prome, grafana, elastic, task, mail or database"},
               {"file", OP_ANY, NULL,
                "YAML or JSON: a file of the daemon's host, a text, an upload, or a list of these"},
               {"unsafe_paraphrase", OP_STR, "\"\"",
                "the phrase that permits deleting PersistentVolumeClaims"},
               {"name", OP_STR, "null",
                "the config instead of the service, such as REDIS_MANIFEST, as the original's "
                "older version"},
               {"dry_run", OP_BOOL, "false",
                "let the API server check all of it, and keep nothing"}},
    .positionals = "service",
    .help = "Set what a backing service is in the cluster; its objects are kept so.",
    .result = "{\"KIND\": {\"NAME\": {...}}}; with dry_run also \"results\" as in load_yaml",
    .run = run,
};
