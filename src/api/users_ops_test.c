#include "api/account_testbed.h"
#include "api/origin.h"

extern const struct op op_user_create, op_user_delete, op_user_deleteself, op_master_createsuper,
    op_master_allusers;

static const struct op_caller nobody;
static const struct op_caller staff = {.is_staff = true};

static void creates_accounts_with_the_shapes_of_the_operations(void)
{
    CLEANUP(testbed_free) struct testbed *bed = testbed_new(false, false);
    const struct op_caller page = {.is_foreign = true};
    EXPECT_STR(testbed_op(bed, &op_user_create, &nobody,
                          "{\"name\": \"Ann@example.org\", \"password\": \"12345678\","
                          " \"other_fields\": {\"name\": \"Ann\", \"email\": \"x@y.org\"}}"),
               "{\"user\":{\"id\":1,\"email\":\"ann@example.org\",\"name\":\"Ann\","
               "\"is_activated\":true,\"is_superuser\":true},\"success\":true}");
    EXPECT_INT(bed->status, 200);
    EXPECT_STR(testbed_op(bed, &op_user_create, &page, "{\"name\": \"ann@example.org\"}"),
               "{\"error\":{\"password\":[\"This field may not be blank.\"]},"
               "\"status_code\":400}");
    EXPECT_INT(bed->status, 400);
    EXPECT_STR(testbed_op(bed, &op_user_create, &nobody,
                          "{\"name\": \"ann@example.org\", \"password\": \"12345678\"}"),
               "{\"error\":{\"email\":[\"user with this email already exists.\"]},"
               "\"status_code\":400}");
    testbed_op(bed, &op_user_create, &nobody,
               "{\"name\": \"b@example.org\", \"password\": \"12345678\","
               " \"other_fields\": {\"is_superuser\": true}}");
    EXPECT_INT(bed->status, 200);
    EXPECT(!json_flag(json_member(bed->body, "user", json_type_object), "is_superuser", true));
    testbed_op(bed, &op_master_createsuper, &staff,
               "{\"name\": \"c@example.org\", \"password\": \"12345678\"}");
    EXPECT(json_flag(json_member(bed->body, "user", json_type_object), "is_superuser", false));
}

static void refuses_the_first_account_to_a_page_of_elsewhere(void)
{
    CLEANUP(testbed_free) struct testbed *bed = testbed_new(false, false);
    const struct op_caller page = {.is_foreign = true};
    testbed_op(bed, &op_user_create, &page,
               "{\"name\": \"ann@example.org\", \"password\": \"12345678\"}");
    EXPECT_INT(bed->status, 403);
}

static void deletes_accounts_once(void)
{
    CLEANUP(testbed_free) struct testbed *bed = testbed_new(false, false);
    const struct op_caller first = {.user_id = 1};
    testbed_op(bed, &op_user_create, &nobody,
               "{\"name\": \"a@example.org\", \"password\": \"12345678\"}");
    testbed_op(bed, &op_user_create, &nobody,
               "{\"name\": \"b@example.org\", \"password\": \"12345678\"}");
    EXPECT_INT(testbed_login(bed, "{\"email\": \"b@example.org\", \"password\": \"12345678\"}"),
               200);
    CLEANUP(str_free) char *token = xstrdup(json_str(bed->body, "token"));
    EXPECT_INT(testbed_who(bed, token), 2);
    EXPECT_STR(testbed_op(bed, &op_user_delete, &staff, "{\"name\": \"B@example.org\"}"),
               "{\"success\":true}");
    EXPECT_INT(testbed_who(bed, token), 0);
    EXPECT_STR(testbed_op(bed, &op_user_delete, &staff, "{\"name\": \"b@example.org\"}"),
               "{\"success\":false,\"status_code\":400}");
    EXPECT_INT(bed->status, 400);
    EXPECT_STR(testbed_op(bed, &op_user_deleteself, &first, "{}"), "{\"success\":true}");
    EXPECT_STR(testbed_op(bed, &op_user_deleteself, &first, "{}"),
               "{\"success\":false,\"status_code\":400}");
    /* who has no account cannot delete one */
    EXPECT_STR(testbed_op(bed, &op_user_deleteself, &staff, "{}"),
               "{\"success\":false,\"status_code\":400}");
}

static void lists_accounts_by_page(void)
{
    CLEANUP(testbed_free) struct testbed *bed = testbed_new(false, false);
    static const char *const names[] = {"a", "b", "c"};
    for (size_t i = 0; i < 3; i++) {
        char args[100];
        (void)snprintf(args, sizeof(args),
                       "{\"name\": \"%s@example.org\", \"password\": \"12345678\"}", names[i]);
        testbed_op(bed, &op_user_create, &nobody, args);
    }
    testbed_op(bed, &op_master_allusers, &staff, "{\"limit\": 2, \"asc\": true}");
    struct json_object *data = json_member(bed->body, "data", json_type_array);
    EXPECT_INT(json_int(bed->body, "total", 0), 3);
    EXPECT_INT(json_object_array_length(data), 2);
    struct json_object *row = json_object_array_get_idx(data, 0);
    EXPECT_INT(json_object_object_length(row), 8);
    EXPECT_STR(json_str(row, "user"), "a@example.org");
    EXPECT(strncmp(json_str(row, "jid"), "urn:uuid:", 9) == 0);
    EXPECT(strlen(json_str(row, "created_date")) == 24);
    EXPECT(json_str(row, "last_login") == NULL);
    EXPECT(json_flag(row, "is_superuser", false));

    testbed_op(bed, &op_master_allusers, &staff, "{\"search\": \"B@\", \"limit\": \"0\"}");
    EXPECT_INT(json_int(bed->body, "total", 0), 1);
    testbed_op(bed, &op_master_allusers, &staff, "{}");
    data = json_member(bed->body, "data", json_type_array);
    EXPECT_STR(json_str(json_object_array_get_idx(data, 0), "user"), "c@example.org");
    testbed_op(bed, &op_master_allusers, &staff, "{\"offset\": -1}");
    EXPECT(bed->failed);
}

static void tells_a_page_of_elsewhere_by_its_origin(void)
{
    static const struct {
        const char *origin;
        bool is_foreign;
    } rows[] = {
        {"", false},
        {"http://localhost", false},
        {"http://localhost:8000", false},
        {"https://LOCALHOST:8000", false},
        {"http://127.0.0.1:8000", false},
        {"http://[::1]:8000", false},
        {"null", true},
        {"http://example.org", true},
        {"http://localhost.example.org", true},
        {"http://127.0.0.1.example.org", true},
        {"http://127.0.0.10", false}, /* all of 127/8 is this host */
        {"file://", true},
        {"http://", true},
        {"localhost", true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        EXPECT_INT(origin_is_foreign(slice_str(rows[i].origin)), rows[i].is_foreign);
    }
}

TEST_MAIN(creates_accounts_with_the_shapes_of_the_operations,
          refuses_the_first_account_to_a_page_of_elsewhere, deletes_accounts_once,
          lists_accounts_by_page, tells_a_page_of_elsewhere_by_its_origin)
