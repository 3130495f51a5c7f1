/* One-time codes: to activate an account, to set a new password. */
#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "api/auth.h"
#include "api/secret.h"
#include "base/err.h"

int auth_code_send(struct auth *auth, const struct store_user *user, struct auth_code *code,
                   int64_t now_unix_ms, struct err *err)
{
    bool activate = code->kind == STORE_CODE_ACTIVATE;
    char text[SECRET_TOKEN_CHARS + 1];
    unsigned char hash[SECRET_HASH_BYTES];
    secret_make(text, activate ? SECRET_CODE_CHARS : SECRET_TOKEN_CHARS);
    secret_hash(slice_str(text), hash);
    int64_t expiry_ms = now_unix_ms + (activate ? AUTH_ACTIVATE_MS : AUTH_RESET_MS);
    int failed = store_code_put(auth_store(auth), code->kind, user->id, hash, expiry_ms, err);
    if (failed) {
        return failed;
    }
    code->mailed = auth_mail(auth, code->kind, user->email, text) == 0;
    memcpy(code->text, text, sizeof(text));
    sodium_memzero(text, sizeof(text));
    return 0;
}

int auth_code_find(struct auth *auth, enum store_code_kind kind, struct slice code,
                   int64_t now_unix_ms, struct store_user *ret_user, struct err *err)
{
    size_t chars = kind == STORE_CODE_ACTIVATE ? SECRET_CODE_CHARS : SECRET_TOKEN_CHARS;
    if (!secret_well_formed(code, chars)) {
        return err_set(err, ENOENT, "the code is no %zu hexadecimal digits", chars);
    }
    unsigned char hash[SECRET_HASH_BYTES];
    secret_hash(code, hash);
    int64_t user_id = 0;
    int failed = store_code_find(auth_store(auth), kind, hash, now_unix_ms, &user_id, err);
    return failed ? failed : store_user_by_id(auth_store(auth), user_id, ret_user, err);
}

struct activation {
    struct store *store;
    struct store_user user;
};

static int activate(void *arg, struct err *err)
{
    struct activation *what = arg;
    what->user.is_activated = true;
    int failed = store_user_update(what->store, &what->user, err);
    return failed ? failed
                  : store_code_delete_user(what->store, STORE_CODE_ACTIVATE, what->user.id, err);
}

int auth_activate(struct auth *auth, struct slice code, int64_t now_unix_ms, struct err *err)
{
    struct activation what = {.store = auth_store(auth)};
    int failed = auth_code_find(auth, STORE_CODE_ACTIVATE, code, now_unix_ms, &what.user, err);
    return failed ? failed : store_transact(what.store, activate, &what, err);
}
