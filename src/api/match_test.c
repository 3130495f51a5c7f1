#include "api/match.h"

#include "api/op.h"
#include "api/route.h"
#include "base/test.h"

static const struct op op_get = {.name = "config_get", .access = OP_ADMIN};
static const struct op op_run_all = {.name = "walker_list", .access = OP_USER};
static const struct op op_health = {.name = "health", .access = OP_PUBLIC, .get = true};
const struct op *const OP_TABLE[] = {&op_get, &op_run_all, &op_health, NULL};

static const struct route manage = {.method = METHOD_GET, .path = "/user/manage/"};
static const struct route manage_put = {.method = METHOD_PUT, .path = "/user/manage/"};
static const struct route manage_one = {.method = METHOD_POST, .path = "/user/manage/{id}"};
static const struct route document = {.method = METHOD_GET, .path = "/openapi.json"};
const struct route *const ROUTE_TABLE[] = {&manage, &manage_put, &manage_one, &document, NULL};

static void finds_operations_under_their_prefix(void)
{
    static const struct {
        enum request_method method;
        const char *path;
        int status;
        const struct op *op;
    } rows[] = {
        {METHOD_POST, "/js_admin/config_get", 200, &op_get},
        {METHOD_POST, "/js_admin/config_get/", 200, &op_get},
        {METHOD_POST, "/config_get", 200, &op_get},
        {METHOD_POST, "/config_get/", 200, &op_get},
        {METHOD_POST, "/js/walker_list", 200, &op_run_all},
        {METHOD_POST, "/js/walker_list/", 200, &op_run_all},
        {METHOD_GET, "/js_public/health", 200, &op_health},
        {METHOD_HEAD, "/js_public/health/", 200, &op_health},
        {METHOD_POST, "/js/config_get", 404, NULL},
        {METHOD_POST, "/js_public/config_get", 404, NULL},
        {METHOD_POST, "/js_admin/walker_list", 404, NULL},
        {METHOD_POST, "/walker_list", 404, NULL},
        {METHOD_GET, "/health", 404, NULL},
        {METHOD_POST, "/js_admin/config_ge", 404, NULL},
        {METHOD_POST, "/js_admin/config_get//", 404, NULL},
        {METHOD_POST, "/js_admin/config_get/x", 404, NULL},
        {METHOD_POST, "/js_admin//config_get", 404, NULL},
        {METHOD_POST, "/js_admin/", 404, NULL},
        {METHOD_POST, "/js_admin", 404, NULL},
        {METHOD_POST, "/", 404, NULL},
        {METHOD_POST, "", 404, NULL},
        {METHOD_POST, "config_get", 404, NULL},
        {METHOD_POST, "*", 404, NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct match match;
        int status = match_find(rows[i].method, slice_str(rows[i].path), &match);
        if (status != rows[i].status) {
            printf("# %s\n", rows[i].path);
        }
        EXPECT_INT(status, rows[i].status);
        EXPECT(match.op == rows[i].op);
        EXPECT(match.route == NULL);
    }
}

static void finds_routes_and_their_variable_part(void)
{
    struct match match;
    EXPECT_INT(match_find(METHOD_GET, SLICE("/user/manage/"), &match), 200);
    EXPECT(match.route == &manage);
    EXPECT_INT(match_find(METHOD_PUT, SLICE("/user/manage"), &match), 200);
    EXPECT(match.route == &manage_put);
    EXPECT_INT(match_find(METHOD_POST, SLICE("/user/manage/17"), &match), 200);
    EXPECT(match.route == &manage_one);
    EXPECT(slice_eq(match.variable, SLICE("17")));
    EXPECT_INT(match_find(METHOD_POST, SLICE("/user/manage/17/"), &match), 200);
    EXPECT(slice_eq(match.variable, SLICE("17")));
    EXPECT_INT(match_find(METHOD_POST, SLICE("/user/manage/17/x"), &match), 404);
    EXPECT_INT(match_find(METHOD_HEAD, SLICE("/openapi.json"), &match), 200);
    EXPECT_INT(match_find(METHOD_GET, SLICE("/openapi"), &match), 404);
}

static void tells_which_methods_a_path_has(void)
{
    struct match match;
    EXPECT_INT(match_find(METHOD_DELETE, SLICE("/user/manage/"), &match), 405);
    EXPECT_STR(match.allow, "GET, PUT");
    EXPECT_INT(match_find(METHOD_POST, SLICE("/user/manage/"), &match), 405);
    EXPECT_INT(match_find(METHOD_GET, SLICE("/user/manage/17"), &match), 405);
    EXPECT_STR(match.allow, "POST");
    EXPECT_INT(match_find(METHOD_GET, SLICE("/js_admin/config_get"), &match), 405);
    EXPECT_STR(match.allow, "POST");
    EXPECT_INT(match_find(METHOD_POST, SLICE("/js_public/health"), &match), 405);
    EXPECT_STR(match.allow, "GET");
    EXPECT_INT(match_find(METHOD_OTHER, SLICE("/config_get"), &match), 405);
}

static void knows_where_an_operation_really_is(void)
{
    struct match match;
    EXPECT_INT(match_find(METHOD_POST, SLICE("/js/config_get"), &match), 404);
    EXPECT(match.elsewhere == &op_get);
    EXPECT_STR(match_prefix(match.elsewhere), "/js_admin/");
    EXPECT_INT(match_find(METHOD_POST, SLICE("/walker_list"), &match), 404);
    EXPECT_STR(match_prefix(match.elsewhere), "/js/");
    EXPECT_INT(match_find(METHOD_GET, SLICE("/health"), &match), 404);
    EXPECT_STR(match_prefix(match.elsewhere), "/js_public/");
    EXPECT_INT(match_find(METHOD_POST, SLICE("/nothing"), &match), 404);
    EXPECT(match.elsewhere == NULL);
}

TEST_MAIN(finds_operations_under_their_prefix, finds_routes_and_their_variable_part,
          tells_which_methods_a_path_has, knows_where_an_operation_really_is)
