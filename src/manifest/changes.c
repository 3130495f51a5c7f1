/* What differs between two states of an object. */
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "manifest/manifest.h"

/* What the server changes without being asked. */
static const char *const silent[] = {
    "/status",
    "/metadata/managedFields",
    "/metadata/resourceVersion",
    "/metadata/generation",
    "/metadata/uid",
    "/metadata/creationTimestamp",
    "/metadata/annotations/deployment.kubernetes.io~1revision",
};

static bool is_silent(const char *path)
{
    for (size_t i = 0; i < sizeof(silent) / sizeof(silent[0]); i++) {
        if (strcmp(silent[i], path) == 0) {
            return true;
        }
    }
    return false;
}

/* The path of a member (RFC 6901); owned by the caller. */
static char *below(const char *path, const char *name)
{
    size_t size = strlen(path), used = size + 1;
    char *text = xcalloc(2, size + strlen(name) + 2);
    (void)memcpy(text, path, size);
    text[size] = '/';
    for (const char *at = name; *at; at++) {
        if (*at == '/' || *at == '~') {
            text[used++] = '~';
            text[used++] = *at == '/' ? '1' : '0';
        } else {
            text[used++] = *at;
        }
    }
    return text;
}

static void compare(struct json_object *changes, const char *path, struct json_object *before,
                    struct json_object *after);

static void compare_objects(struct json_object *changes, const char *path,
                            struct json_object *before, struct json_object *after)
{
    json_object_object_foreach(before, name, value)
    {
        CLEANUP(str_free) char *child = below(path, name);
        compare(changes, child, value, json_object_object_get(after, name));
    }
    json_object_object_foreach(after, added, fresh)
    {
        CLEANUP(str_free) char *child = below(path, added);
        if (!json_object_object_get_ex(before, added, NULL)) {
            compare(changes, child, NULL, fresh);
        }
    }
}

static void compare_arrays(struct json_object *changes, const char *path,
                           struct json_object *before, struct json_object *after)
{
    size_t count = json_object_array_length(before), others = json_object_array_length(after);
    for (size_t i = 0; i < (count > others ? count : others); i++) {
        CLEANUP(str_free) char *child = xasprintf("%s/%zu", path, i);
        compare(changes, child, json_object_array_get_idx(before, i),
                json_object_array_get_idx(after, i));
    }
}

static void compare(struct json_object *changes, const char *path, struct json_object *before,
                    struct json_object *after)
{
    if (json_object_array_length(changes) == MANIFEST_CHANGES_MAX || is_silent(path) ||
        json_object_equal(before, after)) {
        return;
    }
    enum json_type type = json_object_get_type(before);
    bool same_type = before && after && type == json_object_get_type(after);
    if (same_type && type == json_type_object) {
        compare_objects(changes, path, before, after);
    } else if (same_type && type == json_type_array) {
        compare_arrays(changes, path, before, after);
    } else {
        struct json_object *change = json_object_new_object();
        json_set_str(change, "path", path);
        if (before) {
            json_set(change, "from", json_ref(before));
        }
        if (after) {
            json_set(change, "to", json_ref(after));
        }
        (void)json_object_array_add(changes, change);
    }
}

struct json_object *manifest_changes(struct json_object *before, struct json_object *after)
{
    struct json_object *changes = json_object_new_array();
    if (before) {
        compare(changes, "", before, after);
    }
    return changes;
}
