#include "api/auth_table.h"

#include <pthread.h>
#include <sodium.h>

#include "base/alloc.h"
#include "base/test.h"

#define TOKEN_SIZE (SECRET_TOKEN_CHARS + 1)

static struct auth_entry entry_of(const char *token, int64_t user_id, int64_t expiry_ms)
{
    struct auth_entry entry = {
        .user_id = user_id, .expiry_ms = expiry_ms, .is_staff = user_id == 1};
    secret_hash(slice_str(token), entry.hash);
    return entry;
}

static void finds_whose_token_it_is(void)
{
    char ann[TOKEN_SIZE];
    char bob[TOKEN_SIZE];
    EXPECT(sodium_init() >= 0);
    secret_make(ann, SECRET_TOKEN_CHARS);
    secret_make(bob, SECRET_TOKEN_CHARS);
    struct auth_entry entries[] = {entry_of(ann, 1, 0), entry_of(bob, 2, 0)};
    CLEANUP(auth_table_unref) struct auth_table *table = auth_table_new(entries, 2);
    struct auth_user user = {.id = 99};

    EXPECT_INT(auth_table_count(table), 2);
    EXPECT(auth_table_find(table, slice_str(ann), 5, &user));
    EXPECT(user.id == 1 && user.is_staff);
    EXPECT(auth_table_find(table, slice_str(bob), 5, &user));
    EXPECT(user.id == 2 && !user.is_staff);
}

static void refuses_what_is_no_token_of_ours(void)
{
    char token[TOKEN_SIZE];
    EXPECT(sodium_init() >= 0);
    secret_make(token, SECRET_TOKEN_CHARS);
    struct auth_entry entry = entry_of(token, 1, 0);
    CLEANUP(auth_table_unref) struct auth_table *table = auth_table_new(&entry, 1);
    CLEANUP(auth_table_unref) struct auth_table *empty = auth_table_new(NULL, 0);
    struct auth_user user = {.id = 99};

    char longer[TOKEN_SIZE + 1];
    (void)snprintf(longer, sizeof(longer), "%s0", token);
    char upper[TOKEN_SIZE];
    char flipped[TOKEN_SIZE];
    (void)snprintf(upper, sizeof(upper), "F%s", token + 1);
    (void)snprintf(flipped, sizeof(flipped), "%.63s%c", token, token[63] == '0' ? '1' : '0');
    char zeros[TOKEN_SIZE] = {0};
    const struct slice wrong[] = {
        {NULL, 0},        {token, 63},
        {token, 1},       {longer, 65}, /* its first 64 characters are the token */
        slice_str(upper), slice_str(flipped),
        {zeros, 64}, /* a free slot's hash is zeros as well, but not the hash of zeros */
        SLICE("Token"),
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        EXPECT(!auth_table_find(table, wrong[i], 5, &user));
        EXPECT(!auth_table_find(empty, wrong[i], 5, &user));
    }
    EXPECT(!auth_table_find(empty, slice_str(token), 5, &user));
    EXPECT_INT(user.id, 99);
}

static void ends_a_token_at_its_expiry(void)
{
    char token[TOKEN_SIZE];
    EXPECT(sodium_init() >= 0);
    secret_make(token, SECRET_TOKEN_CHARS);
    struct auth_entry entry = entry_of(token, 3, 1000);
    CLEANUP(auth_table_unref) struct auth_table *table = auth_table_new(&entry, 1);
    struct auth_user user;

    EXPECT(auth_table_find(table, slice_str(token), 999, &user));
    EXPECT(!auth_table_find(table, slice_str(token), 1000, &user));
    EXPECT(!auth_table_find(table, slice_str(token), 100000, &user));
}

#define MANY 20000

