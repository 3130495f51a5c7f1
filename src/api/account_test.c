#include <errno.h>
#include <sys/stat.h>

#include "api/account_testbed.h"

#define ANN "{\"email\": \"Ann@Example.ORG\", \"password\": \"correct horse\", \"name\": \"Ann\"}"
#define BOB "{\"email\": \"bob@example.org\", \"password\": \"battery staple\"}"

static void makes_the_first_account_a_superuser_and_no_other(void)
{
    CLEANUP(testbed_free) struct testbed *bed = testbed_new(false, false);
    EXPECT_INT(testbed_create(bed, NULL, false, ANN), 201);
    EXPECT_STR(testbed_text(bed), "{\"id\":1,\"email\":\"ann@example.org\",\"name\":\"Ann\","
                                  "\"is_activated\":true,\"is_superuser\":true}");
    EXPECT_INT(testbed_create(bed, NULL, false,
                              "{\"email\": \"bob@example.org\", \"password\": \"battery staple\","
                              " \"is_superuser\": true}"),
               201);
    EXPECT_STR(testbed_text(bed), "{\"id\":2,\"email\":\"bob@example.org\",\"name\":\"\","
                                  "\"is_activated\":true,\"is_superuser\":false,"
                                  "\"activation\":\"mail unavailable\"}");
    struct store_user user;
    EXPECT_INT(store_user_by_id(bed->api.store, 2, &user, NULL), 0);
    EXPECT(strncmp(user.password_hash, "$argon2id$v=19$m=65536,t=4,p=1$", 31) == 0);
    EXPECT(strncmp(user.jid, "urn:uuid:", 9) == 0 && strlen(user.jid) == 45);
}

static void keeps_deleting_all_accounts_from_opening_the_door_again(void)
{
    CLEANUP(testbed_free) struct testbed *bed = testbed_new(false, false);
    EXPECT_INT(testbed_create(bed, NULL, false, ANN), 201);
    EXPECT_INT(auth_delete(bed->api.auth, 1, 0, NULL), 0);
    EXPECT_INT(testbed_create(bed, NULL, true, ANN), 401);
    EXPECT_INT(testbed_create(bed, NULL, false, ANN), 201);
    EXPECT(!json_flag(bed->body, "is_superuser", true));
}

