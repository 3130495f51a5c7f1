#include "api/config_names.h"

#include <errno.h>
#include <math.h>

#include "api/config_meta.h"
#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "store/store.h"

#define TTL_HOURS_MAX 876000 /* a hundred years: beyond, the number is a mistake */

enum config_type { CONFIG_TEXT, CONFIG_OBJECT, CONFIG_FLAG, CONFIG_HOURS };

struct config_row {
    const char *name;
    enum config_type type;
    const char *stored_as; /* NULL = its own name */
};

/* The union of both versions' names and ours; the order is that of config_index. */
static const struct config_row rows[] = {
    {"CONFIG_EXAMPLE", CONFIG_TEXT, NULL},
    {"ACTION_SETS", CONFIG_OBJECT, NULL},
    {"REDIS_CONFIG", CONFIG_OBJECT, NULL},
    {"TASK_CONFIG", CONFIG_OBJECT, NULL},
    {"MAIL_CONFIG", CONFIG_OBJECT, NULL},
    {"PROMON_CONFIG", CONFIG_OBJECT, "PROME_CONFIG"},
    {"PROME_CONFIG", CONFIG_OBJECT, NULL},
    {"GRAFANA_CONFIG", CONFIG_OBJECT, NULL},
    {"ELASTIC_CONFIG", CONFIG_OBJECT, NULL},
    {"STRIPE_CONFIG", CONFIG_OBJECT, NULL},
    {"STORE_CONFIG", CONFIG_OBJECT, NULL},
    {"KUBE_CONFIG", CONFIG_OBJECT, NULL},
    {"JSORC_CONFIG", CONFIG_OBJECT, NULL},
    {"META_CONFIG", CONFIG_OBJECT, NULL},
    {"REDIS_MANIFEST", CONFIG_OBJECT, NULL},
    {"PROMON_MANIFEST", CONFIG_OBJECT, "PROME_MANIFEST"},
    {"PROME_MANIFEST", CONFIG_OBJECT, NULL},
    {"GRAFANA_MANIFEST", CONFIG_OBJECT, NULL},
    {"NODE_EXPORTER_MANIFEST", CONFIG_OBJECT, NULL},
    {"ELASTIC_MANIFEST", CONFIG_OBJECT, NULL},
    {"TASK_MANIFEST", CONFIG_OBJECT, NULL},
    {"MAIL_MANIFEST", CONFIG_OBJECT, NULL},
    {"DATABASE_MANIFEST", CONFIG_OBJECT, NULL},
    {"EMAIL_BACKEND", CONFIG_TEXT, NULL},
    {"EMAIL_USE_TLS", CONFIG_TEXT, NULL},
    {"EMAIL_HOST", CONFIG_TEXT, NULL},
    {"EMAIL_HOST_USER", CONFIG_TEXT, NULL},
    {"EMAIL_HOST_PASSWORD", CONFIG_TEXT, NULL},
    {"EMAIL_PORT", CONFIG_TEXT, NULL},
    {"EMAIL_DEFAULT_FROM", CONFIG_TEXT, NULL},
    {"EMAIL_ACTIVATION_SUBJ", CONFIG_TEXT, NULL},
    {"EMAIL_ACTIVATION_BODY", CONFIG_TEXT, NULL},
    {"EMAIL_ACTIVATION_HTML_BODY", CONFIG_TEXT, NULL},
    {"EMAIL_RESETPASS_SUBJ", CONFIG_TEXT, NULL},
    {"EMAIL_RESETPASS_BODY", CONFIG_TEXT, NULL},
    {"EMAIL_RESETPASS_HTML_BODY", CONFIG_TEXT, NULL},
    {"LOGIN_TOKEN_TTL_HOURS", CONFIG_HOURS, NULL},
    {"AUTO_ACTIVATE", CONFIG_FLAG, NULL},       /* new accounts need no mail to log in */
    {"DB_REGEN_CONFIG", CONFIG_OBJECT, NULL},   /* of the service database */
    {"ACCEPT_IS_ACTIVATED", CONFIG_FLAG, NULL}, /* the public may send is_activated */
};

