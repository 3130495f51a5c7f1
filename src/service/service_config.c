/* What a service's config says, with what it leaves open. Only what a person set is stored; the
 * environment and the defaults are read each time, so that a change of them has an effect. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/suggest.h"
#include "service/service_priv.h"

static const char *const flags[] = {"enabled", "automated", "quiet"};

#define FLAG_COUNT (sizeof(flags) / sizeof(flags[0]))

static const char *variable_of(const struct service_key *key)
{
    for (size_t i = 0; i < sizeof(key->variables) / sizeof(key->variables[0]); i++) {
        const char *text = key->variables[i] ? getenv(key->variables[i]) : NULL;
        if (text && *text) {
            return text;
        }
    }
    return NULL;
}

static struct json_object *default_of(const struct service_key *key)
{
    const char *text = variable_of(key);
    struct json_object *value = NULL;
    if (text && key->type == KEY_FLAG) {
        return json_object_new_boolean(strcasecmp(text, "true") == 0);
    }
    if (text) {
        return json_object_new_string(text);
    }
    if (key->fallback) {
        (void)json_parse(slice_str(key->fallback), &value, NULL);
    }
    return value;
}

static bool is_given(const struct service_key *key, struct json_object *stored)
{
    struct json_object *value = NULL;
    return variable_of(key) ||
           (stored && json_object_object_get_ex(stored, key->name, &value) && value);
}

static const struct {
    const char *word;
    enum service_provider provider;
} provider_words[] = {
    {"process", PROVIDER_PROCESS},
    {"kubernetes", PROVIDER_CLUSTER},
    {"address", PROVIDER_ADDRESS},
    {"embedded", PROVIDER_EMBEDDED},
};

#define PROVIDER_WORD_COUNT (sizeof(provider_words) / sizeof(provider_words[0]))

static bool provider_from(const char *word, enum service_provider *ret)
{
    for (size_t i = 0; i < PROVIDER_WORD_COUNT; i++) {
        if (strcmp(provider_words[i].word, word) == 0) {
            *ret = provider_words[i].provider;
            return true;
        }
    }
    return false;
}

char *service_config_url(struct json_object *config)
{
    const char *url = json_str(config, "url");
    size_t size = url ? strlen(url) : 0;
    return url ? xstrndup(url, size - (size > 0 && url[size - 1] == '/')) : NULL;
}

char *service_config_user(struct json_object *config)
{
    const char *name = json_str(config, "user"), *password = json_str(config, "password");
    return name ? xasprintf("%s:%s", name, password ? password : "") : NULL;
}

int service_url_check(const char *url, struct err *err)
{
    if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0) {
        return err_set(err, EINVAL, "'url' must begin with http:// or https://, not '%s'", url);
    }
    const char *authority = strstr(url, "://") + 3;
    if (memchr(authority, '@', strcspn(authority, "/?#"))) {
        return err_set(err, EINVAL,
                       "'url' must not hold a user: 'user' and 'password' are for that");
    }
    return 0;
}

enum service_provider service_config_provider(const struct service_ops *ops,
                                              struct json_object *stored, bool cluster)
{
    const char *word = json_str(stored, "provider");
    enum service_provider usual = ops->embedded ? PROVIDER_EMBEDDED : PROVIDER_NONE;
    if (word) {
        (void)provider_from(word, &usual);
    } else if (json_flag(stored, "automated", false) || json_flag(stored, "enabled", false)) {
        usual = cluster && ops->manifest ? PROVIDER_CLUSTER
                : ops->prepare           ? PROVIDER_PROCESS
                                         : usual;
    }
    for (const struct service_key *key = ops->keys; !word && key->name; key++) {
        if (key->address && is_given(key, stored)) {
            usual = PROVIDER_ADDRESS;
        }
    }
    return ops->provider ? ops->provider(stored, usual) : usual;
}

struct json_object *service_config_merge(const struct service_ops *ops, struct json_object *stored)
{
    struct json_object *config = json_object_new_object();
    for (const struct service_key *key = ops->keys; key->name; key++) {
        json_set(config, key->name, default_of(key));
    }
    if (stored) {
        json_object_object_foreach(stored, name, value)
        {
            json_set(config, name, json_ref(value));
        }
    }
    return config;
}

struct json_object *service_config_over(struct json_object *base, struct json_object *stored)
{
    struct json_object *both = json_object_new_object();
    struct json_object *const layers[] = {base, stored};
    for (size_t i = 0; i < 2; i++) {
        if (layers[i]) {
            json_object_object_foreach(layers[i], name, value)
            {
                json_set(both, name, json_ref(value));
            }
        }
    }
    return both;
}

static bool is_called(const struct service_ops *ops, const char *name)
{
    return strcmp(ops->name, name) == 0 || (ops->alias && strcmp(ops->alias, name) == 0);
}

struct json_object *service_config_given(const struct service_ops *ops, struct json_object *given)
{
    for (size_t i = 0; ops->part_of && SERVICE_KINDS[i]; i++) {
        if (strcmp(SERVICE_KINDS[i]->name, ops->part_of) == 0) {
            return service_config_given(SERVICE_KINDS[i], given);
        }
    }
    if (given) {
        json_object_object_foreach(given, name, config)
        {
            if (is_called(ops, name)) {
                return config;
            }
        }
    }
    return NULL;
}

int services_check_given(struct json_object *given, struct err *err)
{
    json_object_object_foreach(given, name, config)
    {
        const struct service_ops *ops = NULL;
        for (size_t i = 0; SERVICE_KINDS[i] && !ops; i++) {
            ops = is_called(SERVICE_KINDS[i], name) && !SERVICE_KINDS[i]->part_of ? SERVICE_KINDS[i]
                                                                                  : NULL;
        }
        if (!ops) {
            return err_set(err, EINVAL, "there is no service '%s'", name);
        }
        if (!json_object_is_type(config, json_type_object)) {
            return err_set(err, EINVAL, "the config of service '%s' must be an object", name);
        }
        CLEANUP(json_put) struct json_object *merged = service_config_merge(ops, config);
        if (service_config_check(ops, merged, err) < 0) {
            (void)err_wrap(err, "service '%s'", name);
            return -EINVAL;
        }
    }
    return 0;
}

struct json_object *service_config_plain(struct json_object *config)
{
    struct json_object *plain = json_object_new_object();
    json_object_object_foreach(config, name, value)
    {
        bool flag = false;
        for (size_t i = 0; i < FLAG_COUNT; i++) {
            flag |= strcmp(name, flags[i]) == 0;
        }
        if (!flag) {
            json_set(plain, name, json_ref(value));
        }
    }
    return plain;
}

static bool number_of(struct json_object *value, double *ret)
{
    if (json_object_is_type(value, json_type_int) || json_object_is_type(value, json_type_double)) {
        *ret = json_object_get_double(value);
        return isfinite(*ret);
    }
    if (!json_object_is_type(value, json_type_string)) {
        return false;
    }
    char *end = NULL;
    const char *text = json_object_get_string(value);
    *ret = strtod(text, &end);
    return *text && !*end && isfinite(*ret);
}

double service_config_number(struct json_object *config, const char *key, double fallback)
{
    struct json_object *value = NULL;
    double number;
    return json_object_object_get_ex(config, key, &value) && number_of(value, &number) ? number
                                                                                       : fallback;
}

static int check_key(const struct service_key *key, struct json_object *value, struct err *err)
{
    double number;
    switch (key->type) {
    case KEY_TEXT:
        return json_object_is_type(value, json_type_string)
                   ? 0
                   : err_set(err, EINVAL, "'%s' must be a text", key->name);
    case KEY_FLAG:
        return json_object_is_type(value, json_type_boolean)
                   ? 0
                   : err_set(err, EINVAL, "'%s' must be true or false", key->name);
    case KEY_NUMBER:
        break;
    }
    return number_of(value, &number) && number >= key->min && number <= key->max
               ? 0
               : err_set(err, EINVAL, "'%s' must be a number from %.15g to %.15g", key->name,
                         key->min, key->max);
}

/* Goes over the names of all keys: true once visit is, which ends it. */
static bool each_name(const struct service_ops *ops, bool (*visit)(void *arg, const char *name),
                      void *arg)
{
    bool ended = false;
    for (size_t i = 0; i < FLAG_COUNT && !ended; i++) {
        ended = visit(arg, flags[i]);
    }
    for (const struct service_key *key = ops->keys; key->name && !ended; key++) {
        ended = visit(arg, key->name);
    }
    for (size_t i = 0; ops->others && ops->others[i] && !ended; i++) {
        ended = visit(arg, ops->others[i]);
    }
    return ended;
}

