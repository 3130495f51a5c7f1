#include <errno.h>
#include <stdio.h>

#include "api/account_priv.h"
#include "api/auth.h"
#include "api/config_names.h"
#include "api/password.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"

#define TAKEN "user with this email already exists."

/* Whether the call may go on; else *ret_status and *ret_detail say why not. Asked before the
 * password is hashed and again afterwards: meanwhile another call may have made the first account.
 */
static bool is_permitted(const struct account_call *call, bool first_is_open, int *ret_status,
                         const char **ret_detail)
{
    if (call->caller.is_staff) {
        return true;
    }
    if (first_is_open && call->caller.is_foreign) {
        *ret_status = 403;
        *ret_detail = "The first account becomes the superuser and cannot be made by a web page "
                      "of another origin. Make it with 'jsorc user create' on the host, or by POST "
                      "/user/create/ from a program.";
        return false;
    }
    bool bootstrap = call->bootstrapped && auth_bootstrap_token(call->auth);
    if (!call->super || first_is_open || bootstrap) {
        return true;
    }
    bool known = call->caller.user_id != 0;
    *ret_status = known ? 403 : 401;
    *ret_detail = known ? "You do not have permission to perform this action."
                        : "Authentication credentials were not provided.";
    return false;
}

/* Ends the call unless it may go on. */
static bool go_on(struct account_call *call, bool *ret_first_is_open)
{
    struct err err = {0};
    int status = 0;
    const char *detail = NULL;
    int failed = auth_first_is_open(call->auth, ret_first_is_open, &err);
    if (failed) {
        account_call_fail(call, failed, &err);
        return false;
    }
    if (!is_permitted(call, *ret_first_is_open, &status, &detail)) {
        account_call_end(call, status, account_detail(detail));
        return false;
    }
    return true;
}

/* is_superuser is heeded from staff only. What staff makes while there is no superuser becomes one,
 * also where others may not come first. */
static bool wants_super(const struct account_call *call)
{
    bool none_yet = auth_bootstrap_token(call->auth) != NULL;
    return call->super || (call->caller.is_staff && (call->form.is_superuser || none_yet));
}

/* What decides whether the new account can log in at once. */
struct activation {
    bool now;
    bool by_mail; /* a mail is due, or would be if there were a mail service */
};

static struct activation activation_of(const struct account_call *call)
{
    struct store *store = auth_store(call->auth);
    bool heeded = call->caller.is_staff || config_flag(store, "ACCEPT_IS_ACTIVATED", false);
    bool said = heeded && (call->form.given & FORM_IS_ACTIVATED) != 0;
    if (wants_super(call) || (said && call->form.is_activated)) {
        return (struct activation){.now = true};
    }
    if (said && call->caller.is_staff) { /* staff wants it off for now */
        return (struct activation){.now = false};
    }
    /* Without mail nobody could activate an account, so it is active unless the config says no. */
    bool automatic = config_flag(store, "AUTO_ACTIVATE", !auth_mail_is_on(call->auth));
    bool configured = config_flag(store, "AUTO_ACTIVATE", false);
    return (struct activation){.now = automatic, .by_mail = !configured};
}

/* Sends the activation mail if one is due and tells what became of it. */
static int send_activation(const struct account_call *call, const struct store_user *user,
                           struct json_object *body, struct err *err)
{
    struct auth_code code = {.kind = STORE_CODE_ACTIVATE};
    if (user->is_activated) {
        json_set_str(body, "activation", "mail unavailable");
        return 0;
    }
    int failed = auth_code_send(call->auth, user, &code, clock_unix_ms(), err);
    if (!failed && !code.mailed) {
        json_set_str(body, "activation", "mail unavailable");
    }
    if (!failed && !code.mailed && call->caller.is_staff) { /* who can hand it over */
        json_set_str(body, "activation_code", code.text);
    }
    return failed;
}

static void hashed(void *arg, int result, const char *hash)
{
    struct account_call *call = arg;
    struct err err = {0};
    bool first_is_open = false;
    if (!account_call_went_on(call, result) || !go_on(call, &first_is_open)) {
        return;
    }
    struct activation activation = activation_of(call);
    struct store_user user = {.is_superuser = wants_super(call), .is_activated = activation.now};
    (void)snprintf(user.email, sizeof(user.email), "%s", call->form.email);
    (void)snprintf(user.name, sizeof(user.name), "%s", call->form.name);
    (void)snprintf(user.password_hash, sizeof(user.password_hash), "%s", hash);
    int failed = auth_add(call->auth, &user, clock_unix_ms(), &err);
    if (failed == -EEXIST) {
        account_call_end(call, 400, account_form_error("email", TAKEN));
        return;
    }
    if (failed) {
        account_call_fail(call, failed, &err);
        return;
    }
    struct json_object *body = account_json(&user);
    if (activation.by_mail && !user.is_superuser && send_activation(call, &user, body, &err)) {
        json_set_str(body, "activation", err.text); /* the account stands */
    }
    account_call_end(call, 201, body);
}

void account_create(struct auth *auth, const struct account_caller *caller,
                    struct json_object *body, bool super, account_fn fn, void *arg)
{
    struct account_call *call = account_call_new(auth, caller, fn, arg);
    bool first_is_open = false;
    call->super = super;
    call->bootstrapped =
        super && (auth_is_bootstrap(auth, caller->token) ||
                  auth_is_bootstrap(auth, slice_str(json_str(body, "bootstrap_token"))));
    if (!go_on(call, &first_is_open)) {
        return;
    }
    struct json_object *errors = account_form_read(
        body, FORM_EMAIL | FORM_PASSWORD | FORM_NAME | FORM_IS_ACTIVATED | FORM_IS_SUPERUSER,
        FORM_EMAIL | FORM_PASSWORD, &call->form);
    struct store_user user;
    struct err err = {0};
    if (!errors && store_user_by_email(auth_store(auth), call->form.email, &user, NULL) == 0) {
        errors = account_form_error("email", TAKEN);
    }
    if (errors) {
        account_call_end(call, 400, errors);
        return;
    }
    int failed = password_hash(auth_passwords(auth), call->form.password, hashed, call, &err);
    if (failed) {
        account_call_fail(call, failed, &err);
    }
}
