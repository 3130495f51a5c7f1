#include "base/json_peek.h"

#include "base/test.h"

static void finds_the_member_of_the_outer_object(void)
{
    static const struct {
        const char *text;
        const char *found; /* NULL = none */
    } rows[] = {
        {"{\"name\": \"a\"}", "a"},
        {" {\"name\":\"a\",", "a"},
        {"{\"ctx\": {\"name\": \"b\", \"x\": [1, {\"name\": \"c\"}]}, \"name\" : \"a\"}", "a"},
        {"{\"s\": \"}\\\"{\\\\\", \"n\": -1.5e3, \"t\": true, \"name\": \"a\"}", "a"},
        {"{\"s\": \"\\\\\\\"\", \"name\": \"a\"}", "a"},
        {"{\"name\": \"a\", \"name\": \"b\"}", "a"},
        {"{\"name\": \"caf\\u00e9\"}", "café"},
        {"{\"name\": \"café\"}", "café"},
        {"{\"name\": \"\"}", ""},
        {"{\"name\": \"1234567\"}", "1234567"},
        {"{\"name\": \"12345678\"}", NULL}, /* no room for the zero */
        {"{\"name\": \"a\\u0000b\"}", NULL},
        {"{\"name\": \"\xff\"}", NULL},
        {"{\"name\": \"\\q\"}", NULL},
        {"{\"name\": 1}", NULL},
        {"{\"name\": null, \"name\": \"a\"}", NULL},
        {"{\"name\": \"a", NULL},
        {"{\"name\" \"a\"}", NULL},
        {"{\"ctx\": {\"name\": \"a\"}}", NULL},
        {"{\"ctx\": ]]], \"name\": \"a\"}", NULL},
        {"[\"name\", \"a\"]", NULL},
        {"{}", NULL},
        {"{", NULL},
        {"\"\\", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char found[8] = "before";
        bool is_there = json_peek_str(slice_str(rows[i].text), "name", found, sizeof(found));
        EXPECT_INT(is_there, rows[i].found != NULL);
        EXPECT_STR(found, rows[i].found ? rows[i].found : "");
    }
}

TEST_MAIN(finds_the_member_of_the_outer_object)
