/* What the files of accounts share. Not for use outside account*.c. */
#pragma once

#include "api/account.h"
#include "api/account_form.h"
#include "loop/loop.h"
#include "store/store.h"

struct err;

/* One request that waits for a password job. */
struct account_call {
    struct auth *auth;            /* borrowed */
    struct account_caller caller; /* its token is in token_text */
    char token_text[SECRET_TOKEN_CHARS + 1];
    char code[SECRET_TOKEN_CHARS + 1]; /* of a reset */
    struct account_form form;
    bool super;
    bool bootstrapped; /* its token was the bootstrap token */
    int64_t user_id;   /* whose password is compared or changed; 0 = none */
    account_fn fn;
    void *arg;
    struct loop_task task; /* carries the answer */
    int status;
    struct json_object *body; /* owned */
};

/* Copies the caller with its token; form, code and user are the caller's to fill. Owned. */
struct account_call *account_call_new(struct auth *auth, const struct account_caller *caller,
                                      account_fn fn, void *arg);

/* Ends the call: wipes it and gives the answer (body is owned from here on) in a task of the loop.
 * By then the tables that a login or logout changed have been published (auth_change_fn), so that
 * the client can use its new token, and nobody an old one, as soon as it reads the answer. */
void account_call_end(struct account_call *call, int status, struct json_object *body);

/* Ends the call with a failure of the store. */
void account_call_fail(struct account_call *call, int failed, const struct err *err);

/* Whether the password job did its work (result 0 or -EACCES); else ends the call. */
bool account_call_went_on(struct account_call *call, int result);

/* {"id", "email", "name", "is_activated", "is_superuser"}; owned by the caller. */
struct json_object *account_json(const struct store_user *user);
