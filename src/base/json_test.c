#include "base/json.h"

#include <errno.h>
#include <math.h>

#include "base/err.h"
#include "base/test.h"

static void parses_every_kind_of_value(void)
{
    static const struct {
        const char *text;
        const char *again;
    } rows[] = {
        {"{\"a\": [1, 2.5, \"x\", null, true]}", "{\"a\":[1,2.5,\"x\",null,true]}"},
        {" 7 ", "7"},
        {"9223372036854775807", "9223372036854775807"},
        {"null", "null"},
        {"[\"NaN\", \"I\", 1e999]", "[\"NaN\",\"I\",1e999]"},
        {"\"a\\u0000b/\"", "\"a\\u0000b/\""},
        {"\"\xc3\xa9\"", "\"\xc3\xa9\""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CLEANUP(json_put) struct json_object *value = NULL;
        EXPECT_INT(json_parse(slice_str(rows[i].text), &value, NULL), 0);
        EXPECT_STR(json_text(value), rows[i].again);
    }
}

static void refuses_what_is_no_json(void)
{
    static const char *const rows[] = {"",
                                       "{",
                                       "{\"a\":}",
                                       "[1,]",
                                       "{} {}",
                                       "'a'",
                                       "{a: 1}",
                                       "nul",
                                       "01x",
                                       "\"\xff\"",
                                       "{\"a\""
                                       "1}",
                                       "NaN",
                                       "[Infinity]",
                                       "{\"a\": [-Infinity]}"};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct json_object *value = NULL;
        struct err err = {0};
        EXPECT_INT(json_parse(slice_str(rows[i]), &value, &err), -EINVAL);
        EXPECT(value == NULL);
        EXPECT(err.text[0] != '\0');
    }
}

static void refuses_more_than_the_greatest_depth(void)
{
    char text[2 * 100 + 1];
    for (size_t depth = 1; depth <= 100; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        struct json_object *value = NULL;
        int failed = json_parse((struct slice){text, 2 * depth}, &value, NULL);
        EXPECT_INT(failed, depth <= JSON_DEPTH_MAX ? 0 : -EINVAL);
        (void)json_put(value);
    }
}

static void wants_an_object_where_one_is_needed(void)
{
    CLEANUP(json_put) struct json_object *value = NULL;
    EXPECT_INT(json_parse_object(SLICE("[1]"), &value, NULL), -EINVAL);
    EXPECT_INT(json_parse_object(SLICE(""), &value, NULL), 0);
    EXPECT_INT(json_object_object_length(value), 0);
}

static void reads_members_by_type(void)
{
    CLEANUP(json_put) struct json_object *value = NULL;
    EXPECT_INT(
        json_parse(SLICE("{\"s\":\"x\",\"i\":3,\"d\":1.5,\"b\":true,\"n\":null}"), &value, NULL),
        0);
    EXPECT_STR(json_str(value, "s"), "x");
    EXPECT(json_str(value, "i") == NULL);
    EXPECT(json_str(value, "n") == NULL);
    EXPECT_INT(json_int(value, "i", -1), 3);
    EXPECT_INT(json_int(value, "s", -1), -1);
    EXPECT(json_double(value, "i", 0) == 3.0 && json_double(value, "d", 0) == 1.5);
    EXPECT(json_flag(value, "b", false));
    EXPECT(json_flag(value, "gone", true));
}

static void writes_numbers_that_json_lacks_as_null(void)
{
    CLEANUP(json_put) struct json_object *value = json_object_new_object();
    json_set_double(value, "nan", NAN);
    json_set_double(value, "inf", INFINITY);
    json_set_str(value, "none", NULL);
    EXPECT_STR(json_text(value), "{\"nan\":null,\"inf\":null,\"none\":null}");
}

TEST_MAIN(parses_every_kind_of_value, refuses_what_is_no_json, refuses_more_than_the_greatest_depth,
          wants_an_object_where_one_is_needed, reads_members_by_type,
          writes_numbers_that_json_lacks_as_null)
