#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "store/store_priv.h"

#define USER_COLUMNS                                                                               \
    "id, email, name, jid, password_hash, is_activated, is_superuser, created_ms, last_login_ms"

static void copy(char *target, size_t size, const struct store_row *row, int column)
{
    (void)snprintf(target, size, "%s", store_column(row, column));
}

static void read_user(const struct store_row *row, struct store_user *user)
{
    *user = (struct store_user){
        .id = store_column_int(row, 0),
        .is_activated = store_column_int(row, 5) != 0,
        .is_superuser = store_column_int(row, 6) != 0,
        .created_ms = store_column_int(row, 7),
        .last_login_ms = store_column_int(row, 8),
    };
    copy(user->email, sizeof(user->email), row, 1);
    copy(user->name, sizeof(user->name), row, 2);
    copy(user->jid, sizeof(user->jid), row, 3);
    copy(user->password_hash, sizeof(user->password_hash), row, 4);
}

static int take_user(void *arg, const struct store_row *row)
{
    read_user(row, arg);
    return 0;
}

static int taken(int failed, const char *email, struct err *err)
{
    return failed == -EEXIST ? err_set(err, EEXIST, "the e-mail '%s' is taken", email) : failed;
}

struct user_add {
    struct store *store;
    const struct store_user *user;
    int64_t id;
};

static int add(void *arg, struct err *err)
{
    struct user_add *what = arg;
    const struct store_user *user = what->user;
    int failed =
        store_run(what->store, err, "UPDATE ids SET last = last + 1 WHERE name = 'users'", "");
    if (!failed) {
        failed = store_query(what->store, err, (struct store_rows){store_take_int, &what->id},
                             "SELECT last FROM ids WHERE name = 'users'", "");
    }
    if (failed) {
        return failed;
    }
    failed = store_run(what->store, err,
                       "INSERT INTO users (id, email, name, jid, password_hash, is_activated,"
                       " is_superuser, created_ms, last_login_ms)"
                       " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                       "innnsiiii", what->id, user->email, user->name, user->jid,
                       user->password_hash, (int64_t)user->is_activated,
                       (int64_t)user->is_superuser, user->created_ms, user->last_login_ms);
    return taken(failed, user->email, err);
}

int store_user_add(struct store *store, const struct store_user *user, int64_t *ret_id,
                   struct err *err)
{
    struct user_add what = {.store = store, .user = user};
    int failed = store_within(store, add, &what, err);
    if (!failed) {
        *ret_id = what.id;
    }
    return failed;
}

int store_user_by_id(struct store *store, int64_t id, struct store_user *ret_user, struct err *err)
{
    struct store_user user = {0};
    int failed = store_query(store, err, (struct store_rows){take_user, &user},
                             "SELECT " USER_COLUMNS " FROM users WHERE id = $1", "i", id);
    if (!failed && user.id == 0) {
        return err_set(err, ENOENT, "no account has the id %lld", (long long)id);
    }
    if (!failed) {
        *ret_user = user;
    }
    return failed;
}

int store_user_by_email(struct store *store, const char *email, struct store_user *ret_user,
                        struct err *err)
{
    struct store_user user = {0};
    int failed = store_query(store, err, (struct store_rows){take_user, &user},
                             "SELECT " USER_COLUMNS " FROM users WHERE email = $1", "s", email);
    if (!failed && user.id == 0) {
        return err_set(err, ENOENT, "no account has the e-mail '%.*s'", STORE_NAME_BYTES_MAX,
                       email);
    }
    if (!failed) {
        *ret_user = user;
    }
    return failed;
}

int store_user_update(struct store *store, const struct store_user *user, struct err *err)
{
    int failed = store_run(store, err,
                           "UPDATE users SET email = $2, name = $3, jid = $4, password_hash = $5,"
                           " is_activated = $6, is_superuser = $7, created_ms = $8,"
                           " last_login_ms = $9 WHERE id = $1",
                           "innnsiiii", user->id, user->email, user->name, user->jid,
                           user->password_hash, (int64_t)user->is_activated,
                           (int64_t)user->is_superuser, user->created_ms, user->last_login_ms);
    if (!failed && store_changes(store) == 0) {
        return err_set(err, ENOENT, "no account has the id %lld", (long long)user->id);
    }
    return taken(failed, user->email, err);
}

int store_user_delete(struct store *store, int64_t id, struct err *err)
{
    int failed = store_run(store, err, "DELETE FROM users WHERE id = $1", "i", id);
    if (!failed && store_changes(store) == 0) {
        return err_set(err, ENOENT, "no account has the id %lld", (long long)id);
    }
    return failed;
}

static int take_counts(void *arg, const struct store_row *row)
{
    *(struct store_user_counts *)arg = (struct store_user_counts){
        .users = store_column_int(row, 0),
        .superusers = store_column_int(row, 1),
        .any_ever = store_column_int(row, 2) > 0,
    };
    return 0;
}

int store_user_count(struct store *store, struct store_user_counts *ret_counts, struct err *err)
{
    return store_query(store, err, (struct store_rows){take_counts, ret_counts},
                       "SELECT count(*), coalesce(sum(is_superuser), 0),"
                       " (SELECT last FROM ids WHERE name = 'users') FROM users",
                       "");
}

struct user_walk {
    store_user_fn fn;
    void *arg;
};

static int user_row(void *arg, const struct store_row *row)
{
    struct user_walk *walk = arg;
    struct store_user user;
    read_user(row, &user);
    return walk->fn(walk->arg, &user);
}

/* Contains the text: what is left without it differs. Both dialects know replace(). */
#define USER_MATCHES                                                                               \
    "($1 = '' OR replace(lower(email), lower($1), '') <> lower(email)"                             \
    " OR replace(lower(name), lower($1), '') <> lower(name))"

int store_user_search(struct store *store, const struct store_user_search *search, store_user_fn fn,
                      void *arg, int64_t *ret_total, struct err *err)
{
    const char *text = search->text ? search->text : "";
    int failed = store_query(store, err, (struct store_rows){store_take_int, ret_total},
                             "SELECT count(*) FROM users WHERE " USER_MATCHES, "s", text);
    if (failed) {
        return failed;
    }
    struct user_walk walk = {.fn = fn, .arg = arg};
    return store_query(store, err, (struct store_rows){user_row, &walk},
                       "SELECT " USER_COLUMNS " FROM users WHERE " USER_MATCHES
                       " ORDER BY CASE WHEN $2 <> 0 THEN id ELSE -id END LIMIT $3 OFFSET $4",
                       "siii", text, (int64_t)search->oldest_first,
                       search->limit > 0 ? search->limit : INT64_MAX, search->offset);
}
