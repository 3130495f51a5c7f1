#include <errno.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/test.h"
#include "worker/native_priv.h"

static const struct jsorc_action DEF = {
    .name = "f",
    .params =
        {
            {"text", "str", NULL, "a text"},
            {"count", "int", "2", NULL},
            {"ratio", "float", "0.5", NULL},
            {"deep", "bool", "false", NULL},
            {"vector", "list[float]", "[]", NULL},
            {"maybe", "str", "null", NULL},
            {"*parts", "int", NULL, NULL},
            {"extra", "any", "{\"a\": [1, null]}", NULL},
            {"**options", NULL, NULL, NULL},
        },
};

static struct native_action ACTION;

static void make_action(void)
{
    struct err err = {0};
    ACTION.def = &DEF;
    for (unsigned i = 0; ACTION.param_count == i && DEF.params[i].name; i++) {
        EXPECT_INT(native_param_parse(&DEF.params[i], &ACTION.params[i], &err), 0);
        ACTION.param_count++;
    }
}

static void free_action(void)
{
    for (unsigned i = 0; i < ACTION.param_count; i++) {
        (void)json_put(ACTION.params[i].fallback);
    }
    ACTION.param_count = 0;
}

/* The arguments as JSON text, or the 422's body; owned by the caller. */
static char *bound(const char *body)
{
    struct json_object *values[JSORC_PARAMS_MAX] = {0};
    struct json_object *root = NULL;
    struct worker_answer answer = {0};
    char *text;
    make_action();
    if (native_args_bind(&ACTION, slice_str(body), &root, values, &answer) == 0) {
        text = xstrdup(json_text(root));
        for (unsigned i = 0; i < ACTION.param_count; i++) {
            struct json_object *member = NULL;
            EXPECT(json_object_object_get_ex(root, ACTION.params[i].name, &member));
            EXPECT(member == values[i]);
        }
        (void)json_put(root);
    } else {
        EXPECT_INT(answer.status, 422);
        text = xstrndup(answer.body.data, answer.body.size);
        answer.release(answer.owner);
    }
    free_action();
    return text;
}

#define REST                                                                                       \
    "\"vector\":[],\"maybe\":null,\"*parts\":[],\"extra\":{\"a\":[1,null]},\"**options\":{}}"

static void fills_in_defaults_and_converts(void)
{
    static const struct {
        const char *body, *wanted;
    } rows[] = {
        {"{\"text\": \"a\"}", "{\"text\":\"a\",\"count\":2,\"ratio\":0.5,\"deep\":false," REST},
        {"{\"text\": 3, \"count\": \" 7 \", \"ratio\": \"1e2\", \"deep\": \"yes\"}",
         "{\"text\":\"3\",\"count\":7,\"ratio\":100.0,\"deep\":true," REST},
        {"{\"text\": true, \"count\": 7.9, \"ratio\": 4, \"deep\": 1}",
         "{\"text\":\"True\",\"count\":7,\"ratio\":4.0,\"deep\":true," REST},
        {"{\"text\": \"a\", \"count\": null, \"ratio\": null, \"deep\": null}", /* the defaults */
         "{\"text\":\"a\",\"count\":2,\"ratio\":0.5,\"deep\":false," REST},
        {"{\"text\": \"\", \"count\": -9223372036854775808, \"ratio\": false, \"deep\": \"OFF\"}",
         "{\"text\":\"\",\"count\":-9223372036854775808,\"ratio\":0.0,\"deep\":false," REST},
        {"{\"text\": \"a\", \"count\": 1, \"ratio\": 1.0, \"deep\": false, \"vector\": [1, \"2\"],"
         "\"maybe\": null, \"parts\": [\"4\", 5], \"extra\": null, \"options\": {\"x\": 1}}",
         "{\"text\":\"a\",\"count\":1,\"ratio\":1.0,\"deep\":false,\"vector\":[1.0,2.0],"
         "\"maybe\":null,\"extra\":{\"a\":[1,null]},\"*parts\":[4,5],\"**options\":{\"x\":1}}"},
        {"{\"text\": \"a\", \"text\": \"b\"}", /* the last one counts */
         "{\"text\":\"b\",\"count\":2,\"ratio\":0.5,\"deep\":false," REST},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CLEANUP(str_free) char *text = bound(rows[i].body);
        EXPECT_STR(text, rows[i].wanted);
    }
}

#define DETAIL(field, msg, type)                                                                   \
    "{\"detail\":[{\"loc\":[\"body\"" field "],\"msg\":\"" msg "\",\"type\":\"" type "\"}]}"