/* A name that was cut off ("memory_max") is meant to be the whole one, too. */
static bool try_name(void *arg, const char *name)
{
    struct suggest *nearest = arg;
    bool cut = strncmp(nearest->wanted, name, strlen(nearest->wanted)) == 0;
    if (cut && nearest->wanted[0]) {
        nearest->best = name;
        nearest->distance = 0;
    } else {
        suggest_try(nearest, name);
    }
    return strcmp(nearest->wanted, name) == 0;
}

bool service_config_knows(const struct service_ops *ops, const char *name, const char **ret_nearest)
{
    struct suggest nearest = suggest_for(name);
    bool known = each_name(ops, try_name, &nearest);
    if (ret_nearest) {
        *ret_nearest = suggest_best(&nearest);
    }
    return known;
}

static bool put_name(void *arg, const char *name)
{
    struct buf *names = arg;
    buf_printf(names, "%s%s", buf_size(names) ? ", " : "", name);
    return false;
}

/* A misspelt name would leave its default in force, and nobody would know. */
static int check_names(const struct service_ops *ops, struct json_object *config, struct err *err)
{
    json_object_object_foreach(config, name, value)
    {
        const char *nearest = NULL;
        (void)value;
        if (service_config_knows(ops, name, &nearest) || (ops->passes_on && !nearest)) {
            continue;
        }
        if (nearest) {
            return err_set(err, EINVAL, "there is no key '%s'; did you mean '%s'?", name, nearest);
        }
        struct buf names = {0};
        (void)each_name(ops, put_name, &names);
        int failed = err_set(err, EINVAL, "there is no key '%s'; there are %.*s", name,
                             (int)buf_size(&names), names.data + names.start);
        buf_done(&names);
        return failed;
    }
    return 0;
}