static void says_what_is_wrong_with_the_fields(void)
{
    CLEANUP(testbed_free) struct testbed *bed = testbed_new(false, false);
    EXPECT_INT(testbed_create(bed, NULL, false, ANN), 201);
    static const struct {
        const char *body;
        const char *errors;
    } rows[] = {
        {"{}", "{\"email\":[\"This field is required.\"],"
               "\"password\":[\"This field is required.\"]}"},
        {"{\"email\": \" \", \"password\": null}",
         "{\"email\":[\"This field may not be blank.\"],"
         "\"password\":[\"This field may not be null.\"]}"},
        {"{\"email\": \"x@y.org\", \"password\": \"pw\"}",
         "{\"password\":[\"Ensure this field has at least 8 characters.\"]}"},
        /* seven characters of two bytes */
        {"{\"email\": \"x@y.org\", \"password\": \"\\u00e4\\u00e4\\u00e4\\u00e4\\u00e4\\u00e4"
         "\\u00e4\"}",
         "{\"password\":[\"Ensure this field has at least 8 characters.\"]}"},
        {"{\"email\": \"x@y.org\", \"password\": \"12345678\\u00009\"}",
         "{\"password\":[\"Null characters are not allowed.\"]}"},
        {"{\"email\": \"ANN@example.org \", \"password\": \"12345678\"}",
         "{\"email\":[\"user with this email already exists.\"]}"},
        {"{\"email\": \"no-at.org\", \"password\": \"12345678\"}",
         "{\"email\":[\"Enter a valid email address.\"]}"},
        {"{\"email\": \"a b@c.org\", \"password\": \"12345678\"}",
         "{\"email\":[\"Enter a valid email address.\"]}"},
        {"{\"email\": \"a@c\", \"password\": \"12345678\"}",
         "{\"email\":[\"Enter a valid email address.\"]}"},
        {"{\"email\": [1], \"password\": \"12345678\"}", "{\"email\":[\"Not a valid string.\"]}"},
        {"{\"email\": \"x@y.org\", \"password\": \"12345678\", \"is_activated\": \"maybe\"}",
         "{\"is_activated\":[\"Must be a valid boolean.\"]}"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        EXPECT_INT(testbed_create(bed, NULL, false, rows[i].body), 400);
        EXPECT_STR(testbed_text(bed), rows[i].errors);
    }
    char body[2000];
    (void)snprintf(body, sizeof(body), "{\"email\": \"x@y.org\", \"password\": \"%01025d\"}", 1);
    EXPECT_INT(testbed_create(bed, NULL, false, body), 400);
    EXPECT_STR(testbed_text(bed),
               "{\"password\":[\"Ensure this field has no more than 1024 characters.\"]}");
    struct store_user_counts counts;
    EXPECT_INT(store_user_count(bed->api.store, &counts, NULL), 0);
    EXPECT_INT(counts.users, 1);
    /* a number is taken as its digits, as forms send it */
    EXPECT_INT(testbed_create(bed, NULL, false, "{\"email\": \"n@y.org\", \"password\": 12345678}"),
               201);
    EXPECT_INT(testbed_login(bed, "{\"email\": \"n@y.org\", \"password\": \"12345678\"}"), 200);
}

static void takes_the_same_email_once_when_two_ask_together(void)
{
    CLEANUP(testbed_free) struct testbed *bed = testbed_new(false, false);
    CLEANUP(json_put) struct json_object *body = testbed_json(BOB);
    struct account_caller nobody = {0};
    bed->waiting = 2;
    account_create(bed->api.auth, &nobody, body, false, testbed_answer, bed);
    account_create(bed->api.auth, &nobody, body, false, testbed_answer, bed);
    testbed_wait(bed);
    EXPECT_INT(bed->status, 400);
    EXPECT_STR(testbed_text(bed), "{\"email\":[\"user with this email already exists.\"]}");
}

static void lets_only_staff_or_the_first_make_a_superuser(void)
{
    CLEANUP(testbed_free) struct testbed *bed = testbed_new(false, false);
    struct account_caller bob = {.user_id = 2};
    EXPECT_INT(testbed_create(bed, NULL, true, ANN), 201);
    EXPECT(json_flag(bed->body, "is_superuser", false));
    EXPECT_INT(testbed_create(bed, NULL, true, BOB), 401);
    EXPECT_STR(testbed_text(bed), "{\"detail\":\"Authentication credentials were not provided.\"}");
    EXPECT_INT(testbed_create(bed, &bob, true, BOB), 403);
    EXPECT_STR(testbed_text(bed),
               "{\"detail\":\"You do not have permission to perform this action.\"}");
    EXPECT_INT(testbed_create(bed, testbed_staff(), true, BOB), 201);
    EXPECT(json_flag(bed->body, "is_superuser", false));
    EXPECT_INT(testbed_create(bed, testbed_staff(), false,
                              "{\"email\": \"c@example.org\", \"password\": \"12345678\","
                              " \"is_superuser\": true}"),
               201);
    EXPECT(json_flag(bed->body, "is_superuser", false));
}

/* A web page that somebody looks at can send requests to this host. */
static void refuses_the_first_account_to_a_page_of_elsewhere(void)
{
    CLEANUP(testbed_free) struct testbed *bed = testbed_new(false, false);
    struct account_caller page = {.is_foreign = true};
    struct account_caller staff = {.is_foreign = true, .is_staff = true};
    EXPECT_INT(testbed_create(bed, &page, false, ANN), 403);
    EXPECT_INT(testbed_create(bed, &page, true, ANN), 403);
    EXPECT(auth_bootstrap_token(bed->api.auth) != NULL);
    EXPECT_INT(testbed_create(bed, &staff, false, ANN), 201);
    EXPECT_INT(testbed_create(bed, &page, false, BOB), 201);
    EXPECT(!json_flag(bed->body, "is_superuser", true));
}

static size_t read_bootstrap(struct testbed *bed, char *text, size_t size)
{
    CLEANUP(str_free) char *path = xasprintf("%s/bootstrap-token", bed->dir->folder);
    struct stat status;
    FILE *file = fopen(path, "r");
    size_t got = file ? fread(text, 1, size - 1, file) : 0;
    text[got] = 0;
    if (file) {
        EXPECT(stat(path, &status) == 0 && (status.st_mode & 07777) == 0600);
        (void)fclose(file);
    }
    return got;
}

static void makes_a_superuser_for_the_bootstrap_token_once(void)
{
    CLEANUP(testbed_free) struct testbed *bed = testbed_new(false, true);
    char text[100];
    EXPECT_INT(read_bootstrap(bed, text, sizeof(text)), 65);
    EXPECT(strncmp(text, auth_bootstrap_token(bed->api.auth), 64) == 0);
    text[64] = 0;

    EXPECT_INT(testbed_create(bed, NULL, true, ANN), 401); /* closed */
    EXPECT_INT(testbed_create(bed, NULL, false, BOB), 201);
    EXPECT(!json_flag(bed->body, "is_superuser", true));
    struct account_caller wrong = {
        .token = SLICE("0123456789012345678901234567890123456789012345678901234567890123")};
    EXPECT_INT(testbed_create(bed, &wrong, true, ANN), 401);

    struct account_caller right = {.token = {text, 64}};
    EXPECT_INT(testbed_create(bed, &right, true, ANN), 201);
    EXPECT(json_flag(bed->body, "is_superuser", false));
    EXPECT(auth_bootstrap_token(bed->api.auth) == NULL);
    char gone[100];
    EXPECT_INT(read_bootstrap(bed, gone, sizeof(gone)), 0);
    EXPECT_INT(testbed_create(bed, &right, true,
                              "{\"email\": \"c@example.org\", \"password\": \"12345678\"}"),
               401);
    /* nor does "" match the token that is no more */
    EXPECT(!auth_is_bootstrap(bed->api.auth, SLICE("")));
}

static void makes_staffs_first_account_a_superuser_where_others_may_not_come_first(void)
{
    CLEANUP(testbed_free) struct testbed *bed = testbed_new(false, true);
    EXPECT_INT(testbed_create(bed, NULL, false, BOB), 201);
    EXPECT(!json_flag(bed->body, "is_superuser", true));
    EXPECT_INT(testbed_create(bed, testbed_staff(), false, ANN), 201);
    EXPECT(json_flag(bed->body, "is_superuser", false));
    EXPECT(auth_bootstrap_token(bed->api.auth) == NULL);
    EXPECT_INT(testbed_create(bed, testbed_staff(), false,
                              "{\"email\": \"c@example.org\", \"password\": \"12345678\"}"),
               201);
    EXPECT(!json_flag(bed->body, "is_superuser", true));
}

static void takes_the_bootstrap_token_from_the_body_too(void)
{
    CLEANUP(testbed_free) struct testbed *bed = testbed_new(false, true);
    CLEANUP(str_free)
    char *body = xasprintf("{\"email\": \"a@example.org\", \"password\": \"12345678\","
                           " \"bootstrap_token\": \"%s\"}",
                           auth_bootstrap_token(bed->api.auth));
    EXPECT_INT(testbed_create(bed, NULL, true, body), 201);
}

static void keeps_the_bootstrap_token_over_a_restart(void)
{
    CLEANUP(testbed_free) struct testbed *bed = testbed_new(false, true);
    CLEANUP(str_free) char *token = xstrdup(auth_bootstrap_token(bed->api.auth));
    CLEANUP(str_free) char *path = xasprintf("%s/bootstrap-token", bed->dir->folder);
    (void)auth_free(bed->api.auth);
    EXPECT_INT(testbed_open(bed, false, true, NULL), 0);
    EXPECT_STR(auth_bootstrap_token(bed->api.auth), token);

    /* one that others could have read is not used again */
    (void)auth_free(bed->api.auth);
    EXPECT_INT(chmod(path, 0644), 0);
    EXPECT_INT(testbed_open(bed, false, true, NULL), 0);
    EXPECT(strcmp(auth_bootstrap_token(bed->api.auth), token) != 0);

    EXPECT_INT(testbed_create(bed, testbed_staff(), true, ANN), 201);
    (void)auth_free(bed->api.auth);
    FILE *file = fopen(path, "w"); /* left by a kill between the account and the removal */
    EXPECT(file && fclose(file) == 0);
    EXPECT_INT(testbed_open(bed, false, true, NULL), 0);
    EXPECT(auth_bootstrap_token(bed->api.auth) == NULL);
    EXPECT_INT(access(path, F_OK), -1);
}

TEST_MAIN(makes_the_first_account_a_superuser_and_no_other,
          keeps_deleting_all_accounts_from_opening_the_door_again,
          says_what_is_wrong_with_the_fields, takes_the_same_email_once_when_two_ask_together,
          lets_only_staff_or_the_first_make_a_superuser,
          refuses_the_first_account_to_a_page_of_elsewhere,
          makes_a_superuser_for_the_bootstrap_token_once,
          makes_staffs_first_account_a_superuser_where_others_may_not_come_first,
          takes_the_bootstrap_token_from_the_body_too, keeps_the_bootstrap_token_over_a_restart)