static void tells_what_does_not_fit(void)
{
    static const struct {
        const char *body, *wanted;
    } rows[] = {
        {"", DETAIL(",\"text\"", "field required", "value_error.missing")},
        {"{}", DETAIL(",\"text\"", "field required", "value_error.missing")},
        {"[]", DETAIL("", "value is not a valid dict", "type_error.dict")},
        {"null", DETAIL("", "value is not a valid dict", "type_error.dict")},
        {"{\"text\": null}",
         DETAIL(",\"text\"", "none is not an allowed value", "type_error.none.not_allowed")},
        {"{\"text\": []}", DETAIL(",\"text\"", "str type expected", "type_error.str")},
        {"{\"text\": \"\", \"count\": \"7.5\"}",
         DETAIL(",\"count\"", "value is not a valid integer", "type_error.integer")},
        {"{\"text\": \"\", \"count\": \"\"}",
         DETAIL(",\"count\"", "value is not a valid integer", "type_error.integer")},
        {"{\"text\": \"\", \"count\": 1e300}",
         DETAIL(",\"count\"", "value is not a valid integer", "type_error.integer")},
        {"{\"text\": \"\", \"count\": \"99999999999999999999\"}",
         DETAIL(",\"count\"", "value is not a valid integer", "type_error.integer")},
        {"{\"text\": \"\", \"ratio\": \"0x10\"}",
         DETAIL(",\"ratio\"", "value is not a valid float", "type_error.float")},
        {"{\"text\": \"\", \"ratio\": \"1\\u0000\"}",
         DETAIL(",\"ratio\"", "value is not a valid float", "type_error.float")},
        {"{\"text\": \"\", \"ratio\": \"nan\"}",
         DETAIL(",\"ratio\"", "value is not a valid float", "type_error.float")},
        {"{\"text\": \"\", \"deep\": 2}",
         DETAIL(",\"deep\"", "value could not be parsed to a boolean", "type_error.bool")},
        {"{\"text\": \"\", \"vector\": {}}",
         DETAIL(",\"vector\"", "value is not a valid list", "type_error.list")},
        {"{\"text\": \"\", \"vector\": [1, 2, \"x\"]}",
         DETAIL(",\"vector\",2", "value is not a valid float", "type_error.float")},
        {"{\"text\": \"\", \"vector\": [null]}",
         DETAIL(",\"vector\",0", "none is not an allowed value", "type_error.none.not_allowed")},
        {"{\"text\": \"\", \"*parts\": 1}",
         DETAIL(",\"*parts\"", "value is not a valid list", "type_error.list")},
        {"{\"text\": \"\", \"**options\": [1]}",
         DETAIL(",\"**options\"", "value is not a valid dict", "type_error.dict")},
        {"{\"text\": \"\", \"no\": 1}",
         DETAIL(",\"no\"", "extra fields not permitted", "value_error.extra")},
        {"{\"text\": \"\", \"parts\": [1], \"*parts\": [2]}",
         DETAIL(",\"parts\"", "extra fields not permitted", "value_error.extra")},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CLEANUP(str_free) char *text = bound(rows[i].body);
        EXPECT_STR(text, rows[i].wanted);
    }
}

static void refuses_what_is_no_json(void)
{
    static const char *const bodies[] = {"{", "{\"text\": \"a\"} x", "{\"text\": NaN}",
                                         "{\"text\": \"\xff\"}"};
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        CLEANUP(str_free) char *text = bound(bodies[i]);
        EXPECT(strstr(text, "\"loc\":[\"body\"]"));
        EXPECT(strstr(text, "value_error.jsondecode"));
    }
    char deep[400] = "{\"text\": ";
    memset(deep + strlen(deep), '[', 300);
    CLEANUP(str_free) char *too_deep = bound(deep);
    EXPECT(strstr(too_deep, "nesting"));
}

static void describes_parameters_for_the_spec(void)
{
    make_action();
    CLEANUP(str_free) char *text = native_params_json(&ACTION);
    free_action();
    EXPECT(strstr(text, "[{\"name\":\"text\",\"kind\":\"plain\",\"type\":\"str\",\"required\":true,"
                        "\"doc\":\"a text\"}"));
    EXPECT(strstr(text, "{\"name\":\"vector\",\"kind\":\"plain\",\"type\":\"list[float]\","
                        "\"required\":false,\"default\":[]}"));
    EXPECT(strstr(text, "{\"name\":\"*parts\",\"kind\":\"list\",\"type\":\"int\","
                        "\"required\":false}"));
    EXPECT(strstr(text, "{\"name\":\"extra\",\"kind\":\"keyword\""));
    EXPECT(strstr(text, "{\"name\":\"**options\",\"kind\":\"dict\",\"type\":\"any\""));
}

static void refuses_impossible_declarations(void)
{
    static const struct {
        struct jsorc_param def;
        const char *wanted;
    } rows[] = {
        {{"", "str", NULL, NULL}, "'' is no parameter name"},
        {{"a b", "str", NULL, NULL}, "'a b' is no parameter name"},
        {{"***x", "str", NULL, NULL}, "'***x' is no parameter name"},
        {{"x", "string", NULL, NULL}, "unknown type 'string'"},
        {{"x", "list[list[int]]", NULL, NULL}, "unknown type 'list[list[int]]'"},
        {{"x", "int", "{", NULL}, "default of parameter 'x' ('{')"},
        {{"x", "int", "\"a\"", NULL}, "value is not a valid integer"},
        {{"*x", "int", "[]", NULL}, "takes no default"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct native_param param = {0};
        struct err err = {0};
        EXPECT_INT(native_param_parse(&rows[i].def, &param, &err), -EINVAL);
        if (!strstr(err.text, rows[i].wanted)) {
            EXPECT_STR(err.text, rows[i].wanted);
        }
        (void)json_put(param.fallback);
    }
}

TEST_MAIN(fills_in_defaults_and_converts, tells_what_does_not_fit, refuses_what_is_no_json,
          describes_parameters_for_the_spec, refuses_impossible_declarations)
