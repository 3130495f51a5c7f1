#include "api/redact.h"

#include "base/json.h"
#include "base/test.h"

static void takes_secrets_out(void)
{
    static const struct {
        const char *given, *wanted;
        bool found;
    } rows[] = {
        {"{\"name\":\"a\",\"n\":1,\"x\":null}", "{\"name\":\"a\",\"n\":1,\"x\":null}", false},
        {"{\"password\":\"p\"}", "{\"password\":\"***\"}", true},
        {"{\"Password\":[1],\"PASS\":{\"a\":1}}", "{\"Password\":\"***\",\"PASS\":\"***\"}", true},
        {"[{\"a\":{\"token\":\"t\"}}]", "[{\"a\":{\"token\":\"***\"}}]", true},
        {"{\"auth\":1,\"api_key\":1,\"webhook_key\":1,\"Authorization\":1,\"x_secret\":1}",
         "{\"auth\":\"***\",\"api_key\":\"***\",\"webhook_key\":\"***\",\"Authorization\":\"***\","
         "\"x_secret\":\"***\"}",
         true},
        {"{\"password\":null}", "{\"password\":null}", false},
        {"{\"author\":\"a\",\"compass\":\"b\",\"key\":\"c\"}",
         "{\"author\":\"a\",\"compass\":\"b\",\"key\":\"c\"}", false},
        {"{\"value\":\"{\\\"pass\\\": \\\"p\\\", \\\"b\\\": 1}\"}",
         "{\"value\":\"{\\\"pass\\\":\\\"***\\\",\\\"b\\\":1}\"}", true},
        {"{\"value\":\"{\\\"a\\\": 1}\"}", "{\"value\":\"{\\\"a\\\": 1}\"}", false},
        {"{\"value\":\"{no JSON\"}", "{\"value\":\"{no JSON\"}", false},
        {"{\"name\":\"EMAIL_HOST_PASSWORD\",\"value\":\"p\"}",
         "{\"name\":\"EMAIL_HOST_PASSWORD\",\"value\":\"***\"}", true},
        {"{\"name\":\"REDIS_CONFIG\",\"field_key\":\"password\",\"field_value\":\"p\"}",
         "{\"name\":\"REDIS_CONFIG\",\"field_key\":\"password\",\"field_value\":\"***\"}", true},
        {"null", "null", false},
        {"\"text\"", "\"text\"", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CLEANUP(json_put) struct json_object *given = NULL;
        bool found = false;
        EXPECT_INT(json_parse(slice_str(rows[i].given), &given, NULL), 0);
        char before[500];
        (void)snprintf(before, sizeof(before), "%s", json_text(given));
        CLEANUP(json_put) struct json_object *clean = redact(given, &found);
        EXPECT_STR(json_text(clean), rows[i].wanted);
        EXPECT_INT(found, rows[i].found);
        EXPECT_STR(json_text(given), before); /* what runs still has the secret */
    }
}

TEST_MAIN(takes_secrets_out)
