#include "api/config_meta.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "store/store.h"

#define META "META_CONFIG"

/* Service names of both versions. The first of a config is the one that is composed. */
static const struct service_row {
    const char *service;
    const char *config;
    bool always; /* kept alive by default in the original, so absence from the list must be said */
} services[] = {
    {"promon", "PROME_CONFIG", true}, {"prome", "PROME_CONFIG", false},
    {"redis", "REDIS_CONFIG", true},  {"task", "TASK_CONFIG", true},
    {"mail", "MAIL_CONFIG", true},    {"elastic", "ELASTIC_CONFIG", false},
    {"store", "STORE_CONFIG", false}, {"database", "DB_REGEN_CONFIG", false},
};

#define SERVICE_COUNT (sizeof(services) / sizeof(services[0]))

/* The stored object of that name; NULL when not set or no object. Owned. */
static struct json_object *load(struct store *store, const char *name)
{
    CLEANUP(str_free) char *text = NULL;
    struct json_object *object = NULL;
    if (store_config_get(store, name, &text, NULL) == 0 && *text) {
        (void)json_parse_object(slice_str(text), &object, NULL);
    }
    return object;
}

static bool has(struct json_object *object, const char *key)
{
    return object && json_object_object_get_ex(object, key, NULL);
}

static struct json_object *get(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;
    (void)json_object_object_get_ex(object, key, &value);
    return value;
}

