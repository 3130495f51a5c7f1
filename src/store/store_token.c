#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "store/store_priv.h"

struct token_add {
    struct store *store;
    const struct store_token *token;
    int64_t per_user_max;
    bool trimmed;
};

static int add_and_trim(void *arg, struct err *err)
{
    struct token_add *add = arg;
    const struct store_token *token = add->token;
    int failed =
        store_run(add->store, err,
                  "INSERT INTO tokens (hash, user_id, created_ms, expiry_ms)"
                  " VALUES ($1, $2, $3, $4)",
                  "hiii", token->hash, token->user_id, token->created_ms, token->expiry_ms);
    if (failed) {
        return failed;
    }
    failed = store_run(add->store, err,
                       "DELETE FROM tokens WHERE hash IN (SELECT hash FROM tokens"
                       " WHERE user_id = $1 ORDER BY created_ms DESC,"
                       " CASE WHEN hash = $3 THEN 0 ELSE 1 END, hash LIMIT $4 OFFSET $2)",
                       "iihi", token->user_id, add->per_user_max, token->hash, INT64_MAX);
    add->trimmed = !failed && store_changes(add->store) > 0;
    return failed;
}

int store_token_add(struct store *store, const struct store_token *token, int64_t per_user_max,
                    bool *ret_trimmed, struct err *err)
{
    struct token_add add = {.store = store, .token = token, .per_user_max = per_user_max};
    int failed = store_within(store, add_and_trim, &add, err);
    if (!failed) {
        *ret_trimmed = add.trimmed;
    }
    return failed;
}

int store_token_delete_all(struct store *store, struct err *err)
{
    return store_run(store, err, "DELETE FROM tokens", "");
}

int store_token_delete_user(struct store *store, int64_t user_id, const unsigned char *except,
                            struct err *err)
{
    return store_run(store, err,
                     "DELETE FROM tokens WHERE user_id = $1 AND hash IS DISTINCT FROM $2", "ih",
                     user_id, except);
}

int store_token_delete_expired(struct store *store, int64_t now_unix_ms, struct err *err)
{
    return store_run(store, err, "DELETE FROM tokens WHERE expiry_ms <> 0 AND expiry_ms <= $1", "i",
                     now_unix_ms);
}

struct token_walk {
    store_token_fn fn;
    void *arg;
};

static int token_row(void *arg, const struct store_row *row)
{
    struct token_walk *walk = arg;
    struct store_token token = {
        .user_id = store_column_int(row, 1),
        .is_superuser = store_column_int(row, 2) != 0,
        .created_ms = store_column_int(row, 3),
        .expiry_ms = store_column_int(row, 4),
    };
    if (!store_column_hash(row, 0, token.hash)) {
        return 0; /* edited by hand: it can match no token */
    }
    return walk->fn(walk->arg, &token);
}

int store_token_each(struct store *store, store_token_fn fn, void *arg, struct err *err)
{
    struct token_walk walk = {.fn = fn, .arg = arg};
    return store_query(store, err, (struct store_rows){token_row, &walk},
                       "SELECT hash, user_id, is_superuser, tokens.created_ms, expiry_ms"
                       " FROM tokens JOIN users ON users.id = user_id",
                       "");
}

int store_code_put(struct store *store, enum store_code_kind kind, int64_t user_id,
                   const unsigned char *hash, int64_t expiry_ms, struct err *err)
{
    return store_run(store, err,
                     "INSERT INTO codes (kind, user_id, hash, expiry_ms) VALUES ($1, $2, $3, $4)"
                     " ON CONFLICT (kind, user_id) DO UPDATE SET hash = excluded.hash,"
                     " expiry_ms = excluded.expiry_ms",
                     "iihi", (int64_t)kind, user_id, hash, expiry_ms);
}

int store_code_find(struct store *store, enum store_code_kind kind, const unsigned char *hash,
                    int64_t now_unix_ms, int64_t *ret_user_id, struct err *err)
{
    int64_t user_id = 0;
    int failed = store_query(store, err, (struct store_rows){store_take_int, &user_id},
                             "SELECT user_id FROM codes"
                             " WHERE kind = $1 AND hash = $2 AND expiry_ms > $3",
                             "ihi", (int64_t)kind, hash, now_unix_ms);
    if (!failed && user_id == 0) {
        return err_set(err, ENOENT, "the code is unknown or expired");
    }
    if (!failed) {
        *ret_user_id = user_id;
    }
    return failed;
}

int store_code_delete_user(struct store *store, enum store_code_kind kind, int64_t user_id,
                           struct err *err)
{
    return store_run(store, err, "DELETE FROM codes WHERE kind = $1 AND user_id = $2", "ii",
                     (int64_t)kind, user_id);
}
