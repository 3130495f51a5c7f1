/* Placeholders. A path is looked up in the manifest as it is at that moment: what stands before the
 * placeholder is resolved, what stands behind it is not. */
#include <errno.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "manifest/manifest.h"
#include "manifest/manifest_priv.h"

#define OPENING           "$j{"
#define PATH_MAX_SEGMENTS 32
#define WHAT_MAX          120 /* of a placeholder in an error's text */

struct resolve {
    const struct manifest *manifest;
    struct json_object *config; /* of manifest_fill; NULL = none; borrowed */
    size_t inserted;            /* bytes so far */
    struct err *err;
};

/* ---- paths ---- */

/* One segment of the path at *text: a name to the next '.' or '[', or ["NAME"]. Moves *text behind
 * it. False = that is no path. */
static bool next_segment(struct slice *text, struct slice *ret)
{
    if (text->size > 0 && text->data[0] == '[') {
        const char *end = text->size > 4 && text->data[1] == '"'
                              ? memmem(text->data + 2, text->size - 2, "\"]", 2)
                              : NULL;
        if (!end) {
            return false;
        }
        *ret = (struct slice){text->data + 2, (size_t)(end - text->data) - 2};
        *text = slice_from(*text, (size_t)(end - text->data) + 2);
    } else {
        size_t size = 0;
        while (size < text->size && text->data[size] != '.' && text->data[size] != '[') {
            size++;
        }
        *ret = (struct slice){text->data, size};
        *text = slice_from(*text, size);
    }
    if (text->size > 0 && text->data[0] == '.') {
        *text = slice_from(*text, 1);
        return ret->size > 0 && text->size > 0;
    }
    return ret->size > 0 && (text->size == 0 || text->data[0] == '[');
}

static struct json_object *member(const struct json_object *object, struct slice name)
{
    CLEANUP(str_free) char *text = xstrndup(name.data, name.size);
    struct json_object *value = NULL;
    if (object && json_object_is_type(object, json_type_object)) {
        (void)json_object_object_get_ex(object, text, &value);
    }
    return value;
}

static struct json_object *find_object(const struct manifest *manifest, struct slice kind,
                                       struct slice key)
{
    for (size_t i = 0; i < manifest->count; i++) {
        struct json_object *value = manifest->objects[i].value;
        if (slice_eq(slice_str(manifest_kind(value)), kind) &&
            slice_eq(slice_str(manifest->objects[i].key), key)) {
            return value;
        }
    }
    return NULL;
}

/* Borrowed; NULL when nothing is there. */
static int look_up(const struct resolve *resolve, struct slice path, struct json_object **ret_value)
{
    struct slice segments[PATH_MAX_SEGMENTS], rest = path;
    size_t count = 0;
    while (rest.size > 0) {
        if (count == PATH_MAX_SEGMENTS || !next_segment(&rest, &segments[count++])) {
            count = 0;
            break;
        }
    }
    if (count < 2) {
        int size = path.size < WHAT_MAX ? (int)path.size : WHAT_MAX;
        return err_set(resolve->err, EINVAL,
                       "'" OPENING "%.*s}' is no path KIND.NAME.MEMBER or KIND[\"NAME\"].MEMBER",
                       size, path.data);
    }
    bool config = resolve->config && slice_eq(segments[0], SLICE("config"));
    struct json_object *value =
        config ? resolve->config : find_object(resolve->manifest, segments[0], segments[1]);
    for (size_t i = config ? 1 : 2; i < count; i++) {
        value = member(value, segments[i]);
    }
    *ret_value = value;
    return 0;
}

/* ---- texts ---- */

static int count_in(struct resolve *resolve, size_t size)
{
    resolve->inserted += size;
    return resolve->inserted <= MANIFEST_INSERTED_MAX
               ? 0
               : err_set(resolve->err, E2BIG, "placeholders bring in more than %d bytes",
                         MANIFEST_INSERTED_MAX);
}

static unsigned depth_of(struct json_object *value)
{
    unsigned deepest = 0;
    if (json_object_is_type(value, json_type_object)) {
        json_object_object_foreach(value, name, child)
        {
            (void)name;
            unsigned depth = depth_of(child);
            deepest = depth > deepest ? depth : deepest;
        }
    } else if (json_object_is_type(value, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(value); i++) {
            unsigned depth = depth_of(json_object_array_get_idx(value, i));
            deepest = depth > deepest ? depth : deepest;
        }
    }
    return deepest + 1;
}

/* The path of the placeholder that text begins with; *ret_size: of all of it. */
static bool placeholder_at(struct slice text, struct slice *ret_path, size_t *ret_size)
{
    if (!slice_starts(text, SLICE(OPENING))) {
        return false;
    }
    const char *end = memchr(text.data, '}', text.size);
    if (end) {
        *ret_path = (struct slice){text.data + 3, (size_t)(end - text.data) - 3};
        *ret_size = (size_t)(end - text.data) + 1;
    }
    return end != NULL;
}

