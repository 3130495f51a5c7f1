/* The routes below /user/: accounts and tokens. */
#include "api/account.h"
#include "api/api.h"
#include "api/origin.h"
#include "api/route.h"
#include "base/json.h"

static struct account_caller caller_of(const struct api_call *call)
{
    struct slice header = api_header(call, "authorization");
    const struct slice word = SLICE("token ");
    struct account_caller caller = {
        .user_id = api_user_id(call),
        .is_staff = api_user_is_staff(call),
        .is_foreign = origin_is_foreign(api_header(call, "origin")),
    };
    if (header.size > word.size && slice_eq_nocase((struct slice){header.data, word.size}, word)) {
        caller.token = slice_from(header, word.size);
    }
    return caller;
}

static struct auth *auth_of(const struct api_call *call)
{
    return api_of(call)->auth;
}

static void answer(void *arg, int status, struct json_object *body)
{
    api_answer(arg, status, body);
}

static void run_create(struct api_call *call)
{
    struct account_caller caller = caller_of(call);
    account_create(auth_of(call), &caller, api_body(call), false, answer, call);
}

static void run_create_super(struct api_call *call)
{
    struct account_caller caller = caller_of(call);
    account_create(auth_of(call), &caller, api_body(call), true, answer, call);
}

static void run_token(struct api_call *call)
{
    account_login(auth_of(call), api_body(call), answer, call);
}

/* The daemon's own user on its Unix socket has no account to show. */
static bool has_account(struct api_call *call)
{
    if (api_user_id(call) == 0) {
        api_answer(call, 404,
                   account_detail("This connection needs no account and has none. Log in with a "
                                  "token to see that account's data."));
        return false;
    }
    return true;
}

static void run_show(struct api_call *call)
{
    struct json_object *body = NULL;
    if (has_account(call)) {
        int status = account_show(auth_of(call), api_user_id(call), &body);
        api_answer(call, status, body);
    }
}

static void run_change(struct api_call *call)
{
    struct account_caller caller = caller_of(call);
    if (has_account(call)) {
        account_change(auth_of(call), &caller, api_body(call), answer, call);
    }
}

/* Digits only; 0, which is nobody's, for everything else. */
static int64_t parse_id(struct slice text)
{
    int64_t id = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || i == 18) {
            return 0;
        }
        id = id * 10 + (text.data[i] - '0');
    }
    return id;
}

static void run_manage(struct api_call *call)
{
    account_manage(auth_of(call), parse_id(api_variable(call)), api_body(call), answer, call);
}

static void run_logout_everyone(struct api_call *call)
{
    account_logout_everyone(auth_of(call), answer, call);
}

static void run_activate(struct api_call *call)
{
    struct json_object *body = NULL;
    int status = account_activate(auth_of(call), api_variable(call), &body);
    api_answer(call, status, body);
}

static void run_reset(struct api_call *call)
{
    struct account_caller caller = caller_of(call);
    struct json_object *body = NULL;
    int status = account_reset_request(auth_of(call), &caller, api_body(call), &body);
    api_answer(call, status, body);
}

static void run_reset_confirm(struct api_call *call)
{
    account_reset_confirm(auth_of(call), api_body(call), answer, call);
}

extern const struct route route_user_create, route_user_create_super, route_user_token,
    route_user_show, route_user_put, route_user_patch, route_user_manage,
    route_user_logout_everyone, route_user_activate, route_user_reset, route_user_reset_confirm;

const struct route route_user_create = {
    .method = METHOD_POST,
    .path = "/user/create/",
    .access = ROUTE_OPEN,
    .help = "Makes an account; the first one ever becomes a superuser.",
    .body = "email password name? is_activated? is_superuser?",
    .changes = true,
    .run = run_create,
};

const struct route route_user_create_super = {
    .method = METHOD_POST,
    .path = "/user/create_super/",
    .access = ROUTE_OPEN,
    .help = "Makes a superuser: for staff, with the bootstrap token, or as the first account.",
    .body = "email password name? bootstrap_token?",
    .changes = true,
    .run = run_create_super,
};

const struct route route_user_token = {
    .method = METHOD_POST,
    .path = "/user/token/",
    .access = ROUTE_OPEN,
    .help = "Logs in: a new token for 'Authorization: Token ...'; older ones stay valid.",
    .body = "email password",
    .changes = true,
    .run = run_token,
};

const struct route route_user_show = {
    .method = METHOD_GET,
    .path = "/user/manage/",
    .access = ROUTE_USER,
    .help = "Shows one's own account.",
    .body = "",
    .run = run_show,
};

const struct route route_user_put = {
    .method = METHOD_PUT,
    .path = "/user/manage/",
    .access = ROUTE_USER,
    .help = "Changes one's own account; a new password ends its other tokens.",
    .body = "email? password? name?",
    .changes = true,
    .run = run_change,
};

const struct route route_user_patch = {
    .method = METHOD_PATCH,
    .path = "/user/manage/",
    .access = ROUTE_USER,
    .help = "Changes one's own account; a new password ends its other tokens.",
    .body = "email? password? name?",
    .changes = true,
    .run = run_change,
};

const struct route route_user_manage = {
    .method = METHOD_POST,
    .path = "/user/manage/{id}",
    .access = ROUTE_STAFF,
    .help = "Activates an account, makes it a superuser, or takes that back.",
    .body = "is_activated? is_superuser?",
    .changes = true,
    .run = run_manage,
};

const struct route route_user_logout_everyone = {
    .method = METHOD_POST,
    .path = "/user/logout_everyone/",
    .access = ROUTE_STAFF,
    .help = "Ends every token of every account.",
    .body = "",
    .changes = true,
    .run = run_logout_everyone,
};

const struct route route_user_activate = {
    .method = METHOD_GET,
    .path = "/user/activate/{code}",
    .access = ROUTE_OPEN,
    .help = "Activates the account to which the code was mailed.",
    .body = "",
    .changes = true,
    .run = run_activate,
};

const struct route route_user_reset = {
    .method = METHOD_POST,
    .path = "/user/password_reset/",
    .access = ROUTE_OPEN,
    .help = "Mails a token with which a new password can be set.",
    .body = "email",
    .changes = true,
    .run = run_reset,
};

const struct route route_user_reset_confirm = {
    .method = METHOD_POST,
    .path = "/user/password_reset/confirm/",
    .access = ROUTE_OPEN,
    .help = "Sets a new password with the token that was mailed; ends all tokens of the account.",
    .body = "token password",
    .changes = true,
    .run = run_reset_confirm,
};