/* Also: entries of which many want the same buckets. */
static void grows_by_copies_and_keeps_the_old_table(void)
{
    EXPECT(sodium_init() >= 0);
    CLEANUP(str_free) char *tokens = xcalloc(MANY, TOKEN_SIZE);
    struct auth_table *table = auth_table_new(NULL, 0);
    struct auth_table *early = NULL;
    struct auth_user user;

    for (int i = 0; i < 300; i++) {
        secret_make(&tokens[i * TOKEN_SIZE], SECRET_TOKEN_CHARS);
        struct auth_entry entry = entry_of(&tokens[i * TOKEN_SIZE], i + 1, 0);
        struct auth_table *larger = auth_table_with(table, &entry);
        if (i == 100) {
            early = auth_table_ref(table);
        }
        auth_table_unref(table);
        table = larger;
    }
    EXPECT_INT(auth_table_count(table), 300);
    EXPECT_INT(auth_table_count(early), 100);
    for (int i = 0; i < 300; i++) {
        EXPECT(auth_table_find(table, slice_str(&tokens[i * TOKEN_SIZE]), 1, &user));
        EXPECT_INT(user.id, i + 1);
        EXPECT_INT(auth_table_find(early, slice_str(&tokens[i * TOKEN_SIZE]), 1, &user), i < 100);
    }
    auth_table_unref(table);
    auth_table_unref(early);
    auth_table_unref(NULL);
}

static void holds_many_tokens(void)
{
    EXPECT(sodium_init() >= 0);
    CLEANUP(str_free) char *tokens = xcalloc(MANY, TOKEN_SIZE);
    struct auth_entry *entries = xcalloc(MANY, sizeof(*entries));
    for (int i = 0; i < MANY; i++) {
        secret_make(&tokens[i * TOKEN_SIZE], SECRET_TOKEN_CHARS);
        entries[i] = entry_of(&tokens[i * TOKEN_SIZE], i + 1, 0);
    }
    CLEANUP(auth_table_unref) struct auth_table *table = auth_table_new(entries, MANY);
    struct auth_user user;
    int found = 0;
    for (int i = 0; i < MANY; i++) {
        found += auth_table_find(table, slice_str(&tokens[i * TOKEN_SIZE]), 1, &user) &&
                 user.id == i + 1;
    }
    EXPECT_INT(found, MANY);
    free(entries);
}

static void *take_and_give_back(void *arg)
{
    for (int i = 0; i < 100000; i++) {
        auth_table_unref(auth_table_ref(arg));
    }
    return NULL;
}

static void counts_references_from_several_threads(void)
{
    CLEANUP(auth_table_unref) struct auth_table *table = auth_table_new(NULL, 0);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        EXPECT_INT(pthread_create(&threads[i], NULL, take_and_give_back, table), 0);
    }
    for (int i = 0; i < 4; i++) {
        EXPECT_INT(pthread_join(threads[i], NULL), 0);
    }
    EXPECT_INT(auth_table_count(table), 0);
}

static void makes_secrets_of_the_right_form(void)
{
    char first[TOKEN_SIZE];
    char second[TOKEN_SIZE];
    EXPECT(sodium_init() >= 0);
    secret_make(first, SECRET_TOKEN_CHARS);
    secret_make(second, SECRET_TOKEN_CHARS);
    EXPECT(strcmp(first, second) != 0);
    EXPECT(secret_well_formed(slice_str(first), SECRET_TOKEN_CHARS));
    secret_make(first, SECRET_CODE_CHARS);
    EXPECT(secret_well_formed(slice_str(first), SECRET_CODE_CHARS));
    EXPECT(!secret_well_formed(slice_str(first), SECRET_TOKEN_CHARS));
    first[3] = 'G';
    EXPECT(!secret_well_formed(slice_str(first), SECRET_CODE_CHARS));
    EXPECT(!secret_well_formed((struct slice){NULL, 0}, SECRET_CODE_CHARS));
}

TEST_MAIN(finds_whose_token_it_is, refuses_what_is_no_token_of_ours, ends_a_token_at_its_expiry,
          grows_by_copies_and_keeps_the_old_table, holds_many_tokens,
          counts_references_from_several_threads, makes_secrets_of_the_right_form)
