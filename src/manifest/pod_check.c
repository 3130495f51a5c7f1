/* What a short form may hold. */
#include "manifest/pod.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"

static const struct {
    const char *name;
    enum json_type type;
    const char *what;
} members[] = {
    {"image", json_type_string, "the image's name"},
    {"port", json_type_int, "a number from 1 to 65535"},
    {"memory", json_type_string, "a quantity as \"512Mi\""},
    {"cpu", json_type_string, "a quantity as \"500m\""},
    {"replicas", json_type_int, "a number from 0 to 1000"},
    {"command", json_type_array, "a list of words; [] = as the image says"},
    {"env", json_type_object, "texts by name"},
    {"user", json_type_int, "the number of the user that runs it"},
    {"pull_policy", json_type_string, "Always, IfNotPresent or Never"},
    {"pull_secrets", json_type_array, "names of Secrets"},
    {"claims", json_type_object, "where to mount, by PersistentVolumeClaim's name"},
    {"node_selector", json_type_object, "labels of nodes"},
    {"labels", json_type_object, "texts by name"},
    {"annotations", json_type_object, "texts by name"},
};

#define MEMBER_COUNT (sizeof(members) / sizeof(members[0]))

bool pod_is_short(const struct json_object *remote)
{
    if (!json_object_is_type(remote, json_type_object) || json_str(remote, "apiVersion")) {
        return false;
    }
    bool kinds = json_object_object_length(remote) == 0;
    json_object_object_foreach(remote, name, value)
    {
        (void)value;
        kinds |= isupper((unsigned char)name[0]) != 0 || name[0] == '_';
    }
    return !kinds && !json_member(remote, "items", json_type_array);
}

static int check_member(const char *name, struct json_object *value, struct err *err)
{
    for (size_t i = 0; i < MEMBER_COUNT; i++) {
        if (strcmp(members[i].name, name) == 0) {
            return !value || json_object_is_type(value, members[i].type)
                       ? 0
                       : err_set(err, EINVAL, "'remote.%s' must be %s", name, members[i].what);
        }
    }
    return err_set(err, EINVAL,
                   "'remote.%s' is unknown; the short form has image, port, memory, cpu, replicas, "
                   "command, env, user, pull_policy, pull_secrets, claims, node_selector, labels, "
                   "annotations, the long one manifests by kind",
                   name);
}

int pod_check(struct json_object *remote, struct err *err)
{
    json_object_object_foreach(remote, name, value)
    {
        int failed = check_member(name, value, err);
        if (failed) {
            return failed;
        }
    }
    const char *image = json_str(remote, "image");
    int64_t port = json_int(remote, "port", POD_PORT);
    int64_t replicas = json_int(remote, "replicas", 1);
    if (!image || !*image) {
        return err_set(err, EINVAL, "'remote.image' is missing: what the pod runs");
    }
    if (port < 1 || port > 65535) {
        return err_set(err, EINVAL, "'remote.port' must be a number from 1 to 65535");
    }
    if (replicas < 0 || replicas > POD_REPLICAS_MAX) {
        return err_set(err, EINVAL, "'remote.replicas' must be a number from 0 to %d",
                       POD_REPLICAS_MAX);
    }
    return 0;
}
