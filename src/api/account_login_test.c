#include <errno.h>

#include "api/account_testbed.h"
#include "api/password.h"

#define ANN "{\"email\": \"Ann@Example.ORG\", \"password\": \"correct horse\", \"name\": \"Ann\"}"
#define BOB "{\"email\": \"bob@example.org\", \"password\": \"battery staple\"}"

static char *token_of(struct testbed *bed, const char *body)
{
    EXPECT_INT(testbed_login(bed, body), 200);
    return xstrdup(json_str(bed->body, "token"));
}

static void logs_in_with_the_right_password_only(void)
{
    CLEANUP(testbed_free) struct testbed *bed = testbed_new(false, false);
    EXPECT_INT(testbed_create(bed, NULL, false, ANN), 201);
    static const char *const wrong[] = {
        "{\"email\": \"ann@example.org\", \"password\": \"correct horse \"}",
        "{\"email\": \"nobody@example.org\", \"password\": \"correct horse\"}",
        "{\"email\": \"ann\", \"password\": \"correct horse\"}",
    };
    for (size_t i = 0; i < 3; i++) {
        EXPECT_INT(testbed_login(bed, wrong[i]), 400);
        EXPECT_STR(testbed_text(bed),
                   "{\"non_field_errors\":[\"Unable to authenticate with provided credentials\"]}");
    }
    EXPECT_INT(testbed_login(bed, "{\"email\": \"one\", \"password\": \"\"}"), 400);
    EXPECT_STR(testbed_text(bed), "{\"password\":[\"This field may not be blank.\"]}");

    CLEANUP(str_free) char *first = token_of(bed, ANN);
    CLEANUP(str_free) char *second = token_of(bed, ANN);
    EXPECT(json_object_object_length(bed->body) == 2);
    EXPECT(strcmp(first, second) != 0 && strlen(first) == 64);
    EXPECT_INT(testbed_who(bed, first), 1); /* older tokens stay valid */
    EXPECT_INT(testbed_who(bed, second), 1);
    struct store_user user;
    EXPECT_INT(store_user_by_id(bed->api.store, 1, &user, NULL), 0);
    EXPECT(user.last_login_ms > 0);

    (void)auth_free(bed->api.auth); /* and over a restart */
    EXPECT_INT(testbed_open(bed, false, false, NULL), 0);
    EXPECT_INT(testbed_who(bed, first), 1);
}

static void ends_tokens_after_the_configured_hours(void)
{
    CLEANUP(testbed_free) struct testbed *bed = testbed_new(false, false);
    struct auth_user user;
    EXPECT_INT(testbed_create(bed, NULL, false, ANN), 201);
    EXPECT_INT(store_config_set(bed->api.store, "LOGIN_TOKEN_TTL_HOURS", "2", NULL), 0);
    CLEANUP(str_free) char *token = token_of(bed, ANN);
    const char *expiry = json_str(bed->body, "expiry");
    EXPECT(expiry && strlen(expiry) == 24 && expiry[10] == 'T' && expiry[23] == 'Z');
    int64_t now_ms = clock_unix_ms();
    EXPECT(auth_table_find(bed->published, slice_str(token), now_ms + 7100 * 1000, &user));
    EXPECT(!auth_table_find(bed->published, slice_str(token), now_ms + 7201 * 1000, &user));
}

