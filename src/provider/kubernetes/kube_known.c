#include "provider/kubernetes/kube_known.h"

#include <json-c/linkhash.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "provider/kubernetes/kube.h"

struct entry {
    uint64_t mark; /* when it was last put */
    char *uid;
    char *version;
    char key[]; /* "namespace/name"; of cluster-wide objects "/name" */
};

struct kube_known {
    struct lh_table *table; /* key -> entry; oldest first */
    uint64_t mark;
    struct lh_entry *next; /* of a sweep; nothing else changes the table meanwhile */
    bool sweeping;
};

static void entry_free(struct entry *entry)
{
    free(entry->uid);
    free(entry->version);
    free(entry);
}

static void on_free(struct lh_entry *slot)
{
    entry_free(lh_entry_v(slot));
}

struct kube_known *kube_known_new(void)
{
    struct kube_known *known = xcalloc(1, sizeof(*known));
    known->table = lh_kchar_table_new(64, on_free);
    if (!known->table) {
        abort();
    }
    return known;
}

struct kube_known *kube_known_free(struct kube_known *known)
{
    if (known) {
        lh_table_free(known->table);
        free(known);
    }
    return NULL;
}

size_t kube_known_count(const struct kube_known *known)
{
    return (size_t)lh_table_length(known->table);
}

/* Owned by the caller; NULL = no object that can be watched. */
static char *make_key(const struct json_object *metadata)
{
    const char *namespace = json_str(metadata, "namespace"), *name = json_str(metadata, "name");
    if (!name || !json_str(metadata, "uid") || !json_str(metadata, "resourceVersion")) {
        return NULL;
    }
    return xasprintf("%s/%s", namespace ? namespace : "", name);
}

static struct entry *find(const struct kube_known *known, const char *key)
{
    void *value = NULL;
    return lh_table_lookup_ex(known->table, key, &value) ? value : NULL;
}

static struct json_object *describe(const struct entry *entry)
{
    struct json_object *object = json_object_new_object();
    struct json_object *metadata = json_object_new_object();
    const char *slash = strchr(entry->key, '/');
    json_set(object, "metadata", metadata);
    json_set_str(metadata, "name", slash + 1);
    if (slash > entry->key) {
        json_set(metadata, "namespace",
                 json_object_new_string_len(entry->key, (int)(slash - entry->key)));
    }
    json_set_str(metadata, "uid", entry->uid);
    return object;
}

static enum kube_news insert(struct kube_known *known, const char *key,
                             const struct json_object *metadata)
{
    if (lh_table_length(known->table) >= KUBE_WATCHED_MAX) {
        return KUBE_NEWS_TOO_MANY;
    }
    struct entry *entry = xcalloc(1, sizeof(*entry) + strlen(key) + 1);
    memcpy(entry->key, key, strlen(key));
    entry->mark = known->mark;
    entry->uid = xstrdup(json_str(metadata, "uid"));
    entry->version = xstrdup(json_str(metadata, "resourceVersion"));
    if (lh_table_insert(known->table, entry->key, entry) != 0) {
        abort();
    }
    return KUBE_NEWS_ADDED;
}

enum kube_news kube_known_put(struct kube_known *known, struct json_object *object,
                              struct json_object **ret_gone)
{
    const struct json_object *metadata = json_member(object, "metadata", json_type_object);
    const char *uid = json_str(metadata, "uid"), *version = json_str(metadata, "resourceVersion");
    CLEANUP(str_free) char *key = make_key(metadata);
    struct entry *entry = key ? find(known, key) : NULL;
    *ret_gone = NULL;
    if (!entry) {
        return key ? insert(known, key, metadata) : KUBE_NEWS_NONE;
    }
    if (strcmp(entry->uid, uid) != 0) {
        *ret_gone = describe(entry);
        str_replace(&entry->uid, uid);
    } else if (strcmp(entry->version, version) == 0) {
        entry->mark = known->mark;
        return KUBE_NEWS_NONE;
    }
    entry->mark = known->mark;
    str_replace(&entry->version, version);
    return *ret_gone ? KUBE_NEWS_ADDED : KUBE_NEWS_MODIFIED;
}

bool kube_known_remove(struct kube_known *known, struct json_object *object)
{
    const struct json_object *metadata = json_member(object, "metadata", json_type_object);
    CLEANUP(str_free) char *key = make_key(metadata);
    const struct entry *entry = key ? find(known, key) : NULL;
    return entry && strcmp(entry->uid, json_str(metadata, "uid")) == 0 &&
           lh_table_delete(known->table, key) == 0;
}

void kube_known_mark(struct kube_known *known)
{
    known->mark++;
    known->sweeping = false;
}

struct json_object *kube_known_sweep(struct kube_known *known)
{
    struct lh_entry *slot = known->sweeping ? known->next : known->table->head;
    known->sweeping = true;
    while (slot) {
        const struct entry *entry = lh_entry_v(slot);
        known->next = slot->next;
        if (entry->mark != known->mark) {
            struct json_object *object = describe(entry);
            (void)lh_table_delete_entry(known->table, slot);
            return object;
        }
        slot = known->next;
    }
    return NULL;
}
