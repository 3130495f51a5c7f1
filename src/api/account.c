#include "api/account_priv.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "api/auth.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"

int account_status(int failed)
{
    switch (failed) {
    case -EBUSY:
    case -ENOMEM:
    case -ENOTCONN:
    case -EINPROGRESS:
        return 503;
    case -EILSEQ:
        return 400;
    case -ENOSPC:
        return 507;
    case -ENOENT:
        return 404;
    default:
        return 500;
    }
}

struct json_object *account_detail(const char *text)
{
    struct json_object *body = json_object_new_object();
    json_set_str(body, "detail", text);
    return body;
}

void account_time(int64_t unix_ms, char *text, size_t size)
{
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm utc = {0};
    (void)gmtime_r(&seconds, &utc);
    size_t used = strftime(text, size, "%Y-%m-%dT%H:%M:%S", &utc);
    (void)snprintf(text + used, size - used, ".%03dZ", (int)(unix_ms % 1000));
}

struct json_object *account_json(const struct store_user *user)
{
    struct json_object *body = json_object_new_object();
    json_set_int(body, "id", user->id);
    json_set_str(body, "email", user->email);
    json_set_str(body, "name", user->name);
    json_set_bool(body, "is_activated", user->is_activated);
    json_set_bool(body, "is_superuser", user->is_superuser);
    return body;
}

struct account_call *account_call_new(struct auth *auth, const struct account_caller *caller,
                                      account_fn fn, void *arg)
{
    struct account_call *call = xcalloc(1, sizeof(*call));
    call->auth = auth;
    call->caller = *caller;
    if (caller->token.size == SECRET_TOKEN_CHARS) {
        memcpy(call->token_text, caller->token.data, SECRET_TOKEN_CHARS);
    }
    call->caller.token = slice_str(call->token_text);
    call->fn = fn;
    call->arg = arg;
    return call;
}

static void deliver(void *arg)
{
    struct account_call *call = arg;
    account_fn fn = call->fn;
    void *fn_arg = call->arg;
    int status = call->status;
    struct json_object *body = call->body;
    free(call);
    fn(fn_arg, status, body);
}

void account_call_end(struct account_call *call, int status, struct json_object *body)
{
    sodium_memzero(&call->form, sizeof(call->form));
    sodium_memzero(call->token_text, sizeof(call->token_text));
    sodium_memzero(call->code, sizeof(call->code));
    call->status = status;
    call->body = body;
    call->task = (struct loop_task){.fn = deliver, .arg = call};
    loop_post(auth_loop(call->auth), &call->task);
}

void account_call_fail(struct account_call *call, int failed, const struct err *err)
{
    account_call_end(call, account_status(failed),
                     account_detail(failed == -ENOENT ? "Not found." : err->text));
}

bool account_call_went_on(struct account_call *call, int result)
{
    if (result == 0 || result == -EACCES) {
        return true;
    }
    account_call_end(call, 503,
                     account_detail(result == -ECANCELED
                                        ? "the daemon is stopping"
                                        : "not enough memory to hash the password; try again"));
    return false;
}

/* ---- by id ---- */

static int fail(int failed, const struct err *err, struct json_object **ret_body)
{
    *ret_body = account_detail(failed == -ENOENT ? "Not found." : err->text);
    return account_status(failed);
}

int account_show(struct auth *auth, int64_t user_id, struct json_object **ret_body)
{
    struct store_user user;
    struct err err = {0};
    int failed = store_user_by_id(auth_store(auth), user_id, &user, &err);
    if (failed) {
        return fail(failed, &err, ret_body);
    }
    *ret_body = account_json(&user);
    return 200;
}

/* Applies what the form says. True: it was another state. */
static bool apply_flags(struct store_user *user, const struct account_form *form)
{
    bool activated = form->given & FORM_IS_ACTIVATED ? form->is_activated : user->is_activated;
    bool super = form->given & FORM_IS_SUPERUSER ? form->is_superuser : user->is_superuser;
    bool changed = activated != user->is_activated || super != user->is_superuser;
    user->is_activated = activated;
    user->is_superuser = super;
    return changed;
}