static void activates_by_mail_when_there_is_mail(void)
{
    CLEANUP(testbed_free) struct testbed *bed = testbed_new(true, false);
    struct json_object *body = NULL;
    EXPECT_INT(testbed_create(bed, NULL, false, ANN), 201);
    EXPECT_INT(bed->mails, 0);
    EXPECT_INT(testbed_create(bed, NULL, false,
                              "{\"email\": \"bob@example.org\", \"password\": \"battery staple\","
                              " \"is_activated\": true}"),
               201);
    EXPECT_STR(testbed_text(bed), "{\"id\":2,\"email\":\"bob@example.org\",\"name\":\"\","
                                  "\"is_activated\":false,\"is_superuser\":false}");
    EXPECT_INT(bed->mails, 1);
    EXPECT_STR(bed->mail_to, "bob@example.org");
    EXPECT(secret_well_formed(slice_str(bed->mail_code), 32));
    char first[SECRET_TOKEN_CHARS + 1];
    memcpy(first, bed->mail_code, sizeof(first));

    EXPECT_INT(testbed_login(bed, "{\"email\": \"bob@example.org\", \"password\": \"wrong one\"}"),
               400);
    EXPECT_INT(bed->mails, 1); /* a stranger cannot have mails sent */
    EXPECT_INT(testbed_login(bed, BOB), 400);
    EXPECT_STR(testbed_text(bed), "{\"non_field_errors\":[\"User not activated. Resending "
                                  "activation email...\"]}");
    EXPECT_INT(bed->mails, 2);

    EXPECT_INT(account_activate(bed->api.auth, slice_str(first), &body), 404); /* replaced */
    body = json_put(body);
    EXPECT_INT(account_activate(bed->api.auth, slice_str(bed->mail_code), &body), 200);
    EXPECT_STR(json_text(body), "\"User successfully activated!\"");
    body = json_put(body);
    EXPECT_INT(account_activate(bed->api.auth, slice_str(bed->mail_code), &body), 404); /* used */
    body = json_put(body);
    EXPECT_INT(testbed_login(bed, BOB), 200);

    bed->mail_result = -EIO;
    EXPECT_INT(testbed_create(bed, NULL, false,
                              "{\"email\": \"c@example.org\", \"password\": \"12345678\"}"),
               201);
    EXPECT_STR(json_str(bed->body, "activation"), "mail unavailable");
    EXPECT(!json_flag(bed->body, "is_activated", true));
}

static void follows_the_configs_about_activation(void)
{
    CLEANUP(testbed_free) struct testbed *bed = testbed_new(false, false);
    struct store *store = bed->api.store;
    EXPECT_INT(testbed_create(bed, NULL, false, ANN), 201);
    EXPECT_INT(store_config_set(store, "AUTO_ACTIVATE", "false", NULL), 0);
    EXPECT_INT(testbed_create(bed, NULL, false, BOB), 201);
    EXPECT(!json_flag(bed->body, "is_activated", true));
    EXPECT_STR(json_str(bed->body, "activation"), "mail unavailable");
    EXPECT(json_str(bed->body, "activation_code") == NULL); /* for staff only */
    EXPECT_INT(testbed_login(bed, BOB), 400);
    EXPECT(strstr(testbed_text(bed), "Ask an administrator") != NULL);

    struct json_object *body = NULL;
    EXPECT_INT(testbed_create(bed, testbed_staff(), false,
                              "{\"email\": \"c@example.org\", \"password\": \"12345678\"}"),
               201);
    const char *code = json_str(bed->body, "activation_code");
    EXPECT(code && account_activate(bed->api.auth, slice_str(code), &body) == 200);
    body = json_put(body);

#define WITH_FLAG(name) "{\"email\": \"" name "@example.org\", \"password\": \"12345678\", "
    EXPECT_INT(testbed_create(bed, NULL, false, WITH_FLAG("d") "\"is_activated\": true}"), 201);
    EXPECT(!json_flag(bed->body, "is_activated", true)); /* not from the public */
    EXPECT_INT(
        testbed_create(bed, testbed_staff(), false, WITH_FLAG("e") "\"is_activated\": \"true\"}"),
        201);
    EXPECT(json_flag(bed->body, "is_activated", false));
    EXPECT_INT(store_config_set(store, "ACCEPT_IS_ACTIVATED", "true", NULL), 0);
    EXPECT_INT(testbed_create(bed, NULL, false, WITH_FLAG("f") "\"is_activated\": true}"), 201);
    EXPECT(json_flag(bed->body, "is_activated", false));
    EXPECT(json_str(bed->body, "activation") == NULL);
    EXPECT_INT(store_config_set(store, "AUTO_ACTIVATE", "true", NULL), 0);
    EXPECT_INT(testbed_create(bed, NULL, false, WITH_FLAG("g") "\"is_activated\": false}"), 201);
    EXPECT(json_flag(bed->body, "is_activated", false));
    EXPECT(json_str(bed->body, "activation") == NULL);
}