static bool lists(struct json_object *names, const char *name)
{
    for (size_t i = 0; names && i < json_object_array_length(names); i++) {
        const char *text = json_object_get_string(json_object_array_get_idx(names, i));
        if (text && strcmp(text, name) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- writing ---- */

struct write {
    struct store *store;
    const char *text;
    struct json_object *meta; /* borrowed */
};

/* Sets key in the stored object of that name, which is made when there is none. */
static int put(struct store *store, const char *name, const char *key, struct json_object *value,
               struct err *err)
{
    CLEANUP(json_put) struct json_object *object = load(store, name);
    if (!object) {
        object = json_object_new_object();
    }
    json_set(object, key, json_ref(value));
    return store_config_set(store, name, json_text(object), err);
}

static int put_if_given(struct write *write, const char *name, struct json_object *from,
                        const char *key, struct err *err)
{
    return has(from, key) ? put(write->store, name, key, get(from, key), err) : 0;
}

static bool is_kept_alive(struct json_object *keep_alive, const char *config)
{
    for (size_t i = 0; i < SERVICE_COUNT; i++) {
        if (strcmp(services[i].config, config) == 0 && lists(keep_alive, services[i].service)) {
            return true;
        }
    }
    return false;
}

/* "default" is what the original's config says when nobody has said it: then ours stays. */
static int put_namespace(struct write *write, struct err *err)
{
    const char *namespace = json_str(write->meta, "namespace");
    return namespace && strcmp(namespace, "default") == 0
               ? 0
               : put_if_given(write, "KUBE_CONFIG", write->meta, "namespace", err);
}

static int put_services(struct write *write, struct err *err)
{
    struct json_object *keep_alive = json_member(write->meta, "keep_alive", json_type_array);
    int failed = 0;
    for (size_t i = 0; keep_alive && !failed && i < SERVICE_COUNT; i++) {
        bool kept = is_kept_alive(keep_alive, services[i].config);
        if (kept || services[i].always) {
            CLEANUP(json_put) struct json_object *value = json_object_new_boolean(kept);
            failed = put(write->store, services[i].config, "automated", value, err);
        }
    }
    return failed;
}

static int write_all(void *arg, struct err *err)
{
    struct write *write = arg;
    struct json_object *kubernetes = json_member(write->meta, "kubernetes", json_type_object);
    int failed = store_config_set(write->store, META, write->text, err);
    if (!failed) {
        failed = put_if_given(write, "JSORC_CONFIG", write->meta, "automation", err);
    }
    if (!failed) {
        failed = put_if_given(write, "JSORC_CONFIG", write->meta, "backoff_interval", err);
    }
    if (!failed) {
        failed = put_namespace(write, err);
    }
    if (!failed) {
        failed = put_if_given(write, "KUBE_CONFIG", kubernetes, "in_cluster", err);
    }
    if (!failed) {
        failed = put_if_given(write, "KUBE_CONFIG", kubernetes, "config", err);
    }
    return failed ? failed : put_services(write, err);
}

int config_meta_write(struct store *store, const char *text, struct err *err)
{
    CLEANUP(json_put) struct json_object *meta = NULL;
    int failed = json_parse_object(slice_str(text), &meta, err);
    if (failed) {
        return failed;
    }
    struct write write = {.store = store, .text = text, .meta = meta};
    return store_transact(store, write_all, &write, err);
}

/* ---- reading ---- */

/* Takes key over from the stored config when meta has it and the config says something else. */
static void take(struct json_object *meta, const char *key, struct json_object *from)
{
    if (has(meta, key) && has(from, key)) {
        json_set(meta, key, json_ref(get(from, key)));
    }
}

/* The listed names in their order without those that are no longer automated, then the rest. */
static struct json_object *compose_keep_alive(struct store *store, struct json_object *listed)
{
    struct json_object *names = json_object_new_array();
    bool automated[SERVICE_COUNT];
    for (size_t i = 0; i < SERVICE_COUNT; i++) {
        CLEANUP(json_put) struct json_object *config = load(store, services[i].config);
        automated[i] = json_flag(config, "automated", false);
    }
    for (size_t i = 0; i < json_object_array_length(listed); i++) {
        struct json_object *name = json_object_array_get_idx(listed, i);
        const char *text = json_object_get_string(name);
        bool dropped = false;
        for (size_t k = 0; text && k < SERVICE_COUNT; k++) {
            dropped |= strcmp(text, services[k].service) == 0 && !automated[k];
        }
        if (!dropped) {
            (void)json_object_array_add(names, json_ref(name));
        }
    }
    for (size_t i = 0; i < SERVICE_COUNT; i++) {
        if (automated[i] && !is_kept_alive(names, services[i].config)) {
            (void)json_object_array_add(names, json_object_new_string(services[i].service));
        }
    }
    return names;
}

static struct json_object *compose(struct store *store, struct json_object *written)
{
    struct json_object *meta = NULL;
    if (json_object_deep_copy(written, &meta, NULL) < 0) {
        abort();
    }
    CLEANUP(json_put) struct json_object *jsorc = load(store, "JSORC_CONFIG");
    CLEANUP(json_put) struct json_object *kube = load(store, "KUBE_CONFIG");
    struct json_object *kubernetes = json_member(meta, "kubernetes", json_type_object);
    struct json_object *keep_alive = json_member(meta, "keep_alive", json_type_array);
    take(meta, "automation", jsorc);
    take(meta, "backoff_interval", jsorc);
    take(meta, "namespace", kube);
    if (kubernetes) {
        take(kubernetes, "in_cluster", kube);
        take(kubernetes, "config", kube);
    }
    if (keep_alive) {
        json_set(meta, "keep_alive", compose_keep_alive(store, keep_alive));
    }
    return meta;
}

int config_meta_read(struct store *store, char **ret_text, struct err *err)
{
    CLEANUP(str_free) char *text = NULL;
    int failed = store_config_get(store, META, &text, err);
    if (failed) {
        return failed;
    }
    CLEANUP(json_put) struct json_object *written = NULL;
    failed = json_parse_object(slice_str(text), &written, err);
    if (failed) {
        return err_wrap(err, "the stored config 'META_CONFIG'");
    }
    CLEANUP(json_put) struct json_object *now = compose(store, written);
    *ret_text = json_object_equal(now, written) ? TAKE(text) : xstrdup(json_text(now));
    return 0;
}
