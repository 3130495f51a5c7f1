#include "manifest/pod.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "base/test.h"
#include "manifest/manifest.h"

static const struct pod_module module = {.name = "word-tools", .source = "acme.word_tools"};

static struct json_object *json(const char *text)
{
    struct json_object *value = NULL;
    EXPECT_INT(json_parse(slice_str(text), &value, NULL), 0);
    return value;
}

/* What is at a path of names and indices, such as "spec/ports/0/name". */
static struct json_object *at(struct json_object *value, const char *path)
{
    struct json_object *found = NULL;
    CLEANUP(str_free) char *pointer = xasprintf("/%s", path);
    return json_pointer_get(value, pointer, &found) == 0 ? found : NULL;
}

static struct manifest *make(const char *text, const struct pod_module *of)
{
    CLEANUP(json_put) struct json_object *remote = json(text);
    struct manifest *manifest = NULL;
    struct err err = {0};
    EXPECT(pod_is_short(remote));
    EXPECT_INT(pod_manifest(remote, of, &manifest, &err), 0);
    EXPECT_STR(err.text, "");
    return manifest;
}

static void tells_the_short_form_from_manifests(void)
{
    static const struct {
        const char *text;
        bool is_short;
    } rows[] = {
        {"{\"image\": \"x\"}", true},
        {"{\"port\": 80}", true},
        {"{}", false},
        {"[]", false},
        {"{\"Deployment\": {}}", false},
        {"{\"apiVersion\": \"v1\", \"kind\": \"Secret\"}", false},
        {"{\"__UNSAFE_PARAPHRASE__\": \"\"}", false},
        {"{\"items\": []}", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CLEANUP(json_put) struct json_object *remote = json(rows[i].text);
        EXPECT_INT(pod_is_short(remote), rows[i].is_short);
    }
}

static void makes_the_three_objects(void)
{
    CLEANUP(manifest_free)
    struct manifest *manifest =
        make("{\"image\": \"acme/text:1\", \"memory\": \"512Mi\", \"replicas\": 3}", &module);
    EXPECT_INT(manifest->count, 3);
    struct json_object *map = manifest->objects[0].value;
    struct json_object *service = manifest->objects[1].value;
    struct json_object *deployment = manifest->objects[2].value;
    EXPECT_STR(manifest_name(map), "word-tools-up");
    EXPECT_STR(manifest_name(service), "word-tools");
    EXPECT_STR(manifest_name(deployment), "word-tools");
    EXPECT(strstr(json_object_get_string(at(map, "data/start")),
                  "exec jsorc host 'acme.word_tools' --listen 0.0.0.0:80"));
    EXPECT_INT(json_object_get_int(at(service, "spec/ports/0/port")), 80);
    EXPECT_INT(json_object_get_int(at(deployment, "spec/replicas")), 3);
    EXPECT_STR(json_object_get_string(at(deployment, "spec/template/metadata/labels/pod")),
               "word-tools");
    struct json_object *container = at(deployment, "spec/template/spec/containers/0");
    EXPECT_STR(json_object_get_string(at(container, "image")), "acme/text:1");
    EXPECT_STR(json_object_get_string(at(container, "resources/requests/memory")), "512Mi");
    EXPECT_STR(json_object_get_string(at(container, "resources/limits/memory")), "512Mi");
    EXPECT_STR(json_object_get_string(at(container, "readinessProbe/httpGet/path")),
               "/jaseci_actions_spec/");
    EXPECT_STR(json_object_get_string(at(container, "command/1")), "/etc/jsorc/start");
}

/* Pod Security Standards, `restricted`, and no token of a service account. */
static void its_pod_has_no_rights(void)
{
    CLEANUP(manifest_free) struct manifest *manifest = make("{\"image\": \"x\"}", &module);
    struct json_object *spec = at(manifest->objects[2].value, "spec/template/spec");
    struct json_object *security = at(spec, "containers/0/securityContext");
    EXPECT(!json_flag(spec, "automountServiceAccountToken", true));
    EXPECT(json_flag(at(spec, "securityContext"), "runAsNonRoot", false));
    EXPECT_INT(json_object_get_int(at(spec, "securityContext/runAsUser")), POD_USER);
    EXPECT_STR(json_object_get_string(at(spec, "securityContext/seccompProfile/type")),
               "RuntimeDefault");
    EXPECT(!json_flag(security, "allowPrivilegeEscalation", true));
    EXPECT_STR(json_object_get_string(at(security, "capabilities/drop/0")), "ALL");
    /* a user without rights may listen on port 80 by a sysctl that `restricted` allows */
    EXPECT_STR(json_object_get_string(at(spec, "securityContext/sysctls/0/name")),
               "net.ipv4.ip_unprivileged_port_start");
    CLEANUP(manifest_free)
    struct manifest *plain = make("{\"image\": \"x\", \"port\": 8000, \"user\": null}", &module);
    spec = at(plain->objects[2].value, "spec/template/spec");
    EXPECT(!at(spec, "securityContext/sysctls"));
    EXPECT(!at(spec, "securityContext/runAsUser"));
}

static void asks_for_the_memory_that_was_measured(void)
{
    static const struct {
        int64_t memory_kb;
        const char *request, *limit;
    } rows[] = {
        {0, NULL, NULL},
        {100 * 1024, "112Mi", "176Mi"}, /* a tenth over it; at least 64 Mi of room */
        {1000 * 1024, "1104Mi", "1504Mi"},
        {1, "16Mi", "80Mi"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct pod_module measured = module;
        measured.memory_kb = rows[i].memory_kb;
        CLEANUP(manifest_free) struct manifest *manifest = make("{\"image\": \"x\"}", &measured);
        struct json_object *container =
            at(manifest->objects[2].value, "spec/template/spec/containers/0");
        struct json_object *request = at(container, "resources/requests/memory");
        struct json_object *limit = at(container, "resources/limits/memory");
        EXPECT(!rows[i].request == !request && !rows[i].limit == !limit);
        if (rows[i].request) {
            EXPECT_STR(json_object_get_string(request), rows[i].request);
            EXPECT_STR(json_object_get_string(limit), rows[i].limit);
        }
    }
}

static void a_given_command_needs_no_script(void)
{
    CLEANUP(manifest_free)
    struct manifest *manifest =
        make("{\"image\": \"x\", \"command\": [\"run\", \"me\"], \"env\": {\"A\": 1}, "
             "\"claims\": {\"models\": \"/models\"}, \"pull_secrets\": [\"s\"]}",
             &module);
    EXPECT_INT(manifest->count, 2);
    struct json_object *spec = at(manifest->objects[1].value, "spec/template/spec");
    EXPECT_STR(json_object_get_string(at(spec, "containers/0/command/1")), "me");
    EXPECT_STR(json_object_get_string(at(spec, "containers/0/env/0/value")), "1");
    EXPECT_STR(json_object_get_string(at(spec, "volumes/0/persistentVolumeClaim/claimName")),
               "models");
    EXPECT_STR(json_object_get_string(at(spec, "containers/0/volumeMounts/0/mountPath")),
               "/models");
    EXPECT_STR(json_object_get_string(at(spec, "imagePullSecrets/0/name")), "s");
    CLEANUP(manifest_free)
    struct manifest *own = make("{\"image\": \"x\", \"command\": []}", &module);
    EXPECT(!at(own->objects[1].value, "spec/template/spec/containers/0/command"));
}

static void a_source_is_one_word_of_the_script(void)
{
    struct pod_module nasty = {.name = "x", .source = "a'; rm -rf / #"};
    CLEANUP(manifest_free) struct manifest *manifest = make("{\"image\": \"x\"}", &nasty);
    EXPECT(strstr(json_object_get_string(at(manifest->objects[0].value, "data/start")),
                  "exec jsorc host 'a'\\''; rm -rf / #' --listen"));
}

static void says_which_member_is_wrong(void)
{
    static const struct {
        const char *text, *error;
    } rows[] = {
        {"{\"port\": 80}", "'remote.image' is missing: what the pod runs"},
        {"{\"image\": \"\"}", "'remote.image' is missing: what the pod runs"},
        {"{\"image\": \"x\", \"port\": 0}", "'remote.port' must be a number from 1 to 65535"},
        {"{\"image\": \"x\", \"port\": \"80\"}", "'remote.port' must be a number from 1 to 65535"},
        {"{\"image\": \"x\", \"replicas\": -1}",
         "'remote.replicas' must be a number from 0 to 1000"},
        {"{\"image\": \"x\", \"memory\": 512}", "'remote.memory' must be a quantity as \"512Mi\""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CLEANUP(json_put) struct json_object *remote = json(rows[i].text);
        struct manifest *manifest = NULL;
        struct err err = {0};
        EXPECT_INT(pod_manifest(remote, &module, &manifest, &err), -EINVAL);
        EXPECT_STR(err.text, rows[i].error);
    }
    CLEANUP(json_put) struct json_object *remote = json("{\"image\": \"x\", \"imgae\": \"y\"}");
    struct manifest *manifest = NULL;
    struct err err = {0};
    EXPECT_INT(pod_manifest(remote, &module, &manifest, &err), -EINVAL);
    EXPECT(strstr(err.text, "'remote.imgae' is unknown"));
}

TEST_MAIN(tells_the_short_form_from_manifests, makes_the_three_objects, its_pod_has_no_rights,
          asks_for_the_memory_that_was_measured, a_given_command_needs_no_script,
          a_source_is_one_word_of_the_script, says_which_member_is_wrong)