void account_manage(struct auth *auth, int64_t user_id, struct json_object *body, account_fn fn,
                    void *arg)
{
    struct account_call *call = account_call_new(auth, &(struct account_caller){0}, fn, arg);
    struct json_object *errors =
        account_form_read(body, FORM_IS_ACTIVATED | FORM_IS_SUPERUSER, 0, &call->form);
    if (errors) {
        account_call_end(call, 400, errors);
        return;
    }
    struct store_user user;
    struct err err = {0};
    bool changed = false;
    int failed = store_user_by_id(auth_store(auth), user_id, &user, &err);
    if (!failed) {
        changed = apply_flags(&user, &call->form);
    }
    if (changed) {
        failed = auth_update(auth, &user, clock_unix_ms(), &err);
    }
    if (failed) {
        account_call_fail(call, failed, &err);
        return;
    }
    account_call_end(call, 200,
                     json_object_new_string(changed ? "Update Success!" : "No changes found!"));
}

void account_delete(struct auth *auth, int64_t user_id, account_fn fn, void *arg)
{
    struct account_call *call = account_call_new(auth, &(struct account_caller){0}, fn, arg);
    struct err err = {0};
    int failed = auth_delete(auth, user_id, clock_unix_ms(), &err);
    if (failed) {
        account_call_fail(call, failed, &err);
        return;
    }
    account_call_end(call, 204, NULL);
}

void account_logout_everyone(struct auth *auth, account_fn fn, void *arg)
{
    struct account_call *call = account_call_new(auth, &(struct account_caller){0}, fn, arg);
    struct err err = {0};
    int failed = auth_logout_everyone(auth, clock_unix_ms(), &err);
    if (failed) {
        account_call_fail(call, failed, &err);
        return;
    }
    account_call_end(call, 204, NULL);
}

int account_activate(struct auth *auth, struct slice code, struct json_object **ret_body)
{
    struct err err = {0};
    int failed = auth_activate(auth, code, clock_unix_ms(), &err);
    if (failed == -ENOENT) {
        *ret_body = account_detail("Invalid activation code: it is unknown, used or expired.");
        return 404;
    }
    if (failed) {
        return fail(failed, &err, ret_body);
    }
    *ret_body = json_object_new_string("User successfully activated!");
    return 200;
}

int account_reset_request(struct auth *auth, const struct account_caller *caller,
                          struct json_object *body, struct json_object **ret_body)
{
    struct account_form form;
    struct json_object *errors = account_form_read(body, FORM_EMAIL, FORM_EMAIL, &form);
    if (errors) {
        *ret_body = errors;
        return 400;
    }
    struct store_user user;
    struct err err = {0};
    struct auth_code code = {.kind = STORE_CODE_RESET};
    int failed = store_user_by_email(auth_store(auth), form.email, &user, &err);
    if (failed == -ENOENT) {
        *ret_body = account_form_error("email", "We couldn't find an account associated with that "
                                                "email. Please try a different e-mail address.");
        return 400;
    }
    /* Without mail a stranger's request could only void a token that staff handed over. */
    if (!failed && (auth_mail_is_on(auth) || caller->is_staff)) {
        failed = auth_code_send(auth, &user, &code, clock_unix_ms(), &err);
    }
    if (failed) {
        return fail(failed, &err, ret_body);
    }
    *ret_body = json_object_new_object();
    json_set_str(*ret_body, "status", "OK");
    if (!code.mailed) {
        json_set_str(*ret_body, "reset", "mail unavailable");
    }
    if (!code.mailed && caller->is_staff) { /* who can hand it over */
        json_set_str(*ret_body, "token", code.text);
    }
    sodium_memzero(&code, sizeof(code));
    return 200;
}