static int change(struct testbed *bed, int64_t user_id, const char *token, const char *body)
{
    CLEANUP(json_put) struct json_object *object = testbed_json(body);
    struct account_caller caller = {.user_id = user_id, .token = slice_str(token)};
    bed->waiting++;
    account_change(bed->api.auth, &caller, object, testbed_answer, bed);
    testbed_wait(bed);
    return bed->status;
}

static void changes_ones_own_account(void)
{
    CLEANUP(testbed_free) struct testbed *bed = testbed_new(false, false);
    EXPECT_INT(testbed_create(bed, NULL, false, ANN), 201);
    EXPECT_INT(testbed_create(bed, NULL, false, BOB), 201);
    CLEANUP(str_free) char *other = token_of(bed, BOB);
    CLEANUP(str_free) char *mine = token_of(bed, BOB);
    CLEANUP(str_free) char *anns = token_of(bed, ANN);

    EXPECT_INT(change(bed, 2, mine, "{\"name\": \"Robert\", \"is_superuser\": true}"), 200);
    EXPECT_STR(testbed_text(bed), "{\"id\":2,\"email\":\"bob@example.org\",\"name\":\"Robert\","
                                  "\"is_activated\":true,\"is_superuser\":false}");
    EXPECT_INT(testbed_who(bed, other), 2);
    EXPECT_INT(change(bed, 2, mine, "{\"email\": \"ann@example.org\"}"), 400);
    EXPECT_STR(testbed_text(bed), "{\"email\":[\"user with this email already exists.\"]}");
    EXPECT_INT(change(bed, 2, mine, "{\"password\": \"short\"}"), 400);

    EXPECT_INT(change(bed, 2, mine, "{\"name\": \"Bob\", \"password\": \"newpassword123\"}"), 200);
    EXPECT_INT(testbed_who(bed, mine), 2); /* the one that asked stays logged in */
    EXPECT_INT(testbed_who(bed, other), 0);
    EXPECT_INT(testbed_who(bed, anns), 1);
    EXPECT_INT(testbed_login(bed, BOB), 400);
    EXPECT_INT(
        testbed_login(bed, "{\"email\": \"bob@example.org\", \"password\": \"newpassword123\"}"),
        200);
    EXPECT_INT(change(bed, 77, mine, "{\"name\": \"Nobody\"}"), 404);
}

static int manage(struct testbed *bed, int64_t id, const char *body)
{
    CLEANUP(json_put) struct json_object *object = testbed_json(body);
    bed->waiting++;
    account_manage(bed->api.auth, id, object, testbed_answer, bed);
    testbed_wait(bed);
    return bed->status;
}