int service_config_check(const struct service_ops *ops, struct json_object *config, struct err *err)
{
    struct json_object *value = NULL;
    if (!ops->part_of && check_names(ops, config, err) < 0) { /* else the whole's names are meant */
        return -EINVAL;
    }
    for (size_t i = 0; i < FLAG_COUNT; i++) {
        if (json_object_object_get_ex(config, flags[i], &value) && value &&
            !json_object_is_type(value, json_type_boolean)) {
            return err_set(err, EINVAL, "'%s' must be true or false", flags[i]);
        }
    }
    for (const struct service_key *key = ops->keys; key->name; key++) {
        if (json_object_object_get_ex(config, key->name, &value) && value &&
            check_key(key, value, err) < 0) {
            return -EINVAL;
        }
    }
    const char *provider = json_str(config, "provider");
    enum service_provider known = PROVIDER_NONE;
    if (provider && !provider_from(provider, &known)) {
        return err_set(err, EINVAL,
                       "'provider' must be process, kubernetes, address or embedded, not '%s'",
                       provider);
    }
    if (known == PROVIDER_EMBEDDED && !ops->embedded) {
        return err_set(err, EINVAL, "nothing in jsorc can stand in for %s", ops->name);
    }
    if (known == PROVIDER_PROCESS && !ops->prepare) {
        return err_set(err, EINVAL, "jsorc starts no %s on this host", ops->name);
    }
    if (known == PROVIDER_CLUSTER && !ops->manifest) {
        return err_set(err, EINVAL, "jsorc has no manifest of %s", ops->name);
    }
    return ops->check_config ? ops->check_config(config, err) : 0;
}
