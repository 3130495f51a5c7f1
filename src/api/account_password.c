/* Logging in, changing one's own account and setting a forgotten password. */
#include <errno.h>
#include <stdio.h>

#include "api/account_priv.h"
#include "api/auth.h"
#include "api/password.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"

static struct json_object *errors_of(const char *text)
{
    return account_form_error("non_field_errors", text);
}

/* ---- login ---- */

static void answer_not_activated(struct account_call *call, const struct store_user *user)
{
    struct auth_code code = {.kind = STORE_CODE_ACTIVATE};
    if (auth_mail_is_on(call->auth)) { /* else it would only void a code that staff handed over */
        (void)auth_code_send(call->auth, user, &code, clock_unix_ms(), NULL);
    }
    account_call_end(call, 400,
                     errors_of(code.mailed
                                   ? "User not activated. Resending activation email..."
                                   : "User not activated, and the activation mail cannot be "
                                     "sent. Ask an administrator to activate the account."));
}

static void answer_token(struct account_call *call)
{
    char token[SECRET_TOKEN_CHARS + 1];
    int64_t expiry_ms = 0;
    struct err err = {0};
    int failed = auth_login(call->auth, call->user_id, clock_unix_ms(), token, &expiry_ms, &err);
    if (failed) {
        account_call_fail(call, failed, &err);
        return;
    }
    char expiry[32] = "";
    if (expiry_ms) {
        account_time(expiry_ms, expiry, sizeof(expiry));
    }
    struct json_object *body = json_object_new_object();
    json_set_str(body, "expiry", expiry_ms ? expiry : NULL);
    json_set_str(body, "token", token);
    account_call_end(call, 200, body);
}

static void compared(void *arg, int result, const char *hash)
{
    struct account_call *call = arg;
    struct store_user user;
    struct err err = {0};
    (void)hash;
    if (!account_call_went_on(call, result)) {
        return;
    }
    /* Read again: the account may have gone or changed while the password was compared. */
    int failed = call->user_id
                     ? store_user_by_id(auth_store(call->auth), call->user_id, &user, &err)
                     : -ENOENT;
    if (failed && failed != -ENOENT) {
        account_call_fail(call, failed, &err);
    } else if (failed || result) {
        account_call_end(call, 400, errors_of("Unable to authenticate with provided credentials"));
    } else if (!user.is_activated) {
        answer_not_activated(call, &user);
    } else {
        answer_token(call);
    }
}

void account_login(struct auth *auth, struct json_object *body, account_fn fn, void *arg)
{
    struct account_call *call = account_call_new(auth, &(struct account_caller){0}, fn, arg);
    struct json_object *errors = account_form_login(body, &call->form);
    if (errors) {
        account_call_end(call, 400, errors);
        return;
    }
    struct store_user user = {0};
    struct err err = {0};
    int failed = store_user_by_email(auth_store(auth), call->form.email, &user, &err);
    if (failed && failed != -ENOENT) {
        account_call_fail(call, failed, &err);
        return;
    }
    call->user_id = user.id;
    /* Without an account as well, for as long: the time must not tell which e-mails exist. */
    failed = password_verify(auth_passwords(auth), call->form.password,
                             user.id ? user.password_hash : NULL, compared, call, &err);
    if (failed) {
        account_call_fail(call, failed, &err);
    }
}

/* ---- change ---- */