/* A text with placeholders as text; owned by the caller. */
static int expand(struct resolve *resolve, struct slice text, char **ret_text)
{
    struct buf out = {0};
    int failed = 0;
    while (text.size > 0 && !failed) {
        struct slice path = {0};
        struct json_object *value = NULL;
        size_t size = 1;
        if (!placeholder_at(text, &path, &size)) {
            failed = buf_append(&out, text.data, 1);
            text = slice_from(text, 1);
            continue;
        }
        failed = look_up(resolve, path, &value);
        if (!failed && !json_object_is_type(value, json_type_string)) {
            failed = err_set(resolve->err, EINVAL, "'%.*s' stands within a text and is no text",
                             (int)(size < WHAT_MAX ? size : WHAT_MAX), text.data);
        }
        if (!failed) {
            struct slice given = slice_str(json_object_get_string(value));
            failed = count_in(resolve, given.size);
            failed = failed ? failed : buf_append(&out, given.data, given.size);
        }
        text = slice_from(text, size);
    }
    if (!failed) {
        *ret_text = xstrndup(out.data ? out.data + out.start : "", buf_size(&out));
    }
    buf_done(&out);
    return failed;
}

/* What a text becomes, if it has placeholders: *ret_value is owned, and may be null. */
static int resolve_text(struct resolve *resolve, struct json_object *value, unsigned depth,
                        bool *ret_changed, struct json_object **ret_value)
{
    struct slice text = slice_str(json_object_get_string(value)), path = {0};
    size_t size = 0;
    struct json_object *found = NULL;
    CLEANUP(str_free) char *expanded = NULL;
    *ret_changed = strstr(text.data, OPENING) != NULL;
    if (!*ret_changed) {
        return 0;
    }
    if (!placeholder_at(text, &path, &size) || size != text.size) {
        int failed = expand(resolve, text, &expanded);
        *ret_value = failed ? NULL : json_object_new_string(expanded);
        return failed;
    }
    int failed = look_up(resolve, path, &found);
    if (failed || !found) {
        return failed;
    }
    failed = count_in(resolve, strlen(json_text(found)));
    if (!failed && depth + depth_of(found) > JSON_DEPTH_MAX) {
        failed = err_set(resolve->err, E2BIG, "placeholders nest deeper than %d", JSON_DEPTH_MAX);
    }
    if (!failed && json_object_deep_copy(found, ret_value, NULL) < 0) {
        abort();
    }
    return failed;
}

/* ---- the walk ---- */

static int walk(struct resolve *resolve, struct json_object *value, unsigned depth);

static int walk_child(struct resolve *resolve, struct json_object *child, unsigned depth,
                      bool *ret_changed, struct json_object **ret_value)
{
    *ret_changed = false;
    return json_object_is_type(child, json_type_string)
               ? resolve_text(resolve, child, depth, ret_changed, ret_value)
               : walk(resolve, child, depth + 1);
}

static int walk_array(struct resolve *resolve, struct json_object *array, unsigned depth)
{
    int failed = 0;
    for (size_t i = 0; !failed && i < json_object_array_length(array); i++) {
        bool changed = false;
        struct json_object *value = NULL;
        failed = walk_child(resolve, json_object_array_get_idx(array, i), depth, &changed, &value);
        if (!failed && changed) {
            (void)json_object_array_put_idx(array, i, value);
        }
    }
    return failed;
}

/* The member under its resolved name. */
static int rename_member(struct resolve *resolve, struct json_object *object, const char *name)
{
    CLEANUP(str_free) char *fresh = NULL;
    int failed = expand(resolve, slice_str(name), &fresh);
    if (!failed && strcmp(fresh, name) != 0) {
        struct json_object *value = NULL;
        (void)json_object_object_get_ex(object, name, &value);
        (void)json_ref(value);
        json_object_object_del(object, name);
        json_set(object, fresh, value);
    }
    return failed;
}

static int walk_object(struct resolve *resolve, struct json_object *object, unsigned depth)
{
    size_t count = (size_t)json_object_object_length(object), used = 0;
    char **names = xcalloc(count, sizeof(names[0])); /* the walk changes the object */
    json_object_object_foreach(object, name, member_value)
    {
        (void)member_value;
        names[used++] = xstrdup(name);
    }
    int failed = 0;
    for (size_t i = 0; !failed && i < count; i++) {
        struct json_object *child = NULL, *value = NULL;
        bool changed = false;
        (void)json_object_object_get_ex(object, names[i], &child);
        failed = walk_child(resolve, child, depth, &changed, &value);
        if (!failed && changed) {
            json_set(object, names[i], value);
        }
        if (!failed && strstr(names[i], OPENING)) {
            failed = rename_member(resolve, object, names[i]);
        }
    }
    for (size_t i = 0; i < count; i++) {
        free(names[i]);
    }
    free(names);
    return failed;
}

static int walk(struct resolve *resolve, struct json_object *value, unsigned depth)
{
    if (json_object_is_type(value, json_type_object)) {
        return walk_object(resolve, value, depth);
    }
    return json_object_is_type(value, json_type_array) ? walk_array(resolve, value, depth) : 0;
}

int manifest_fill(struct manifest *manifest, struct json_object *config, struct err *err)
{
    struct resolve resolve = {.manifest = manifest, .config = config, .err = err};
    for (size_t i = 0; i < manifest->count; i++) {
        struct json_object *value = manifest->objects[i].value;
        int failed = walk(&resolve, value, 1);
        if (failed) {
            (void)err_wrap(err, "%s '%s'", manifest_kind(value), manifest->objects[i].key);
            return failed;
        }
        if (!manifest_kind(value) || !manifest_name(value) || !json_str(value, "apiVersion")) {
            return err_set(err, EINVAL,
                           "'%s': its placeholders leave it without kind, name or "
                           "apiVersion",
                           manifest->objects[i].key);
        }
    }
    return 0;
}

int manifest_resolve(struct manifest *manifest, struct err *err)
{
    return manifest_fill(manifest, NULL, err);
}
