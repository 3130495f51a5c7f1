/* Whose an object is, written on it, and whether the cluster's copy still is what was applied. */
#include <ctype.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/json_put.h"
#include "manifest/manifest.h"
#include "manifest/manifest_priv.h"

#define HASH_BYTES ((MANIFEST_HASH_SIZE - 1) / 2)

/* ---- the hash ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* JSON with members in order of their names, so that equal objects have equal texts. */
static void put_canonical(struct buf *out, struct json_object *value)
{
    if (json_object_is_type(value, json_type_array)) {
        json_put_text(out, "[");
        for (size_t i = 0; i < json_object_array_length(value); i++) {
            json_put_text(out, i ? "," : "");
            put_canonical(out, json_object_array_get_idx(value, i));
        }
        json_put_text(out, "]");
        return;
    }
    if (!json_object_is_type(value, json_type_object)) {
        json_put_text(out, json_text(value));
        return;
    }
    size_t count = (size_t)json_object_object_length(value), used = 0;
    const char **names = xcalloc(count, sizeof(names[0]));
    json_object_object_foreach(value, name, member)
    {
        (void)member;
        names[used++] = name;
    }
    qsort(names, count, sizeof(names[0]), by_text);
    json_put_text(out, "{");
    for (size_t i = 0; i < count; i++) {
        json_put_text(out, i ? "," : "");
        json_put_string(out, slice_str(names[i]));
        json_put_text(out, ":");
        put_canonical(out, json_object_object_get(value, names[i]));
    }
    json_put_text(out, "}");
    free(names);
}

static void hash_of(struct slice data, char hash[MANIFEST_HASH_SIZE])
{
    unsigned char bytes[HASH_BYTES];
    (void)crypto_generichash(bytes, sizeof(bytes), (const unsigned char *)data.data, data.size,
                             NULL, 0);
    (void)sodium_bin2hex(hash, MANIFEST_HASH_SIZE, bytes, sizeof(bytes));
}

void manifest_hash(struct json_object *object, char hash[MANIFEST_HASH_SIZE])
{
    struct buf out = {0};
    put_canonical(&out, object);
    hash_of(buf_slice(&out), hash);
    buf_done(&out);
}

/* ---- names ---- */

#define TELLING 8 /* digits of a hash that tell two names apart */

/* Appends "-" and a hash of name to the first bytes of what label has. */
static void tell_apart(const char *name, char label[MANIFEST_LABEL_MAX + 1])
{
    char hash[MANIFEST_HASH_SIZE];
    size_t size = strlen(label), room = MANIFEST_LABEL_MAX - TELLING - 1;
    hash_of(slice_str(name), hash);
    size = size < room ? size : room;
    while (size > 0 && !isalnum((unsigned char)label[size - 1])) {
        size--;
    }
    (void)snprintf(label + size, MANIFEST_LABEL_MAX + 1 - size, "%s%.*s", size > 0 ? "-" : "",
                   TELLING, hash);
}

/* Copies what ok allows of name, '-' for the rest; whether that changed it. */
static bool copy_allowed(const char *name, bool (*ok)(char), char label[MANIFEST_LABEL_MAX + 1])
{
    size_t size = 0, full = strlen(name);
    memset(label, 0, MANIFEST_LABEL_MAX + 1);
    bool changed = full == 0 || full > MANIFEST_LABEL_MAX;
    for (const char *at = name; *at && size < MANIFEST_LABEL_MAX; at++) {
        bool edge = at == name || !at[1];
        bool good = ok(*at) && (!edge || isalnum((unsigned char)*at));
        changed |= !good;
        if (good || size > 0) { /* it begins with a letter or digit */
            label[size++] = ok(*at) ? *at : '-';
        }
    }
    return changed;
}

static bool is_label_char(char c)
{
    return isalnum((unsigned char)c) || c == '-' || c == '_' || c == '.';
}

void manifest_label_of(const char *name, char label[MANIFEST_LABEL_MAX + 1])
{
    if (copy_allowed(name, is_label_char, label)) {
        tell_apart(name, label);
    }
}

static bool is_name_char(char c)
{
    return islower((unsigned char)c) || isdigit((unsigned char)c) || c == '-';
}

void manifest_object_name_of(const char *name, char object_name[MANIFEST_LABEL_MAX + 1])
{
    if (copy_allowed(name, is_name_char, object_name)) {
        tell_apart(name, object_name);
    }
}

/* ---- labels ---- */

struct json_object *manifest_child(struct json_object *object, const char *name)
{
    struct json_object *child = json_member(object, name, json_type_object);
    if (!child) {
        child = json_object_new_object();
        json_set(object, name, child);
    }
    return child;
}

