/* Accounts and tokens on the store: who may do what. Owner: the control thread; only the tables
 * that it hands out are for other threads.
 *
 * A superuser is what the original calls staff, admin and superuser in one. The first account that
 * was ever made becomes one; so does what a superuser makes one, and what is made with the
 * bootstrap token: 64 hexadecimal digits in STATE/bootstrap-token (mode 0600), which exist only as
 * long as there is no superuser. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api/auth_table.h"
#include "base/cleanup.h"
#include "base/slice.h"
#include "store/store.h"

struct auth;
struct err;
struct job_pool;
struct loop;
struct password_queue;

#define AUTH_USERS_MAX           100000 /* the public can make accounts; the disk is ours */
#define AUTH_TOKENS_PER_USER_MAX 1000   /* a script that logs in for each call; the oldest go */
#define AUTH_ACTIVATE_MS         (7 * 24 * 3600 * 1000LL) /* how long an activation code is valid */
#define AUTH_RESET_MS            (24 * 3600 * 1000LL)     /* and a reset token; as the original */

/* Sends code to email. 0 or -errno (it could not be handed to the mail service). */
typedef int (*auth_mail_fn)(void *arg, enum store_code_kind kind, const char *email,
                            const char *code);

/* The tables changed. table is borrowed until fn returns: take a reference to keep it. It is to be
 * published at once or in a task that fn posts to the loop: answers are posted after it. */
typedef void (*auth_change_fn)(void *arg, struct auth_table *table);

struct auth_options {
    struct store *store; /* borrowed, as the next three */
    struct job_pool *jobs;
    struct loop *loop;        /* the control thread's */
    const char *state_dir;    /* where bootstrap-token lies; copied */
    bool closed;              /* no first come, first served: the first account becomes a superuser
                               * only by bootstrap token or by staff. For listeners beyond loopback */
    auth_change_fn on_change; /* also called by auth_new; may be NULL */
    auth_mail_fn mail;        /* NULL = mail is off */
    bool (*mail_is_on)(void *arg); /* NULL = whenever mail is not NULL */
    void *arg;                     /* of all three */
};

/* Loads the tokens and, when there is no superuser, makes or reads the bootstrap token. 0 or
 * -errno of the store or of writing STATE/bootstrap-token, -ENOSYS (no source of random numbers).
 */
int auth_new(const struct auth_options *options, int64_t now_unix_ms, struct auth **ret_auth,
             struct err *err);
/* Others changed accounts or tokens of a shared store. -errno of the store: all stays as it was. */
int auth_follow(struct auth *auth, struct err *err);
/* Before the end of the control loop: logins that wait are answered 503, those that run go on. */
void auth_stop(struct auth *auth);
/* After job_pool_free. NULL allowed; returns NULL. */
struct auth *auth_free(struct auth *auth);
DEFINE_CLEANUP(struct auth *, auth_free)

struct store *auth_store(struct auth *auth);
struct loop *auth_loop(struct auth *auth);
struct password_queue *auth_passwords(struct auth *auth);

/* Borrowed until the next change. */
struct auth_table *auth_current(struct auth *auth);

/* Borrowed; NULL when a superuser exists. For the daemon to print. */
const char *auth_bootstrap_token(const struct auth *auth);
bool auth_is_bootstrap(const struct auth *auth, struct slice token);

/* Whether an anonymous caller may make the first superuser now. */
int auth_first_is_open(struct auth *auth, bool *ret_open, struct err *err);

/* Makes the account: user has e-mail, name, password_hash and the two flags; id, jid, time of
 * creation and, for the first one, the flags are filled in. -EEXIST (the e-mail is taken), -ENOSPC
 * (also: AUTH_USERS_MAX). */
int auth_add(struct auth *auth, struct store_user *user, int64_t now_unix_ms, struct err *err);

/* Writes the record. With the flag is_activated gone its tokens go as well. -ENOENT, -EEXIST. */
int auth_update(struct auth *auth, const struct store_user *user, int64_t now_unix_ms,
                struct err *err);
/* As auth_update after a new password: all tokens but keep (may be empty) and the reset code go. */
int auth_update_password(struct auth *auth, const struct store_user *user, struct slice keep,
                         int64_t now_unix_ms, struct err *err);
int auth_delete(struct auth *auth, int64_t user_id, int64_t now_unix_ms, struct err *err);

/* A new token for the account. token[SECRET_TOKEN_CHARS + 1]; *ret_expiry_ms 0 = never. */
int auth_login(struct auth *auth, int64_t user_id, int64_t now_unix_ms, char *token,
               int64_t *ret_expiry_ms, struct err *err);
int auth_logout_everyone(struct auth *auth, int64_t now_unix_ms, struct err *err);

struct auth_code {
    enum store_code_kind kind;         /* in */
    char text[SECRET_TOKEN_CHARS + 1]; /* out */
    bool mailed;                       /* out: the mail service took it */
};

/* Makes a one-time code, replacing the account's former one of that kind, and mails it. */
int auth_code_send(struct auth *auth, const struct store_user *user, struct auth_code *code,
                   int64_t now_unix_ms, struct err *err);
/* Whose code it is; it stays valid. -ENOENT: unknown, used or expired. */
int auth_code_find(struct auth *auth, enum store_code_kind kind, struct slice code,
                   int64_t now_unix_ms, struct store_user *ret_user, struct err *err);
/* Activates the account whose code it is and forgets the code. -ENOENT as above. */
int auth_activate(struct auth *auth, struct slice code, int64_t now_unix_ms, struct err *err);

bool auth_mail_is_on(const struct auth *auth);
/* Hands a code to the mail service. 0 or -errno; -ENOTCONN: mail is off. */
int auth_mail(struct auth *auth, enum store_code_kind kind, const char *email, const char *code);
