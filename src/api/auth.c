#include "api/auth.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "api/auth_bootstrap.h"
#include "api/config_names.h"
#include "api/password.h"
#include "base/alloc.h"
#include "base/err.h"

struct auth {
    struct auth_options options; /* state_dir is not used after auth_new */
    struct auth_bootstrap bootstrap;
    struct password_queue *passwords; /* owned */
    struct auth_table *table;         /* one reference */
};

/* ---- the table ---- */

static void publish(struct auth *auth, struct auth_table *table)
{
    auth_table_unref(auth->table);
    auth->table = table;
    if (auth->options.on_change) {
        auth->options.on_change(auth->options.arg, table);
    }
}

struct entries {
    struct auth_entry *items; /* owned */
    size_t count;
    size_t capacity;
};

static int collect(void *arg, const struct store_token *token)
{
    struct entries *entries = arg;
    if (entries->count == AUTH_TOKENS_MAX) {
        return 0; /* edited by hand: login keeps below it */
    }
    if (entries->count == entries->capacity) {
        entries->capacity = entries->capacity ? entries->capacity * 2 : 64;
        entries->items = xrealloc(entries->items, entries->capacity * sizeof(entries->items[0]));
    }
    struct auth_entry *entry = &entries->items[entries->count++];
    *entry = (struct auth_entry){
        .user_id = token->user_id,
        .expiry_ms = token->expiry_ms,
        .is_staff = token->is_superuser,
    };
    memcpy(entry->hash, token->hash, sizeof(entry->hash));
    return 0;
}

/* Makes the table again from the store. When that cannot be read nobody is logged in: a token that
 * was taken back must not go on working. */
static int reload(struct auth *auth, int64_t now_unix_ms, struct err *err)
{
    struct entries entries = {0};
    int failed = store_token_delete_expired(auth->options.store, now_unix_ms, err);
    if (!failed) {
        failed = store_token_each(auth->options.store, collect, &entries, err);
    }
    publish(auth, auth_table_new(entries.items, failed ? 0 : entries.count));
    free(entries.items);
    return failed ? err_wrap(err, "everybody was logged out because the tokens cannot be read") : 0;
}

int auth_follow(struct auth *auth, struct err *err)
{
    struct entries entries = {0};
    struct store_user_counts counts;
    int failed = store_token_each(auth->options.store, collect, &entries, err);
    if (!failed) {
        failed = store_user_count(auth->options.store, &counts, err);
    }
    if (!failed) {
        publish(auth, auth_table_new(entries.items, entries.count));
        if (counts.superusers > 0) {
            auth_bootstrap_end(&auth->bootstrap);
        }
    }
    free(entries.items);
    return failed ? err_wrap(err, "cannot follow the accounts of the state") : 0;
}

/* ---- life ---- */

int auth_new(const struct auth_options *options, int64_t now_unix_ms, struct auth **ret_auth,
             struct err *err)
{
    if (sodium_init() < 0) {
        return err_set(err, ENOSYS, "the system gives no random numbers");
    }
    CLEANUP(auth_free) struct auth *auth = xcalloc(1, sizeof(*auth));
    auth->options = *options;
    auth->passwords = password_queue_new(options->jobs, options->loop);
    struct store_user_counts counts;
    int failed = store_user_count(options->store, &counts, err);
    bool away = failed == -ENOTCONN; /* nobody is logged in until auth_follow */
    if (away) {
        publish(auth, auth_table_new(NULL, 0));
        failed = 0;
    }
    if (!failed) {
        failed = auth_bootstrap_open(&auth->bootstrap, options->state_dir,
                                     away || counts.superusers > 0, err);
    }
    if (!failed && !away) {
        failed = reload(auth, now_unix_ms, err);
    }
    if (!failed) {
        *ret_auth = TAKE(auth);
    }
    return failed;
}

void auth_stop(struct auth *auth)
{
    password_queue_stop(auth->passwords);
}

