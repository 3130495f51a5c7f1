#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/test.h"
#include "store/store.h"
#include "store/store_testdir.h"

static int64_t add(struct store *store, const char *email, const char *name, bool is_superuser)
{
    struct store_user user = {.is_superuser = is_superuser, .created_ms = 5};
    int64_t id = 0;
    (void)snprintf(user.email, sizeof(user.email), "%s", email);
    (void)snprintf(user.name, sizeof(user.name), "%s", name);
    (void)snprintf(user.password_hash, sizeof(user.password_hash), "$argon2id$of %s", name);
    EXPECT_INT(store_user_add(store, &user, &id, NULL), 0);
    return id;
}

static void adds_finds_and_changes_users(void)
{
    CLEANUP(testdir_remove) struct testdir *dir = testdir_new();
    CLEANUP(store_close) struct store *store = testdir_open(dir);
    struct store_user user;
    struct err err = {0};
    int64_t id = 0;

    EXPECT_INT(add(store, "a@b.c", "Ann", true), 1);
    EXPECT_INT(add(store, "b@b.c", "Bob", false), 2);
    EXPECT_INT(store_user_by_email(store, "a@b.c", &user, NULL), 0);
    EXPECT_INT(user.id, 1);
    EXPECT_STR(user.name, "Ann");
    EXPECT_STR(user.password_hash, "$argon2id$of Ann");
    EXPECT(user.is_superuser && !user.is_activated);
    EXPECT_INT(store_user_by_email(store, "x@b.c", &user, &err), -ENOENT);
    EXPECT_STR(err.text, "no account has the e-mail 'x@b.c'");
    EXPECT_INT(user.id, 1); /* untouched by the failure */
    EXPECT_INT(store_user_add(store, &user, &id, &err), -EEXIST);
    EXPECT_STR(err.text, "the e-mail 'a@b.c' is taken");

    user.is_activated = true;
    user.last_login_ms = 77;
    EXPECT_INT(store_user_update(store, &user, NULL), 0);
    EXPECT_INT(store_user_by_id(store, 1, &user, NULL), 0);
    EXPECT(user.is_activated);
    EXPECT_INT(user.last_login_ms, 77);
    (void)snprintf(user.email, sizeof(user.email), "b@b.c");
    EXPECT_INT(store_user_update(store, &user, &err), -EEXIST);
    user.id = 9;
    EXPECT_INT(store_user_update(store, &user, &err), -ENOENT);
    EXPECT_INT(store_user_by_id(store, 9, &user, &err), -ENOENT);
    EXPECT_STR(err.text, "no account has the id 9");
}

static void never_gives_an_id_twice(void)
{
    CLEANUP(testdir_remove) struct testdir *dir = testdir_new();
    CLEANUP(store_close) struct store *store = testdir_open(dir);
    struct store_user_counts counts;

    EXPECT_INT(store_user_count(store, &counts, NULL), 0);
    EXPECT(counts.users == 0 && counts.superusers == 0 && !counts.any_ever);
    int64_t id = add(store, "a@b.c", "Ann", true);
    EXPECT_INT(store_user_count(store, &counts, NULL), 0);
    EXPECT(counts.users == 1 && counts.superusers == 1 && counts.any_ever);
    EXPECT_INT(store_user_delete(store, id, NULL), 0);
    EXPECT_INT(store_user_delete(store, id, NULL), -ENOENT);
    EXPECT_INT(store_user_count(store, &counts, NULL), 0);
    EXPECT(counts.users == 0 && counts.any_ever);
    EXPECT(add(store, "a@b.c", "Ann", false) > id);
}

static int collect(void *arg, const struct store_user *user)
{
    char *list = arg;
    size_t used = strlen(list);
    (void)snprintf(list + used, 100 - used, "%s ", user->name);
    return 0;
}