#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

static const struct config_row *find(const char *name)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (strcmp(rows[i].name, name) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}

const char *config_stored_name(const char *name)
{
    const struct config_row *row = find(name);
    return row && row->stored_as ? row->stored_as : name;
}

bool config_is_known(const char *name)
{
    return find(name) != NULL;
}

struct json_object *config_known(void)
{
    struct json_object *names = json_object_new_array();
    for (size_t i = 0; i < ROW_COUNT; i++) {
        (void)json_object_array_add(names, json_object_new_string(rows[i].name));
    }
    return names;
}

/* "" and 0 mean that tokens do not expire, as they did in the original. */
static bool parse_number(const char *text, double *ret_number)
{
    char *end = NULL;
    double number = strtod(text, &end);
    if (*end || !isfinite(number)) {
        return false;
    }
    *ret_number = number;
    return true;
}

static bool parse_flag(const char *text, bool *ret_flag)
{
    bool yes = strcasecmp(text, "true") == 0;
    if (!yes && strcasecmp(text, "false") != 0) {
        return false;
    }
    *ret_flag = yes;
    return true;
}

int config_check(const char *name, const char *text, struct err *err)
{
    const struct config_row *row = find(name);
    struct err inner = {0};
    double number = 0;
    bool flag = false;
    switch (row ? row->type : CONFIG_TEXT) {
    case CONFIG_OBJECT: {
        CLEANUP(json_put) struct json_object *object = NULL;
        if (!*text || json_parse_object(slice_str(text), &object, &inner)) {
            return err_set(err, EINVAL, "config '%s' must be the text of a JSON object: %s", name,
                           *text ? inner.text : "it is empty; config_delete takes it away");
        }
        return 0;
    }
    case CONFIG_FLAG:
        return parse_flag(text, &flag)
                   ? 0
                   : err_set(err, EINVAL, "config '%s' must be true or false", name);
    case CONFIG_HOURS:
        return parse_number(text, &number) && number >= 0 && number <= TTL_HOURS_MAX
                   ? 0
                   : err_set(err, EINVAL,
                             "config '%s' must be a number of hours from 0 (no expiry) to %d", name,
                             TTL_HOURS_MAX);
    case CONFIG_TEXT:
        break;
    }
    return 0;
}

int config_read(struct store *store, const char *name, char **ret_text, struct err *err)
{
    if (strcmp(name, "META_CONFIG") == 0) {
        return config_meta_read(store, ret_text, err);
    }
    return store_config_get(store, config_stored_name(name), ret_text, err);
}

int config_write(struct store *store, const char *name, const char *text, bool check,
                 struct err *err)
{
    bool meta = strcmp(name, "META_CONFIG") == 0; /* taken apart, so checked in any case */
    int failed = check || meta ? config_check(name, text, err) : 0;
    if (failed) {
        return failed;
    }
    return meta ? config_meta_write(store, text, err)
                : store_config_set(store, config_stored_name(name), text, err);
}

int config_delete(struct store *store, const char *name, struct err *err)
{
    return store_config_delete(store, config_stored_name(name), err);
}

double config_number(struct store *store, const char *name, double fallback)
{
    CLEANUP(str_free) char *text = NULL;
    double number = 0;
    if (config_read(store, name, &text, NULL) || !parse_number(text, &number)) {
        return fallback;
    }
    return number;
}

bool config_flag(struct store *store, const char *name, bool fallback)
{
    CLEANUP(str_free) char *text = NULL;
    bool flag = false;
    if (config_read(store, name, &text, NULL) || !parse_flag(text, &flag)) {
        return fallback;
    }
    return flag;
}

struct json_object *config_object(struct store *store, const char *name)
{
    CLEANUP(str_free) char *text = NULL;
    struct json_object *object = NULL;
    if (config_read(store, name, &text, NULL) || !*text) {
        return NULL;
    }
    (void)json_parse_object(slice_str(text), &object, NULL);
    return object;
}
