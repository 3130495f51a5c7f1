/* The operations on objects of a cluster: load_yaml brings some once, jsorc_diff tells what a start
 * of a module's pod would change. */
#include <stdlib.h>

#include "api/api.h"
#include "api/documents.h"
#include "api/op.h"
#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "control/control.h"
#include "manifest/manifest.h"
#include "provider/kubernetes/batch.h"
#include "provider/kubernetes/kube.h"
#include "provider/kubernetes/kubernetes.h"

#define NO_CLUSTER "load_yaml is not supported on non automated JsOrc!" /* the original's words */

/* ---- load_yaml ---- */

struct bringing {
    struct op_call *call;
    struct json_object *map; /* of the answer */
};

static void on_brought(void *arg, struct json_object *results)
{
    struct bringing *bringing = arg;
    json_set(bringing->map, "results", results);
    op_return(bringing->call, bringing->map);
    free(bringing);
}

/* The older version has one parameter, the namespace. */
static int space_of(const struct op_call *call, enum manifest_space *ret_space,
                    const char **ret_given, struct err *err)
{
    const char *namespace = op_arg_str(call, "namespace");
    *ret_given = namespace ? namespace : op_arg_str(call, "manual_namespace");
    if (namespace) {
        *ret_space = MANIFEST_MANUAL;
        return 0;
    }
    return manifest_space_of(op_arg_str(call, "manifest_type"), ret_space, err);
}

static void on_documents(void *arg, struct json_object *documents, const char *error)
{
    struct op_call *call = arg;
    struct kube *kube = kubernetes_client(op_api(call)->cluster);
    CLEANUP(manifest_free) struct manifest *manifest = NULL;
    enum manifest_space space = MANIFEST_DEDICATED;
    const char *given = NULL;
    struct err err = {0};
    if (!documents) {
        op_fail(call, "%s", error);
        return;
    }
    int failed = space_of(call, &space, &given, &err);
    failed = failed ? failed : manifest_read(documents, &manifest, &err);
    if (!failed) {
        manifest_rewrite(manifest, space, kube_config_namespace(kube_configuration(kube)), given);
        failed = manifest_resolve(manifest, &err);
    }
    if (failed) {
        op_fail(call, "%s", err.text);
        return;
    }
    struct bringing *bringing = xcalloc(1, sizeof(*bringing));
    *bringing = (struct bringing){call, manifest_map(manifest)};
    batch_apply(kube, TAKE(manifest),
                &(struct batch_options){.dry_run = op_arg_bool(call, "dry_run")}, on_brought,
                bringing);
}

static void run_load_yaml(struct op_call *call)
{
    struct json_object *files = op_arg(call, "files");
    if (!op_api(call)->cluster) {
        struct json_object *answer = json_object_new_object();
        json_set_str(answer, "message", NO_CLUSTER);
        op_return(call, answer);
        return;
    }
    documents_read(op_api(call), files, on_documents, call);
}

extern const struct op op_load_yaml, op_jsorc_diff;

const struct op op_load_yaml = {
    .name = "load_yaml",
    .access = OP_ADMIN,
    .params = {{"files", OP_ANY, NULL,
                "YAML or JSON: a file of the daemon's host, a text, an upload, or a list of these"},
               {"manifest_type", OP_STR, "\"DEDICATED\"",
                "where the objects go: DEDICATED = our own namespace, SOURCE = as written, MANUAL "
                "= manual_namespace"},
               {"manual_namespace", OP_STR, "\"default\"", "the namespace for MANUAL"},
               {"namespace", OP_STR, "null", "the same in one, as the original's older version"},
               {"dry_run", OP_BOOL, "false",
                "let the API server check all of it and keep nothing"}},
    .positionals = "files",
    .help = "Bring objects into the cluster once; nothing looks after them later.",
    .result = "{\"KIND\": {\"NAME\": {...}}, \"results\": [{\"kind\", \"name\", \"namespace\", "
              "\"result\": \"created\", \"patched\", \"unchanged\" or \"error\", \"message\", "
              "\"changes\": [{\"path\", \"from\", \"to\"}]}]}",
    .run = run_load_yaml,
};

/* ---- jsorc_diff ---- */

static void on_compared(void *arg, struct json_object *results)
{
    struct json_object *answer = op_success(true, NULL);
    json_set(answer, "objects", results);
    op_return(arg, answer);
}

static void run_diff(struct op_call *call)
{
    const struct api *api = op_api(call);
    CLEANUP(manifest_free) struct manifest *manifest = NULL;
    struct pod_spec spec;
    struct err err = {0};
    int failed = control_pod_spec(api->control, op_arg_str(call, "name"), &spec, &err);
    if (!failed && !api->cluster) {
        op_return(call, op_success(false, "no cluster is configured: setting provider, or the "
                                          "config KUBE_CONFIG"));
        return;
    }
    failed = failed ? failed : kubernetes_manifest(api->cluster, &spec, &manifest, &err);
    if (failed) {
        op_return(call, op_success(false, err.text));
        return;
    }
    batch_apply(kubernetes_client(api->cluster), TAKE(manifest),
                &(struct batch_options){.dry_run = true, .force = true}, on_compared, call);
}

const struct op op_jsorc_diff = {
    .name = "jsorc_diff",
    .access = OP_ADMIN,
    .params = {{"name", OP_STR, NULL, "the module's name"}},
    .positionals = "name",
    .help = "Tell what loading a module into the cluster would change there.",
    .result = "{\"success\": true, \"objects\": [{\"kind\", \"name\", \"namespace\", \"result\": "
              "\"created\", \"patched\", \"unchanged\" or \"error\", \"message\", \"changes\": "
              "[{\"path\", \"from\", \"to\"}]}]}: what the API server answers to a dry run",
    .run = run_diff,
};