static void searches_users_by_page(void)
{
    CLEANUP(testdir_remove) struct testdir *dir = testdir_new();
    CLEANUP(store_close) struct store *store = testdir_open(dir);
    add(store, "ann@one.org", "Ann", false);
    add(store, "bob@two.org", "Bob", false);
    add(store, "cyd@one.org", "Cyd_100%", false);

    static const struct {
        struct store_user_search search;
        const char *names;
        int64_t total;
    } rows[] = {
        {{.text = NULL}, "Cyd_100% Bob Ann ", 3},
        {{.oldest_first = true, .limit = 2}, "Ann Bob ", 3},
        {{.oldest_first = true, .limit = 2, .offset = 2}, "Cyd_100% ", 3},
        {{.text = "ONE.org"}, "Cyd_100% Ann ", 2},
        {{.text = "bOB"}, "Bob ", 1},
        {{.text = "%"}, "Cyd_100% ", 1}, /* no wildcard */
        {{.text = "_"}, "Cyd_100% ", 1},
        {{.text = "dora"}, "", 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char names[100] = "";
        int64_t total = -1;
        EXPECT_INT(store_user_search(store, &rows[i].search, collect, names, &total, NULL), 0);
        EXPECT_STR(names, rows[i].names);
        EXPECT_INT(total, rows[i].total);
    }
}

static int count_tokens(void *arg, const struct store_token *token)
{
    int *counts = arg;
    counts[token->user_id]++;
    EXPECT_INT(token->is_superuser, token->user_id == 1);
    return 0;
}

static struct store_token token_of(int64_t user_id, int number)
{
    struct store_token token = {
        .user_id = user_id, .created_ms = number, .expiry_ms = number % 2 ? 100 + number : 0};
    memset(token.hash, number, sizeof(token.hash));
    token.hash[0] = (unsigned char)user_id;
    return token;
}

static void keeps_the_newest_tokens_of_a_user(void)
{
    CLEANUP(testdir_remove) struct testdir *dir = testdir_new();
    CLEANUP(store_close) struct store *store = testdir_open(dir);
    struct store_token token;
    bool trimmed = false;
    add(store, "a@b.c", "Ann", true);
    add(store, "b@b.c", "Bob", false);

    for (int i = 0; i < 8; i++) {
        for (int user = 1; user <= 2; user++) {
            token = token_of(user, i);
            EXPECT_INT(store_token_add(store, &token, user == 1 ? 5 : 100, &trimmed, NULL), 0);
            EXPECT_INT(trimmed, user == 1 && i >= 5);
        }
    }
    int counts[3] = {0};
    EXPECT_INT(store_token_each(store, count_tokens, counts, NULL), 0);
    EXPECT(counts[1] == 5 && counts[2] == 8);
    EXPECT_INT(store_token_add(store, &token, 100, &trimmed, NULL), -EEXIST);
    token = token_of(3, 1);
    EXPECT_INT(store_token_add(store, &token, 100, &trimmed, NULL), -ENOENT);

    EXPECT_INT(store_token_delete_expired(store, 105, NULL), 0); /* 101, 103 and 105 of Bob's */
    token = token_of(1, 7);
    EXPECT_INT(store_token_delete_user(store, 1, token.hash, NULL), 0);
    memset(counts, 0, sizeof(counts));
    EXPECT_INT(store_token_each(store, count_tokens, counts, NULL), 0);
    EXPECT(counts[1] == 1 && counts[2] == 5);
    EXPECT_INT(store_token_delete_user(store, 1, NULL, NULL), 0);
    EXPECT_INT(store_user_delete(store, 2, NULL), 0); /* its tokens go with it */
    memset(counts, 0, sizeof(counts));
    EXPECT_INT(store_token_each(store, count_tokens, counts, NULL), 0);
    EXPECT(counts[1] == 0 && counts[2] == 0);
    EXPECT_INT(store_token_add(store, &token, 5, &trimmed, NULL), 0);
    EXPECT_INT(store_token_delete_all(store, NULL), 0);
    EXPECT_INT(store_token_each(store, count_tokens, counts, NULL), 0);
    EXPECT_INT(counts[1], 0);
}

static void keeps_one_code_of_a_kind(void)
{
    CLEANUP(testdir_remove) struct testdir *dir = testdir_new();
    CLEANUP(store_close) struct store *store = testdir_open(dir);
    unsigned char first[STORE_SECRET_HASH_BYTES] = {1};
    unsigned char second[STORE_SECRET_HASH_BYTES] = {2};
    int64_t id = 0;
    add(store, "a@b.c", "Ann", false);

    EXPECT_INT(store_code_put(store, STORE_CODE_RESET, 1, first, 100, NULL), 0);
    EXPECT_INT(store_code_put(store, STORE_CODE_RESET, 2, second, 100, NULL), -ENOENT);
    EXPECT_INT(store_code_find(store, STORE_CODE_RESET, first, 99, &id, NULL), 0);
    EXPECT_INT(id, 1);
    EXPECT_INT(store_code_find(store, STORE_CODE_RESET, first, 100, &id, NULL), -ENOENT);
    EXPECT_INT(store_code_find(store, STORE_CODE_ACTIVATE, first, 99, &id, NULL), -ENOENT);
    EXPECT_INT(store_code_put(store, STORE_CODE_RESET, 1, second, 100, NULL), 0);
    EXPECT_INT(store_code_find(store, STORE_CODE_RESET, first, 99, &id, NULL), -ENOENT);
    EXPECT_INT(store_code_delete_user(store, STORE_CODE_RESET, 1, NULL), 0);
    EXPECT_INT(store_code_find(store, STORE_CODE_RESET, second, 99, &id, NULL), -ENOENT);
    EXPECT_INT(store_code_delete_user(store, STORE_CODE_RESET, 1, NULL), 0);
}

TEST_MAIN(adds_finds_and_changes_users, never_gives_an_id_twice, searches_users_by_page,
          keeps_the_newest_tokens_of_a_user, keeps_one_code_of_a_kind)