static void manages_accounts_by_id(void)
{
    CLEANUP(testbed_free) struct testbed *bed = testbed_new(false, false);
    struct auth_user user;
    EXPECT_INT(testbed_create(bed, NULL, false, ANN), 201);
    EXPECT_INT(testbed_create(bed, NULL, false, BOB), 201);
    CLEANUP(str_free) char *token = token_of(bed, BOB);

    EXPECT_INT(manage(bed, 2, "{\"is_superuser\": true}"), 200);
    EXPECT_STR(testbed_text(bed), "\"Update Success!\"");
    EXPECT(auth_table_find(bed->published, slice_str(token), 0, &user) && user.is_staff);
    EXPECT_INT(manage(bed, 2, "{\"is_superuser\": \"true\"}"), 200);
    EXPECT_STR(testbed_text(bed), "\"No changes found!\"");
    EXPECT_INT(manage(bed, 2, "{}"), 200);
    EXPECT_STR(testbed_text(bed), "\"No changes found!\"");
    EXPECT_INT(manage(bed, 2, "{\"is_superuser\": false}"), 200);
    EXPECT(auth_table_find(bed->published, slice_str(token), 0, &user) && !user.is_staff);
    EXPECT_INT(manage(bed, 2, "{\"is_activated\": false}"), 200);
    EXPECT_INT(testbed_who(bed, token), 0); /* off means off */
    EXPECT_INT(manage(bed, 3, "{\"is_activated\": true}"), 404);
    EXPECT_STR(testbed_text(bed), "{\"detail\":\"Not found.\"}");
    EXPECT_INT(manage(bed, 2, "{\"is_activated\": 3}"), 400);
}

static void logs_everyone_out(void)
{
    CLEANUP(testbed_free) struct testbed *bed = testbed_new(false, false);
    EXPECT_INT(testbed_create(bed, NULL, false, ANN), 201);
    CLEANUP(str_free) char *token = token_of(bed, ANN);
    int changes = bed->changes;
    bed->waiting++;
    account_logout_everyone(bed->api.auth, testbed_answer, bed);
    testbed_wait(bed);
    EXPECT_INT(bed->status, 204);
    EXPECT(bed->body == NULL);
    EXPECT_INT(testbed_who(bed, token), 0);
    EXPECT_INT(bed->changes, changes + 1);
    EXPECT(auth_current(bed->api.auth) == bed->published);
}

static int reset_request(struct testbed *bed, const struct account_caller *caller, const char *body)
{
    CLEANUP(json_put) struct json_object *object = testbed_json(body);
    bed->body = json_put(bed->body);
    bed->status = account_reset_request(bed->api.auth, caller, object, &bed->body);
    return bed->status;
}

static int reset_confirm(struct testbed *bed, const char *token, const char *password)
{
    CLEANUP(json_put) struct json_object *object = json_object_new_object();
    json_set_str(object, "token", token);
    json_set_str(object, "password", password);
    bed->waiting++;
    account_reset_confirm(bed->api.auth, object, testbed_answer, bed);
    testbed_wait(bed);
    return bed->status;
}

static void resets_a_forgotten_password_once(void)
{
    CLEANUP(testbed_free) struct testbed *bed = testbed_new(true, false);
    struct account_caller nobody = {0};
    EXPECT_INT(testbed_create(bed, NULL, false, ANN), 201);
    CLEANUP(str_free) char *session = token_of(bed, ANN);

    EXPECT_INT(reset_request(bed, &nobody, "{\"email\": \"x@example.org\"}"), 400);
    EXPECT(strstr(testbed_text(bed), "We couldn't find an account") != NULL);
    EXPECT_INT(reset_request(bed, &nobody, "{}"), 400);
    EXPECT_INT(reset_request(bed, &nobody, "{\"email\": \"ANN@example.org\"}"), 200);
    EXPECT_STR(testbed_text(bed), "{\"status\":\"OK\"}");
    EXPECT_INT(bed->mails, 1);

    EXPECT_INT(reset_confirm(bed, "0123", "new password"), 404);
    EXPECT_INT(reset_confirm(bed, bed->mail_code, "short"), 400);
    EXPECT_INT(reset_confirm(bed, NULL, "new password"), 400);
    EXPECT_STR(testbed_text(bed), "{\"token\":[\"This field is required.\"]}");
    EXPECT_INT(reset_confirm(bed, bed->mail_code, "new password"), 200);
    EXPECT_STR(testbed_text(bed), "{\"status\":\"OK\"}");
    EXPECT_INT(reset_confirm(bed, bed->mail_code, "newer password"), 404);
    EXPECT_INT(testbed_who(bed, session), 0);
    EXPECT_INT(testbed_login(bed, ANN), 400);
    EXPECT_INT(
        testbed_login(bed, "{\"email\": \"ann@example.org\", \"password\": \"new password\"}"),
        200);
}

