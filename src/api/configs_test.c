#include <errno.h>

#include "api/account_testbed.h"
#include "api/config_names.h"

extern const struct op op_config_get, op_config_set, op_config_update, op_config_list,
    op_config_index, op_config_exists, op_config_delete, op_config_refresh;

static const struct op_caller staff = {.is_staff = true};

static const char *run(struct testbed *bed, const struct op *op, const char *args)
{
    return testbed_op(bed, op, &staff, args);
}

static void stores_what_was_set_and_gives_it_back_as_text(void)
{
    CLEANUP(testbed_free) struct testbed *bed = testbed_new(false, false);
    EXPECT_STR(run(bed, &op_config_get, "{\"name\": \"REDIS_CONFIG\"}"), "null");
    EXPECT_STR(run(bed, &op_config_exists, "{\"name\": \"REDIS_CONFIG\"}"), "false");
    EXPECT_STR(
        run(bed, &op_config_set, "{\"name\": \"REDIS_CONFIG\", \"value\": \"{\\\"port\\\":  1}\"}"),
        "[\"Config of 'REDIS_CONFIG' to '{\\\"port\\\":  1}' set!\"]");
    /* Text within JSON: a client decodes twice. */
    EXPECT_STR(run(bed, &op_config_get, "{\"name\": \"REDIS_CONFIG\"}"), "\"{\\\"port\\\":  1}\"");
    EXPECT_STR(run(bed, &op_config_refresh, "{\"name\": \"REDIS_CONFIG\"}"),
               "\"{\\\"port\\\":  1}\"");
    EXPECT_STR(run(bed, &op_config_exists, "{\"name\": \"REDIS_CONFIG\"}"), "true");
    /* An object is stored as its JSON text, in the spelling that old clients saw. */
    EXPECT_STR(run(bed, &op_config_set,
                   "{\"name\": \"REDIS_CONFIG\","
                   " \"value\": {\"a\": [1,\"x:,\\\"y\"],\"b\": {\"c\":null}}}"),
               "[\"Config of 'REDIS_CONFIG' to '{\\\"a\\\": [1, \\\"x:,\\\\\\\"y\\\"], "
               "\\\"b\\\": {\\\"c\\\": null}}' set!\"]");
    EXPECT_STR(run(bed, &op_config_delete, "{\"name\": \"REDIS_CONFIG\"}"),
               "[\"REDIS_CONFIG Deleted.\"]");
    EXPECT(!bed->failed);
    EXPECT_STR(run(bed, &op_config_delete, "{\"name\": \"REDIS_CONFIG\"}"),
               "{\"response\":\"Config REDIS_CONFIG is not set.\",\"success\":false,"
               "\"errors\":[\"Config REDIS_CONFIG is not set.\"],\"stack_trace\":[]}");
    EXPECT(bed->failed);
}

static void refuses_unknown_names_unless_told_not_to_check(void)
{
    CLEANUP(testbed_free) struct testbed *bed = testbed_new(false, false);
    static const struct {
        const struct op *op;
        const char *args;
    } rows[] = {
        {&op_config_get, "{\"name\": \"X\"}"},
        {&op_config_set, "{\"name\": \"X\", \"value\": \"1\"}"},
        {&op_config_update, "{\"name\": \"X\", \"field_key\": \"a\", \"field_value\": \"1\"}"},
        {&op_config_delete, "{\"name\": \"X\"}"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *text = run(bed, rows[i].op, rows[i].args);
        const char *start =
            "[\"Config X not recognized, must be in ['CONFIG_EXAMPLE', 'ACTION_SETS'";
        EXPECT(strncmp(text, start, strlen(start)) == 0);
        EXPECT(strstr(text, "']!\"]") != NULL);
        EXPECT(bed->status == 200 && bed->failed);
    }
    EXPECT_STR(run(bed, &op_config_exists, "{\"name\": \"X\"}"), "false");
    EXPECT_STR(run(bed, &op_config_set, "{\"name\": \"X\", \"value\": \"1\", \"do_check\": false}"),
               "[\"Config of 'X' to '1' set!\"]");
    EXPECT_STR(run(bed, &op_config_get, "{\"name\": \"X\", \"do_check\": \"false\"}"), "\"1\"");
    EXPECT_STR(run(bed, &op_config_list, "{}"), "[]"); /* stored, but not valid */
    EXPECT_STR(run(bed, &op_config_delete, "{\"name\": \"X\", \"do_check\": false}"),
               "[\"X Deleted.\"]");
}

static void lists_what_is_set_and_what_can_be(void)
{
    CLEANUP(testbed_free) struct testbed *bed = testbed_new(false, false);
    static const char *const wanted[] = {
        "CONFIG_EXAMPLE",        "ACTION_SETS",        "REDIS_CONFIG",   "TASK_CONFIG",
        "MAIL_CONFIG",           "PROMON_CONFIG",      "META_CONFIG",    "PROME_CONFIG",
        "ELASTIC_CONFIG",        "STRIPE_CONFIG",      "KUBE_CONFIG",    "JSORC_CONFIG",
        "STORE_CONFIG",          "EMAIL_BACKEND",      "EMAIL_USE_TLS",  "EMAIL_HOST",
        "EMAIL_HOST_USER",       "EMAIL_PORT",         "REDIS_MANIFEST", "PROME_MANIFEST",
        "LOGIN_TOKEN_TTL_HOURS", "EMAIL_DEFAULT_FROM",
    };
    EXPECT(strstr(run(bed, &op_config_index, "{}"), "EMAIL_RESETPASS_HTML_BODY") != NULL);
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        EXPECT(config_is_known(wanted[i]));
        EXPECT(strstr(testbed_text(bed), wanted[i]) != NULL);
    }
    run(bed, &op_config_set, "{\"name\": \"EMAIL_PORT\", \"value\": \"25\"}");
    run(bed, &op_config_set, "{\"name\": \"EMAIL_HOST\", \"value\": \"localhost\"}");
    run(bed, &op_config_set, "{\"name\": \"PROMON_CONFIG\", \"value\": {}}");
    EXPECT_STR(run(bed, &op_config_list, "{}"), "[\"EMAIL_HOST\",\"EMAIL_PORT\",\"PROME_CONFIG\"]");
    EXPECT_STR(run(bed, &op_config_get, "{\"name\": \"PROME_CONFIG\"}"), "\"{}\"");
    EXPECT_STR(run(bed, &op_config_exists, "{\"name\": \"PROMON_CONFIG\"}"), "true");
}

