#include "api/op_args.h"

#include <errno.h>

#include "api/op.h"
#include "base/err.h"
#include "base/json.h"
#include "base/test.h"

static const struct op op = {
    .name = "probe",
    .params = {{"name", OP_STR, NULL, ""},
               {"count", OP_INT, "3", ""},
               {"ratio", OP_FLOAT, "0.5", ""},
               {"report", OP_BOOL, "true", ""},
               {"quiet", OP_BOOL, "false", ""},
               {"ctx", OP_DICT, "{}", ""},
               {"files", OP_LIST, "[]", ""},
               {"value", OP_STR_OR_DICT, "\"\"", ""},
               {"any", OP_ANY, "null", ""}},
};

/* The JSON of the arguments, or the error, of {"name": "n", MEMBERS}. */
static int build(const char *members, char *text, size_t size)
{
    char given_text[500];
    (void)snprintf(given_text, sizeof(given_text), "{\"name\":\"n\"%s%s}", *members ? "," : "",
                   members);
    CLEANUP(json_put) struct json_object *given = NULL;
    CLEANUP(json_put) struct json_object *args = NULL;
    struct err err = {0};
    EXPECT_INT(json_parse(slice_str(given_text), &given, NULL), 0);
    int failed = op_args_build(&op, given, &args, &err);
    (void)snprintf(text, size, "%s", failed ? err.text : json_text(args));
    return failed;
}

static void fills_in_defaults(void)
{
    char text[ERR_TEXT_MAX];
    EXPECT_INT(build("", text, sizeof(text)), 0);
    EXPECT_STR(text, "{\"name\":\"n\",\"count\":3,\"ratio\":0.5,\"report\":true,\"quiet\":false,"
                     "\"ctx\":{},\"files\":[],\"value\":\"\",\"any\":null}");
}

static void ignores_what_is_no_parameter(void)
{
    char text[ERR_TEXT_MAX];
    EXPECT_INT(build("\"op\":\"probe\",\"x\":[1]", text, sizeof(text)), 0);
    EXPECT(strstr(text, "\"op\"") == NULL);
}