struct auth *auth_free(struct auth *auth)
{
    if (auth) {
        auth_bootstrap_done(&auth->bootstrap);
        (void)password_queue_free(auth->passwords);
        auth_table_unref(auth->table);
        free(auth);
    }
    return NULL;
}

struct store *auth_store(struct auth *auth)
{
    return auth->options.store;
}

struct loop *auth_loop(struct auth *auth)
{
    return auth->options.loop;
}

struct password_queue *auth_passwords(struct auth *auth)
{
    return auth->passwords;
}

struct auth_table *auth_current(struct auth *auth)
{
    return auth->table;
}

const char *auth_bootstrap_token(const struct auth *auth)
{
    return auth->bootstrap.token[0] ? auth->bootstrap.token : NULL;
}

bool auth_is_bootstrap(const struct auth *auth, struct slice token)
{
    return auth_bootstrap_matches(&auth->bootstrap, token);
}

bool auth_mail_is_on(const struct auth *auth)
{
    const struct auth_options *options = &auth->options;
    return options->mail && (!options->mail_is_on || options->mail_is_on(options->arg));
}

int auth_mail(struct auth *auth, enum store_code_kind kind, const char *email, const char *code)
{
    return auth_mail_is_on(auth) ? auth->options.mail(auth->options.arg, kind, email, code)
                                 : -ENOTCONN;
}

int auth_first_is_open(struct auth *auth, bool *ret_open, struct err *err)
{
    struct store_user_counts counts;
    int failed = store_user_count(auth->options.store, &counts, err);
    if (!failed) {
        *ret_open = !counts.any_ever && !auth->options.closed;
    }
    return failed;
}

/* ---- accounts ---- */

static void make_jid(char *jid, size_t size)
{
    unsigned char b[16];
    randombytes_buf(b, sizeof(b));
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40); /* version 4, RFC 9562 */
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    (void)snprintf(jid, size,
                   "urn:uuid:%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
                   b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12],
                   b[13], b[14], b[15]);
}

struct add {
    struct auth *auth;
    struct store_user *user;
};

static int add(void *arg, struct err *err)
{
    struct add *what = arg;
    struct store_user_counts counts;
    int failed = store_user_count(what->auth->options.store, &counts, err);
    if (failed) {
        return failed;
    }
    if (counts.users >= AUTH_USERS_MAX) {
        return err_set(err, ENOSPC, "there are %d accounts already; delete some", AUTH_USERS_MAX);
    }
    if (!counts.any_ever && !what->auth->options.closed) {
        what->user->is_superuser = true;
    }
    what->user->is_activated |= what->user->is_superuser;
    return store_user_add(what->auth->options.store, what->user, &what->user->id, err);
}

int auth_add(struct auth *auth, struct store_user *user, int64_t now_unix_ms, struct err *err)
{
    struct store_user made = *user;
    struct add what = {.auth = auth, .user = &made};
    made.created_ms = now_unix_ms;
    made.last_login_ms = 0;
    make_jid(made.jid, sizeof(made.jid));
    int failed = store_transact(auth->options.store, add, &what, err);
    if (failed) {
        return failed;
    }
    *user = made;
    if (made.is_superuser) {
        auth_bootstrap_end(&auth->bootstrap);
    }
    return 0;
}

struct update {
    struct store *store;
    const struct store_user *user;
    bool new_password;
    const unsigned char *keep; /* hash of the token that stays; NULL = none */
};

static int update(void *arg, struct err *err)
{
    const struct update *what = arg;
    int failed = store_user_update(what->store, what->user, err);
    if (!failed && (what->new_password || !what->user->is_activated)) {
        failed = store_token_delete_user(what->store, what->user->id, what->keep, err);
    }
    if (!failed && what->new_password) {
        failed = store_code_delete_user(what->store, STORE_CODE_RESET, what->user->id, err);
    }
    return failed;
}

