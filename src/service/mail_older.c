/* Mail as the original's older version has it: a config a value, EMAIL_HOST and so on. They hold
 * where MAIL_CONFIG was never set, and over it where its "version" is 1. Control thread. */
#include "base/alloc.h"
#include "service/mail_message.h"
#include "service/service_priv.h"
#include "store/store.h"

static const struct older {
    const char *name; /* of the config */
    const char *key;  /* in MAIL_CONFIG */
    bool in_templates;
} older[] = {
    {"EMAIL_HOST", "host", false},
    {"EMAIL_PORT", "port", false},
    {"EMAIL_USE_TLS", "tls", false},
    {"EMAIL_HOST_USER", "user", false},
    {"EMAIL_HOST_PASSWORD", "pass", false},
    {"EMAIL_DEFAULT_FROM", "sender", false},
    {"EMAIL_ACTIVATION_SUBJ", "activation_subj", true},
    {"EMAIL_ACTIVATION_BODY", "activation_body", true},
    {"EMAIL_ACTIVATION_HTML_BODY", "activation_html_body", true},
    {"EMAIL_RESETPASS_SUBJ", "resetpass_subj", true},
    {"EMAIL_RESETPASS_BODY", "resetpass_body", true},
    {"EMAIL_RESETPASS_HTML_BODY", "resetpass_html_body", true},
};

static struct json_object *value_of(const struct older *row, const char *text)
{
    return strcmp(row->key, "tls") == 0 ? json_object_new_boolean(strcasecmp(text, "true") == 0)
                                        : json_object_new_string(text);
}

struct json_object *mail_older_config(struct store *store, struct json_object *set)
{
    if (set && service_config_number(set, "version", 2) != 1) {
        return json_ref(set);
    }
    struct json_object *config = service_config_over(NULL, set);
    struct json_object *given = json_member(set, "templates", json_type_object);
    struct json_object *templates = service_config_over(NULL, given);
    for (size_t i = 0; i < sizeof(older) / sizeof(older[0]); i++) {
        CLEANUP(str_free) char *text = NULL;
        if (store_config_get(store, older[i].name, &text, NULL) == 0 && *text) {
            json_set(older[i].in_templates ? templates : config, older[i].key,
                     value_of(&older[i], text));
        }
    }
    if (json_object_object_length(templates) > 0) {
        json_set(config, "templates", templates);
    } else {
        (void)json_put(templates);
    }
    return config;
}