static void gives_a_reset_token_to_staff_when_there_is_no_mail(void)
{
    CLEANUP(testbed_free) struct testbed *bed = testbed_new(false, false);
    struct account_caller nobody = {0};
    EXPECT_INT(testbed_create(bed, NULL, false, ANN), 201);
    EXPECT_INT(reset_request(bed, &nobody, "{\"email\": \"ann@example.org\"}"), 200);
    EXPECT_STR(testbed_text(bed), "{\"status\":\"OK\",\"reset\":\"mail unavailable\"}");
    EXPECT_INT(reset_request(bed, testbed_staff(), "{\"email\": \"ann@example.org\"}"), 200);
    CLEANUP(str_free) char *token = xstrdup(json_str(bed->body, "token"));
    EXPECT_INT(reset_confirm(bed, token, "new password"), 200);
}

struct tally {
    int waiting;
    int busy;     /* 503: too many wait */
    int stopping; /* 503: the daemon is stopping */
};

static void count(void *arg, int status, struct json_object *body)
{
    struct tally *tally = arg;
    const char *detail = status == 503 ? json_str(body, "detail") : "";
    tally->busy += strstr(detail, "are waiting already") != NULL;
    tally->stopping += strcmp(detail, "the daemon is stopping") == 0;
    tally->waiting--;
    (void)json_put(body);
}

static void refuses_more_waiting_passwords_than_the_limit(void)
{
    CLEANUP(testbed_free) struct testbed *bed = testbed_new(false, false);
    CLEANUP(json_put) struct json_object *body = testbed_json(BOB);
    struct account_caller nobody = {0};
    struct tally tally = {0};
    int most = PASSWORD_WAITING_MAX + PASSWORD_RUNNING_MAX;
    for (; tally.waiting < most + 3; tally.waiting++) {
        account_create(bed->api.auth, &nobody, body, false, count, &tally);
    }
    auth_stop(bed->api.auth);
    while (tally.waiting > 0) {
        loop_turn(bed->api.loop, 1000);
    }
    EXPECT_INT(tally.busy, 3);
    EXPECT_INT(tally.stopping, PASSWORD_WAITING_MAX);
    EXPECT_INT(testbed_login(bed, BOB), 503);
}

static int take_the_lock(void *arg, struct err *err)
{
    struct testbed *bed = arg;
    (void)err;
    EXPECT_INT(testbed_create(bed, NULL, false, BOB), 503);
    return 0;
}

static void answers_503_while_the_state_file_is_locked(void)
{
    CLEANUP(testbed_free) struct testbed *bed = testbed_new(false, false);
    CLEANUP(store_close) struct store *other = testdir_open(bed->dir);
    EXPECT_INT(store_transact(other, take_the_lock, bed, NULL), 0);
    EXPECT(strstr(testbed_text(bed), "another program holds it locked") != NULL);
    EXPECT_INT(testbed_create(bed, NULL, false, ANN), 201);
    EXPECT(json_flag(bed->body, "is_superuser", false)); /* nothing was left behind */
    EXPECT_INT(account_status(-ENOSPC), 507);
    EXPECT_INT(account_status(-EIO), 500);
}

TEST_MAIN(logs_in_with_the_right_password_only, ends_tokens_after_the_configured_hours,
          activates_by_mail_when_there_is_mail, follows_the_configs_about_activation,
          changes_ones_own_account, manages_accounts_by_id, logs_everyone_out,
          resets_a_forgotten_password_once, gives_a_reset_token_to_staff_when_there_is_no_mail,
          refuses_more_waiting_passwords_than_the_limit, answers_503_while_the_state_file_is_locked)
