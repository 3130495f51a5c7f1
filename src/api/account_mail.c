#include "api/account_mail.h"

#include <string.h>

#include "api/api.h"
#include "api/config_names.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/log.h"
#include "service/service.h"

/* The keys of MAIL_CONFIG's "templates", and the original's texts. */
struct mail_template {
    const char *key;
    const char *text;
};

static const struct mail_template templates[][3] = {
    [STORE_CODE_ACTIVATE] = {{"activation_subj", "Please activate your account!"},
                             {"activation_body",
                              "Thank you for creating an account!\n\nActivation Code: {{code}}\n"
                              "Please click below to activate:\n{{link}}\n"},
                             {"activation_html_body", "<p>Thank you for creating an account!</p>"
                                                      "<p>Activation Code: {{code}}</p>"
                                                      "<p>Please click below to activate:<br>"
                                                      "<a href=\"{{link}}\">{{link}}</a></p>"}},
    [STORE_CODE_RESET] = {{"resetpass_subj", "Password Reset for Jaseci Account"},
                          {"resetpass_body", "Your Jaseci password reset token is: {{token}}\n"},
                          {"resetpass_html_body",
                           "<p>Your Jaseci password reset token is: {{token}}</p>"}},
};

/* text with each {{name}} replaced by its value; pairs: names and values, ended by NULL. Owned by
 * the caller. */
static char *fill_in(const char *text, const char *const *pairs)
{
    struct buf out = {0};
    while (*text) {
        size_t skipped = 0;
        for (size_t i = 0; pairs[i] && !skipped; i += 2) {
            size_t size = strlen(pairs[i]);
            if (strncmp(text, "{{", 2) == 0 && strncmp(text + 2, pairs[i], size) == 0 &&
                strncmp(text + 2 + size, "}}", 2) == 0) {
                buf_printf(&out, "%s", pairs[i + 1]);
                skipped = size + 4;
            }
        }
        if (!skipped) {
            buf_printf(&out, "%c", *text);
            skipped = 1;
        }
        text += skipped;
    }
    char *filled = xstrndup(out.data ? out.data + out.start : "", buf_size(&out));
    buf_done(&out);
    return filled;
}

static void on_sent(void *arg, struct json_object *result, const char *text)
{
    (void)arg;
    (void)json_put(result);
    if (text) {
        log_warn("a mail for an account was not sent", "error=\"%s\"", text);
    }
}

bool account_mail_is_on(const struct api *api)
{
    CLEANUP(json_put)
    struct json_object *info = api->services ? services_info(api->services, "mail") : NULL;
    const char *state = json_str(info, "state"); /* while it fails, staff hands codes over */
    return json_flag(info, "enabled", false) && state && strcmp(state, "FAILED") != 0;
}

/* Of the page that takes an activation code; owned by the caller. */
static char *link_of(const struct api *api, const char *code)
{
    const char *base = api->public_url ? api->public_url : api->addresses[0];
    size_t size = base ? strlen(base) : 0;
    while (size > 0 && base[size - 1] == '/') {
        size--;
    }
    return xasprintf("%.*s/user/activate/%s", (int)size, base ? base : "", code);
}

int account_mail_send(const struct api *api, enum store_code_kind kind, const char *email,
                      const char *code)
{
    static const char *const keys[] = {"subject", "text", "html"};
    CLEANUP(json_put) struct json_object *config = config_object(api->store, "MAIL_CONFIG");
    struct json_object *given = json_member(config, "templates", json_type_object);
    CLEANUP(str_free) char *link = link_of(api, code);
    const char *const pairs[] = {"code", code, "token", code, "link", link, NULL};
    CLEANUP(json_put) struct json_object *mail = json_object_new_object();
    json_set_str(mail, "recipients", email);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        const struct mail_template *usual = &templates[kind][i];
        const char *text = json_str(given, usual->key);
        CLEANUP(str_free) char *filled = fill_in(text ? text : usual->text, pairs);
        json_set_str(mail, keys[i], filled);
    }
    return services_call(
        api->services,
        &(struct service_call){.service = "mail", .method = "send_custom_email", .kwargs = mail},
        on_sent, NULL, NULL);
}