struct json_object *manifest_make_namespace(const char *name)
{
    struct json_object *object = json_object_new_object();
    json_set_str(object, "apiVersion", "v1");
    json_set_str(object, "kind", "Namespace");
    struct json_object *metadata = manifest_child(object, "metadata");
    json_set_str(metadata, "name", name);
    json_set_str(manifest_child(metadata, "labels"), "name", name);
    return object;
}

/* Labels and annotations are texts; people write numbers. */
static void make_texts(struct json_object *metadata, const char *name)
{
    struct json_object *members = json_member(metadata, name, json_type_object);
    if (!members) {
        return;
    }
    json_object_object_foreach(members, key, value)
    {
        if (!json_object_is_type(value, json_type_string)) {
            json_set_str(members, key, json_text(value)); /* in place: the entry stays */
        }
    }
}

static void label(struct json_object *metadata, const struct manifest_owner *owner)
{
    char name[MANIFEST_LABEL_MAX + 1];
    struct json_object *labels = manifest_child(metadata, "labels");
    manifest_label_of(owner->name, name);
    json_set_str(labels, MANIFEST_MANAGED_BY, MANIFEST_MANAGER);
    json_set_str(labels, MANIFEST_OWNER, owner->owner);
    json_set_str(labels, owner->kind, name);
}

/* Of the pods that the object makes; NULL = it makes none. */
static struct json_object *pod_template(struct json_object *object)
{
    struct json_object *spec = json_member(object, "spec", json_type_object);
    struct json_object *job = json_member(spec, "jobTemplate", json_type_object);
    struct json_object *owner = job ? json_member(job, "spec", json_type_object) : spec;
    struct json_object *template = json_member(owner, "template", json_type_object);
    return json_member(template, "spec", json_type_object) ? template : NULL;
}

void manifest_own(struct manifest *manifest, const struct manifest_owner *owner)
{
    for (size_t i = 0; i < manifest->count; i++) {
        struct json_object *object = manifest->objects[i].value;
        struct json_object *metadata = manifest_metadata(object);
        struct json_object *template = pod_template(object);
        char hash[MANIFEST_HASH_SIZE];
        make_texts(metadata, "labels");
        make_texts(metadata, "annotations");
        label(metadata, owner);
        if (template) {
            make_texts(manifest_child(template, "metadata"), "labels");
            make_texts(manifest_child(template, "metadata"), "annotations");
            label(manifest_child(template, "metadata"), owner);
        }
        struct json_object *annotations = manifest_child(metadata, "annotations");
        json_object_object_del(annotations, MANIFEST_HASH);
        manifest_hash(object, hash);
        json_set_str(annotations, MANIFEST_HASH, hash);
    }
}

void manifest_stamp(struct manifest *manifest, const char *version)
{
    for (size_t i = 0; i < manifest->count; i++) {
        struct json_object *labels =
            manifest_child(manifest_metadata(manifest->objects[i].value), "labels");
        if (!json_object_object_get_ex(labels, MANIFEST_VERSION, NULL)) {
            json_set_str(labels, MANIFEST_VERSION, version);
        }
    }
}

/* ---- the cluster's copy ---- */

static bool same_number(struct json_object *a, struct json_object *b)
{
    bool numbers =
        (json_object_is_type(a, json_type_int) || json_object_is_type(a, json_type_double)) &&
        (json_object_is_type(b, json_type_int) || json_object_is_type(b, json_type_double));
    double left = json_object_get_double(a), right = json_object_get_double(b);
    return numbers && !(left < right) && !(left > right);
}

bool manifest_is_within(struct json_object *wanted, struct json_object *live)
{
    if (json_object_is_type(wanted, json_type_object)) {
        if (live && !json_object_is_type(live, json_type_object)) {
            return false;
        }
        json_object_object_foreach(wanted, name, value)
        {
            struct json_object *there = NULL;
            (void)(live && json_object_object_get_ex(live, name, &there));
            if (!manifest_is_within(value, there)) {
                return false;
            }
        }
        /* The server leaves out what is empty: an emptyDir without a member stays, labels do not.
         */
        return live || json_object_object_length(wanted) == 0;
    }
    if (json_object_is_type(wanted, json_type_array)) {
        size_t count = json_object_array_length(wanted);
        if (!live) {
            return count == 0;
        }
        if (!json_object_is_type(live, json_type_array) ||
            json_object_array_length(live) != count) {
            return false;
        }
        for (size_t i = 0; i < count; i++) {
            if (!manifest_is_within(json_object_array_get_idx(wanted, i),
                                    json_object_array_get_idx(live, i))) {
                return false;
            }
        }
        return true;
    }
    return same_number(wanted, live) || json_object_equal(wanted, live);
}