static int update_and_reload(struct auth *auth, struct update *what, int64_t now_unix_ms,
                             struct err *err)
{
    what->store = auth->options.store;
    int failed = store_transact(what->store, update, what, err);
    if (failed) {
        return failed;
    }
    if (what->user->is_superuser) {
        auth_bootstrap_end(&auth->bootstrap);
    }
    return reload(auth, now_unix_ms, err);
}

int auth_update(struct auth *auth, const struct store_user *user, int64_t now_unix_ms,
                struct err *err)
{
    struct update what = {.user = user};
    return update_and_reload(auth, &what, now_unix_ms, err);
}

int auth_update_password(struct auth *auth, const struct store_user *user, struct slice keep,
                         int64_t now_unix_ms, struct err *err)
{
    unsigned char hash[SECRET_HASH_BYTES];
    secret_hash(keep, hash);
    struct update what = {
        .user = user, .new_password = true, .keep = keep.size == SECRET_TOKEN_CHARS ? hash : NULL};
    return update_and_reload(auth, &what, now_unix_ms, err);
}

int auth_delete(struct auth *auth, int64_t user_id, int64_t now_unix_ms, struct err *err)
{
    int failed = store_user_delete(auth->options.store, user_id, err);
    return failed ? failed : reload(auth, now_unix_ms, err);
}

/* ---- tokens ---- */

struct login {
    struct store *store;
    struct store_token token;
    bool trimmed; /* an older token had to go */
    bool is_staff;
};

static int login(void *arg, struct err *err)
{
    struct login *what = arg;
    struct store_user user;
    int failed = store_user_by_id(what->store, what->token.user_id, &user, err);
    if (failed) {
        return failed;
    }
    what->is_staff = user.is_superuser;
    user.last_login_ms = what->token.created_ms;
    failed = store_user_update(what->store, &user, err);
    return failed ? failed
                  : store_token_add(what->store, &what->token, AUTH_TOKENS_PER_USER_MAX,
                                    &what->trimmed, err);
}

int auth_login(struct auth *auth, int64_t user_id, int64_t now_unix_ms, char *token,
               int64_t *ret_expiry_ms, struct err *err)
{
    struct login what = {.store = auth->options.store,
                         .token = {.user_id = user_id, .created_ms = now_unix_ms}};
    if (auth_table_count(auth->table) >= AUTH_TOKENS_MAX) {
        return err_set(err, ENOSPC,
                       "there are %d tokens already; POST /user/logout_everyone/ ends them, the "
                       "config LOGIN_TOKEN_TTL_HOURS lets them expire",
                       AUTH_TOKENS_MAX);
    }
    double hours = config_number(what.store, "LOGIN_TOKEN_TTL_HOURS", 0);
    if (hours > 0) {
        what.token.expiry_ms = now_unix_ms + (int64_t)(hours * 3600 * 1000);
    }
    char text[SECRET_TOKEN_CHARS + 1];
    secret_make(text, SECRET_TOKEN_CHARS);
    secret_hash(slice_str(text), what.token.hash);
    int failed = store_transact(what.store, login, &what, err);
    if (failed) {
        return failed;
    }
    struct auth_entry entry = {
        .user_id = user_id, .expiry_ms = what.token.expiry_ms, .is_staff = what.is_staff};
    memcpy(entry.hash, what.token.hash, sizeof(entry.hash));
    if (what.trimmed) {
        failed = reload(auth, now_unix_ms, err);
    } else {
        publish(auth, auth_table_with(auth->table, &entry));
    }
    if (!failed) {
        memcpy(token, text, sizeof(text));
        *ret_expiry_ms = what.token.expiry_ms;
    }
    sodium_memzero(text, sizeof(text));
    return failed;
}

int auth_logout_everyone(struct auth *auth, int64_t now_unix_ms, struct err *err)
{
    int failed = store_token_delete_all(auth->options.store, err);
    return failed ? failed : reload(auth, now_unix_ms, err);
}
