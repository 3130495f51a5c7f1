#include "http/form.h"

#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/test.h"

static void decodes_fields(void)
{
    static const struct {
        const char *form, *json;
    } rows[] = {
        {"", "{}"},
        {"a=1&b=two", "{\"a\":\"1\",\"b\":\"two\"}"},
        {"a=1&a=2", "{\"a\":\"2\"}"},
        {"a=b=c", "{\"a\":\"b=c\"}"},
        {"&&a&&", "{\"a\":\"\"}"},
        {"=x", "{\"\":\"x\"}"},
        {"a+b=c+d%2B%26%3d", "{\"a b\":\"c d+&=\"}"},
        {"a=%", "{\"a\":\"%\"}"},
        {"a=%4", "{\"a\":\"%4\"}"},
        {"a=%zz%41", "{\"a\":\"%zzA\"}"},
        {"n=%c3%a9%E2%82%ac", "{\"n\":\"\xc3\xa9\xe2\x82\xac\"}"},
        {"a=x%00y", "{\"a\":\"x\\u0000y\"}"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CLEANUP(json_put) struct json_object *object = json_object_new_object();
        EXPECT_INT(form_decode(slice_str(rows[i].form), object, NULL), 0);
        EXPECT_STR(json_text(object), rows[i].json);
    }
}

static void replaces_what_is_there(void)
{
    CLEANUP(json_put) struct json_object *object = json_object_new_object();
    json_set_int(object, "a", 1);
    json_set_int(object, "b", 2);
    EXPECT_INT(form_decode(SLICE("a=x"), object, NULL), 0);
    EXPECT_STR(json_text(object), "{\"a\":\"x\",\"b\":2}");
}

static void refuses_what_is_no_text(void)
{
    CLEANUP(json_put) struct json_object *object = json_object_new_object();
    struct err err = {0};
    EXPECT_INT(form_decode(SLICE("a=%ff"), object, &err), -EINVAL);
    EXPECT_STR(err.text, "the value of field 'a' is no UTF-8 text");
    EXPECT_INT(form_decode(SLICE("%ff=a"), object, &err), -EINVAL);
    EXPECT_STR(err.text, "a field's name is no UTF-8 text");
    EXPECT_INT(form_decode(SLICE("a%00=a"), object, &err), -EINVAL);
}

static void refuses_more_fields_than_a_form_has(void)
{
    CLEANUP(json_put) struct json_object *object = json_object_new_object();
    struct buf text = {0};
    for (int i = 0; i < FORM_FIELDS_MAX; i++) {
        buf_printf(&text, "&a%d=", i);
    }
    EXPECT_INT(form_decode(buf_slice(&text), object, NULL), 0);
    EXPECT_INT(json_object_object_length(object), FORM_FIELDS_MAX);
    buf_printf(&text, "&a=");
    EXPECT_INT(form_decode(buf_slice(&text), object, NULL), -E2BIG);
    buf_done(&text);
}

TEST_MAIN(decodes_fields, replaces_what_is_there, refuses_what_is_no_text,
          refuses_more_fields_than_a_form_has)
