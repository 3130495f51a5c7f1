/* Accounts as operations: user_create, user_delete, user_deleteself, master_createsuper,
 * master_allusers. */
#include <errno.h>
#include <stdlib.h>

#include "api/account.h"
#include "api/api.h"
#include "api/auth.h"
#include "api/op.h"
#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"

#define LIST_USERS_MAX 1000 /* one page: about 300 KB */

/* {"user": {...}, "success": true}, or {"error": {...}, "status_code": 400}. */
static void answer_created(void *arg, int status, struct json_object *body)
{
    struct op_call *call = arg;
    struct json_object *result = json_object_new_object();
    if (status == 201) {
        json_set(result, "user", body);
        json_set_bool(result, "success", true);
    } else {
        json_set(result, "error", body);
        json_set_int(result, "status_code", status);
    }
    op_return(call, result);
}

/* The operation's arguments as the body of /user/create/: name is the e-mail; other_fields are
 * further fields. The result is owned by the caller. */
static struct json_object *body_of(const struct op_call *call)
{
    struct json_object *body = json_object_new_object();
    json_object_object_foreach(op_arg(call, "other_fields"), key, value)
    {
        json_set(body, key, json_ref(value));
    }
    json_set(body, "email", json_ref(op_arg(call, "name")));
    json_set(body, "password", json_ref(op_arg(call, "password")));
    return body;
}

static void create(struct op_call *call, bool super)
{
    CLEANUP(json_put) struct json_object *body = body_of(call);
    struct account_caller caller = {
        .user_id = op_user_id(call),
        .is_staff = op_user_is_staff(call),
        .is_foreign = op_is_foreign(call),
    };
    account_create(op_api(call)->auth, &caller, body, super, answer_created, call);
}

static void run_create(struct op_call *call)
{
    create(call, false);
}

static void run_createsuper(struct op_call *call)
{
    create(call, true);
}

static void answer_deleted(void *arg, int status, struct json_object *body)
{
    struct op_call *call = arg;
    CLEANUP(json_put) struct json_object *detail = body;
    if (status >= 500) {
        op_fail(call, "%s", json_str(detail, "detail"));
        return;
    }
    struct json_object *result = json_object_new_object();
    json_set_bool(result, "success", status == 204);
    if (status != 204) {
        json_set_int(result, "status_code", 400);
    }
    op_return(call, result);
}

static void delete_user(struct op_call *call, int64_t user_id)
{
    account_delete(op_api(call)->auth, user_id, answer_deleted, call);
}

static void run_delete(struct op_call *call)
{
    CLEANUP(str_free) char *email = xstrdup(op_arg_str(call, "name"));
    struct store_user user = {0};
    struct err err = {0};
    for (char *c = email; *c; c++) { /* as they are stored */
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
    }
    int failed = store_user_by_email(op_api(call)->store, email, &user, &err);
    if (failed && failed != -ENOENT) {
        op_fail(call, "%s", err.text);
        return;
    }
    delete_user(call, user.id); /* 0 when unknown: nobody's */
}

static void run_deleteself(struct op_call *call)
{
    delete_user(call, op_user_id(call));
}

static int add_user(void *arg, const struct store_user *user)
{
    struct json_object *row = json_object_new_object();
    char created[32];
    char login[32];
    account_time(user->created_ms, created, sizeof(created));
    account_time(user->last_login_ms, login, sizeof(login));
    json_set_int(row, "id", user->id);
    json_set_str(row, "user", user->email);
    json_set_str(row, "jid", user->jid);
    json_set_str(row, "name", user->name);
    json_set_str(row, "created_date", created);
    json_set_bool(row, "is_activated", user->is_activated);
    json_set_bool(row, "is_superuser", user->is_superuser);
    json_set_str(row, "last_login", user->last_login_ms ? login : NULL);
    (void)json_object_array_add(arg, row);
    return 0;
}