static void says_why_a_value_cannot_be(void)
{
    CLEANUP(testbed_free) struct testbed *bed = testbed_new(false, false);
    static const struct {
        const char *args;
        const char *reason;
    } rows[] = {
        {"{\"name\": \"REDIS_CONFIG\", \"value\": \"{port: 1\"}",
         "config 'REDIS_CONFIG' must be the text of a JSON object: JSON parse error"},
        {"{\"name\": \"REDIS_CONFIG\", \"value\": \"\"}",
         "config 'REDIS_CONFIG' must be the text of a JSON object: it is empty; config_delete "
         "takes it away"},
        {"{\"name\": \"KUBE_CONFIG\", \"value\": \"[1]\"}",
         "config 'KUBE_CONFIG' must be the text of a JSON object"},
        {"{\"name\": \"AUTO_ACTIVATE\", \"value\": \"yes\"}",
         "config 'AUTO_ACTIVATE' must be true or false"},
        {"{\"name\": \"LOGIN_TOKEN_TTL_HOURS\", \"value\": \"-1\"}",
         "config 'LOGIN_TOKEN_TTL_HOURS' must be a number of hours from 0 (no expiry) to 876000"},
        {"{\"name\": \"LOGIN_TOKEN_TTL_HOURS\", \"value\": \"two\"}", "must be a number of hours"},
        {"{\"name\": \"LOGIN_TOKEN_TTL_HOURS\", \"value\": \"1e9\"}", "must be a number of hours"},
        {"{\"name\": \"META_CONFIG\", \"value\": \"[]\", \"do_check\": false}",
         "config 'META_CONFIG' must be the text of a JSON object"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        EXPECT(strstr(run(bed, &op_config_set, rows[i].args), "\"success\":false") != NULL);
        EXPECT(strstr(json_str(bed->body, "response"), rows[i].reason) != NULL);
    }
    EXPECT_STR(run(bed, &op_config_list, "{}"), "[]");
    EXPECT_STR(run(bed, &op_config_set, "{\"name\": \"CONFIG_EXAMPLE\", \"value\": \"any\"}"),
               "[\"Config of 'CONFIG_EXAMPLE' to 'any' set!\"]");
    EXPECT_STR(
        run(bed, &op_config_set, "{\"name\": \"LOGIN_TOKEN_TTL_HOURS\", \"value\": \"0.5\"}"),
        "[\"Config of 'LOGIN_TOKEN_TTL_HOURS' to '0.5' set!\"]");
    EXPECT(config_number(bed->api.store, "LOGIN_TOKEN_TTL_HOURS", 0) == 0.5);
    EXPECT(config_number(bed->api.store, "CONFIG_EXAMPLE", 7) == 7);
    EXPECT(config_flag(bed->api.store, "CONFIG_EXAMPLE", true));
    EXPECT(config_object(bed->api.store, "CONFIG_EXAMPLE") == NULL);
}

static void updates_one_field(void)
{
    CLEANUP(testbed_free) struct testbed *bed = testbed_new(false, false);
#define UPDATE(key, value)                                                                         \
    run(bed, &op_config_update,                                                                    \
        "{\"name\": \"JSORC_CONFIG\", \"field_key\": \"" key "\", \"field_value\": " value "}")
    EXPECT_STR(UPDATE("a", "1"), "[\"Config JSORC_CONFIG is not set. Uses config_set to set the "
                                 "value for this config.\"]");
    run(bed, &op_config_set, "{\"name\": \"JSORC_CONFIG\", \"value\": {\"n\": 1, \"t\": \"x\"}}");
    EXPECT_STR(UPDATE("n", "\"20\""), "[\"Config of 'JSORC_CONFIG' is updated with n:20. Current "
                                      "config value: {\\\"n\\\": 20, \\\"t\\\": \\\"x\\\"}\"]");
    EXPECT_STR(UPDATE("t", "\"20\""),
               "[\"Config of 'JSORC_CONFIG' is updated with t:20. Current config value: "
               "{\\\"n\\\": 20, \\\"t\\\": \\\"20\\\"}\"]");
    EXPECT_STR(UPDATE("n", "[true]"),
               "[\"Config of 'JSORC_CONFIG' is updated with n:[true]. Current config value: "
               "{\\\"n\\\": [true], \\\"t\\\": \\\"20\\\"}\"]");
    EXPECT_STR(UPDATE("absent", "1"), "[\"Config JSORC_CONFIG has no key absent. Uses config_set "
                                      "to set the value for this config.\"]");
    EXPECT_STR(run(bed, &op_config_get, "{\"name\": \"JSORC_CONFIG\"}"),
               "\"{\\\"n\\\": [true], \\\"t\\\": \\\"20\\\"}\"");
    run(bed, &op_config_set, "{\"name\": \"EMAIL_HOST\", \"value\": \"here\"}");
    EXPECT_STR(run(bed, &op_config_update,
                   "{\"name\": \"EMAIL_HOST\", \"field_key\": \"a\", \"field_value\": 1}"),
               "[\"Config EMAIL_HOST is not a dictionary. Uses config_set to set the value for "
               "this config.\"]");
}

/* The older version's one config is a view on the newer version's several. */
static void takes_the_meta_config_apart_and_composes_it_again(void)
{
    CLEANUP(testbed_free) struct testbed *bed = testbed_new(false, false);
    CLEANUP(str_free) char *text = NULL;
    const char *meta = "{\"automation\": true,  \"backoff_interval\": 10, \"namespace\": \"n1\", "
                       "\"keep_alive\": [\"promon\", \"redis\"], \"kubernetes\": "
                       "{\"in_cluster\": false, \"config\": null}, \"other\": 1}";
    EXPECT_INT(store_config_set(bed->api.store, "REDIS_CONFIG", "{\"port\":\"1\"}", NULL), 0);
    EXPECT_INT(config_read(bed->api.store, "META_CONFIG", &text, NULL), -ENOENT);
    EXPECT_INT(config_write(bed->api.store, "META_CONFIG", meta, true, NULL), 0);
    EXPECT_INT(config_read(bed->api.store, "META_CONFIG", &text, NULL), 0);
    EXPECT_STR(text, meta); /* byte for byte */

    static const struct {
        const char *name;
        const char *text;
    } parts[] = {
        {"JSORC_CONFIG", "{\"automation\":true,\"backoff_interval\":10}"},
        {"KUBE_CONFIG", "{\"namespace\":\"n1\",\"in_cluster\":false,\"config\":null}"},
        {"REDIS_CONFIG", "{\"port\":\"1\",\"automated\":true}"},
        {"PROME_CONFIG", "{\"automated\":true}"},
        {"TASK_CONFIG", "{\"automated\":false}"},
        {"MAIL_CONFIG", "{\"automated\":false}"},
    };
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        str_replace(&text, NULL);
        EXPECT_INT(store_config_get(bed->api.store, parts[i].name, &text, NULL), 0);
        EXPECT_STR(text, parts[i].text);
    }
    str_replace(&text, NULL);
    EXPECT_INT(store_config_get(bed->api.store, "ELASTIC_CONFIG", &text, NULL), -ENOENT);

    EXPECT_INT(store_config_set(bed->api.store, "KUBE_CONFIG", "{\"namespace\":\"n2\"}", NULL), 0);
    EXPECT_INT(store_config_set(bed->api.store, "REDIS_CONFIG", "{\"port\":\"1\"}", NULL), 0);
    EXPECT_INT(store_config_set(bed->api.store, "MAIL_CONFIG", "{\"automated\":true}", NULL), 0);
    EXPECT_INT(config_read(bed->api.store, "META_CONFIG", &text, NULL), 0);
    EXPECT_STR(text, "{\"automation\":true,\"backoff_interval\":10,\"namespace\":\"n2\","
                     "\"keep_alive\":[\"promon\",\"mail\"],\"kubernetes\":{\"in_cluster\":false,"
                     "\"config\":null},\"other\":1}");
}

TEST_MAIN(stores_what_was_set_and_gives_it_back_as_text,
          refuses_unknown_names_unless_told_not_to_check, lists_what_is_set_and_what_can_be,
          says_why_a_value_cannot_be, updates_one_field,
          takes_the_meta_config_apart_and_composes_it_again)