static void takes_types_and_their_text(void)
{
    static const struct {
        const char *given, *wanted;
    } rows[] = {
        {"\"count\":-7", "\"count\":-7,"},
        {"\"count\":\"42\"", "\"count\":42,"},
        {"\"count\":\"-42\"", "\"count\":-42,"},
        {"\"count\":4.0", "\"count\":4,"},
        {"\"count\":\"9223372036854775807\"", "\"count\":9223372036854775807,"},
        {"\"count\":9223372036854775807", "\"count\":9223372036854775807,"},
        {"\"count\":-9223372036854775808", "\"count\":-9223372036854775808,"},
        {"\"ratio\":2", "\"ratio\":2.0,"},
        {"\"ratio\":\"2.5e1\"", "\"ratio\":25.0,"},
        {"\"report\":\"False\"", "\"report\":false,"},
        {"\"report\":\"TRUE\"", "\"report\":true,"},
        {"\"quiet\":true", "\"quiet\":true,"},
        {"\"ctx\":{\"a\":1}", "\"ctx\":{\"a\":1},"},
        {"\"ctx\":\"{\\\"a\\\": 1}\"", "\"ctx\":{\"a\":1},"},
        {"\"ctx\":\"\"", "\"ctx\":{},"},
        {"\"files\":[1]", "\"files\":[1],"},
        {"\"files\":\"[1, 2]\"", "\"files\":[1,2],"},
        {"\"files\":\"\"", "\"files\":[],"},
        {"\"value\":{\"a\":1}", "\"value\":{\"a\":1},"},
        {"\"value\":\"{}\"", "\"value\":\"{}\","},
        {"\"any\":[1]", "\"any\":[1]}"},
        {"\"any\":\"1\"", "\"any\":\"1\"}"},
        /* null for what is empty anyway */
        {"\"ctx\":null", "\"ctx\":{},"},
        {"\"quiet\":null", "\"quiet\":false,"},
        {"\"value\":null", "\"value\":\"\","},
        {"\"any\":null", "\"any\":null}"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[ERR_TEXT_MAX];
        EXPECT_INT(build(rows[i].given, text, sizeof(text)), 0);
        if (!strstr(text, rows[i].wanted)) {
            EXPECT_STR(text, rows[i].wanted);
        }
    }
}

static void names_the_parameter_of_another_type(void)
{
    static const struct {
        const char *given, *text;
    } rows[] = {
        {"\"name\":5", "parameter 'name' must be text, not int"},
        {"\"name\":\"a\\u0000b\"", "parameter 'name' must not contain a zero character"},
        {"\"count\":1.5",
         "parameter 'count' must be a whole number of at most 64 bits, not double"},
        {"\"count\":true",
         "parameter 'count' must be a whole number of at most 64 bits, not boolean"},
        {"\"count\":\"\"",
         "parameter 'count' must be a whole number of at most 64 bits, not this text"},
        {"\"count\":\"12x\"",
         "parameter 'count' must be a whole number of at most 64 bits, not this text"},
        {"\"count\":\" 12\"",
         "parameter 'count' must be a whole number of at most 64 bits, not this text"},
        {"\"count\":\"9223372036854775808\"",
         "parameter 'count' must be a whole number of at most 64 bits, not this text"},
        {"\"count\":9223372036854775808",
         "parameter 'count' must be a whole number of at most 64 bits, not int"},
        {"\"count\":1e300",
         "parameter 'count' must be a whole number of at most 64 bits, not double"},
        {"\"ratio\":\"fast\"", "parameter 'ratio' must be a number, not this text"},
        {"\"ratio\":\"NaN\"", "parameter 'ratio' must be a number, not this text"},
        {"\"ratio\":[1]", "parameter 'ratio' must be a number, not array"},
        {"\"report\":1", "parameter 'report' must be true or false, not int"},
        {"\"report\":\"yes\"", "parameter 'report' must be true or false, not this text"},
        {"\"ctx\":[]", "parameter 'ctx' must be an object, or an object as JSON text, not array"},
        {"\"ctx\":\"[]\"",
         "parameter 'ctx' must be an object, or an object as JSON text, not array"},
        {"\"ctx\":\"null\"",
         "parameter 'ctx' must be an object, or an object as JSON text, not null"},
        {"\"ctx\":\"{\"", "parameter 'ctx' must be an object, or an object as JSON text: JSON "
                          "parse error - unexpected end of data at byte 1"},
        {"\"files\":{}", "parameter 'files' must be a list, or a list as JSON text, not object"},
        {"\"value\":5", "parameter 'value' must be text or an object, not int"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[ERR_TEXT_MAX];
        EXPECT_INT(build(rows[i].given, text, sizeof(text)), -EINVAL);
        EXPECT_STR(text, rows[i].text);
    }
}

static void says_what_is_missing(void)
{
    char text[ERR_TEXT_MAX];
    EXPECT_INT(build("\"name\":null", text, sizeof(text)), -ENODATA);
    EXPECT_STR(text, "missing parameter: name");
    /* null does not override a default that is something */
    EXPECT_INT(build("\"report\":null", text, sizeof(text)), -ENODATA);
    EXPECT_STR(text, "missing parameter: report");
    EXPECT_INT(build("\"count\":null", text, sizeof(text)), -ENODATA);

    CLEANUP(json_put) struct json_object *empty = json_object_new_object();
    struct json_object *args = NULL;
    struct err err = {0};
    EXPECT_INT(op_args_build(&op, empty, &args, &err), -ENODATA);
    EXPECT_STR(err.text, "missing parameter: name");
    EXPECT(args == NULL);
}

/* All rows of the program: a default that is no JSON, or of another type, would fail each call. */
static void every_default_fits_its_parameter(void)
{
    for (const struct op *const *row = OP_TABLE; *row; row++) {
        CLEANUP(json_put) struct json_object *given = json_object_new_object();
        for (int i = 0; i < OP_PARAMS_MAX && (*row)->params[i].name; i++) {
            const struct op_param *param = &(*row)->params[i];
            struct json_object *value = NULL;
            if (!param->fallback) {
                value = param->type == OP_INT || param->type == OP_FLOAT
                            ? json_object_new_int(1)
                            : json_object_new_string(param->type == OP_BOOL ? "true" : "");
            } else {
                EXPECT_INT(json_parse(slice_str(param->fallback), &value, NULL), 0);
            }
            json_set(given, param->name, value);
        }
        CLEANUP(json_put) struct json_object *args = NULL;
        struct err err = {0};
        int failed = op_args_build(*row, given, &args, &err);
        if (failed) {
            printf("# %s: %s\n", (*row)->name, err.text);
        }
        EXPECT_INT(failed, 0);
    }
}

TEST_MAIN(fills_in_defaults, ignores_what_is_no_parameter, takes_types_and_their_text,
          names_the_parameter_of_another_type, says_what_is_missing,
          every_default_fits_its_parameter)