static void run_allusers(struct op_call *call)
{
    double limit = op_arg_number(call, "limit");
    double offset = op_arg_number(call, "offset");
    if (limit < 0 || offset < 0 || offset > (double)AUTH_USERS_MAX) {
        op_fail(call, "limit and offset must be at least 0, and offset at most %d", AUTH_USERS_MAX);
        return;
    }
    struct store_user_search search = {
        .text = op_arg_str(call, "search"),
        .limit = limit >= 1 && limit < LIST_USERS_MAX ? (int64_t)limit : LIST_USERS_MAX,
        .offset = (int64_t)offset,
        .oldest_first = op_arg_bool(call, "asc"),
    };
    struct json_object *data = json_object_new_array();
    struct err err = {0};
    int64_t total = 0;
    if (store_user_search(op_api(call)->store, &search, add_user, data, &total, &err)) {
        (void)json_put(data);
        op_fail(call, "%s", err.text);
        return;
    }
    struct json_object *result = json_object_new_object();
    json_set_int(result, "total", total);
    json_set(result, "data", data);
    op_return(call, result);
}

#define CREATE_PARAMS                                                                              \
    {                                                                                              \
        {"name", OP_STR, NULL, "E-mail address of the new account."},                              \
            {"password", OP_STR, "\"\"", "At least 8 characters."},                                \
            {"global_init", OP_STR, "\"\"", "Accepted for old clients; without effect."},          \
            {"global_init_ctx", OP_DICT, "{}", "Accepted for old clients; without effect."},       \
            {"other_fields", OP_DICT, "{}", "Further fields: name, is_activated (see docs)."},     \
            {"send_email", OP_BOOL, "true", "Accepted for old clients; the config decides."},      \
    }

extern const struct op op_user_create, op_user_delete, op_user_deleteself, op_master_createsuper,
    op_master_allusers;

const struct op op_user_create = {
    .name = "user_create",
    .access = OP_PUBLIC,
    .changes = true,
    .params = CREATE_PARAMS,
    .positionals = "name",
    .help = "Makes an account; the first one ever becomes a superuser.",
    .result = "{\"user\": {...}, \"success\": true}; 400 and {\"error\": {FIELD: [TEXT]}} when "
              "the fields are not accepted",
    .run = run_create,
};

const struct op op_user_delete = {
    .name = "user_delete",
    .access = OP_ADMIN,
    .changes = true,
    .params = {{"name", OP_STR, NULL, "E-mail address of the account."}},
    .positionals = "name",
    .help = "Deletes an account with its tokens.",
    .result = "{\"success\": true}; 400 and {\"success\": false} when there is none",
    .run = run_delete,
};

const struct op op_user_deleteself = {
    .name = "user_deleteself",
    .access = OP_USER,
    .changes = true,
    .positionals = "",
    .help = "Deletes one's own account with its tokens.",
    .result = "{\"success\": true}",
    .run = run_deleteself,
};

const struct op op_master_createsuper = {
    .name = "master_createsuper",
    .access = OP_ADMIN,
    .changes = true,
    .params = CREATE_PARAMS,
    .positionals = "name",
    .help = "Makes a superuser.",
    .result = "{\"user\": {...}, \"success\": true}",
    .run = run_createsuper,
};

const struct op op_master_allusers = {
    .name = "master_allusers",
    .access = OP_ADMIN,
    .params = {{"limit", OP_INT, "10", "At most so many, up to 1000; 0 = 1000."},
               {"offset", OP_INT, "0", "So many are passed over."},
               {"asc", OP_BOOL, "false", "Oldest first instead of newest first."},
               {"search", OP_STR, "null", "Part of the e-mail or the name."}},
    .positionals = "",
    .help = "Lists accounts.",
    .result = "{\"total\": 1, \"data\": [{\"id\", \"user\", \"jid\", \"name\", \"created_date\", "
              "\"is_activated\", \"is_superuser\", \"last_login\"}]}",
    .run = run_allusers,
};