/* hash NULL = the password stays. */
static void save(struct account_call *call, const char *hash)
{
    struct store_user user;
    struct err err = {0};
    int failed = store_user_by_id(auth_store(call->auth), call->user_id, &user, &err);
    if (failed == -ENOENT) {
        account_call_end(call, 404, account_detail("Not found."));
        return;
    }
    if (!failed && (call->form.given & FORM_EMAIL)) {
        (void)snprintf(user.email, sizeof(user.email), "%s", call->form.email);
    }
    if (!failed && (call->form.given & FORM_NAME)) {
        (void)snprintf(user.name, sizeof(user.name), "%s", call->form.name);
    }
    if (!failed && hash) {
        (void)snprintf(user.password_hash, sizeof(user.password_hash), "%s", hash);
        failed = auth_update_password(call->auth, &user, call->caller.token, clock_unix_ms(), &err);
    } else if (!failed) {
        failed = auth_update(call->auth, &user, clock_unix_ms(), &err);
    }
    if (failed == -EEXIST) {
        account_call_end(call, 400,
                         account_form_error("email", "user with this email already exists."));
    } else if (failed) {
        account_call_fail(call, failed, &err);
    } else {
        account_call_end(call, 200, account_json(&user));
    }
}

static void changed(void *arg, int result, const char *hash)
{
    struct account_call *call = arg;
    if (account_call_went_on(call, result)) {
        save(call, hash);
    }
}

void account_change(struct auth *auth, const struct account_caller *caller,
                    struct json_object *body, account_fn fn, void *arg)
{
    struct account_call *call = account_call_new(auth, caller, fn, arg);
    struct json_object *errors =
        account_form_read(body, FORM_EMAIL | FORM_PASSWORD | FORM_NAME, 0, &call->form);
    if (errors) {
        account_call_end(call, 400, errors);
        return;
    }
    call->user_id = caller->user_id;
    if (!(call->form.given & FORM_PASSWORD)) {
        save(call, NULL);
        return;
    }
    struct err err = {0};
    int failed = password_hash(auth_passwords(auth), call->form.password, changed, call, &err);
    if (failed) {
        account_call_fail(call, failed, &err);
    }
}

/* ---- a forgotten password ---- */

/* Finds whose reset token it is; ends the call when it is nobody's. */
static bool find_reset(struct account_call *call, struct store_user *ret_user)
{
    struct err err = {0};
    int failed = auth_code_find(call->auth, STORE_CODE_RESET, slice_str(call->code),
                                clock_unix_ms(), ret_user, &err);
    if (failed == -ENOENT) {
        account_call_end(call, 404, account_detail("Not found."));
    } else if (failed) {
        account_call_fail(call, failed, &err);
    }
    return failed == 0;
}

static void reset(void *arg, int result, const char *hash)
{
    struct account_call *call = arg;
    struct store_user user;
    struct err err = {0};
    /* Looked up again: of two calls with one token the second finds it used. */
    if (!account_call_went_on(call, result) || !find_reset(call, &user)) {
        return;
    }
    (void)snprintf(user.password_hash, sizeof(user.password_hash), "%s", hash);
    int failed =
        auth_update_password(call->auth, &user, (struct slice){NULL, 0}, clock_unix_ms(), &err);
    if (failed) {
        account_call_fail(call, failed, &err);
        return;
    }
    struct json_object *body = json_object_new_object();
    json_set_str(body, "status", "OK");
    account_call_end(call, 200, body);
}

void account_reset_confirm(struct auth *auth, struct json_object *body, account_fn fn, void *arg)
{
    struct account_call *call = account_call_new(auth, &(struct account_caller){0}, fn, arg);
    struct json_object *errors = account_form_read(body, FORM_PASSWORD, FORM_PASSWORD, &call->form);
    const char *token = json_str(body, "token");
    if (!errors && !token) {
        errors = account_form_error("token", "This field is required.");
    }
    if (errors) {
        account_call_end(call, 400, errors);
        return;
    }
    if (strlen(token) == SECRET_TOKEN_CHARS) { /* another length stays "", which is nobody's */
        memcpy(call->code, token, SECRET_TOKEN_CHARS);
    }
    struct store_user user;
    struct err err = {0};
    if (!find_reset(call, &user)) {
        return;
    }
    int failed = password_hash(auth_passwords(auth), call->form.password, reset, call, &err);
    if (failed) {
        account_call_fail(call, failed, &err);
    }
}
