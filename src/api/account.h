/* What can be done with accounts, with the original's statuses and bodies; users.c and users_ops.c
 * give them their paths and operations. Control thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api/secret.h"
#include "base/slice.h"

struct auth;
struct json_object;

/* Who asks. */
struct account_caller {
    int64_t user_id; /* 0 = no account */
    bool is_staff;
    bool is_foreign;    /* a page of another origin in somebody's browser sent it */
    struct slice token; /* the text of its Authorization header; may be empty */
};

/* The answer: HTTP status and body. body is owned by the function; NULL = empty. */
typedef void (*account_fn)(void *arg, int status, struct json_object *body);

/* All of these call fn later, in a task of the loop. body is borrowed until they return.
 *
 * create: with super, a superuser: for staff, for who has the bootstrap token (as its token or as
 * body's "bootstrap_token") and, as long as there was no account, for everybody. 201 and the
 * account. */
void account_create(struct auth *auth, const struct account_caller *caller,
                    struct json_object *body, bool super, account_fn fn, void *arg);
void account_login(struct auth *auth, struct json_object *body, account_fn fn, void *arg);
void account_change(struct auth *auth, const struct account_caller *caller,
                    struct json_object *body, account_fn fn, void *arg);
void account_reset_confirm(struct auth *auth, struct json_object *body, account_fn fn, void *arg);
void account_manage(struct auth *auth, int64_t user_id, struct json_object *body, account_fn fn,
                    void *arg);
void account_delete(struct auth *auth, int64_t user_id, account_fn fn, void *arg); /* 204, 404 */
void account_logout_everyone(struct auth *auth, account_fn fn, void *arg);

/* These change no token; they return the status and put the body into *ret_body (owned by the
 * caller). */
int account_show(struct auth *auth, int64_t user_id, struct json_object **ret_body);
int account_activate(struct auth *auth, struct slice code, struct json_object **ret_body);
int account_reset_request(struct auth *auth, const struct account_caller *caller,
                          struct json_object *body, struct json_object **ret_body);

/* The status for a failure of the store or of us: 503, 507 or 500. */
int account_status(int failed);

/* {"detail": TEXT}; owned by the caller. */
struct json_object *account_detail(const char *text);

/* 2023-01-31T12:00:00.123Z; text[size], size at least 25. */
void account_time(int64_t unix_ms, char *text, size_t size);
